"""What a run remembers: the cursor and the window being read. Pure functions; no clock, no storage.

A window is read in one ascending order, of ids where the portal can page by them, else of seconds of modification time,
so its position is one number. When it is read to its end the cursor becomes `upper`, the portal's clock from before the
first page: never the largest value seen, never the local clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from leadhouse.errors import StateError
from leadhouse.times import utc_text

VERSION = 2
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A span of modification time that is being read.

    Attributes:
        lower: read leads modified at or after this (UTC); None reads all.
        upper: the portal's clock when the window opened (UTC); becomes the cursor.
        ranges: ranges of positions of leads still to read, each `(after, through)`; `through` None: without end.
        streams: what is read beside the leads (stage history, contacts), and up to which position; none once read.
        full: every row is written, also those that did not change.
        through: position of the last lead read, once the ranges are read to their ends.
    """

    lower: datetime | None
    upper: datetime
    ranges: tuple[tuple[int, int | None], ...] = ((0, None),)
    streams: Mapping[str, int] = field(default_factory=dict)
    full: bool = False
    through: int = 0

    @property
    def after(self) -> int:
        """The position after which reading goes on."""
        return self.ranges[0][0] if self.ranges else 0

    @property
    def leads_done(self) -> bool:
        """True when no range is left."""
        return not self.ranges

    def advance(self, last: int) -> Self:
        """All leads up to and including position `last` are read."""
        if last < self.after:
            raise ValueError(f"position {last} is behind {self.after}")
        return replace(self, ranges=((last, self.ranges[0][1]), *self.ranges[1:]))

    def finish_leads(self) -> Self:
        """The current range is read to its end."""
        return replace(self, ranges=self.ranges[1:], through=self.after)

    def advance_stream(self, name: str, last: int | None) -> Self:
        """The stream `name` is read up to `last`; None: to its end."""
        rest = {other: at for other, at in self.streams.items() if other != name}
        return replace(self, streams=rest if last is None else {**rest, name: last})

    @property
    def done(self) -> bool:
        """True when nothing is left to read."""
        return self.leads_done and not self.streams


@dataclass(frozen=True, slots=True)
class Backfill:
    """A span of modification time that a person asked to read again; it never moves the cursor."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """All that a source remembers between runs.

    Attributes:
        cursor: everything modified before this instant (UTC) is in the warehouse; None before the first run.
        window: the open window of a run that did not finish.
        backfill, backfill_window: an unfinished `--since/--until` and its position.
        offset_min: the portal's UTC offset in minutes when it was read last; filters are written in it.
        zone: the portal's time zone by name when it was read last, "" where none is told; its dates are days there.
        dictionaries_at: when dictionaries that take requests of their own were read last (UTC); None: never.
        listed_through: every id of the portal up to this one was seen in a complete listing; counting is enough there.
        history_through: id of the newest stage history entry read; entries that come later have greater ids.
        reconciled_at: when portal and warehouse were compared last (UTC); None: never.
    """

    cursor: datetime | None = None
    window: Window | None = None
    backfill: Backfill | None = None
    backfill_window: Window | None = None
    offset_min: int = 0
    zone: str = ""
    dictionaries_at: datetime | None = None
    listed_through: int = 0
    history_through: int = 0
    reconciled_at: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form kept in dlt's state; times as ISO-8601 in UTC."""
        return {
            "version": VERSION,
            "cursor": _iso(self.cursor),
            "window": _window_to_dict(self.window),
            "backfill": self.backfill and {"since": _iso(self.backfill.since), "until": _iso(self.backfill.until)},
            "backfill_window": _window_to_dict(self.backfill_window),
            "offset_min": self.offset_min,
            "zone": self.zone,
            "dictionaries_at": _iso(self.dictionaries_at),
            "listed_through": self.listed_through,
            "history_through": self.history_through,
            "reconciled_at": _iso(self.reconciled_at),
        }

    @property
    def reached(self) -> datetime:
        """The cursor of a warehouse that once was complete.

        Raises:
            StateError: no run has read the portal to its end yet.
        """
        if self.cursor is None:
            raise StateError("no run has read the portal to its end yet; run `leadhouse sync` first")
        return self.cursor

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any] | None) -> "Cursor":
        """Read what `to_dict` wrote; None gives an empty cursor.

        Raises:
            StateError: the value is damaged or was written by a newer leadhouse.
        """
        if stored is None:
            return cls()
        problem = ""
        try:
            version = stored["version"]
            if not isinstance(version, int) or version > VERSION:
                raise StateError(
                    f"the stored state has version {version!r}, this leadhouse knows up to {VERSION}; "
                    "upgrade leadhouse on this machine"
                )
            backfill = stored.get("backfill")
            return cls(
                cursor=_time(stored["cursor"]),
                window=_window_from_dict(stored["window"]),
                backfill=backfill and Backfill(_time(backfill["since"]), _time(backfill["until"])),
                backfill_window=_window_from_dict(stored.get("backfill_window")),
                offset_min=_offset(stored.get("offset_min", 0)),
                zone=_zone(stored.get("zone", "")),
                dictionaries_at=_time(stored.get("dictionaries_at")),
                listed_through=int(stored.get("listed_through", 0)),
                history_through=int(stored.get("history_through", 0)),
                reconciled_at=_time(stored.get("reconciled_at")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            problem = f"{type(error).__name__}: {error}"
        raise StateError(f"the stored cursor is damaged ({problem}); run `leadhouse state reset`")


def open_window(
    cursor: Cursor, now: datetime, overlap: timedelta, *, streams: Iterable[str] = (), full: bool = False
) -> Cursor:
    """Open a window at the portal's clock `now`; an open one is kept, unless `full` asks for everything.

    The lower bound lies `overlap` before the cursor: server transactions may commit late.

    Raises:
        StateError: the cursor lies in the portal's future by more than the overlap.
    """
    if full and not (cursor.window and cursor.window.full):
        return replace(cursor, window=Window(None, now, streams=dict.fromkeys(streams, 0), full=True))
    check_clock(cursor, now, overlap)
    if cursor.window is not None:
        return cursor
    lower = None if cursor.cursor is None else cursor.cursor - overlap
    return replace(cursor, window=Window(lower, now, streams=dict.fromkeys(streams, 0)))


def check_clock(cursor: Cursor, now: datetime, overlap: timedelta) -> None:
    """Refuse a cursor from the portal's future: reading from there would miss every edit until then.

    Raises:
        StateError: with the cure.
    """
    latest = max((t for t in (cursor.cursor, cursor.window and cursor.window.upper) if t), default=None)
    if latest is not None and latest > now + max(overlap, timedelta(minutes=1)):
        raise StateError(
            f"the stored cursor {latest:%Y-%m-%dT%H:%M:%SZ} lies in the portal's future (its clock says "
            f"{now:%Y-%m-%dT%H:%M:%SZ}); run `leadhouse state rewind --to TIME` with a time before the clock was wrong"
        )


def close_window(cursor: Cursor) -> Cursor:
    """The open window is read to its end: its `upper` becomes the cursor."""
    if cursor.window is None or not cursor.window.done:
        raise ValueError("no window that is read to its end")
    listed = cursor.window.through if cursor.window.lower is None else cursor.listed_through
    return replace(cursor, cursor=cursor.window.upper, window=None, listed_through=listed)


def rewind(cursor: Cursor, to: datetime) -> Cursor:
    """Go back to `to`: the next run reads again all that was modified since.

    Raises:
        StateError: `to` lies after the cursor, or nothing was read to its end yet: both would leave a gap.
    """
    if cursor.cursor is None:
        raise StateError(
            "no run has read the portal to its end yet, so there is nothing to rewind; run `leadhouse sync`"
        )
    if to > cursor.cursor:
        raise StateError(
            f"{to:%Y-%m-%dT%H:%M:%SZ} lies after the cursor {cursor.cursor:%Y-%m-%dT%H:%M:%SZ}; "
            "a rewind only goes back, name an earlier time"
        )
    return replace(cursor, cursor=to, window=None, backfill=None, backfill_window=None)


def _iso(at: datetime | None) -> str | None:
    return utc_text(at) if at else None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"time without zone {text!r}")
    return at.astimezone(UTC)


def _window_to_dict(window: Window | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "lower": _iso(window.lower),
        "upper": _iso(window.upper),
        "ranges": [list(ids) for ids in window.ranges],
        "streams": dict(window.streams),
        "full": window.full,
        "through": window.through,
    }


def _window_from_dict(stored: Mapping[str, Any] | None) -> Window | None:
    if stored is None:
        return None
    upper = _time(stored["upper"])
    if upper is None:
        raise ValueError("window without upper")
    ranges = tuple((int(after), None if through is None else int(through)) for after, through in stored["ranges"])
    streams = {str(name): int(at) for name, at in dict(stored.get("streams", ())).items()}
    if stored.get("history_after") is not None:  # written so before there were other streams
        streams["lead_stage_history"] = int(stored["history_after"])
    through = int(stored.get("through", 0))
    return Window(_time(stored["lower"]), upper, ranges, streams, bool(stored["full"]), through)


def _zone(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError("a time zone that is no text")
    return name


def _offset(minutes: Any) -> int:
    if abs(int(minutes)) >= _DAY_MIN:
        raise ValueError(f"UTC offset of {minutes} minutes")
    return int(minutes)
