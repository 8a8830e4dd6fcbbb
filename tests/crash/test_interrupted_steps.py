"""Death at every kind of step of a load, one after another: the next run completes it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import psycopg2
import pytest

from any_scene import AnyScene
from crash.crashing import DIED
from crash.processes import environment
from crash.working_files import leftovers
from kommo_scene import KommoScene, small_account
from leadhouse.sandbox import bitrix24, kommo
from scene import Scene, small_portal

LEADS = 100
PACKAGE = 60
POINTS = 8


class Crasher:
    """Runs syncs in a process that forks a child for each."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "work"
        self.log = folder / "crashing.log"
        self._stderr = self.log.open("w")
        script = Path(__file__).with_name("crashing.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            env=environment(DLT_DATA_DIR=str(self.data)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )

    def sync(self, scene: AnyScene, to: str, die_at: int | None = None, package: int = PACKAGE) -> tuple[int, int]:
        """Sync in a child, in packages of so many leads; return its exit status and the steps that it took."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        wanted = {"source": scene.source, "die_at": die_at, "package": package, "sync": {"to": to, **scene.way_in()}}
        into.write(json.dumps(wanted) + "\n")
        into.flush()
        line = out.readline()
        assert line, self.log.read_text()[-4000:]
        answer: dict[str, Any] = json.loads(line)
        return answer["exit"], answer["steps"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._stderr.close()


@pytest.fixture
def crasher(tmp_path: Path) -> Iterator[Crasher]:
    crasher = Crasher(tmp_path)
    yield crasher
    crasher.close()


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


def _spread(steps: int) -> range:
    """Return steps to die at: an odd stride, so that deaths before and after a step's work take turns."""
    return range(1, steps, steps // POINTS | 1)


def _die_and_heal(crasher: Crasher, scene: AnyScene, to: str, die_at: int, *, lost: bool) -> None:
    """One run dies at a step, the next one completes the work; the working directory may be `lost` in between."""
    status, _ = crasher.sync(scene, to, die_at)
    assert status == DIED, f"step {die_at}: the run went on, {crasher.log.read_text()[-2000:]}"
    if lost:
        shutil.rmtree(crasher.data)
    status, _ = crasher.sync(scene, to, package=LEADS)
    assert status == 0, f"after death at step {die_at}: {crasher.log.read_text()[-4000:]}"
    scene.to = to
    try:
        scene.check()
    except AssertionError as difference:
        difference.add_note(f"after death at step {die_at}")
        raise
    assert leftovers(crasher.data) == []


@pytest.mark.parametrize("way", ["bitrix24-duckdb", "bitrix24-postgres", "kommo-duckdb"], indirect=True)
def test_a_first_load_that_dies_at_any_step_is_completed_by_the_next_run(
    crasher: Crasher, scene: AnyScene, new_warehouse: Copies
) -> None:
    status, steps = crasher.sync(scene, new_warehouse())
    assert status == 0, crasher.log.read_text()[-4000:]
    for number, die_at in enumerate(_spread(steps)):
        _die_and_heal(crasher, scene, new_warehouse(), die_at, lost=number % 3 == 2)


@pytest.mark.parametrize("way", ["bitrix24-duckdb", "bitrix24-postgres", "kommo-postgres"], indirect=True)
def test_an_update_that_dies_at_any_step_is_completed_by_the_next_run(
    crasher: Crasher, scene: AnyScene, new_warehouse: Copies
) -> None:
    before = new_warehouse()
    assert crasher.sync(scene, before)[0] == 0, crasher.log.read_text()[-4000:]
    scene.later().life(create=30, edit=30, phone_add=10, phone_remove=20, stage=10, seed=8)
    status, steps = crasher.sync(scene, new_warehouse(before))
    assert status == 0, crasher.log.read_text()[-4000:]
    for number, die_at in enumerate(_spread(steps)):
        _die_and_heal(crasher, scene, new_warehouse(before), die_at, lost=number % 3 == 2)
