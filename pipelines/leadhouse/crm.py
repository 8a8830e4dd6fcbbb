"""What the shared parts of leadhouse ask of a CRM; each source answers in a package of its own (docs/adding-a-crm.md).

`leadhouse/{source}/settings.py` says how its portals are configured and is light to import; `leadhouse/{source}/crm.py`
holds `CRM`, a `Crm`, which says what its tables are and makes the `Portal` that a run speaks to.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from leadhouse.columns import Kind
from leadhouse.cursor import Backfill, Cursor
from leadhouse.custom_part import CustomPart, Customs
from leadhouse.live import Live
from leadhouse.pace import Pause
from leadhouse.pieces import Piece, Reading
from leadhouse.retry import Traffic
from leadhouse.seen_times import Held, nothing_held
from leadhouse.tables import Table, tables

Entry = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chain:
    """A table and its child tables: a row and its child rows are merged in one transaction, replaced as a whole.

    Attributes:
        root: table with one row an entity, key `id`.
        children: child tables.
        parent: column of the child tables that holds the root's id.
        modified: column of the root with the modification time.
    """

    root: str
    children: tuple[str, ...]
    parent: str
    modified: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The root and its children."""
        return (self.root, *self.children)

    def id_column(self, table: str) -> str:
        """Return the column of one of the tables that holds the root's id."""
        return "id" if table == self.root else self.parent


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How a window is to be read.

    Attributes:
        full: read everything again.
        backfill: read this span instead of the window; the cursor stays.
        stored: kinds that columns have in the warehouse already, by chain; they win over the portal's metadata.
        held: given a root table and ids, returns the modification times (Unix seconds) that the warehouse has.
        newest: given a root table, returns its latest modification time (Unix seconds) and how many rows share it;
            None where it has none.
        dictionary: given the name of a dictionary that remembers what the portal dropped, returns the warehouse's rows.
    """

    full: bool = False
    backfill: Backfill | None = None
    stored: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)
    held: Callable[[str, Sequence[int]], Mapping[int, int]] = lambda _root, _ids: {}
    newest: Callable[[str], tuple[int, int] | None] = lambda _root: None
    dictionary: Held = nothing_held


class WindowReading(Reading, Protocol):
    """A window being read."""

    resumed: bool

    @property
    def rewrites(self) -> bool:
        """True when every row is written, also those that did not change."""

    def open(self) -> None:
        """Send the first request.

        Raises:
            LeadhouseError: the portal refused, or the cursor lies in its future.
        """

    def pieces(self) -> Iterator[Piece]:
        """Yield what the window holds; ends when it is proven read.

        Raises:
            LeadhouseError: the portal refused or cannot be read.
        """

    def suspects(self) -> Collection[int]:
        """Return leads that the portal says were deleted, restored or merged; asked when all pieces are loaded."""

    def close(self) -> None:
        """Free what reading took."""


@dataclass(slots=True)
class Found:
    """What the portal has of some leads.

    Attributes:
        rows: leads in ascending id, undecoded.
        gone: ids that the portal does not know.
        unseen: ids that the access may not read.
        invalid: ids that the portal does not take.
    """

    rows: list[Any] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    unseen: list[int] = field(default_factory=list)
    invalid: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Difference:
    """Ids in which portal and warehouse differ, ascending.

    Attributes:
        vanished: the warehouse holds them as living, the portal did not list them.
        unknown: the portal lists them, the warehouse does not hold them.
        moved: both have them, with different modification times; filled where every id was listed.
        modified: modification times (Unix seconds) that the portal has of the unknown and the moved.
        portal: leads that the portal has.
        listed_through: every id up to this one was listed, now or by an earlier run.
        by: "counts" or "listing".
    """

    vanished: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
    modified: dict[int, int] = field(default_factory=dict)
    portal: int = 0
    listed_through: int = 0
    by: str = "counts"

    def compare(self, listed: Sequence[Entry], held: Iterator[Entry]) -> None:
        """Add the difference between what the portal lists of some span and what the warehouse holds of it."""
        there, here = dict(listed), dict(held)
        unknown = [number for number in there if number not in here]
        moved = [number for number, at in there.items() if here.get(number, at) != at]
        self.vanished.extend(number for number in here if number not in there)
        self.unknown.extend(unknown)
        self.moved.extend(moved)
        self.modified.update((number, there[number]) for number in (*unknown, *moved))


class Refreshing(Reading, Protocol):
    """Chosen rows being read again; the cursor stays.

    Attributes:
        read: ids read so far.
    """

    read: list[int]

    def pieces(self) -> Iterator[Piece]:
        """Yield what comes, lot by lot.

        Raises:
            LeadhouseError: the portal refused, or cannot be read.
        """


class Entities(Protocol):
    """The leads of a portal (or its contacts), asked for by id, or compared as a whole."""

    @property
    def upper(self) -> datetime:
        """The portal's clock at the opening (UTC)."""

    def open(self) -> None:
        """Ask for what must be known before rows can be read.

        Raises:
            LeadhouseError: the portal refused.
        """

    def difference(self, live: Live, marked: Collection[int], listed_through: int, *, every: bool) -> Difference:
        """Open, and compare ids.

        Args:
            live: what the warehouse holds as living.
            marked: what it holds as gone or out of sight: the portal may have them again.
            listed_through: every id of the portal up to this one was seen in a complete listing.
            every: list every id, whatever counting would tell.

        Raises:
            LeadhouseError: the portal refused, or cannot be read.
        """

    def get(self, ids: Sequence[int]) -> Iterator[Found]:
        """Read rows one by one, the only way that tells why one does not come; `ids` ascend.

        Raises:
            LeadhouseError: the portal refused for another reason, or cannot be read.
        """

    def some(self, ids: Sequence[int]) -> Iterator[list[Any]]:
        """Read rows by lists of ids, in ascending order; those that are not there do not come.

        Raises:
            LeadhouseError: the portal refused, or cannot be read.
        """

    def deleted_at(self, ids: Collection[int]) -> Mapping[int, datetime]:
        """Return when the portal says that these were deleted (UTC); those of which it does not tell are left out."""

    def decode(self, rows: Sequence[Any]) -> dict[str, pa.Table]:
        """Return rows as tables: the root and the child tables that have rows."""

    def refresh(self, rows: Iterator[list[Any]], cursor: Cursor, newcomers: Collection[int] = ()) -> Refreshing:
        """Return what reads `rows` into tables.

        Args:
            rows: lots as the portal sent them, ids ascending throughout.
            cursor: what is remembered when all are in the warehouse.
            newcomers: ids that the warehouse did not hold.
        """

    def id_of(self, row: Any) -> int:
        """Return the id of a row."""

    def extra_columns(self) -> list[tuple[str, Kind]]:
        """Return the columns of the root table beyond the contract, as far as known."""

    def absent_columns(self) -> Collection[str]:
        """Return columns of the contract that the portal does not deliver, and multiple fields that it dropped."""

    def close(self) -> None:
        """Free what reading took."""


class Portal(Protocol):
    """A portal as one run speaks to it."""

    @property
    def pause(self) -> Pause:
        """Where waiting happens."""

    @property
    def traffic(self) -> Traffic:
        """What was sent."""

    @property
    def portal(self) -> str:
        """The portal's host."""

    def window(self, cursor: Cursor, options: WindowOptions) -> WindowReading:
        """Return what reads a window; the warehouse may be looked into, nothing is sent yet."""

    def entities(self, chain: Chain, stored: Mapping[str, Kind], dictionary: Held = nothing_held) -> Entities:
        """Return the rows of a chain's root table, to ask for; nothing is sent yet.

        Args:
            chain: the chain.
            stored: kinds that columns of the root table have in the warehouse already.
            dictionary: as in WindowOptions.
        """

    def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class Crm:
    """A source.

    Attributes:
        name: of the source, and of its folder of `schemas/`.
        chains: its tables with child tables, `leads` first.
        streams: other tables that are read beside the leads and merged by their keys.
        dictionaries: tables that are replaced when their content changes.
        kept: of these, the ones whose rows stay when the portal drops them.
        connect: makes the portal of some settings.
        customs: tells what its views have of the portal's own fields.
        fields: of the dictionaries, the one that tells which custom field has which column of `leads`, and its type;
            None where there is none.
        codes: types of custom fields whose values are texts that name something: stages, rows of the CRM, variants.
        figures: types whose values are ids, numbers, money, times or flags. All other types are free text, which
            counts as personal data.
        campaigns: codes of custom fields that tell where a lead came from, not who it is, whatever their types.
    """

    name: str
    chains: tuple[Chain, ...]
    streams: tuple[str, ...]
    dictionaries: tuple[str, ...]
    kept: frozenset[str]
    connect: Callable[[Any], Portal]
    customs: Customs = lambda *_: CustomPart()
    fields: str | None = None
    codes: frozenset[str] = frozenset()
    figures: frozenset[str] = frozenset()
    campaigns: frozenset[str] = frozenset()

    @property
    def leads(self) -> Chain:
        """The chain of the leads."""
        return self.chains[0]

    @property
    def contract(self) -> Mapping[str, Table]:
        """Every table by name."""
        return tables(self.name)

    @property
    def row_tables(self) -> tuple[str, ...]:
        """Tables whose rows count as rows of leads: all chains'."""
        return tuple(table for chain in self.chains for table in chain.tables)


def crm(source: str) -> Crm:
    """Return a source by its name, as `leadhouse.settings.known_source` knows it."""
    from importlib import import_module  # noqa: PLC0415 - clients and decoders load with it

    found: Crm = import_module(f"leadhouse.{source}.crm").CRM
    return found
