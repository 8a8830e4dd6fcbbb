"""A real `kill -9` of a real `leadhouse sync`, again and again, at spread moments of one load."""

import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import contents
from crash.portals import Bitrix24Process, KommoProcess
from crash.processes import PortalProcess, Served, Sync
from crash.working_files import Step, leftovers, step_of
from leadhouse.session import CHECKPOINT_LEADS

Reached = Callable[[Step, Callable[[], Served]], bool]


@dataclass(frozen=True)
class Moment:
    """When to kill: as soon as `reached`, and then a little later."""

    name: str
    reached: Reached
    later_s: float = 0.0


def _asked(requests: int) -> Reached:
    return lambda step, served: step.committed > 0 or served().requests >= requests


def _at(name: str) -> Reached:
    return lambda step, _: step.committed > 0 or step.name == name


def _half_loaded(step: Step, _: object) -> bool:
    return step.committed > 0 or (step.name == "load" and step.jobs_done >= step.jobs_left)


def _nearly_loaded(step: Step, _: object) -> bool:
    return step.committed > 0 or (step.name == "load" and step.jobs_done > 0 and step.jobs_left < 2)


def _steps(seed: int) -> Iterator[Moment]:
    """Moments of every step of a package, for ever."""
    chance = random.Random(seed)  # noqa: S311 - spreads kills, guards nothing
    order: tuple[tuple[str, Reached], ...] = (
        ("first request", _asked(1)),
        ("normalize", _at("normalize")),
        ("load", _at("load")),
        ("half", _half_loaded),
        ("extract", _at("extract")),
        ("requests", _asked(4)),
        ("nearly", _nearly_loaded),
    )
    for name, reached in itertools.cycle(order):
        yield Moment(name, reached, chance.choice((0.0, 0.0, 0.02, 0.1)))


_PACKAGE_IS_IN = Moment("a package is in", lambda step, _: step.committed > 0, 0.1)


@dataclass
class Killing:
    """One load that is killed again and again."""

    portal: PortalProcess
    to: str
    folder: Path
    package: int | None = None
    steps: list[str] = field(default_factory=list)
    # What a killed run brought to nothing, weighed in leads.
    reread: list[float] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The DLT_DATA_DIR."""
        return self.folder / "work"

    def start(self) -> Sync:
        """Start `leadhouse sync`."""
        return Sync(self.portal, self.to, self.data, self.folder / "stderr.log", package=self.package)

    def kill_at(self, moment: Moment) -> bool:
        """Start a sync and kill it at the moment; False when it was through before."""
        served, held = self.portal.served(), self.held()
        sync = self.start()
        try:
            while not sync.ended and not moment.reached(step_of(self.data), lambda: self.portal.served() - served):
                time.sleep(0.004)
            time.sleep(moment.later_s)
            over = sync.ended
        finally:
            sync.kill()
        if over:
            assert sync.process.returncode == 0, (self.folder / "stderr.log").read_text()[-4000:]
            return False
        self.steps.append(step_of(self.data).name)
        asked, now = self.portal.served() - served, self.held()
        lost = {
            table: pages * self.portal.page_rows - (now[table] - held[table]) for table, pages in asked.pages.items()
        }
        self.reread.append(sum(self.portal.weights[table] * max(0, rows) for table, rows in lost.items()))
        return True

    def held(self) -> dict[str, int]:
        """Return how many rows of the counted tables are in the warehouse; each id must be there once."""
        there = not self.to.startswith("duckdb:") or self._file.exists()
        present = contents.columns(self.to, self.portal.source) if there else {}
        found = dict.fromkeys(self.portal.weights, 0)
        for table in found.keys() & present.keys():
            sql = f"SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM {self.portal.source}.{table}"  # noqa: S608 - ours
            (counts,) = contents.query(self.to, sql)
            assert counts["rows"] == counts["ids"], f"{table} holds ids twice after a kill in {self.steps[-1:]}"
            found[table] = counts["rows"]
        return found

    @property
    def _file(self) -> Path:
        return Path(self.to.removeprefix("duckdb:"))

    def run(self, leads: int, kills: int, seed: int) -> None:
        """Kill the load `kills` times, spread over its `leads`; every third time the working directory is lost, too.

        A kill falls behind a commit where the load lags behind the kills; the last ones fall behind the leads.
        """
        steps = _steps(seed)
        for number in range(kills):
            due = leads * (number - 2) / (kills - 6)
            lags = self.held()["leads"] < min(leads, due)
            if not self.kill_at(_PACKAGE_IS_IN if lags else next(steps)):
                return
            if number % 3 == 2:
                shutil.rmtree(self.data)


@pytest.mark.parametrize(
    ("process", "leads", "kills"),
    [(Bitrix24Process, 50_000, 23), (KommoProcess, 35_000, 16)],
    ids=["bitrix24", "kommo"],
)
def test_a_long_load_survives_kills_at_every_step_and_no_kill_costs_more_than_a_checkpoint(
    tmp_path: Path, process: type[PortalProcess], leads: int, kills: int
) -> None:
    with process.running(leads=leads, seed=3) as portal:
        killing = Killing(portal, f"duckdb:{tmp_path / 'crm.duckdb'}", tmp_path)
        killing.run(leads=leads, kills=kills, seed=5)
        assert len(killing.steps) >= kills - 3, killing.steps
        assert killing.held()["leads"] == leads, "the last kills fall behind the leads"
        assert killing.start().summary()["outcome"] == "done"
        assert "load" in killing.steps, killing.steps
        assert len(set(killing.steps)) >= 3, killing.steps
        portal.assert_equal(killing.to)
        assert leftovers(killing.data) == []
        assert max(killing.reread) <= CHECKPOINT_LEADS + portal.repeated(), killing.reread


@pytest.mark.parametrize("process", [Bitrix24Process, KommoProcess], ids=["bitrix24", "kommo"])
def test_postgres_survives_kills_at_every_step(tmp_path: Path, postgres_url: str, process: type[PortalProcess]) -> None:
    with process.running(leads=10_000, seed=4) as portal:
        killing = Killing(portal, postgres_url, tmp_path, package=4000)
        killing.run(leads=10_000, kills=9, seed=1)
        assert len(killing.steps) >= 6, killing.steps
        portal.live(create=20, edit=40, phone_add=10, phone_remove=10, stage=10, seed=2)
        assert killing.start().summary()["outcome"] == "done"
        portal.assert_equal(killing.to)
        assert leftovers(killing.data) == []
