"""Throttling of an account: requests a second, and the block of those who go on (reference: kommo section 3)."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass


@dataclass
class Limits:
    """Limits of an account, counted for each client address on the real clock: callers wait for real.

    ``requests_per_second`` are admitted within any second; the next one is answered 429 and told to wait
    ``retry_after`` seconds, and so is all that comes before they have passed. The ``block_after``-th 429 within
    ``block_window`` seconds blocks the address: 403 for everything until ``Account.unblock()``. None: never.
    """

    requests_per_second: int = 7
    retry_after: float = 1.0
    block_after: int | None = 20
    block_window: float = 60.0


class Gate:
    """Counts the requests of client addresses."""

    def __init__(self) -> None:
        self._admitted: dict[str, deque[float]] = {}
        self._refused: dict[str, deque[float]] = {}
        self._barred: dict[str, float] = {}
        self.blocked: set[str] = set()

    def admits(self, address: str, limits: Limits) -> bool:
        """Count a request; tell whether it is admitted."""
        now = time.monotonic()
        admitted = self._admitted.setdefault(address, deque())
        while admitted and admitted[0] <= now - 1.0:
            admitted.popleft()
        barred = self._barred.get(address, now) > now
        if not barred and len(admitted) < limits.requests_per_second:
            admitted.append(now)
            return True
        if not barred:
            self._barred[address] = now + limits.retry_after
        refused = self._refused.setdefault(address, deque())
        refused.append(now)
        while refused[0] <= now - limits.block_window:
            refused.popleft()
        if limits.block_after is not None and len(refused) >= limits.block_after:
            self.blocked.add(address)
        return False

    def unblock(self) -> None:
        """Forget all that was counted, and let everybody in again."""
        for counted in (self._admitted, self._refused, self._barred):
            counted.clear()
        self.blocked.clear()
