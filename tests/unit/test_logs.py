"""Logs: a JSON object a line, redacted whoever wrote it and however deep it stands."""

import io
import json
import logging
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from leadhouse import transport
from leadhouse.errors import CredentialsError
from leadhouse.logs import adopt_dlt_logger, configure, get_logger, through_standard_library

CODE = "q7w8e9r0t1y2u3i4"
URL = f"https://acme.bitrix24.com/rest/1/{CODE}/"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return what a terminal would."""
        return True


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Log to the returned stream; dlt's as before it was used, and all as before after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    dlt, noisy = (
        logging.getLogger("dlt"),
        [logging.getLogger(name) for name in ("urllib3", "dlt", "filelock", "asyncio")],
    )
    levels, dlt_handlers, propagate = [logger.level for logger in noisy], dlt.handlers[:], dlt.propagate
    dlt.handlers.clear()  # dlt's own, where a test before made it set up its logger
    dlt.propagate = True
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:], dlt.handlers[:], dlt.propagate = handlers, dlt_handlers, propagate
    root.setLevel(level)
    for logger, before in zip(noisy, levels, strict=True):
        logger.setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_one_json_object_with_time_and_level(stream: io.StringIO) -> None:
    configure(stream=stream)
    structlog.get_logger("leadhouse.sync").info("run ended", leads_read=5, throttled_s=1.5, error=None, name="Ольга")
    structlog.get_logger("leadhouse.sync").warning("two\nlines")
    one, two = lines(stream)
    assert one["timestamp"].endswith("Z")
    del one["timestamp"]
    assert one == {
        "event": "run ended", "level": "info", "leads_read": 5, "throttled_s": 1.5, "error": None, "name": "Ольга",
    }  # fmt: skip
    assert (two["event"], two["level"]) == ("two\nlines", "warning")


def test_what_is_bound_to_the_run_is_in_every_line(stream: io.StringIO) -> None:
    configure(stream=stream)
    with structlog.contextvars.bound_contextvars(run_id="9f86d081"):
        structlog.get_logger().info("a")
        logging.getLogger("some.library").warning("b")
    assert [line["run_id"] for line in lines(stream)] == ["9f86d081"] * 2


@pytest.mark.parametrize(
    "value",
    [
        URL,
        [URL],
        {"url": URL},
        {URL: 1},
        {"deep": [{"er": (URL,)}]},
        {URL},
        CredentialsError(f"refused {URL}"),
        Path(URL),
        URL.encode(),
    ],
    ids=["text", "list", "dict", "key", "deep", "set", "exception", "path", "bytes"],
)
def test_a_secret_is_masked_however_deep_it_stands(stream: io.StringIO, value: Any) -> None:
    configure(stream=stream)
    structlog.get_logger().info("told", value=value)
    logging.getLogger("some.library").warning("told %s", value)
    assert len(lines(stream)) == 2
    assert CODE not in stream.getvalue()
    assert stream.getvalue().count("***") == 2


def test_the_event_itself_is_redacted(stream: io.StringIO) -> None:
    configure(stream=stream)
    structlog.get_logger().info(f"asked {URL} for olga.kim@example.com +7 700 000 00 01")
    (line,) = lines(stream)
    assert line["event"] == "asked https://acme.bitrix24.com/rest/1/***/ for <e-mail> <phone>"


@pytest.mark.parametrize("library", [False, True], ids=["structlog", "standard library"])
def test_a_traceback_is_one_redacted_field(stream: io.StringIO, library: bool) -> None:
    configure(stream=stream)
    try:
        int(URL)
    except ValueError:
        if library:
            logging.getLogger("some.library").exception("failed")
        else:
            structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("failed", "error")
    assert "ValueError: invalid literal" in line["exception"]
    assert "https://acme.bitrix24.com/rest/1/***/" in line["exception"]
    assert CODE not in stream.getvalue()


def test_details_are_shown_when_asked_for_only(stream: io.StringIO) -> None:
    def write() -> list[str]:
        stream.truncate(0)
        stream.seek(0)
        structlog.get_logger("leadhouse.sync").debug("detail")
        structlog.get_logger("leadhouse.sync").info("news")
        for name in ("urllib3", "dlt", "filelock"):
            logging.getLogger(name).warning("chatter of %s", name)
            logging.getLogger(name).error("fault of %s", name)
        return [line["event"] for line in lines(stream)]

    faults = [f"fault of {name}" for name in ("urllib3", "dlt", "filelock")]
    configure(stream=stream)
    assert write() == ["news", *faults]
    configure(stream=stream, verbose=True)
    told = write()
    assert told[:2] == ["detail", "news"]
    assert set(told[2:]) == {*faults, *(f"chatter of {name}" for name in ("urllib3", "dlt", "filelock"))}


def test_dlts_logger_goes_the_same_way(stream: io.StringIO) -> None:
    own = io.StringIO()
    logger = logging.getLogger("dlt")
    logger.addHandler(logging.StreamHandler(own))
    logger.propagate = False
    configure(stream=stream)
    adopt_dlt_logger()
    logger.error("load failed for %s", URL)
    (line,) = lines(stream)
    assert line["event"] == "load failed for https://acme.bitrix24.com/rest/1/***/"
    assert own.getvalue() == ""


def test_the_http_librarys_paths_are_redacted_at_their_source(caplog: pytest.LogCaptureFixture) -> None:
    """Also for handlers that are not ours; the filter comes with the client."""
    assert transport.__file__
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        logging.getLogger("urllib3.connectionpool").debug(
            '"%s %s HTTP/1.1" %s', "POST", f"/rest/1/{CODE}/batch.json", 200
        )
    assert [record.getMessage() for record in caplog.records] == ['"POST /rest/1/***/batch.json HTTP/1.1" 200']


def test_a_terminal_gets_lines_for_people(stream: io.StringIO) -> None:
    screen = Screen()
    configure(stream=screen)
    structlog.get_logger().info("run ended", url=URL, leads_read=5)
    assert stream.getvalue() == ""
    assert "run ended" in screen.getvalue()
    assert CODE not in screen.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(screen.getvalue())


@pytest.mark.usefixtures("stream")
def test_lines_are_redacted_where_the_host_configured_structlog_itself() -> None:
    told: list[dict[str, Any]] = []

    def keep(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        told.append(dict(event))
        raise structlog.DropEvent

    log = get_logger("leadhouse.sync")
    structlog.configure(processors=[structlog.processors.add_log_level, keep], cache_logger_on_first_use=True)
    through_standard_library()
    log.info("asked", url=URL, who="olga.kim@example.com", phone="+7 700 000 00 01")
    structlog.get_logger("of.the.host").info("olga.kim@example.com")
    assert told == [
        {
            "event": "asked",
            "url": "https://acme.bitrix24.com/rest/1/***/",
            "who": "<e-mail>",
            "phone": "<phone>",
            "level": "info",
        },
        {"event": "olga.kim@example.com", "level": "info"},
    ]
