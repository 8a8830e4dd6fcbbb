"""Scenes on DuckDB and on a real Postgres, of one source or of each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from any_scene import AnyScene
from kommo_scene import KommoScene, small_account
from leadhouse.pace import Pause
from leadhouse.sandbox import kommo
from leadhouse.sandbox.bitrix24 import Portal, serve
from leadhouse.sandbox.kommo import Account
from scene import Scene, small_portal
from served import opened, warehouse


@pytest.fixture(params=["duckdb", "postgres"])
def to(request: pytest.FixtureRequest) -> str:
    """An empty warehouse, once of each kind."""
    return warehouse(request.param, request)


@pytest.fixture
def size() -> int:
    """How many leads a portal has."""
    return 150


@pytest.fixture
def portal(size: int) -> Portal:
    return small_portal(size)


@pytest.fixture
def account(size: int) -> Account:
    return small_account(size)


# Of each source


@pytest.fixture(params=["lead", "item", "kommo"])
def every_scene(request: pytest.FixtureRequest, to: str) -> Iterator[AnyScene]:
    """Each source, over each family of methods, once with each kind of warehouse."""
    with opened(request.param, to, request) as scene:
        yield scene


@pytest.fixture(params=["lead", "kommo"])
def each_scene(request: pytest.FixtureRequest, to: str) -> Iterator[AnyScene]:
    """Each source, once with each kind of warehouse."""
    with opened(request.param, to, request) as scene:
        yield scene


@pytest.fixture(params=["duckdb-lead", "postgres-item", "duckdb-kommo", "postgres-kommo"])
def crossed_scene(request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """Each source with each kind of warehouse, each family of methods once."""
    kind, _, way = request.param.partition("-")
    with opened(way, warehouse(kind, request), request) as scene:
        yield scene


@pytest.fixture(params=["lead", "item", "kommo"])
def way_scene(request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """Each source, over each family of methods, with a DuckDB file."""
    with opened(request.param, warehouse("duckdb", request), request) as scene:
        yield scene


@pytest.fixture(params=["lead", "kommo"])
def file_scene(request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """Each source with a DuckDB file, where neither destination nor family matters."""
    with opened(request.param, warehouse("duckdb", request), request) as scene:
        yield scene


# Of one source


@pytest.fixture
def kommo_scene(account: Account, tmp_path: Path) -> Iterator[KommoScene]:
    """An account and a DuckDB file."""
    with kommo.serve(account) as served:
        yield KommoScene(account, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")


@pytest.fixture
def scene(portal: Portal, to: str) -> Iterator[Scene]:
    """A portal and a warehouse, once of each kind."""
    with serve(portal) as served:
        yield Scene(portal, served.url, to)


@pytest.fixture(params=["lead", "item"])
def both_scene(scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """The same over both API families."""
    scene.api = request.param
    return scene


@pytest.fixture(params=[("duckdb", "lead"), ("postgres", "item")], ids=["duckdb-lead", "postgres-item"])
def either_scene(portal: Portal, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Each kind of warehouse once, each API family once, where they do not act upon each other."""
    kind, api = request.param
    to = warehouse(kind, request)
    with serve(portal) as served:
        yield Scene(portal, served.url, to, api=api)


@pytest.fixture
def duckdb_scene(portal: Portal, tmp_path: Path) -> Iterator[Scene]:
    """A portal and a DuckDB file, where the destination does not matter."""
    with serve(portal) as served:
        yield Scene(portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")


@pytest.fixture(params=["lead", "item"])
def family_scene(duckdb_scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """A DuckDB file over both API families."""
    duckdb_scene.api = request.param
    return duckdb_scene


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are repeated at once."""
    monkeypatch.setattr(Pause, "for_retry", lambda *_: None)
    monkeypatch.setattr(Pause, "for_limit", lambda *_: None)
