"""Stay inside a vendor's limits: requests at a distance, a leaky bucket of them, a budget of the server's own time.

All only compute how long to wait; `Pause` is the one place that sleeps, so tests run on a clock of their own.
"""

import threading
import time
from collections.abc import Callable


class Pause:
    """Sleeps, and keeps account of the seconds slept because of limits.

    Attributes:
        hasty: what fails is told at once and not tried again: somebody waits for the answer.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] | None = None
    ) -> None:
        self.monotonic = monotonic
        self._stop = threading.Event()
        self._sleep = sleep or self._stop.wait
        self.throttled_s = 0.0
        self.hasty = False

    def for_limit(self, seconds: float) -> None:
        """Sleep `seconds` because a limit asks for it."""
        if seconds > 0:
            self._sleep(seconds)
            self.throttled_s += seconds

    def for_retry(self, seconds: float) -> None:
        """Sleep `seconds` before another attempt."""
        if seconds > 0:
            self._sleep(seconds)

    def cancel(self) -> None:
        """End every sleep, now and later: the run is over."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """True after `cancel`."""
        return self._stop.is_set()


class LeakyBucket:
    """Counts requests as the vendor does: +1 a request, minus `drain` a second, refused above `burst`.

    Args:
        drain: requests a second that the vendor forgets (2 on most plans, 5 on Enterprise).
        burst: level above which it refuses (50, Enterprise 250). Two requests of it are left to others.
        monotonic: seconds, never going back.
    """

    def __init__(self, drain: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._drain = drain
        self._burst = max(1.0, burst - 2)
        self._monotonic = monotonic
        self._level = 0.0
        self._at = monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Count one request and return the seconds to wait before sending it."""
        with self._lock:
            self._leak()
            self._level += 1
            return max(0.0, (self._level - self._burst) / self._drain)

    def overflowed(self) -> None:
        """The vendor refused: somebody else fills the bucket too, so take it as full."""
        with self._lock:
            self._leak()
            self._level = max(self._level, self._burst)

    def _leak(self) -> None:
        now = self._monotonic()
        self._level = max(0.0, self._level - (now - self._at) * self._drain)
        self._at = now


class Distance:
    """Keeps requests apart, whoever sends them.

    Args:
        monotonic: seconds, never going back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._next = monotonic()
        self._lock = threading.Lock()

    def take(self, seconds: float) -> float:
        """Take the next free moment, which keeps the one after it `seconds` away; return how long it is until then."""
        with self._lock:
            now = self._monotonic()
            at = max(now, self._next)
            self._next = at + seconds
            return at - now


class OperatingBudget:
    """The vendor's budget of working seconds a method in a window of ten minutes.

    Args:
        limit: seconds at which the vendor blocks the method (480 in the cloud).
        threshold: share of it at which we stop and wait for the oldest minute to leave the window.
    """

    def __init__(self, limit: float = 480.0, threshold: float = 0.8) -> None:
        self._pause_at = limit * threshold
        self._used: dict[str, tuple[float, float | None]] = {}

    @property
    def used(self) -> dict[str, float]:
        """Seconds used by each method, as the answers told last."""
        return {method: operating for method, (operating, _) in self._used.items()}

    def note(self, method: str, operating: float, reset_at: float | None) -> None:
        """Remember what an answer said: seconds used by `method`, and when (unix, portal clock) the oldest leave."""
        self._used[method] = (operating, reset_at)

    def wait(self, portal_now: float) -> float:
        """Return the seconds to wait before the next call; 0 while every method is below the threshold.

        A method waited for is forgotten: the next answer tells its new figure.
        """
        longest = 0.0
        for method, (operating, reset_at) in list(self._used.items()):
            if operating >= self._pause_at:
                longest = max(longest, min(600.0, reset_at - portal_now + 1 if reset_at else 60.0))
                del self._used[method]
        return max(0.0, longest)
