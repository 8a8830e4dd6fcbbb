"""Reads a window of an account: leads, contacts and companies, each by a walk over modification time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.columns import Kind
from leadhouse.crm import WindowOptions
from leadhouse.cursor import Cursor, Window
from leadhouse.errors import PermissionDeniedError, PortalMethodError
from leadhouse.kommo.account import Account, clock, zone_of
from leadhouse.kommo.client import KommoClient, Reply
from leadhouse.kommo.entity import COMPANIES, CONTACTS, ENTITIES, LEADS, Entity
from leadhouse.kommo.events import moved
from leadhouse.kommo.pages import Pages
from leadhouse.kommo.walk import PAGE_ROWS, Walk
from leadhouse.pieces import Piece
from leadhouse.wanted import Wanted

if TYPE_CHECKING:
    import pyarrow as pa

log = logs.get_logger("leadhouse.kommo")

LOT_ROWS = 2_500
# Companies and dictionaries take a dozen requests. They are read when leads or contacts changed, and this often.
DICTIONARIES_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Manner:
    """How an account is read.

    Attributes:
        overlap: how far before the cursor a window begins.
        region: default region of phone numbers.
    """

    overlap: timedelta
    region: str | None


class WindowReader:
    """Reads one window.

    Args:
        client: the account.
        cursor: what is remembered.
        options: which window.
        manner: how to read.

    Attributes:
        cursor: what is remembered, with the window once it is open.
        resumed: an earlier run had opened the window.
        dictionaries: dictionary tables by name.
        unavailable: tables that the account does not give.
    """

    upper: datetime

    def __init__(self, client: KommoClient, cursor: Cursor, options: WindowOptions, manner: Manner) -> None:
        self._client = client
        self._options = options
        self._wanted = Wanted(options.full, options.backfill)
        self._manner = manner
        self.cursor = cursor
        self.resumed = self._wanted.stored(cursor) is not None
        self.dictionaries: dict[str, pa.Table] = {}
        self.unavailable: list[str] = []
        self._pages: dict[str, Pages] = {}
        self._walks: dict[str, Walk] = {}
        self._reads_all = False
        self._suspects: set[int] = set()
        self._positions = self._found_positions()

    @property
    def backfill(self) -> bool:
        """True when a span is read again and the cursor stays."""
        return self._options.backfill is not None

    @property
    def rewrites(self) -> bool:
        """True when every row is written, also those that did not change."""
        return self._wanted.rewrites(self.cursor)

    def open(self) -> None:
        """Ask for the account where it is not known yet, and for the first pages.

        Raises:
            LeadhouseError: the account refused, or the cursor lies in its future.
        """
        account = Account(self._client)
        whole = self.resumed or self.backfill or not self.cursor.zone or self._options.full
        if whole:
            self.upper = account.open()
            self.cursor = replace(self.cursor, zone=account.zone)
        positions, window = self._positions, self._wanted.stored(self.cursor)
        news = False
        for entity in (LEADS, CONTACTS):
            if entity.path in positions:
                reply, brings = self._begin(entity, positions[entity.path])
                news = news or brings
                if not whole and entity is LEADS:
                    self.upper = clock(reply, self._client.portal)
        if window is None:
            self._reads_all = not self.backfill and (whole or news or self._is_due())
        else:  # companies come last, so a window that has them has not read them
            self._reads_all = not self.backfill and COMPANIES.path in window.streams
        if self._reads_all or self.resumed:
            if not whole:
                account.open()
                self.cursor = replace(self.cursor, zone=account.zone)
            self.dictionaries = account.tables()
            self.unavailable = account.unavailable
            self._suspects = self._moved()
        self._open_window(positions)

    def extra_columns(self, root: str) -> list[tuple[str, Kind]]:
        """Return the columns of a root table beyond the contract, as far as known."""
        return self._pages_of(ENTITIES[root]).extra_columns()

    def pieces(self) -> Iterator[Piece]:
        """Yield leads, then contacts, then companies; ends when all are proven read.

        Raises:
            LeadhouseError: the account refused or cannot be read.
        """
        window = self._wanted.open(self.cursor)
        if not window.leads_done:
            for rows, position, done in self._lots(LEADS, window.after):
                window = window.advance(position)
                if done:
                    window = window.finish_leads()
                yield self._piece(LEADS, rows, window)
        for entity in (CONTACTS, COMPANIES):
            if entity.path not in window.streams:
                continue
            for rows, position, done in self._lots(entity, window.streams[entity.path]):
                window = window.advance_stream(entity.path, None if done else position)
                yield self._piece(entity, rows, window)

    def suspects(self) -> set[int]:
        """Return leads that events say were deleted, restored or merged since dictionaries were read last."""
        return self._suspects

    def _moved(self) -> set[int]:
        last = self.cursor.dictionaries_at
        if last is None:
            return set()
        try:
            return moved(self._client, LEADS, last - self._manner.overlap)
        except (PermissionDeniedError, PortalMethodError) as error:
            log.info("the account's events cannot be read; reconcile finds deleted leads", why=str(error))
            return set()

    def closed(self, cursor: Cursor) -> Cursor:
        """Return what is remembered when all pieces are in the warehouse."""
        closed = self._wanted.closed(cursor)
        if self.backfill:
            return closed
        read_at = closed.cursor if self._reads_all else cursor.dictionaries_at
        # Positions are seconds here: they tell nothing of ids.
        return replace(closed, dictionaries_at=read_at, listed_through=cursor.listed_through)

    def close(self) -> None:
        """Free what reading took."""
        for pages in self._pages.values():
            pages.close()

    def _pages_of(self, entity: Entity) -> Pages:
        if entity.path not in self._pages:
            self._pages[entity.path] = Pages(
                entity,
                self._client.portal,
                zone=zone_of(self.cursor.zone) or UTC,
                region=self._manner.region,
                stored=self._options.stored.get(entity.chain.root, {}),
            )
        return self._pages[entity.path]

    def _begin(self, entity: Entity, position: int) -> tuple[Reply, bool]:
        return self._walk(entity, position).begin(partial(self._options.held, entity.chain.root))

    def _walk(self, entity: Entity, position: int) -> Walk:
        backfill = self._options.backfill
        until = int(backfill.until.timestamp()) if backfill and backfill.until else None
        if entity.path not in self._walks:
            self._walks[entity.path] = Walk(self._client, lambda: self._pages_of(entity), position, until)
        return self._walks[entity.path]

    def _found_positions(self) -> dict[str, int]:
        """Return the seconds to read from."""
        window = self._wanted.stored(self.cursor)
        if window is not None:
            leads = {} if window.leads_done else {LEADS.path: window.after}
            return leads | dict(window.streams)
        lower, last = self._wanted.lower(self.cursor, self._manner.overlap), self.cursor.dictionaries_at
        changes = None if lower is None or last is None or self.backfill else last - self._manner.overlap
        return {
            LEADS.path: self._begins(LEADS, lower),
            CONTACTS.path: self._begins(CONTACTS, lower),
            COMPANIES.path: self._begins(COMPANIES, changes),
        }

    def _begins(self, entity: Entity, lower: datetime | None) -> int:
        """Return the second to read from: never later than the newest row that is held, whatever the clock says.

        The clock is the Date header, maybe of a gateway that is ahead of the servers which stamp the rows.
        """
        seconds = int(lower.timestamp()) if lower is not None else 0
        newest = None if self.backfill or not seconds else self._options.newest(entity.chain.root)
        if newest is None:
            return seconds
        second, rows = newest
        return min(seconds, second if rows < PAGE_ROWS else second + 1)

    def _is_due(self) -> bool:
        last = self.cursor.dictionaries_at
        return last is None or self.upper - last >= DICTIONARIES_EVERY

    def _open_window(self, positions: Mapping[str, int]) -> None:
        fresh = self._wanted.stored(self.cursor) is None
        streams = [CONTACTS.path, *([COMPANIES.path] if self._reads_all else [])]
        self.cursor = self._wanted.opened(self.cursor, self.upper, self._manner.overlap, streams)
        if fresh:
            window = self._wanted.open(self.cursor)
            begins = {name: positions[name] for name in window.streams}
            window = replace(window, ranges=((positions[LEADS.path], None),), streams=begins)
            self.cursor = self._wanted.at(self.cursor, window)

    def _lots(self, entity: Entity, position: int) -> Iterator[tuple[list[Any], int, bool]]:
        """Yield rows, ids ascending and each once, with the second read up to; the last lot is marked."""
        walk = self._walk(entity, position)
        upper = int(self._wanted.open(self.cursor).upper.timestamp())
        rows: dict[int, Any] = {}
        pages = self._pages_of(entity)
        for step in walk.steps(upper):
            for row in step.rows:
                rows[pages.id_of(row)] = row
            if len(rows) >= LOT_ROWS:
                yield _ascending(rows), step.position, False
                rows = {}
        yield _ascending(rows), walk.position, True

    def _piece(self, entity: Entity, rows: list[Any], window: Window) -> Piece:
        cursor = self._wanted.at(self.cursor, window)
        if not rows:
            return Piece({}, cursor, last=window.done)
        tables, misfits = self._pages_of(entity).decode(rows)
        leads = len(rows) if entity is LEADS else 0
        return Piece(tables, cursor, leads, misfits, last=window.done)


def _ascending(rows: Mapping[int, Any]) -> list[Any]:
    return [rows[number] for number in sorted(rows)]
