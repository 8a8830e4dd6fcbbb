"""Scenes on DuckDB and on a real Postgres."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leadhouse.pace import Pause
from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import Scene, small_portal


@pytest.fixture(params=["duckdb", "postgres"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty warehouse, once of each kind."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"duckdb:{tmp_path / 'leads.duckdb'}"


@pytest.fixture
def portal() -> Portal:
    return small_portal()


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
def either_scene(portal: Portal, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Each kind of warehouse once, each API family once, where they do not act upon each other."""
    kind, api = request.param
    to = request.getfixturevalue("postgres_url") if kind == "postgres" else f"duckdb:{tmp_path / 'leads.duckdb'}"
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
