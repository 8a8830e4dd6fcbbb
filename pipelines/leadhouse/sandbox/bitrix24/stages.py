"""Stage history of leads (reference: bitrix24 section 12.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from . import times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

CREATED, INTERMEDIATE, FINAL = 1, 2, 3


class StageEvent(NamedTuple):
    """A lead entered a stage; ``at`` in Unix seconds."""

    id: int
    type: int
    owner: int
    at: int
    semantics: str
    stage: str

    def row(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return the event as ``crm.stagehistory.list`` does."""
        return {
            "ID": self.id,
            "TYPE_ID": self.type,
            "OWNER_ID": self.owner,
            "CREATED_TIME": times.iso(self.at, zone),
            "STATUS_SEMANTIC_ID": self.semantics,
            "STATUS_ID": self.stage,
        }


class StageHistory:
    """Events in order of id; those of a lead disappear with it."""

    def __init__(self) -> None:
        self._events: dict[int, StageEvent] = {}
        self._ids: list[int] = []
        self._by_owner: defaultdict[int, list[int]] = defaultdict(list)
        self._last = 0

    def record(self, type_: int, owner: int, at: int, semantics: str, stage: str) -> None:
        """Append an event."""
        self._last += 1
        self._events[self._last] = StageEvent(self._last, type_, owner, at, semantics, stage)
        self._ids.append(self._last)
        self._by_owner[owner].append(self._last)

    def record_all(self, events: Iterable[tuple[int, int, int, str, str]]) -> None:
        """Append events given as (at, owner, type, semantics, stage) in order of time."""
        for at, owner, type_, semantics, stage in sorted(events):
            self.record(type_, owner, at, semantics, stage)

    def forget(self, owner: int) -> None:
        """Remove the events of a lead."""
        for id_ in self._by_owner.pop(owner, ()):
            del self._events[id_]
            del self._ids[bisect_left(self._ids, id_)]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[StageEvent]:
        return iter(self._events.values())

    def from_id(self, low: int) -> Iterator[StageEvent]:
        """Return the events from an id on, in order of id."""
        return (self._events[id_] for id_ in self._ids[bisect_left(self._ids, low) :])

    def count_from(self, low: int) -> int:
        """Count the events from an id on."""
        return len(self._ids) - bisect_left(self._ids, low)

    def page(self, low: int, skip: int, size: int) -> list[StageEvent]:
        """Return some events from an id on, after the first ``skip`` of them."""
        start = bisect_left(self._ids, low) + skip
        return [self._events[id_] for id_ in self._ids[start : start + size]]


def change_type(semantics: str) -> int:
    """Return the type of a stage change to a stage of the semantics."""
    return INTERMEDIATE if semantics == "P" else FINAL
