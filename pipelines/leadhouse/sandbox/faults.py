"""Faults of a sandbox portal on demand: which call fails, how, and how often."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Stage = Literal["request", "body", "command", "batched", "missing", "cut"]

KINDS: Mapping[str, Stage] = {
    "rate_limited": "request",
    "error_500": "request",
    "redirect": "request",
    "stall": "request",
    "html_502": "request",
    "html_200": "body",
    "truncated_json": "body",
    "empty_body": "body",
    "wrong_content_type": "body",
    "reset": "body",
    "batch_cut": "cut",
    "operating_blocked": "command",
    "error": "command",
    "short_page": "command",
    "repeated_page": "command",
    "unordered_page": "command",
    "start_ignored": "command",
    "filter_ignored": "command",
    "wrong_total": "command",
    "command_error": "batched",
    "command_missing": "missing",
}
"""Kind to stage. Request faults strike before the call is executed, body faults spoil the answer of an executed one:
both are matched by the method in the URL, a batch as ``batch``. Command faults strike one command, alone or in a batch;
batched and missing ones strike commands of a batch only; ``batch_cut`` leaves the later commands of a batch out."""


@dataclass
class Fault:
    """One fault.

    It strikes calls of ``match`` (any when None), beginning after the first ``after`` of them, each ``every``-th
    (each when None), each with ``probability``, ``times`` times in all (for ever when None).
    """

    kind: str
    times: int | None = 1
    match: str | None = None
    after: int = 0
    every: int | None = None
    probability: float = 1.0
    seed: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    stage: Stage = "request"
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def due(self, method: str) -> bool:
        """Count a call of a method (lower case) and tell whether it is the fault's turn."""
        if self.match is not None and self.match.lower() != method:
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        if self.every is not None and (self.seen - self.after) % self.every:
            return False
        return self.probability >= 1.0 or self._random.random() < self.probability


class Faults:
    """The faults a portal is to show, in order of entry; each call shows at most one of each stage. Thread-safe.

    ``kinds`` are the ones that the sandbox knows, with their stages.
    """

    def __init__(self, kinds: Mapping[str, Stage] = KINDS) -> None:
        self._kinds = kinds
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self,
        kind: str,
        times: int | None = 1,
        match: str | None = None,
        *,
        after: int = 0,
        every: int | None = None,
        probability: float = 1.0,
        seed: int = 0,
        **details: Any,
    ) -> Fault:
        """Add a fault and return it (its ``fired`` counts).

        Details: ``stall`` seconds=90; ``redirect`` to=<base URL>; ``error`` and ``command_error`` code="", status=400,
        description=""; ``short_page`` keep=20; ``truncated_json`` and ``reset`` keep=0.5 (share of the body);
        ``batch_cut`` keep=<commands run>; ``wrong_total`` total=7.
        """
        if kind not in self._kinds:
            raise ValueError(f"Unknown fault {kind!r}. Known: {', '.join(self._kinds)}.")
        fault = Fault(kind, times, match, after, every, probability, seed, details, self._kinds[kind])
        with self._lock:
            self._faults.append(fault)
        return fault

    def mix(self, seed: int, rate: float, kinds: Iterable[str], times: int | None = None) -> list[Fault]:
        """Add one fault of each kind, which together strike about ``rate`` of the calls, repeatable by seed."""
        chosen = list(kinds)
        share = rate / max(1, len(chosen))
        return [
            self.add(kind, times, probability=share, seed=seed * 1000 + position)
            for position, kind in enumerate(chosen)
        ]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def fired(self) -> int:
        """Return how often any fault struck."""
        with self._lock:
            return sum(fault.fired for fault in self._faults)

    def __bool__(self) -> bool:
        return bool(self._faults)

    def take(self, stages: tuple[Stage, ...], method: str) -> Fault | None:
        """Return the fault that strikes this call of a method (lower case) at one of the stages."""
        if not self._faults:
            return None
        with self._lock:
            struck: Fault | None = None
            for fault in self._faults:
                if fault.stage in stages and fault.due(method) and struck is None:
                    fault.fired += 1
                    struck = fault
            return struck
