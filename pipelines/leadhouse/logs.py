"""Logs: structlog everywhere, one canonical line a run, JSON when nobody watches, everything redacted.

Other libraries' loggers (dlt's among them) go through the same formatter.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, TextIO

import structlog

from leadhouse.redact import redact

_NOISY = ("urllib3", "dlt", "filelock", "asyncio")


class _Redacted:
    """The processors that structlog is configured with when a line is logged, behind our redaction.

    A host of leadhouse (Airflow) brings a configuration of its own, which knows nothing of our secrets.
    """

    def __iter__(self) -> Iterator[Any]:
        processors = structlog.get_config()["processors"]
        if _redact_values not in processors:
            yield _redact_values
        yield from processors


def get_logger(name: str) -> Any:
    """Return a structlog logger whose lines are redacted, whoever has configured structlog."""
    return structlog.wrap_logger(None, processors=_Redacted(), logger_factory_args=(name,))


def configure(*, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream` (stderr): JSON unless it is a terminal."""
    out = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_values,
    ]
    tty = out.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
        if tty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def through_standard_library() -> None:
    """Send structlog's records, redacted, to the loggers `leadhouse.*`, unless somebody has configured structlog.

    For programs that import leadhouse: their logging decides, and nothing is printed on stdout.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.contextvars.merge_contextvars,
                _redact_values,
                structlog.stdlib.render_to_log_kwargs,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )


# dlt says these of every job of a failed load, several times; our error says it once.
_ECHOES = ("Transient exception in job ", "Job for ")


class _OneLine(logging.Filter):
    """Keeps a record of dlt's to its first line: its tracebacks repeat the rows that a database refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage().split("\n", 1)[0]
        record.msg = redact(line)
        record.args = record.exc_info = record.exc_text = None
        return _everything() or not line.startswith(_ECHOES)


_ONE_LINE = _OneLine()


def adopt_dlt_logger() -> None:
    """Take over dlt's logger, which brings its own handler and level when a pipeline is made."""
    logger = logging.getLogger("dlt")
    logger.handlers.clear()
    logger.propagate = True
    logger.addFilter(_ONE_LINE)
    logger.setLevel(logging.INFO if _everything() else logging.ERROR)


def _everything() -> bool:
    return logging.getLogger().isEnabledFor(logging.DEBUG)


def _redact_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if not key.startswith("_"):  # structlog's own, gone before the line is made
            event[key] = _redacted(value)
    return event


def _redacted(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {_redacted(name): _redacted(told) for name, told in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(told) for told in value]
    return redact(str(value))
