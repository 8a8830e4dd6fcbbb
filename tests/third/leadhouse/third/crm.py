"""The third CRM as the shared parts of leadhouse see it: an HTTP API that pages leads by ascending id."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pyarrow as pa

from leadhouse.child_rows import Drift, Rows
from leadhouse.columns import ARROW, Kind, column, unix_seconds
from leadhouse.crm import Chain, Crm, Difference, Found, WindowOptions
from leadhouse.cursor import Cursor
from leadhouse.errors import LeadhouseError, LeadNotFoundError, PortalBusyError, PortalFaultError
from leadhouse.fingerprint import FINGERPRINT, Fingerprinter
from leadhouse.live import Live
from leadhouse.pace import Distance, Pause
from leadhouse.phone import e164
from leadhouse.pieces import Piece
from leadhouse.retry import RetryingClient, Trouble
from leadhouse.seen_times import Held, nothing_held
from leadhouse.tables import tables
from leadhouse.transport import Transport
from leadhouse.wanted import Wanted

from .settings import ThirdSettings

LEADS = Chain("leads", ("lead_phones", "schema_drift"), "lead_id", "modified_at")
_PAGE = 100
Row = dict[str, Any]


class _Open:
    """Everybody may read the third CRM."""

    application: ClassVar[bool] = False

    def ticket(self) -> dict[str, str]:
        return {}

    def renew(self, refused: dict[str, str]) -> bool:  # noqa: ARG002 - no other ticket
        return False


class _Client(RetryingClient):
    """Fetches JSON."""

    def __init__(self, settings: ThirdSettings) -> None:
        super().__init__(_Open(), Transport(), Pause(), attempts=5, patience_s=60.0)
        self._base = settings.base_url.rstrip("/")
        self._apart_s = 1 / settings.requests_per_second
        self._distance = Distance()

    @property
    def portal(self) -> str:
        return self._base.partition("://")[2]

    def get(self, path: str) -> Row:
        """Fetch `path`."""

        def attempt(ticket: dict[str, str]) -> Row:
            answer = self._transport.get(f"{self._base}/{path}", ticket, portal=self.portal, method="leads")
            if answer.status == 404:
                raise LeadNotFoundError("no such lead", portal=self.portal, method="leads")
            if answer.status != 200:
                raise PortalFaultError(f"HTTP {answer.status}", portal=self.portal, method="leads")
            told: Row = json.loads(answer.body, parse_float=str)
            return told

        return self._until_answered("leads", attempt)

    def _pace(self) -> None:
        self.pause.for_limit(self._distance.take(self._apart_s))

    def _busy_s(self, problem: PortalBusyError, trouble: Trouble) -> float:  # noqa: ARG002 - it has no limits
        return 1.0

    def _expired(self, problem: LeadhouseError) -> bool:  # noqa: ARG002 - it has no tickets
        return False


class _Rooms:
    """What reading a window, chosen leads and all ids share."""

    def __init__(self, client: _Client, region: str | None, cursor: Cursor) -> None:
        self.client = client
        self.cursor = cursor
        self.upper = datetime.now(UTC)
        self.dictionaries: dict[str, pa.Table] = {}
        self.unavailable: list[str] = []
        self._region = region
        self._fingerprinter = Fingerprinter()

    def pages(self, after: int = 0, since: int = 0) -> Iterator[list[Row]]:
        """Yield leads page by page; the first page tells the portal's clock."""
        while True:
            told = self.client.get(f"leads?after={after}&since={since}&limit={_PAGE}")
            self.upper = datetime.fromtimestamp(told["now"], UTC)
            users = pa.Table.from_pylist(told["users"], schema=tables("third")["users"].schema())
            self.dictionaries = {"users": users}
            yield told["leads"]
            if len(told["leads"]) < _PAGE:
                return
            after = told["leads"][-1]["id"]

    def decoded(self, rows: Sequence[Row]) -> tuple[dict[str, pa.Table], int]:
        """Return leads (ids ascending) as tables, and how many values fit no column."""
        contract = tables("third")
        children = {name: Rows(contract[name], list(contract[name].columns)) for name in LEADS.children}
        drift = Drift([row["id"] for row in rows], children["schema_drift"])
        made: dict[str, pa.Array] = {}
        for told in contract["leads"].columns.values():
            if told.field:
                values = [row.get(told.field) for row in rows]
                read = unix_seconds(values) if told.kind is Kind.TIMESTAMP else column(values, told.kind)
                made[told.name], misfits = read
                for misfit in misfits:
                    drift.add(told.field, misfit.row, values[misfit.row])
        for row in rows:
            for position, value in enumerate(row["phones"]):
                children["lead_phones"].cells.append((row["id"], position, value, e164(value, self._region)))
        filled = {name: cells.table() for name, cells in children.items() if len(cells)}
        made[FINGERPRINT] = self._fingerprinter.of(pa.table(made), filled, LEADS.parent)
        made["synced_at"] = pa.array([datetime.now(UTC)] * len(rows), ARROW[Kind.TIMESTAMP])
        schema = contract["leads"].schema()
        columns = [made.get(field.name, pa.nulls(len(rows), field.type)) for field in schema]
        return {"leads": pa.Table.from_arrays(columns, schema=schema), **filled}, drift.count

    def extra_columns(self, root: str = "leads") -> list[tuple[str, Kind]]:  # noqa: ARG002 - it has no custom fields
        return []

    def closed(self, cursor: Cursor) -> Cursor:
        return cursor

    def close(self) -> None:
        self._fingerprinter.close()


class _WindowReader(_Rooms):
    """Reads a window."""

    def __init__(
        self, client: _Client, region: str | None, cursor: Cursor, options: WindowOptions, overlap: timedelta
    ) -> None:
        super().__init__(client, region, cursor)
        self._wanted, self._overlap = Wanted(options.full, options.backfill), overlap
        self.resumed = self._wanted.stored(cursor) is not None

    @property
    def rewrites(self) -> bool:
        return self._wanted.rewrites(self.cursor)

    def open(self) -> None:
        kept, lower = self._wanted.stored(self.cursor), self._wanted.lower(self.cursor, self._overlap)
        self._pages = self.pages(kept.after if kept else 0, int(lower.timestamp()) if lower else 0)
        self._first = next(self._pages)
        self.cursor = self._wanted.opened(self.cursor, self.upper, self._overlap)

    def pieces(self) -> Iterator[Piece]:
        backfill = self._wanted.backfill
        rows, until = self._first, backfill.until if backfill else None
        while True:
            following = next(self._pages, None)
            window = self._wanted.open(self.cursor)
            window = window.advance(rows[-1]["id"]) if rows else window
            window = window.finish_leads() if following is None else window
            self.cursor = self._wanted.at(self.cursor, window)
            kept = [row for row in rows if until is None or row["modified"] < until.timestamp()]
            made, misfits = self.decoded(kept) if kept else ({}, 0)
            yield Piece(made, self.cursor, len(kept), misfits, last=following is None)
            if following is None:
                return
            rows = following

    def suspects(self) -> Collection[int]:
        return ()

    def closed(self, cursor: Cursor) -> Cursor:
        return self._wanted.closed(cursor)


class _Refresh(_Rooms):
    """Reads chosen leads into tables."""

    def __init__(self, client: _Client, region: str | None, cursor: Cursor, rows: Iterator[list[Row]]) -> None:
        super().__init__(client, region, cursor)
        self._rows = rows
        self.read: list[int] = []

    def pieces(self) -> Iterator[Piece]:
        for rows in filter(None, self._rows):
            self.read += [row["id"] for row in rows]
            made, misfits = self.decoded(rows)
            yield Piece(made, self.cursor, len(rows), misfits)


class _Entities(_Rooms):
    """Leads, asked for by id or compared as a whole."""

    def __init__(self, client: _Client, region: str | None) -> None:
        super().__init__(client, region, Cursor())
        self._asked = region

    def open(self) -> None:
        """Nothing needs to be known first."""

    def difference(self, live: Live, marked: Collection[int], listed_through: int, *, every: bool) -> Difference:  # noqa: ARG002 - it always lists all
        listed = [(row["id"], row["modified"]) for rows in self.pages() for row in rows]
        found = Difference(by="listing", portal=len(listed))
        found.compare(listed, live.between(0, None))
        return found

    def get(self, ids: Sequence[int]) -> Iterator[Found]:
        for number in ids:
            try:
                yield Found(rows=[self.client.get(f"leads/{number}")])
            except LeadNotFoundError:
                yield Found(gone=[number])

    def some(self, ids: Sequence[int]) -> Iterator[list[Row]]:
        return (found.rows for found in self.get(ids))

    def deleted_at(self, ids: Collection[int]) -> Mapping[int, datetime]:  # noqa: ARG002 - it does not tell
        return {}

    def decode(self, rows: Sequence[Row]) -> dict[str, pa.Table]:
        return self.decoded(sorted(rows, key=self.id_of))[0]

    def refresh(self, rows: Iterator[list[Row]], cursor: Cursor, newcomers: Collection[int] = ()) -> _Refresh:  # noqa: ARG002 - no history
        return _Refresh(self.client, self._asked, cursor, rows)

    def id_of(self, row: Row) -> int:
        return int(row["id"])

    def absent_columns(self) -> Collection[str]:
        return ()


class _Portal:
    """A portal as one run speaks to it."""

    def __init__(self, settings: ThirdSettings) -> None:
        self._settings = settings
        self._client = _Client(settings)
        self.pause = self._client.pause
        self.traffic = self._client.traffic
        self.portal = self._client.portal

    def window(self, cursor: Cursor, options: WindowOptions) -> _WindowReader:
        settings = self._settings
        return _WindowReader(self._client, settings.phone_region, cursor, options, settings.overlap)

    def entities(self, chain: Chain, stored: Mapping[str, Kind], dictionary: Held = nothing_held) -> _Entities:  # noqa: ARG002 - one chain, no custom fields
        return _Entities(self._client, self._settings.phone_region)

    def close(self) -> None:
        self._client.close()


CRM = Crm(
    name="third",
    chains=(LEADS,),
    streams=(),
    dictionaries=("users",),
    kept=frozenset(),
    connect=_Portal,
)
