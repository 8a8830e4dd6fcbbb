"""The dlt source: resources for leads with their child tables, dictionaries and stage history."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from leadhouse.bitrix24.client import Bitrix24Client, Limits
from leadhouse.bitrix24.decode import CHILDREN
from leadhouse.bitrix24.families import FAMILIES, FamilyName
from leadhouse.bitrix24.pieces import Piece, Reading
from leadhouse.bitrix24.reader import Options, WindowReader
from leadhouse.columns import without_nul
from leadhouse.cursor import Backfill, Cursor
from leadhouse.dlt_tables import (
    ROOT,
    ChainSource,
    chain_items,
    child_hints,
    declare,
    lead_hints,
    resource_hints,
    stored_kinds,
)
from leadhouse.errors import ConfigurationError
from leadhouse.settings import ACCESS, portal_access
from leadhouse.state import SLOT
from leadhouse.tables import Table, tables
from leadhouse.times import parse_time
from leadhouse.unchanged import Unchanged

SECTION = "bitrix24"
DICTIONARIES = ("lead_fields", "lead_field_options", "statuses", "users", "currencies")
# Rows of stage history that weigh as much as a lead when a package is filled.
NARROW = 5
LEAD_TABLES = frozenset((ROOT, *CHILDREN))
_KEPT = frozenset({"lead_field_options"})  # rows that the portal dropped stay: leads still point to them


class LeadFlow:
    """One window on its way into dlt: reads it, keeps the cursor in step with what was yielded.

    Args:
        reader: the window's reader.
        pieces: what it reads, maybe from a thread of its own.
        unchanged: leaves out leads that the warehouse has already; None writes all.
        limit: leads that a package holds at most before it is committed, but always one lot; None: all in one.
        seconds: of reading after which it ends.
        nul: the destination's text can hold the character NUL (Postgres' cannot).
    """

    def __init__(
        self,
        reader: Reading,
        pieces: Iterator[Piece],
        *,
        unchanged: Unchanged | None = None,
        limit: int | None = None,
        seconds: float = math.inf,
        nul: bool = True,
    ) -> None:
        self._without_nul = not nul
        self._seconds = seconds
        self.reader = reader
        self.cursor = reader.cursor
        self._pieces = pieces
        self._unchanged = unchanged
        self._limit = limit
        self.finished = False
        self.packaged = False
        self.leads_read = 0
        self.rows_written = 0
        self.misfits = 0

    def package(self) -> Iterator[dict[str, pa.Table]]:
        """Yield tables until the package is full or the window is read; the cursor follows."""
        self.packaged = False
        in_package, largest, began = 0, 0, time.monotonic()
        for piece in self._pieces:
            self.leads_read += piece.leads
            self.misfits += piece.misfits
            weight = piece.leads or sum(table.num_rows for table in piece.tables.values()) // NARROW
            in_package, largest = in_package + weight, max(largest, weight)
            self.cursor = piece.cursor
            fresh = self._unchanged.filter(piece.tables, self.reader.upper) if self._unchanged else piece.tables
            if self._without_nul:
                fresh, replaced = without_nul(fresh)
                self.misfits += replaced
            if fresh:
                self.rows_written += sum(int(table.num_rows) for name, table in fresh.items() if name in LEAD_TABLES)
                yield fresh
            full = self._limit is not None and in_package + largest > self._limit
            if not piece.last and (full or time.monotonic() - began >= self._seconds):
                break
        else:
            self.finished = True
            self.cursor = self.reader.closed(self.cursor)
        self.packaged = True


def resources(open_flow: Callable[[Cursor], LeadFlow]) -> list[DltResource]:
    """Return the source's resources; `open_flow` is called once, when dlt begins to extract."""
    contract = tables(SECTION)
    opened: list[LeadFlow] = []

    def flow() -> tuple[LeadFlow, dict[str, Any]]:
        slot: dict[str, Any] = dlt.current.source_state().setdefault(SLOT, {})
        if not opened:
            opened.append(open_flow(Cursor.from_dict(slot.get("cursor"))))
        return opened[0], slot

    @dlt.resource(name=ROOT, write_disposition={"disposition": "merge", "strategy": "delete-insert"})
    def leads() -> Iterator[Any]:
        now, slot = flow()
        hints = chain_hints(contract)
        yield from chain_items(_absent(contract, now.reader), hints)
        for made in now.package():
            yield from chain_items(made, hints)
        slot["cursor"] = now.cursor.to_dict()

    def dictionary(table: Table) -> DltResource:
        @dlt.resource(**resource_hints(table, replace=table.name not in _KEPT))
        def rows() -> Iterator[pa.Table]:
            now, slot = flow()
            made = now.reader.dictionaries.get(table.name)
            if made is not None:
                seen = slot.setdefault("dictionaries", {})
                digest = _digest(made)
                if seen.get(table.name) != digest:
                    seen[table.name] = digest
                    yield made

        return rows

    return [leads, *(dictionary(contract[name]) for name in DICTIONARIES)]


def _absent(contract: Mapping[str, Table], reader: Reading) -> dict[str, pa.Table]:
    """Return, empty, the tables that the schema does not know in full: dlt makes no table that brings no data."""
    known = dlt.current.source_schema().tables
    schemas = {
        name: contract[name].schema(reader.pages.fields.extra_columns() if name == ROOT else ())
        for name in (ROOT, *CHILDREN, "lead_stage_history")
    }
    return {
        name: schema.empty_table()
        for name, schema in schemas.items()
        if name not in known or not set(schema.names) <= known[name]["columns"].keys()
    }


def chain_hints(contract: Mapping[str, Table]) -> dict[str, Any]:
    """Return the hints of every table that the resource `leads` yields."""
    history = contract["lead_stage_history"]
    return {
        ROOT: lead_hints(contract[ROOT]),
        **{name: child_hints(contract[name]) for name in CHILDREN},
        history.name: dlt.mark.make_hints(
            table_name=history.name,
            primary_key="id",
            write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        ),
    }


def _digest(table: pa.Table) -> str:
    """Return a hash of a dictionary's content; the time of reading is not content."""
    content = table.drop_columns(["last_seen_at"]) if "last_seen_at" in table.column_names else table
    return blake2b(repr(content.to_pylist()).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dlt.source(name=SECTION, section=SECTION, _impl_cls=ChainSource)
def _flowing(flow: Any, run_row: Any, cursor: Any) -> list[DltResource]:
    return [*(resources(lambda _: flow) if flow is not None else []), _sync_runs(flow, run_row, cursor)]


def flowing(
    flow: LeadFlow | None, run_row: Callable[[], dict[str, Any] | None], cursor: Cursor | None = None
) -> ChainSource:
    """Return the source that draws one package from `flow`, and the run's row when `run_row` gives it.

    Args:
        flow: None for a package with nothing but the row.
        run_row: asked when the package's leads are through; the row of `sync_runs`, or None while there is none.
        cursor: to be remembered with the row, where there is no flow to tell it.
    """
    source: ChainSource = _flowing(flow, run_row, cursor)
    if flow is not None:
        extra = flow.reader.pages.fields.extra_columns()
        declare(source.schema, tables(SECTION), CHILDREN, extra, set(DICTIONARIES) - _KEPT)
    return source


def _sync_runs(
    flow: LeadFlow | None, run_row: Callable[[], dict[str, Any] | None], cursor: Cursor | None
) -> DltResource:
    table = tables(SECTION)["sync_runs"]

    @dlt.resource(**resource_hints(table, replace=False))
    def rows() -> Iterator[pa.Table | None]:
        while flow is not None and not flow.packaged:
            yield None  # dlt takes from the other resources first
        if cursor is not None:
            dlt.current.source_state().setdefault(SLOT, {})["cursor"] = cursor.to_dict()
        row = run_row()
        if row is not None:
            yield pa.Table.from_pylist([row], schema=table.schema())

    return rows


@dlt.source(name=SECTION, section=SECTION, _impl_cls=ChainSource)
def bitrix24(
    webhook_url: TSecretStrValue | None = None,
    *,
    client_id: str | None = None,
    client_secret: TSecretStrValue | None = None,
    refresh_token: TSecretStrValue | None = None,
    oauth_server: str | None = None,
    api: str = "lead",
    overlap_minutes: float = 5.0,
    phone_region: str | None = None,
    since: str | None = None,
    until: str | None = None,
    full: bool = False,
    requests_per_second: float = 2.0,
    burst: float = 50.0,
) -> list[DltResource]:
    """Return a dlt source with the leads of a Bitrix24 portal, their child tables, dictionaries and stage history.

    `dlt.pipeline(...).run(leadhouse.bitrix24())` reads what changed since the last run; the cursor lies in dlt's state.

    Args:
        webhook_url: inbound webhook, `https://{portal}/rest/{user}/{code}/`; from SOURCES__BITRIX24__WEBHOOK_URL or
            `.dlt/secrets.toml` where not given.
        client_id: with the next two, an application's access instead of a webhook.
        client_secret: the application's key.
        refresh_token: what the application's authorisation gave.
        oauth_server: address of the OAuth server, where it is not the vendor's.
        api: "lead" (crm.lead.*) or "item" (crm.item.*).
        overlap_minutes: how far before the cursor a window begins.
        phone_region: default region of phone numbers without a country code (ISO 3166).
        since: read again what was modified from this time on (ISO 8601); the cursor stays.
        until: … and before this time.
        full: read everything again.
        requests_per_second: the vendor's limit (Enterprise: 5).
        burst: requests that may go at once (Enterprise: 250).

    Raises:
        LeadhouseError: when dlt extracts, not here; see `leadhouse.errors`.
    """

    def open_flow(cursor: Cursor) -> LeadFlow:
        if api not in FAMILIES:
            raise ConfigurationError(f"api is {api!r}; it is lead or item")
        told = (webhook_url, client_id, client_secret, refresh_token, oauth_server)
        access = portal_access(dict(zip(ACCESS, told, strict=True)))
        client = Bitrix24Client(access, limits=Limits(drain=requests_per_second, burst=burst))
        backfill = Backfill(parse_time(since), parse_time(until)) if since or until else None
        options = Options(
            family=FAMILIES[cast("FamilyName", api)].name,
            overlap=timedelta(minutes=overlap_minutes),
            region=phone_region,
            full=full,
            backfill=backfill,
            stored=stored_kinds(dlt.current.source_schema()),
        )
        reader = WindowReader(client, cursor, options)
        reader.open()
        return LeadFlow(reader, reader.pieces())

    return resources(open_flow)
