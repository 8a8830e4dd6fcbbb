"""A portal with several pages, a warehouse, and waiting that costs no time."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from leadhouse.pace import Pause
from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import Scene, small_portal


class Waits:
    """What was waited for: seconds, in order. Portal time passes with it, real time does not."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.limits: list[float] = []
        self.retries: list[float] = []

    def for_limit(self, pause: Pause, seconds: float) -> None:
        """Stand in for `Pause.for_limit`."""
        if seconds > 0:
            self.limits.append(seconds)
            pause.throttled_s += seconds
            self._portal.clock.advance(seconds)

    def for_retry(self, _: Pause, seconds: float) -> None:
        """Stand in for `Pause.for_retry`."""
        if seconds > 0:
            self.retries.append(seconds)
            self._portal.clock.advance(seconds)


@pytest.fixture
def portal() -> Portal:
    return small_portal(leads=160, seed=11)


@pytest.fixture
def waits(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Nobody really sleeps."""
    waits = Waits(portal)
    monkeypatch.setattr(Pause, "for_limit", lambda pause, seconds: waits.for_limit(pause, seconds))
    monkeypatch.setattr(Pause, "for_retry", lambda pause, seconds: waits.for_retry(pause, seconds))
    return waits


@pytest.fixture
def scene(portal: Portal, tmp_path: Path) -> Iterator[Scene]:
    """The portal over real HTTP, and a DuckDB file."""
    with serve(portal) as served:
        yield Scene(portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")


@pytest.fixture
def own_logging() -> Iterator[None]:
    """The command sends logs to its stderr; afterwards they go where they went before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
