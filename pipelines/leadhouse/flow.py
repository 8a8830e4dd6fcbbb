"""A portal's rows on their way into dlt: package by package, with the cursor that goes with them."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from itertools import chain
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from leadhouse.columns import without_nul
from leadhouse.crm import Crm
from leadhouse.cursor import Cursor
from leadhouse.dlt_tables import ROOT, ChainSource, chain_items, child_hints, declare, resource_hints, root_hints
from leadhouse.masking import Mask
from leadhouse.pieces import Piece, Reading
from leadhouse.retired import Retired
from leadhouse.seen_times import TIMES, Held, nothing_held, tell_of_fields, with_times
from leadhouse.state import SLOT
from leadhouse.tables import Table
from leadhouse.unchanged import Unchanged

# Rows of other tables that weigh as much as a lead when a package is filled.
NARROW = 5


class LeadFlow:
    """A reading on its way into dlt: keeps the cursor in step with what was yielded.

    Args:
        source: the source.
        reading: the portal being read.
        pieces: what it reads, maybe from a thread of its own.
        unchanged: leave out rows that the warehouse has already, by root table; empty writes all.
        limit: leads that a package holds at most before it is committed, but always one lot; None: all in one.
        seconds: of reading after which it ends.
        nul: the destination's text can hold the character NUL (Postgres' cannot).
        held: tells what the warehouse has of a dictionary.
        retired: fills the columns that the portal tells no more; None where there are none.
        mask: what becomes of personal data; every row passes it before anything is written; None: it is kept.

    Attributes:
        written: ids of the leads in the last package.
    """

    def __init__(
        self,
        source: Crm,
        reading: Reading,
        pieces: Iterator[Piece],
        *,
        unchanged: Mapping[str, Unchanged] | None = None,
        limit: int | None = None,
        seconds: float = math.inf,
        nul: bool = True,
        held: Held = nothing_held,
        retired: Retired | None = None,
        mask: Mask | None = None,
    ) -> None:
        self.held = held
        self._retired = retired
        self.mask = mask or Mask(source)
        self._without_nul = not nul
        self._seconds = seconds
        self.crm = source
        self.reading = reading
        self.cursor = reading.cursor
        full = self.cursor.window is not None and self.cursor.window.full
        self._anew = set(source.dictionaries) if full else set()
        self._pieces = pieces
        self._unchanged = unchanged or {}
        self._limit = limit
        self._held: Piece | None = None
        self._row_tables = frozenset(source.row_tables)
        self.finished = False
        self.leads_read = 0
        self.rows_written = 0
        self.misfits = 0
        self.written: list[int] = []

    def package(self) -> Iterator[dict[str, pa.Table]]:
        """Yield tables until the package is full or the window is read; the cursor follows.

        A row comes once in a package, as dlt's merge wants it: one that comes again begins the next.
        """
        in_package, largest, began = 0, 0, time.monotonic()
        self.written = []
        ids: dict[str, set[int]] = {told.root: set() for told in self.crm.chains}
        for piece in self._waiting():
            if self._again(piece, ids):
                self._held = piece
                break
            self.leads_read += piece.leads
            self.misfits += piece.misfits
            weight = piece.leads or sum(table.num_rows for table in piece.tables.values()) // NARROW
            in_package, largest = in_package + weight, max(largest, weight)
            self.cursor = piece.cursor
            fresh = self._fresh(piece.tables)
            if fresh:
                if self.crm.leads.root in fresh:
                    self.written += fresh[self.crm.leads.root].column("id").to_pylist()
                self.rows_written += sum(
                    int(table.num_rows) for name, table in fresh.items() if name in self._row_tables
                )
                yield fresh
            full = self._limit is not None and in_package + largest > self._limit
            if not piece.last and (full or time.monotonic() - began >= self._seconds):
                break
        else:
            self.finished = True
            self.cursor = self.reading.closed(self.cursor)

    def dictionary(self, name: str) -> pa.Table | None:
        """Return a dictionary as it may be written, None where the portal does not give it."""
        told = self.reading.dictionaries.get(name)
        if told is None:
            return None
        made = self.mask.table(name, told)
        return without_nul({name: made})[0][name] if self._without_nul else made

    def anew(self, name: str) -> bool:
        """True once for each dictionary in a full window: it is written, changed or not."""
        anew = name in self._anew
        self._anew.discard(name)
        return anew

    def _waiting(self) -> Iterator[Piece]:
        held, self._held = self._held, None
        return self._pieces if held is None else chain((held,), self._pieces)

    def _again(self, piece: Piece, ids: dict[str, set[int]]) -> bool:
        """Tell whether a piece has rows that are in the package already; take note of its rows otherwise."""
        came = {root: set(piece.tables[root].column("id").to_pylist()) for root in ids if root in piece.tables}
        if any(ids[root] & new for root, new in came.items()):
            return True
        for root, new in came.items():
            ids[root] |= new
        return False

    def _fresh(self, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
        fresh = self.mask.read(tables, self.reading.dictionaries)
        for unchanged in self._unchanged.values():
            fresh = unchanged.filter(fresh, self.reading.upper)
        if self._retired is not None:
            fresh = self._retired.fill(fresh)
        if self._without_nul:
            fresh, replaced = without_nul(fresh)
            self.misfits += replaced
        return fresh


def resources(source: Crm, open_flow: Callable[[Cursor], LeadFlow]) -> list[DltResource]:
    """Return the source's resources; `open_flow` is called once, when dlt begins to extract."""
    contract = source.contract
    opened: list[LeadFlow] = []

    def flow() -> tuple[LeadFlow, dict[str, Any]]:
        slot: dict[str, Any] = dlt.current.source_state().setdefault(SLOT, {})
        if not opened:
            opened.append(open_flow(Cursor.from_dict(slot.get("cursor"))))
        return opened[0], slot

    @dlt.resource(name=ROOT, write_disposition={"disposition": "merge", "strategy": "delete-insert"})
    def leads() -> Iterator[Any]:
        now, slot = flow()
        hints = chain_hints(source)
        yield from chain_items(_absent(source, now.reading), hints)
        for made in now.package():
            yield from chain_items(made, hints)
        slot["cursor"] = now.cursor.to_dict()

    def dictionary(name: str) -> DltResource:
        @dlt.resource(**resource_hints(contract[name], replace=name not in source.kept))
        def rows() -> Iterator[pa.Table]:
            now, slot = flow()
            made = now.dictionary(name)
            if made is not None:
                seen = slot.setdefault("dictionaries", {})
                digest = _digest(made)
                if now.anew(name) or seen.get(name) != digest:
                    seen[name] = digest
                    yield _remembering(contract[name], made, now)

        return rows

    return [leads, *(dictionary(name) for name in source.dictionaries)]


def _remembering(table: Table, made: pa.Table, flow: LeadFlow) -> pa.Table:
    """Return a dictionary that has changed as it is to be written."""
    held = flow.held(table.name)
    written = with_times(table, made, held, flow.reading.upper)
    if table.name == flow.crm.fields:
        tell_of_fields(held, written.to_pylist())
    return written


def _absent(source: Crm, reading: Reading) -> dict[str, pa.Table]:
    """Return, empty, the tables that the schema does not know in full: dlt makes no table that brings no data."""
    known = dlt.current.source_schema().tables
    roots = {told.root for told in source.chains}
    schemas = {
        name: source.contract[name].schema(reading.extra_columns(name) if name in roots else ())
        for name in (*source.row_tables, *source.streams)
    }
    return {
        name: schema.empty_table()
        for name, schema in schemas.items()
        if name not in known or not set(schema.names) <= known[name]["columns"].keys()
    }


def chain_hints(source: Crm) -> dict[str, Any]:
    """Return the hints of every table that the resource `leads` yields."""
    contract = source.contract
    hints: dict[str, Any] = {}
    for told in source.chains:
        hints[told.root] = root_hints(contract[told.root])
        hints |= {name: child_hints(contract[name], told) for name in told.children}
    for name in source.streams:
        hints[name] = dlt.mark.make_hints(
            table_name=name,
            primary_key=contract[name].key,
            write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        )
    return hints


def _digest(table: pa.Table) -> str:
    """Return a hash of a dictionary's content; the times of reading are not content."""
    content = table.drop_columns([name for name in TIMES if name in table.column_names])
    return blake2b(repr(content.to_pylist()).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@cache
def _source(name: str) -> Callable[..., ChainSource]:
    made: Callable[..., ChainSource] = dlt.source(_resources, name=name, section=name, _impl_cls=ChainSource)
    return made


def _resources(of: list[DltResource]) -> list[DltResource]:
    return of


def flowing(source: Crm, flow: LeadFlow) -> ChainSource:
    """Return the dlt source that draws one package from `flow`."""
    made = _source(source.name)(resources(source, lambda _: flow))
    declare(made.schema, source, {told.root: flow.reading.extra_columns(told.root) for told in source.chains})
    return made


def remembering(source: Crm, parts: Mapping[str, Any]) -> ChainSource:
    """Return the dlt source of parts of what is remembered, and of no rows."""

    @dlt.resource(**resource_hints(source.contract["sync_runs"], replace=False))
    def rows() -> Iterator[pa.Table]:
        dlt.current.source_state().setdefault(SLOT, {}).update(parts)
        yield from ()

    return _source(source.name)([rows])


def recording(source: Crm, row: dict[str, Any], cursor: Cursor | None) -> ChainSource:
    """Return the dlt source of a run's row of `sync_runs`, and of the cursor that goes with it, if there is one."""
    table = source.contract["sync_runs"]

    @dlt.resource(**resource_hints(table, replace=False))
    def rows() -> Iterator[pa.Table]:
        if cursor is not None:
            dlt.current.source_state().setdefault(SLOT, {})["cursor"] = cursor.to_dict()
        yield pa.Table.from_pylist([row], schema=table.schema())

    return _source(source.name)([rows])
