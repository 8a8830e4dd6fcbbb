"""The sandbox portal's clock: portals stamp rows with their own time, which is not the caller's."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


def instant(at: datetime | float | str) -> float:
    """Return Unix seconds of an aware datetime, an ISO 8601 text with offset, or Unix seconds."""
    if isinstance(at, int | float):
        return float(at)
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    if moment.tzinfo is None:
        raise ValueError("The sandbox clock needs a time with an offset, for example 2026-11-21T12:00:00+03:00.")
    return moment.timestamp()


class Clock:
    """Portal time in Unix seconds; runs with the system clock unless frozen. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shift = 0.0
        self._stopped_at: float | None = None

    @classmethod
    def frozen(cls, at: datetime | float | str) -> Clock:
        """Return a clock that stands at the given time until it is set or advanced."""
        clock = cls()
        clock._stopped_at = instant(at)
        return clock

    def timestamp(self) -> float:
        """Return the portal's time now, Unix seconds."""
        with self._lock:
            return self._stopped_at if self._stopped_at is not None else time.time() + self._shift

    def second(self) -> int:
        """Return the whole second now: the resolution of DATE_MODIFY (reference: bitrix24 section 11)."""
        return int(self.timestamp() // 1)

    def now(self) -> datetime:
        """Return the portal's time now, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock by seconds; negative moves it back."""
        with self._lock:
            if self._stopped_at is not None:
                self._stopped_at += seconds
            else:
                self._shift += seconds

    def set(self, at: datetime | float | str) -> None:
        """Set the clock; a running one runs on from there."""
        target = instant(at)
        with self._lock:
            if self._stopped_at is not None:
                self._stopped_at = target
            else:
                self._shift = target - time.time()

    def freeze(self) -> None:
        """Stop the clock where it is."""
        now = self.timestamp()
        with self._lock:
            self._stopped_at = now
