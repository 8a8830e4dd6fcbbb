"""Reads a window of a portal: opens it with one request, then walks leads and stage history to their ends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.bitrix24.client import MAX_COMMANDS, Batch, Bitrix24Client, Command
from leadhouse.bitrix24.dictionaries import table_of
from leadhouse.bitrix24.families import ITEM, FamilyName
from leadhouse.bitrix24.history import HISTORY, history_id, history_walk
from leadhouse.bitrix24.lead_pages import LeadPages
from leadhouse.bitrix24.opening import Opening
from leadhouse.bitrix24.places import Remembered
from leadhouse.bitrix24.sight import Watch
from leadhouse.bitrix24.walk import Walk
from leadhouse.columns import Kind
from leadhouse.cursor import Backfill, Cursor, Window
from leadhouse.errors import LeadhouseError, OperatorError
from leadhouse.pieces import Piece
from leadhouse.wanted import Wanted

if TYPE_CHECKING:
    import pyarrow as pa

log = logs.get_logger("leadhouse.bitrix24")

_FIRST_PAGES = 4
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
        stored: kinds that columns of `leads` have in the warehouse already; a column never changes its type.
        remembered: rows of `lead_fields`, as the warehouse holds them.
        language: of the titles of user fields.
    """

    family: FamilyName = "lead"
    overlap: timedelta = timedelta(minutes=5)
    region: str | None = None
    full: bool = False
    backfill: Backfill | None = None
    stored: Mapping[str, Kind] = field(default_factory=dict)
    remembered: Sequence[Remembered] = ()
    language: str | None = None


class WindowReader:
    """Reads one window.

    Args:
        client: the portal.
        cursor: what is remembered.
        options: how to read.

    Attributes:
        cursor: what is remembered, with the window once it is open.
        resumed: an earlier run had opened the window.
        dictionaries: dictionary tables by name.
        unavailable: tables that the portal does not give.
    """

    def __init__(self, client: Bitrix24Client, cursor: Cursor, options: Options) -> None:
        self._client = client
        self._options = options
        self._wanted = Wanted(options.full, options.backfill)
        self._opening = Opening(
            client,
            family=options.family,
            region=options.region,
            stored=options.stored,
            remembered=options.remembered,
            language=options.language,
        )
        self.cursor = cursor
        self.resumed = self._wanted.stored(cursor) is not None
        self.dictionaries: dict[str, pa.Table] = {}
        self.unavailable: list[str] = []
        self._widened = timedelta()
        self._newest_ids: list[int] = []
        self._start_walks()

    @property
    def rewrites(self) -> bool:
        """True when every row is written, also those that did not change."""
        return self._wanted.rewrites(self.cursor)

    def open(self) -> None:
        """Send the opening batch: the portal's clock, its fields and dictionaries, the first pages.

        Raises:
            LeadhouseError: the portal refused, or the cursor lies in its future.
        """
        self._opening.open(self._commands, self._take)

    @property
    def pages(self) -> LeadPages:
        """What is known of the portal's leads."""
        return self._opening.pages

    @property
    def upper(self) -> datetime:
        """The portal's clock at the opening (UTC)."""
        return self._opening.upper

    def pieces(self) -> Iterator[Piece]:
        """Yield what the window holds, leads first, then stage history; ends when both are proven read.

        Raises:
            LeadhouseError: the portal refused or cannot be read.
        """
        window = self._wanted.open(self.cursor)
        if not window.leads_done:
            for piece, reached in self._lead_pieces(window):
                window = reached
                yield piece
        if HISTORY in window.streams:
            yield from self._history_pieces(window, window.streams[HISTORY])

    def _lead_pieces(self, window: Window) -> Iterator[tuple[Piece, Window]]:
        watch = Watch(self._client, self._opening, *self._bounds(), self._newest_ids)
        if not self._leads.done:
            watch.begin(self._leads.after)
        for rows, done in self._gather(self._leads, self._first_rows):
            if rows:
                watch.note([self.pages.id_of(row) for row in rows])
                window = window.advance(self.pages.id_of(rows[-1]))
            if done:
                watch.end()
                window = window.finish_leads()
            yield self._lead_piece(rows, window), window

    def _history_pieces(self, window: Window, last: int) -> Iterator[Piece]:
        for rows, _ in self._gather(self._older, self._first_older):
            if rows:
                self.cursor = replace(self.cursor, history_through=history_id(rows[-1]))
            yield self._history_piece(rows, window)
        for rows, done in self._gather(self._history, self._first_history):
            last = history_id(rows[-1]) if rows else last
            window = window.advance_stream(HISTORY, None if done else last)
            if done:
                self.cursor = replace(self.cursor, history_through=max(self.cursor.history_through, last))
            yield self._history_piece(rows, window)

    def _history_piece(self, rows: list[Any], window: Window) -> Piece:
        made = {HISTORY: table_of(HISTORY, rows)} if rows else {}
        return Piece(made, self._wanted.at(self.cursor, window), last=window.done)

    def closed(self, cursor: Cursor) -> Cursor:
        """Return what is remembered when all pieces are in the warehouse."""
        return self._wanted.closed(cursor)

    def extra_columns(self, _root: str) -> list[tuple[str, Kind]]:
        """Return the columns of `leads` beyond the contract, as far as known."""
        return self.pages.fields.extra_columns()

    def suspects(self) -> tuple[int, ...]:
        """Bitrix24 tells a webhook nothing of deletions."""
        return ()

    def close(self) -> None:
        """Free what reading took."""
        self._opening.close()

    def _lead_piece(self, rows: list[Any], window: Window) -> Piece:
        if not rows:
            return Piece({}, self._wanted.at(self.cursor, window), last=window.done)
        batch = self.pages.decode(rows)
        return Piece(batch.tables, self._wanted.at(self.cursor, window), len(rows), batch.misfits, last=window.done)

    def _gather(self, walk: Walk, rows: list[Any]) -> Iterator[tuple[list[Any], bool]]:
        """Yield the rows of each batch; the last ones are marked."""
        last = rows
        if rows and not walk.done:
            yield rows, False
        for last in walk.batches(self._client, probe=False):
            if last and not walk.done:
                yield last, False
        yield last, True

    def _bounds(self) -> tuple[datetime | None, datetime | None]:
        """The span of modification time to ask for, in the portal's own offset."""
        backfill = self._options.backfill
        lower = self._wanted.lower(self.cursor, self._options.overlap)
        until = backfill.until if backfill is not None else None
        zone = timezone(timedelta(minutes=self.cursor.offset_min))
        return lower and (lower - self._widened).astimezone(zone), until and until.astimezone(zone)

    def _start_walks(self) -> None:
        window, family = self._wanted.stored(self.cursor), self._opening.family
        lower, until = self._bounds()
        self._lower = lower
        self._first_rows: list[Any] = []
        self._first_history: list[Any] = []
        self._first_older: list[Any] = []
        self._leads = Walk(
            name="p",
            portal=self._client.portal,
            command=lambda after: family.page(after, lower, until),
            reference=family.last_id_of,
            rows=lambda result: self.pages.rows(result),  # noqa: PLW0108 - pages come with the opening
            id_of=lambda row: self.pages.id_of(row),  # noqa: PLW0108
            after=window.after if window else 0,
            newest=family.newest(lower, until),
            newest_ids=lambda result: self.pages.newest_ids(result),  # noqa: PLW0108
            done=window.leads_done if window else False,
        )
        no_history = self._options.backfill is not None or (window is not None and HISTORY not in window.streams)
        after = window.streams.get(HISTORY, 0) if window else 0
        self._history = history_walk("h", self._client.portal, after=after, lower=lower, done=no_history)
        # Entries of leads that came with old dates: new ids, times before the window.
        known, whole = self.cursor.history_through, lower is None
        self._older = history_walk("o", self._client.portal, after=known, until=lower, done=no_history or whole)

    def _commands(self, taken: int) -> dict[str, Command]:
        self._start_walks()
        commands: dict[str, Command] = {}
        if not self._history.done:
            self._history.chain = _HISTORY_PAGES
            commands |= self._history.commands(probe=True)
        if not self._older.done:
            commands |= self._older.commands(probe=True)
        if not self._leads.done:
            if self._opening.family is ITEM and self._lower is not None:
                commands["recent"] = self._opening.family.recent()
            incremental = self._lower is not None and not self.resumed and not self._options.backfill
            self._leads.chain = _FIRST_PAGES if incremental else MAX_COMMANDS - taken - len(commands) - 1
            commands |= self._leads.commands(probe=True)
        return commands

    def _take(self, batch: Batch) -> LeadhouseError | None:
        """Take the run's own part of the opening batch's answer; return what hinders, None when the window is open."""
        problem = self._take_leads(batch)
        if problem is None:
            self._take_history(batch)
            self._open_window(self._opening.now)
            self.dictionaries = self._opening.tables()
            self.unavailable = [*self._opening.unavailable, *self.unavailable]
        return problem

    def _take_leads(self, batch: Batch) -> LeadhouseError | None:
        if self._leads.done:
            return None
        refused = batch.errors.get("p0")
        if refused is not None:
            return refused
        self._first_rows, problem = self._leads.take(batch)
        self._newest_ids = self._leads.newest_seen
        if problem is not None and not self._first_rows:
            return problem
        if self._filter_is_shifted(batch):
            log.warning("the portal shifts time filters; the window is read from a day earlier")
            self._widened = timedelta(days=1)
            return self._opening.fault("the portal shifts time filters")
        return None

    def _filter_is_shifted(self, batch: Batch) -> bool:
        """Tell whether leads modified within the window are missing from it.

        crm.item.list reads filter times in another zone where the webhook user's zone is not the portal's (reference:
        known faults of crm.item). Asked before the first page, the leads modified last must be on the pages.
        """
        if "recent" not in batch.results or self._lower is None or self._widened:
            return False
        read = {self.pages.id_of(row) for row in self._first_rows}
        return any(
            number not in read and modified >= self._lower and (self._leads.done or number <= self._leads.after)
            for number, modified in self.pages.modified(batch.results["recent"]).items()
        )

    def _take_history(self, batch: Batch) -> None:
        """Take the first rows of stage history; a portal that does not give it does not hinder the leads."""
        if self._history.done:
            return
        problem = batch.errors.get("h0")
        if isinstance(problem, OperatorError):
            log.warning("the portal does not give stage history; its table stays as it is", why=str(problem))
            self.unavailable = [HISTORY]
            self._history.done = self._older.done = True
        else:
            self._first_history, _ = self._history.take(batch)
            if isinstance(batch.errors.get("o0"), OperatorError):
                log.debug("the portal does not filter stage history up to a time")
                self._older.done = True
            elif not self._older.done:
                self._first_older, _ = self._older.take(batch)

    def _open_window(self, now: datetime) -> None:
        offset = now.utcoffset() or timedelta()
        cursor = replace(self.cursor, offset_min=int(offset.total_seconds() // 60))
        streams = () if self._options.backfill else (HISTORY,)
        self.cursor = self._wanted.opened(cursor, self.upper, self._options.overlap, streams)
