"""What the scenes of all sources have in common: one portal, one warehouse, and one vocabulary of life at an office.

A test that is written in this vocabulary runs for every source.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

import contents
import copies
from leadhouse import state
from leadhouse.chosen import Asked, lead
from leadhouse.progress import Lines
from leadhouse.reconciliation import reconcile
from leadhouse.service import sync
from leadhouse.summary import SyncSummary
from leadhouse.verdict import ROW, Verdict, render
from leadhouse.verification import verify
from leadhouse.warehouse import Target, Warehouse

# Up to here `check` lets the product compare every lead, and beyond a sample.
_ALL = 1000

# Warehouses as first syncs left them, by a digest of what was synced.
_FIRST_SYNCS: dict[bytes, str] = {}

# The contract's types as the databases call them.
_IN_DUCKDB = {
    "bigint": "bigint",
    "text": "varchar",
    "boolean": "boolean",
    "decimal": "decimal(18,2)",
    "double": "double",
    "date": "date",
    "timestamp": "timestamp with time zone",
}
_IN_POSTGRES = _IN_DUCKDB | {"text": "character varying", "decimal": "numeric(18,2)", "double": "double precision"}


class Crash(BaseException):
    """The process dies here, as far as a test in the same process can show it."""


@dataclass
class AnyScene(ABC):
    """A portal, its URL, and the warehouse that follows it.

    Attributes:
        portal: the sandbox.
        url: where it listens.
        to: the warehouse, as `--to` names it.
        dataset: the schema; the source's name where none is given.
        verifiable: False where another pipeline than leadhouse's own fills the warehouse, or the oracle is enough.
    """

    portal: Any
    url: str
    to: str
    dataset: str = ""
    verifiable: bool = True

    source: ClassVar[str]
    # Columns of `leads`.
    title_column: ClassVar[str]
    amount_column: ClassVar[str]
    modified_column: ClassVar[str]
    created_column: ClassVar[str]
    # The tables of phones and e-mails, and their column with the id of whom they belong to.
    phones_table: ClassVar[str]
    emails_table: ClassVar[str]
    phones_parent: ClassVar[str]
    # The tables of values of a lead, each with the column `lead_id`.
    child_tables: ClassVar[tuple[str, ...]]
    # Leads that a resumed run reads at most though the run before committed them.
    read_again: ClassVar[int]
    # A lead that is edited behind the reading position comes once more in the same run.
    brings_edits_back: ClassVar[bool]

    def __post_init__(self) -> None:
        self.dataset = self.dataset or self.source

    # Of the scene's own kind

    @abstractmethod
    def way_in(self) -> dict[str, Any]:
        """Return how to reach the portal."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the same as variables of the environment."""

    @abstractmethod
    def custom_columns(self) -> dict[str, str]:
        """Return the columns of `leads` beyond the contract, with their types in its words."""

    @abstractmethod
    def content(self) -> Any:
        """Return all that a first sync depends on."""

    @abstractmethod
    def expected(self) -> contents.Tables:
        """Return what the warehouse must hold."""

    @abstractmethod
    def differences(self, *, ignoring_deleted: bool = True) -> list[str]:
        """Return in what the warehouse differs from the portal, a line each."""

    @abstractmethod
    def before_page(self, number: int, happens: Callable[[], object]) -> list[int]:
        """Let something happen once, before the portal answers page `number` (0 is the first) of its leads.

        Returns a list that holds the number once it happened.
        """

    @abstractmethod
    def before_each_request(self, happens: Callable[[], object]) -> None:
        """Let something happen before the portal answers anything."""

    @abstractmethod
    def quiet(self) -> Self:
        """Let nothing happen any more."""

    @abstractmethod
    def unnoticed(self) -> AbstractContextManager[None]:
        """Let the portal be asked without hooks, faults and limits; its counters and its log stay as they were."""

    @abstractmethod
    def in_small_packages(self, monkeypatch: pytest.MonkeyPatch, leads: int = 100, pages: int = 2) -> None:
        """Cut reading so small that a small portal takes many requests and many load packages."""

    @abstractmethod
    def refuse(self) -> None:
        """Let the portal refuse its access."""

    # Life at the office

    @abstractmethod
    def ids(self) -> list[int]:
        """Return the ids of the leads that can be read, ascending."""

    @abstractmethod
    def in_reading_order(self) -> list[int]:
        """Return the same in the order in which a run reads them."""

    @abstractmethod
    def add(self, title: str) -> int:
        """Create a lead."""

    @abstractmethod
    def edit(self, lead_id: int, title: str) -> None:
        """Edit a lead."""

    @abstractmethod
    def edit_quietly(self, lead_id: int, title: str, at: str | None = None) -> None:
        """Edit a lead without moving its modification time, or moving it to `at`."""

    @abstractmethod
    def title_of(self, lead_id: int) -> str:
        """Return a lead's title on the portal."""

    @abstractmethod
    def storm(self, ids: Sequence[int], title: str) -> None:
        """Edit many leads in the same second."""

    @abstractmethod
    def import_old(self, count: int) -> list[int]:
        """Import leads with an old time of modification."""

    @abstractmethod
    def life(self, seed: int | None = None, **counts: int) -> set[int]:
        """Let a random piece of life happen; return the leads that were touched."""

    @abstractmethod
    def with_phone(self) -> int:
        """Return the id of somebody with exactly one phone: the one whom phones belong to at this source."""

    @abstractmethod
    def without_phone(self) -> int:
        """Return the id of somebody without phones."""

    @abstractmethod
    def add_phone(self, owner: int, number: str) -> None:
        """Add a phone on the portal."""

    @abstractmethod
    def drop_phones(self, owner: int, count: int | None = None) -> None:
        """Remove somebody's phones on the portal, the first `count` or all."""

    def delete(self, lead_id: int) -> None:
        """Delete a lead."""
        self.portal.delete_lead(lead_id)

    def restore(self, lead_id: int) -> int:
        """Restore a deleted lead; return its id, which may be another."""
        restored: int | None = self.portal.restore_lead(lead_id)
        return lead_id if restored is None else restored

    def hide(self, *ids: int) -> None:
        """Take the right to read leads away."""
        self.portal.hide_lead(*ids)

    def reveal(self, *ids: int) -> None:
        """Give it back."""
        self.portal.reveal_lead(*ids)

    def invent(self, count: int) -> list[int]:
        """Create leads."""
        made: list[int] = self.portal.invent_leads(count)
        return made

    def later(self, hours: float = 1.0) -> Self:
        """Let portal time pass, an hour by default: longer than the cursor's overlap."""
        self.portal.clock.advance(hours * 3600)
        return self

    # Runs

    def given(self) -> dict[str, Any]:
        """Return the options of every run: at once, unpaced."""
        shared = {"progress": Lines(), "requests_per_second": 1000, "lock_timeout": 20.0}
        return {"to": self.to, "dataset": self.dataset, **shared, **self.way_in()}

    def sync(self, **options: Any) -> SyncSummary:
        """Sync."""
        return sync(self.source, **(self.given() | options))

    def reconcile(self, **options: Any) -> SyncSummary:
        """Compare the ids, and put right what the cursor cannot see."""
        return reconcile(self.source, **(self.given() | options))

    def verify(self, **options: Any) -> Verdict:
        """Let the product compare the two, every lead."""
        return verify(self.source, **(self.given() | {"sample": "all"} | options))

    def fetch(self, *ids: int) -> Asked:
        """Refresh chosen leads."""
        return lead(self.source, ids, **self.given())

    def synced(self) -> Self:
        """Sync for the first time; after another scene that began with the same portal, copy its warehouse of then."""
        given = (self.to.partition(":")[0], self.source, self.dataset, self.portal.clock.timestamp())
        key = repr((given, self.content()))
        digest = blake2b(key.encode("utf-8", "surrogatepass")).digest()
        if digest in _FIRST_SYNCS:
            copies.copy(_FIRST_SYNCS[digest], self.to)
        else:
            self.sync()
            _FIRST_SYNCS[digest] = copies.beside(self.to)
            copies.copy(self.to, _FIRST_SYNCS[digest])
        return self

    def check(self, *, ignoring_deleted: bool = True, **expectations: Any) -> Self:
        """Fail unless the warehouse equals the portal, and the product's own comparison says so."""
        lines = self.differences(ignoring_deleted=ignoring_deleted, **expectations)
        assert not lines, contents.report("the warehouse differs from the portal", lines)
        if self.verifiable:
            with self.unnoticed():
                verdict = self.verify(sample="all" if len(self.portal) <= _ALL else 200)
            readable = set(self.ids()) if ignoring_deleted else set()
            differing = [
                found
                for found in verdict.differences
                if not (
                    ignoring_deleted and found.column == ROW and found.table == "leads" and found.lead not in readable
                )
            ]
            assert (differing, verdict.apart) == ([], 0), render(verdict, show_values=True)
        return self

    # The warehouse

    def rows(self, sql: str) -> list[contents.Row]:
        """Run SQL; {leads} and the like stand for the dataset's tables."""
        return contents.query(self.to, sql.format(**self._names()))

    def change(self, sql: str) -> None:
        """Change the warehouse behind leadhouse's back."""
        contents.execute(self.to, sql.format(**self._names()))

    def drop_views(self) -> None:
        """Drop the product's views: Postgres lets nobody change columns that views read."""
        views = self.rows("SELECT table_schema AS place, table_name AS name FROM information_schema.views")
        for view in views:
            if view["place"] in (self.dataset, "crm"):
                self.change(f'DROP VIEW "{view["place"]}"."{view["name"]}"')

    def promised_columns(self) -> dict[str, dict[str, str]]:
        """Return the columns of every table that a run makes by itself, with their types as the database calls them."""
        names = _IN_POSTGRES if self.to.startswith("postgres") else _IN_DUCKDB
        promised = {
            table: {column: names[told["type"]] for column, told in about["columns"].items()}
            for table, about in contents.contract(self.source).items()
            if "versions_of" not in about
        }
        promised["leads"] |= {column: names[kind] for column, kind in self.custom_columns().items()}
        return promised

    def _names(self) -> dict[str, str]:
        return {name: f'"{self.dataset}"."{name}"' for name in contents.contract(self.source)}

    def held(self) -> contents.Tables:
        """Return what the warehouse holds."""
        return contents.actual(self.to, self.dataset, self.source)

    def one(self, sql: str) -> Any:
        """Return the only value of the only row."""
        (row,) = self.rows(sql)
        (value,) = row.values()
        return value

    def lead(self, lead_id: int) -> contents.Row:
        """Return a lead's row."""
        (row,) = self.rows(f"SELECT * FROM {{leads}} WHERE id = {lead_id}")  # noqa: S608 - an integer
        return row

    def title(self, lead_id: int) -> str:
        """Return a lead's title in the warehouse."""
        title: str = self.lead(lead_id)[self.title_column]
        return title

    def phones(self, owner: int) -> list[str]:
        """Return somebody's phones in the warehouse."""
        told = f"SELECT value FROM {{{self.phones_table}}} WHERE {self.phones_parent} = {owner} ORDER BY position"  # noqa: S608
        return [row["value"] for row in self.rows(told)]

    def marks(self) -> tuple[set[int], set[int]]:
        """Return ids of leads marked as deleted, and as out of sight."""
        rows = self.rows("SELECT id, deleted_at, out_of_sight_at FROM {leads}")
        deleted = {row["id"] for row in rows if row["deleted_at"] is not None}
        return deleted, {row["id"] for row in rows if row["out_of_sight_at"] is not None}

    def written_at(self) -> dict[int, Any]:
        """Return when each lead's row was written."""
        return {row["id"]: row["synced_at"] for row in self.rows("SELECT id, synced_at FROM {leads}")}

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as `leadhouse state show` tells it."""
        return state.show(self.warehouse(), self.source, lock_timeout=5.0)

    def warehouse(self) -> Warehouse:
        """Return the warehouse as the product's own functions take it."""
        return Warehouse(Target.parse(self.to), self.dataset, lock_timeout=5.0)


@contextmanager
def keeping(portal: Any, **instead: Any) -> Iterator[None]:
    """Let attributes of a portal have other values for the length of the block."""
    kept = {name: getattr(portal, name) for name in instead}
    for name, value in instead.items():
        setattr(portal, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(portal, name, value)


def crash_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int, *, after: bool = False) -> None:
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
