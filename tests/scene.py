"""The scene of most tests: one portal, one warehouse, and syncs between them."""

import shutil
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import pytest

import copies
import oracle
from leadhouse import state
from leadhouse.bitrix24.walk import Walk
from leadhouse.progress import Lines
from leadhouse.reconciliation import reconcile
from leadhouse.sandbox.bitrix24 import Clock, Portal
from leadhouse.sandbox.faults import Faults
from leadhouse.service import sync
from leadhouse.summary import SyncSummary
from leadhouse.verdict import ROW, Verdict, render
from leadhouse.verification import verify
from leadhouse.warehouse import Target, Warehouse

NOON = "2026-11-21T12:00:00+03:00"
NOON_UTC = "2026-11-21T09:00:00Z"
# Up to here `check` lets the product compare every lead, and beyond a sample.
_ALL = 1000


def small_portal(leads: int = 150, seed: int = 3, timezone: str = "Europe/Moscow") -> Portal:
    """Return a portal whose clock stands at noon."""
    return Portal(leads=leads, seed=seed, timezone=timezone, clock=Clock.frozen(NOON))


# Warehouses as first syncs left them, by a digest of what was synced.
_FIRST_SYNCS: dict[bytes, str] = {}


class Crash(BaseException):
    """The process dies here, as far as a test in the same process can show it."""


@dataclass
class Scene:
    """A portal, its webhook URL, and the warehouse that follows it.

    `verifiable` is False where another pipeline than leadhouse's own fills the warehouse, or the oracle is enough.
    """

    portal: Portal
    url: str
    to: str
    api: str = "lead"
    dataset: str = "bitrix24"
    verifiable: bool = True

    def given(self) -> dict[str, Any]:
        """Return the options of every run: at once, unpaced."""
        return {
            "to": self.to,
            "dataset": self.dataset,
            "api": self.api,
            "webhook_url": self.url,
            "progress": Lines(),
            "requests_per_second": 1000,
            "burst": 10_000,
            "lock_timeout": 20.0,
        }

    def sync(self, **options: Any) -> SyncSummary:
        """Sync."""
        return sync("bitrix24", **(self.given() | options))

    def reconcile(self, **options: Any) -> SyncSummary:
        """Compare the ids, and put right what the cursor cannot see."""
        return reconcile("bitrix24", **(self.given() | options))

    def verify(self, **options: Any) -> Verdict:
        """Let the product compare the two, every lead."""
        return verify("bitrix24", **(self.given() | {"sample": "all"} | options))

    def synced(self) -> Self:
        """Sync for the first time; after another scene that began with the same portal, copy its warehouse of then."""
        content = (self.portal.leads(), self.portal.stage_history(), self.portal.userfields(), self.portal.quirks)
        key = repr((self.to.partition(":")[0], self.api, self.dataset, self.portal.clock.timestamp(), content))
        digest = blake2b(key.encode("utf-8", "surrogatepass")).digest()
        if digest in _FIRST_SYNCS:
            copies.copy(_FIRST_SYNCS[digest], self.to)
        else:
            self.sync()
            _FIRST_SYNCS[digest] = copies.beside(self.to)
            copies.copy(self.to, _FIRST_SYNCS[digest])
        return self

    def check(self, *, addresses: bool | None = None, ignoring_deleted: bool = True) -> Self:
        """Fail unless the warehouse equals the portal, and the product's own comparison says so."""
        shown = self.api == "lead" if addresses is None else addresses
        oracle.assert_equal(self.portal, self.to, self.dataset, ignoring_deleted, addresses=shown)
        if self.verifiable:
            with unnoticed(self.portal):
                verdict = self.verify(sample="all" if len(self.portal) <= _ALL else 200)
            readable = {int(lead["ID"]) for lead in self.portal.leads()} if ignoring_deleted else set()
            differing = [
                found
                for found in verdict.differences
                if not (
                    ignoring_deleted and found.column == ROW and found.table == "leads" and found.lead not in readable
                )
            ]
            assert (differing, verdict.apart) == ([], 0), render(verdict, show_values=True)
        return self

    def later(self, hours: float = 1.0) -> Self:
        """Let portal time pass, an hour by default: longer than the cursor's overlap."""
        self.portal.clock.advance(hours * 3600)
        return self

    def rows(self, sql: str) -> list[oracle.Row]:
        """Run SQL; {leads} and the like stand for the dataset's tables."""
        names = {name: f'"{self.dataset}"."{name}"' for name in oracle.contract()}
        return oracle.query(self.to, sql.format(**names))

    def change(self, sql: str) -> None:
        """Change the warehouse behind leadhouse's back."""
        names = {name: f'"{self.dataset}"."{name}"' for name in oracle.contract()}
        oracle.execute(self.to, sql.format(**names))

    def one(self, sql: str) -> Any:
        """Return the only value of the only row."""
        (row,) = self.rows(sql)
        (value,) = row.values()
        return value

    def lead(self, lead_id: int) -> oracle.Row:
        """Return a lead's row."""
        (row,) = self.rows(f"SELECT * FROM {{leads}} WHERE id = {lead_id}")  # noqa: S608 - an integer
        return row

    def written_at(self) -> dict[int, Any]:
        """Return when each lead's row was written."""
        return {row["id"]: row["synced_at"] for row in self.rows("SELECT id, synced_at FROM {leads}")}

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as `leadhouse state show` tells it."""
        return state.show(self.warehouse(), "bitrix24", lock_timeout=5.0)

    def warehouse(self) -> Warehouse:
        """Return the warehouse as the product's own functions take it."""
        return Warehouse(Target.parse(self.to), self.dataset, lock_timeout=5.0)

    def with_phone(self) -> int:
        """Return the id of a lead with exactly one phone."""
        return next(int(lead["ID"]) for lead in self.portal.leads() if len(lead.get("PHONE", ())) == 1)

    def without_phone(self) -> int:
        """Return the id of a lead without phones."""
        return next(int(lead["ID"]) for lead in self.portal.leads() if not lead.get("PHONE"))

    def drop_phones(self, lead_id: int) -> None:
        """Remove a lead's phones on the portal."""
        phones = self.portal.lead(lead_id)["PHONE"]
        self.portal.update_lead(lead_id, {"PHONE": [{"ID": phone["ID"], "DELETE": "Y"} for phone in phones]})


@contextmanager
def unnoticed(portal: Portal) -> Iterator[None]:
    """Let the portal be asked without hooks, faults and limits; its counters and its log stay as they were."""
    names = ("before_command", "faults", "limits", "latency", "http_requests", "commands", "log")
    kept = {name: getattr(portal, name) for name in names}
    portal.before_command, portal.faults, portal.limits, portal.latency = [], Faults(), None, 0.0
    portal.commands, portal.log = Counter(), deque()
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(portal, name, value)


def in_small_packages(monkeypatch: pytest.MonkeyPatch, leads: int = 100, pages: int = 2) -> None:
    """Cut reading so small that a small portal takes many requests and many load packages."""
    commands = Walk.commands

    def few(walk: Walk, *, probe: bool) -> Any:
        walk.chain = min(walk.chain, pages)
        return commands(walk, probe=probe)

    monkeypatch.setattr(Walk, "commands", few)
    monkeypatch.setattr("leadhouse.session.PACKAGE_LEADS", leads)


def crash_at(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, call: int, *, after: bool = False) -> None:
    """Make the `call`-th call (1 is the first) of a method crash, before its work or after it."""
    original = getattr(owner, name)
    left = [call]

    def dying(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not after:
            raise Crash(name)
        result = original(*args, **kwargs)
        if left[0] == 0:
            raise Crash(name)
        return result

    monkeypatch.setattr(owner, name, dying)


def lose_disk(folder: Path) -> None:
    """Delete a working directory, as a new machine would find it."""
    shutil.rmtree(folder, ignore_errors=True)


def leftovers(folder: Path) -> list[str]:
    """Name the working files that hold anything."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
