"""Which window a run reads: the one that follows the cursor, all there is, or a span that a person asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leadhouse.cursor import Backfill, Cursor, Window, close_window, open_window


@dataclass(frozen=True, slots=True)
class Wanted:
    """The window that is wanted; where it stands in the cursor is known here alone.

    Attributes:
        full: read everything again.
        backfill: read this span instead of the window; the cursor stays.
    """

    full: bool = False
    backfill: Backfill | None = None

    def stored(self, cursor: Cursor) -> Window | None:
        """Return the window to go on with, None while there is none."""
        if self.backfill is not None:
            return cursor.backfill_window if cursor.backfill == self.backfill else None
        window = cursor.window
        return window if window is None or window.full or not self.full else None

    def open(self, cursor: Cursor) -> Window:
        """Return the window, which is open.

        Raises:
            ValueError: it is not.
        """
        window = self.stored(cursor)
        if window is None:
            raise ValueError("the window is not open")
        return window

    def rewrites(self, cursor: Cursor) -> bool:
        """True when every row is written, also those that did not change."""
        return self.backfill is None and cursor.window is not None and cursor.window.full

    def lower(self, cursor: Cursor, overlap: timedelta) -> datetime | None:
        """Return the time to read from: the window's, or that of the one to open; None reads all."""
        window = self.stored(cursor)
        if window is not None:
            return window.lower
        if self.backfill is not None:
            return self.backfill.since
        return None if self.full or cursor.cursor is None else cursor.cursor - overlap

    def opened(self, cursor: Cursor, now: datetime, overlap: timedelta, streams: Iterable[str] = ()) -> Cursor:
        """Return the cursor with the window open; one that is open already is kept.

        Args:
            cursor: what is remembered.
            now: the portal's clock (UTC).
            overlap: how far before the cursor a window begins.
            streams: what is read beside the leads.

        Raises:
            StateError: the cursor lies in the portal's future.
        """
        if self.backfill is None:
            return open_window(cursor, now, overlap, streams=streams, full=self.full)
        if self.stored(cursor) is not None:
            return cursor
        window = Window(self.backfill.since, now, streams=dict.fromkeys(streams, 0))
        return replace(cursor, backfill=self.backfill, backfill_window=window)

    def at(self, cursor: Cursor, window: Window) -> Cursor:
        """Return the cursor with the window as far as it is read."""
        if self.backfill is not None:
            return replace(cursor, backfill_window=window)
        return replace(cursor, window=window)

    def closed(self, cursor: Cursor) -> Cursor:
        """Return the cursor after the window was read to its end."""
        if self.backfill is not None:
            return replace(cursor, backfill=None, backfill_window=None)
        return close_window(cursor)
