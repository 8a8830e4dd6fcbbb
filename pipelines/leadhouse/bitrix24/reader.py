"""Reads a window of a portal: opens it with one request, then walks leads and stage history to their ends."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pyarrow as pa
import structlog

from leadhouse.bitrix24.client import MAX_COMMANDS, Batch, Bitrix24Client, Command, Trouble, is_unknown_method
from leadhouse.bitrix24.decode import Decoder
from leadhouse.bitrix24.dictionaries import Listing, field_tables, listings, read_on, table_of
from leadhouse.bitrix24.families import FAMILIES, ITEM, Family, FamilyName
from leadhouse.bitrix24.fields import Fields
from leadhouse.bitrix24.walk import Walk
from leadhouse.columns import storable
from leadhouse.cursor import Backfill, Cursor, Window, open_window
from leadhouse.errors import LeadhouseError, OperatorError, PortalFaultError, TransientError

log = structlog.get_logger("leadhouse.bitrix24")

BATCH_LEADS = 5000
_FIRST_PAGES = 4
_PLAIN_TABLES = ("statuses", "currencies", "users")
_HISTORY_PAGES = 2


@dataclass(frozen=True, slots=True)
class Options:
    """How a window is read.

    Attributes:
        family: API family; "lead" falls over to "item" where the portal no longer knows it.
        overlap: how far before the cursor a window begins.
        region: default region of phone numbers.
        full: read everything again.
        backfill: read this span instead of the window; the cursor stays.
    """

    family: FamilyName = "lead"
    overlap: timedelta = timedelta(minutes=5)
    region: str | None = None
    full: bool = False
    backfill: Backfill | None = None


@dataclass(slots=True)
class Piece:
    """What one step of reading brought: tables, and the window's position after them.

    Attributes:
        tables: Arrow tables by name; `leads` first with its child tables, or `lead_stage_history`.
        window: the window when these are in the warehouse.
        leads: leads in it.
        misfits: values kept in schema_drift.
    """

    tables: dict[str, pa.Table]
    window: Window
    leads: int = 0
    misfits: int = 0


class WindowReader:
    """Reads one window.

    Args:
        client: the portal.
        cursor: what is remembered.
        options: how to read.
    """

    def __init__(self, client: Bitrix24Client, cursor: Cursor, options: Options) -> None:
        self._client = client
        self._options = options
        self._family: Family = FAMILIES[options.family]
        self._unknown: set[str] = set()
        self._listings = listings()
        self.resumed = self._window_of(cursor) is not None
        self.cursor = cursor
        self.upper = datetime.now(UTC)
        self.dictionaries: dict[str, pa.Table] = {}
        self.unavailable: list[str] = []
        self.fields: Fields
        self._decoder: Decoder
        self._leads: Walk
        self._history: Walk
        self._first_rows: list[Any] = []
        self._first_history: list[Any] = []

    def _window_of(self, cursor: Cursor) -> Window | None:
        if self._options.backfill is not None:
            return cursor.backfill_window if cursor.backfill == self._options.backfill else None
        if self._options.full and cursor.window is not None and not cursor.window.full:
            return None
        return cursor.window

    @property
    def backfill(self) -> bool:
        """True when a span is read again and the cursor stays."""
        return self._options.backfill is not None

    @property
    def window(self) -> Window:
        """The open window.

        Raises:
            ValueError: `open` was not called.
        """
        window = self.cursor.backfill_window if self._options.backfill is not None else self.cursor.window
        if window is None:
            raise ValueError("the window is not open")
        return window

    def open(self) -> None:
        """Send the opening batch: the portal's clock, its fields and dictionaries, the first pages.

        Raises:
            LeadhouseError: the portal refused, or the cursor lies in its future.
        """
        trouble = Trouble()
        while True:
            self._start_walks()
            batch = self._client.batch(self._opening(), halt=False)
            problem = self._take_opening(batch)
            if problem is None:
                return
            if is_unknown_method(problem) and self._family is not ITEM:
                log.warning("the portal no longer knows crm.lead.list; crm.item.list is read instead")
                self._family = ITEM
            elif isinstance(problem, TransientError):
                self._client.stalled(problem, trouble)
            else:
                raise problem

    def pieces(self) -> Iterator[Piece]:
        """Yield what the window holds, leads first, then stage history; ends when both are proven read.

        Raises:
            LeadhouseError: the portal refused or cannot be read.
        """
        window = self.window
        if not window.leads_done:
            for rows, done in self._gather(self._leads, self._first_rows):
                if rows:
                    window = window.advance(self._id(rows[-1]))
                if done:
                    window = window.finish_leads()
                yield self._lead_piece(rows, window)
        if window.history_after is not None:
            for rows, done in self._gather(self._history, self._first_history):
                last = int(rows[-1]["ID"]) if rows else window.history_after
                window = window.advance_history(None if done else last)
                tables = {"lead_stage_history": table_of("lead_stage_history", rows)} if rows else {}
                yield Piece(tables, window)

    def close(self) -> None:
        """Free what reading took."""
        if hasattr(self, "_decoder"):
            self._decoder.close()

    def _id(self, row: Any) -> int:
        return int(getattr(row, self.fields.id_attribute))

    def _lead_piece(self, rows: list[Any], window: Window) -> Piece:
        if not rows:
            return Piece({}, window)
        try:
            batch = self._decoder.decode(rows, datetime.now(UTC))
        except UnicodeError:
            batch = self._decoder.decode([_storable_row(row) for row in rows], datetime.now(UTC))
        return Piece({"leads": batch.leads, **batch.children}, window, len(rows), batch.misfits)

    def _gather(self, walk: Walk, rows: list[Any]) -> Iterator[tuple[list[Any], bool]]:
        """Yield rows in lots of about BATCH_LEADS, the last one marked."""
        trouble = Trouble()
        while not walk.done:
            if len(rows) >= BATCH_LEADS:
                yield rows, False
                rows = []
            found, problem = walk.take(self._client.batch(walk.commands(probe=False), halt=True))
            rows = [*rows, *found] if rows else found
            if found:
                trouble = Trouble()
            if problem is not None:
                self._client.stalled(problem, trouble)
        yield rows, True

    def _start_walks(self) -> None:
        window = self._window_of(self.cursor)
        zone = timezone(timedelta(minutes=self.cursor.offset_min))
        if window is not None:
            lower, until = window.lower, None
        elif self._options.backfill is not None:
            lower, until = self._options.backfill.since, None
        else:
            known = None if self._options.full else self.cursor.cursor
            lower, until = (known - self._options.overlap if known else None), None
        if self._options.backfill is not None:
            until = self._options.backfill.until
        lower, until = lower and lower.astimezone(zone), until and until.astimezone(zone)
        family = self._family
        self._leads = Walk(
            name="p",
            portal=self._client.portal,
            command=lambda after: family.page(after, lower, until),
            reference=family.last_id_of,
            rows=self._read_page,
            id_of=self._id,
            after=window.after if window else 0,
            newest=family.newest(lower, until),
            newest_ids=lambda raw: [int(row[family.id_field]) for row in _dicts(family.rows(raw))],
            done=window.leads_done if window else False,
        )
        history_done = self._options.backfill is not None or (window is not None and window.history_after is None)
        self._history = Walk(
            name="h",
            portal=self._client.portal,
            command=lambda after: _history_page(after, lower),
            reference=lambda key: f"$result[{key}][items][49][ID]",
            rows=lambda raw: _dicts(msgspec.json.decode(raw, type=_Items).items),
            id_of=lambda row: int(row["ID"]),
            after=(window.history_after or 0) if window else 0,
            newest=_history_page(None, lower),
            newest_ids=lambda raw: [int(row["ID"]) for row in _dicts(msgspec.json.decode(raw, type=_Items).items)],
            done=history_done,
        )

    def _opening(self) -> dict[str, Command]:
        commands = {"time": Command("server.time"), "fields": self._family.describe()}
        for listing in self._listings:
            if not listing.complete:
                commands |= listing.commands()
        history: dict[str, Command] = {}
        if not self._history.done:
            self._history.chain = _HISTORY_PAGES
            history = self._history.commands(probe=True)
        if not self._leads.done:
            spare = MAX_COMMANDS - len(commands) - len(history) - 1
            first = self.cursor.cursor is None or self._options.full or self._options.backfill is not None
            self._leads.chain = spare if first or self.resumed else _FIRST_PAGES
            commands |= self._leads.commands(probe=True)
        return commands | history

    def _take_opening(self, batch: Batch) -> LeadhouseError | None:
        """Take the opening batch's answer; return what hinders, None when the window is open."""
        for key in ("time", "fields"):
            if key not in batch.results:
                return batch.errors.get(key) or PortalFaultError(
                    "a command was not executed", portal=self._client.portal, method="batch"
                )
        now = _instant(batch.results["time"]) or batch.started_at
        if now is None:
            return PortalFaultError("the answer tells no time", portal=self._client.portal, method="server.time")
        for listing in self._listings:
            if not listing.complete:
                problem = listing.take(batch, self._client.portal)
                if problem is not None:
                    return problem
        read_on(self._client, [listing for listing in self._listings if not listing.complete])
        described: dict[str, dict[str, Any]] | None = None
        try:
            described = self._family.descriptions(batch.results["fields"])
        except msgspec.MsgspecError:
            pass
        if described is None:
            return PortalFaultError("the answer has another shape", method=self._family.fields_method)
        self._know(described)
        refused = batch.errors.get("p0")
        if refused is not None and not self._leads.done:
            return refused
        if not self._leads.done:
            self._first_rows, problem = self._leads.take(batch)
            if problem is not None and not self._first_rows:
                return problem
        self._open_window(now)
        self._finish_opening(batch, now)
        return None

    def _open_window(self, now: datetime) -> None:
        upper = now.astimezone(UTC)
        offset = now.utcoffset() or timedelta()
        cursor = replace(self.cursor, offset_min=int(offset.total_seconds() // 60))
        backfill = self._options.backfill
        if backfill is None:
            self.cursor = open_window(cursor, upper, self._options.overlap, full=self._options.full)
        elif self._window_of(cursor) is None:
            window = Window(backfill.since, upper, history_after=None)
            self.cursor = replace(cursor, backfill=backfill, backfill_window=window)
        self.upper = upper

    def _finish_opening(self, batch: Batch, now: datetime) -> None:
        """Take the first rows of stage history, and the dictionaries."""
        self._take_history(batch)
        by_table = {listing.table: listing for listing in self._listings}
        self.unavailable += [name for name in _PLAIN_TABLES if by_table[name].missing]
        made = field_tables(self.fields, now.astimezone(UTC))
        for name in _PLAIN_TABLES:
            if not by_table[name].missing:
                made[name] = table_of(name, list(by_table[name].rows.values()))
        self.dictionaries = made

    def _take_history(self, batch: Batch) -> None:
        """Take the first rows of stage history; a portal that does not give it does not hinder the leads."""
        if self._history.done:
            return
        problem = batch.errors.get("h0")
        if isinstance(problem, OperatorError):
            log.warning("the portal does not give stage history; its table stays as it is", why=str(problem))
            self.unavailable.append("lead_stage_history")
            self._history.done = True
        else:
            self._first_history, _ = self._history.take(batch)

    def _know(self, described: dict[str, dict[str, Any]]) -> None:
        """Learn the portal's fields, and make the decoder for them."""
        userfields = next(listing for listing in self._listings if listing.table == "userfields")
        self.fields = Fields(self._family, described, list(userfields.rows.values()), self._unknown)
        self.close()
        self._decoder = Decoder(self.fields, self._options.region)

    def _read_page(self, result: msgspec.Raw) -> list[Any]:
        """Decode a page; a field that nobody described is learnt, and text that strict JSON refuses is repaired."""
        rows = self._family.rows(result)
        try:
            page: list[Any] = self.fields.page.decode(rows)
        except msgspec.MsgspecError:
            page = []
        else:
            return page
        told = json.loads(bytes(rows).decode("utf-8", "replace"), parse_float=str, parse_constant=str)
        if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
            raise TypeError("not a list of leads")
        strange = {name for row in told for name in row} - self.fields.attributes.keys()
        if strange:
            self._unknown |= strange
            self._learn(strange)
        names = self.fields.attributes
        return [self.fields.row_type(**{names[name]: value for name, value in row.items()}) for row in told]


    def _learn(self, strange: set[str]) -> None:
        """Fields came up that no metadata described: somebody made them during the run. Ask for the metadata again."""
        log.info("the portal has new fields", count=len(strange))
        self._unknown |= strange
        described = self._family.descriptions(
            self._client.call(self._family.fields_method, {"entityTypeId": 1} if self._family is ITEM else {})
        )
        userfields = next(listing for listing in self._listings if listing.table == "userfields")
        if not userfields.missing:
            userfields.complete = False
            read_on(self._client, [userfields])
        self._know(described)


class _Items(msgspec.Struct):
    items: msgspec.Raw


_LOOSE: msgspec.json.Decoder[list[dict[str, Any]]] = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)


def _dicts(raw: msgspec.Raw) -> list[dict[str, Any]]:
    return _LOOSE.decode(raw)


def _instant(raw: msgspec.Raw) -> datetime | None:
    """Return `server.time`'s answer with its offset, None where it is no time."""
    try:
        at = datetime.fromisoformat(msgspec.json.decode(raw, type=str))
    except (msgspec.MsgspecError, ValueError):
        return None
    return at.replace(microsecond=0) if at.tzinfo is not None else None


def _history_page(after: str | None, lower: datetime | None) -> Command:
    """Stage history of leads in ascending id, or its newest ids (`after` None)."""
    params = [("entityTypeId", "1")]
    if lower is not None:
        params.append(("filter[>=CREATED_TIME]", lower.isoformat()))
    if after is not None:
        params.append(("filter[>ID]", after))
    params.append(("order[ID]", "DESC" if after is None else "ASC"))
    params.append(("start", "-1"))
    return Command("crm.stagehistory.list", params)


def _storable_row(row: Any) -> Any:
    """Return a lead whose every text any encoding can hold."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, list):
            return [clean(entry) for entry in value]
        if isinstance(value, dict):
            return {clean(name): clean(entry) for name, entry in value.items()}
        return value

    return type(row)(**{name: clean(getattr(row, name)) for name in row.__struct_fields__})
