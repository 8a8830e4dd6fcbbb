"""A portal with several pages, a warehouse, and waiting that costs no time."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from faults.command import Command
from kommo_scene import KommoScene, small_account
from leadhouse.pace import Pause
from leadhouse.sandbox import kommo
from leadhouse.sandbox.bitrix24 import Portal, serve
from leadhouse.sandbox.kommo import Account
from scene import Scene, small_portal


class Waits:
    """What was waited for: seconds, in order. Portal time passes with it, real time does not."""

    def __init__(self, portal: Portal | Account) -> None:
        self._portal = portal
        self.limits: list[float] = []
        self.retries: list[float] = []

    def replace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for both waits of `Pause`."""

        def for_limit(pause: Pause, seconds: float) -> None:
            pause.throttled_s += self._pass(self.limits, seconds)

        def for_retry(_: Pause, seconds: float) -> None:
            self._pass(self.retries, seconds)

        monkeypatch.setattr(Pause, "for_limit", for_limit)
        monkeypatch.setattr(Pause, "for_retry", for_retry)

    def _pass(self, told: list[float], seconds: float) -> float:
        if seconds <= 0:
            return 0.0
        told.append(seconds)
        self._portal.clock.advance(seconds)
        return seconds


@pytest.fixture
def portal() -> Portal:
    return small_portal(leads=160, seed=11)


@pytest.fixture
def waits(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Nobody really sleeps."""
    waits = Waits(portal)
    waits.replace(monkeypatch)
    return waits


@pytest.fixture
def scene(portal: Portal, tmp_path: Path) -> Iterator[Scene]:
    """The portal over real HTTP, and a DuckDB file."""
    with serve(portal) as served:
        yield Scene(portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}", verifiable=False)


@pytest.fixture
def account() -> Account:
    """An account with a second in which more leads were modified than a small page holds."""
    account = small_account(leads=160, seed=11)
    account.storm([lead["id"] for lead in account.leads()[:60]], {"name": "All at once"})
    account.clock.advance(60)
    return account


@pytest.fixture
def account_waits(account: Account, monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Nobody really sleeps."""
    waits = Waits(account)
    waits.replace(monkeypatch)
    return waits


@pytest.fixture
def kommo_scene(account: Account, tmp_path: Path) -> Iterator[KommoScene]:
    """The account over real HTTP, and a DuckDB file."""
    with kommo.serve(account) as served:
        yield KommoScene(account, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}", verifiable=False)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """The command sends logs to its stderr; afterwards they go where they went before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    portal = small_portal(leads=60, seed=17)
    with serve(portal) as served:
        yield Command(portal, served.url, tmp_path)
