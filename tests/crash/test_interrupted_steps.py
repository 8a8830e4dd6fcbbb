"""Death at every kind of step of a load, one after another: the next run completes it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import psycopg2
import pytest

from any_scene import AnyScene
from crash.crasher import LEADS, Crasher, die_and_heal, spread
from kommo_scene import KommoScene, small_account
from leadhouse.sandbox import bitrix24, kommo
from scene import Scene, small_portal
from versions import check_intervals, kept


class Copies(Protocol):
    """Makes warehouses, empty ones or copies of another."""

    def __call__(self, of: str | None = None) -> str:
        """Return the URL of a new one."""
        ...


@dataclass
class DuckDBCopies:
    """Warehouses as files of a folder."""

    folder: Path

    def __call__(self, of: str | None = None) -> str:
        """Make one."""
        path = self.folder / f"{uuid4().hex[:8]}.duckdb"
        if of is not None:
            shutil.copyfile(of.removeprefix("duckdb:"), path)
        return f"duckdb:{path}"


@dataclass
class PostgresCopies:
    """Warehouses as databases of one server."""

    server: str

    def __call__(self, of: str | None = None) -> str:
        """Make one."""
        name = f"crm_{uuid4().hex[:8]}"
        template = "" if of is None else f" TEMPLATE {of.partition('?')[0].rpartition('/')[2]}"
        connection = psycopg2.connect(self.server)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}{template}")
        connection.close()
        return self.server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A source, and a kind of warehouse."""
    source, _, kind = request.param.partition("-")
    return source, kind


@pytest.fixture
def new_warehouse(way: tuple[str, str], request: pytest.FixtureRequest, tmp_path: Path) -> Copies:
    if way[1] == "duckdb":
        return DuckDBCopies(tmp_path)
    return PostgresCopies(request.getfixturevalue("postgres_server"))


@pytest.fixture
def scene(way: tuple[str, str]) -> Iterator[AnyScene]:
    """A portal; its warehouses are the test's own."""
    if way[0] == "kommo":
        account = small_account(LEADS, seed=6)
        with kommo.serve(account) as served:
            yield KommoScene(account, served.url, "", verifiable=False)
        return
    portal = small_portal(LEADS, seed=6)
    with bitrix24.serve(portal) as served_portal:
        yield Scene(portal, served_portal.url, "", verifiable=False)


@pytest.mark.parametrize("way", ["bitrix24-duckdb", "bitrix24-postgres", "kommo-duckdb"], indirect=True)
def test_a_first_load_that_dies_at_any_step_is_completed_by_the_next_run(
    crasher: Crasher, scene: AnyScene, new_warehouse: Copies
) -> None:
    status, steps = crasher.sync(scene, new_warehouse())
    assert status == 0, crasher.log.read_text()[-4000:]
    for number, die_at in enumerate(spread(steps)):
        die_and_heal(crasher, scene, new_warehouse(), die_at, lost=number % 3 == 2)


@pytest.mark.parametrize("way", ["bitrix24-duckdb", "bitrix24-postgres", "kommo-postgres"], indirect=True)
def test_an_update_that_dies_at_any_step_is_completed_by_the_next_run(
    crasher: Crasher, scene: AnyScene, new_warehouse: Copies
) -> None:
    before = new_warehouse()
    assert crasher.sync(scene, before)[0] == 0, crasher.log.read_text()[-4000:]
    scene.later().life(create=30, edit=30, phone_add=10, phone_remove=20, stage=10, seed=8)
    status, steps = crasher.sync(scene, new_warehouse(before))
    assert status == 0, crasher.log.read_text()[-4000:]
    for number, die_at in enumerate(spread(steps)):
        die_and_heal(crasher, scene, new_warehouse(before), die_at, lost=number % 3 == 2)


@pytest.mark.parametrize("way", ["bitrix24-duckdb", "bitrix24-postgres", "kommo-postgres"], indirect=True)
def test_history_is_the_same_after_death_at_any_step_of_an_update(
    crasher: Crasher, scene: AnyScene, new_warehouse: Copies
) -> None:
    before = new_warehouse()
    scene.to = before
    scene.sync(history=True)
    scene.later().life(create=10, edit=30, phone_add=10, stage=10, seed=8)
    undisturbed = new_warehouse(before)
    status, steps = crasher.sync(scene, undisturbed)
    assert status == 0, crasher.log.read_text()[-4000:]
    scene.to = undisturbed
    wanted = kept(scene)
    assert len(wanted) > LEADS + 20
    for number, die_at in enumerate(spread(steps)):
        die_and_heal(crasher, scene, new_warehouse(before), die_at, lost=number % 3 == 2)
        assert kept(scene) == wanted, f"after death at step {die_at}"
        check_intervals(scene)
