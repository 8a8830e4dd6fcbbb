"""Throttling of a sandbox portal: the leaky bucket of requests and the budget of processing time."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

WINDOW_SECONDS = 600
BUCKET_SECONDS = 60


@dataclass
class Limits:
    """Limits of a portal (reference: bitrix24 section 3).

    ``drain`` requests leave the bucket each second, ``burst`` is its size. A method is blocked once it used
    ``operating_limit`` seconds within ten minutes; each command is billed its own time or
    ``operating_seconds_per_page``, whichever is larger. With ``bill_batch`` commands of a batch are billed to it.
    """

    drain: float = 2.0
    burst: int = 50
    operating_limit: float = 480.0
    operating_seconds_per_page: float = 0.0
    bill_batch: bool = False


class Bucket:
    """Leaky bucket of HTTP requests, on the real clock: callers wait for real."""

    def __init__(self) -> None:
        self.level = 0.0
        self._at = time.monotonic()

    def admit(self, limits: Limits) -> bool:
        """Count a request; False when the bucket is over its size."""
        now = time.monotonic()
        self.level = max(0.0, self.level - (now - self._at) * limits.drain)
        self._at = now
        if self.level > limits.burst:
            return False
        self.level += 1
        return True


class OperatingBudget:
    """Processing seconds by method in ten one-minute buckets, on the portal's clock."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[int, tuple[int, float]]] = defaultdict(dict)

    def _current(self, method: str, now: float) -> dict[int, tuple[int, float]]:
        buckets = self._buckets[method]
        for minute in [minute for minute, (first, _) in buckets.items() if first + WINDOW_SECONDS <= now]:
            del buckets[minute]
        return buckets

    def used(self, method: str, now: float) -> float:
        """Return the seconds the method used in the window that ends now (Unix seconds)."""
        return sum(seconds for _, seconds in self._current(method, now).values())

    def reset_at(self, method: str, now: float) -> int:
        """Return the Unix second at which the oldest bucket leaves the window."""
        firsts = [first for first, _ in self._current(method, now).values()]
        return (min(firsts) if firsts else int(now)) + WINDOW_SECONDS

    def bill(self, method: str, seconds: float, now: float) -> None:
        """Add processing seconds of a call."""
        buckets = self._current(method, now)
        minute = int(now // BUCKET_SECONDS)
        first, spent = buckets.get(minute, (int(now), 0.0))
        buckets[minute] = (first, spent + seconds)
