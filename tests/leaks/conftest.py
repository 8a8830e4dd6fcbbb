"""A portal with a code that occurs nowhere else, a warehouse of each kind, and ears at every logger."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from leadhouse.pace import Pause
from leadhouse.sandbox.bitrix24 import Clock, Portal, serve
from leaks.traces import Heard
from scene import NOON, Scene

CODE = "h7q2zvonlyhere91"


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What a library user hears who logs everything, structlog included."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("urllib3", "dlt", "filelock")}
    ears = Heard()
    root.addHandler(ears)
    root.setLevel(logging.DEBUG)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    yield ears
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def portal() -> Portal:
    return Portal(leads=120, seed=13, code=CODE, clock=Clock.frozen(NOON))


@pytest.fixture(params=["duckdb", "postgres"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty warehouse, once of each kind."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"duckdb:{tmp_path / 'leads.duckdb'}"


@pytest.fixture
def scene(portal: Portal, to: str) -> Iterator[Scene]:
    with serve(portal) as served:
        yield Scene(portal, served.url, to)


@pytest.fixture
def file_scene(portal: Portal, tmp_path: Path) -> Iterator[Scene]:
    """The same where the destination does not matter."""
    with serve(portal) as served:
        yield Scene(portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are repeated at once."""
    monkeypatch.setattr(Pause, "for_retry", lambda *_: None)
    monkeypatch.setattr(Pause, "for_limit", lambda pause, seconds: setattr(pause, "throttled_s", seconds))
