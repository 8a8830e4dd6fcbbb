"""Two portals, an empty warehouse, and the command line in this process."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from kommo_scene import KommoScene, small_account
from leadhouse.cli import main
from leadhouse.pace import Pause
from leadhouse.sandbox import bitrix24, kommo
from scene import Scene, small_portal
from served import warehouse

Called = tuple[int, str, str]
Call = Callable[..., Called]


@pytest.fixture(params=["duckdb", "postgres"])
def to(request: pytest.FixtureRequest) -> str:
    """An empty warehouse, once of each kind."""
    return warehouse(request.param, request)


@pytest.fixture
def file(request: pytest.FixtureRequest) -> str:
    """An empty DuckDB warehouse."""
    return warehouse("duckdb", request)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are repeated at once."""
    monkeypatch.setattr(Pause, "for_retry", lambda *_: None)
    monkeypatch.setattr(Pause, "for_limit", lambda *_: None)


@pytest.fixture
def bitrix24_scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A portal with 30 leads, configured in the environment."""
    portal = small_portal(30)
    with bitrix24.serve(portal) as served:
        monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", served.url)
        monkeypatch.setenv("SOURCES__BITRIX24__BURST", "10000")
        yield Scene(portal, served.url, "")


@pytest.fixture
def kommo_scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[KommoScene]:
    """An account with 30 leads, configured in the environment."""
    account = small_account(30)
    with kommo.serve(account) as served:
        monkeypatch.setenv("SOURCES__KOMMO__BASE_URL", served.url)
        monkeypatch.setenv("SOURCES__KOMMO__ACCESS_TOKEN", account.token)
        monkeypatch.setenv("SOURCES__KOMMO__REQUESTS_PER_SECOND", "10000")
        yield KommoScene(account, served.url, "")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Return what runs a command and gives its status, stdout, and stderr without log lines."""

    def run(*arguments: str) -> Called:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        told = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, told.out, "".join(f"{x}\n" for x in told.err.splitlines() if not x.startswith("{"))

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
