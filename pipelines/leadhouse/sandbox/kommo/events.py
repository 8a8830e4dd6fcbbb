"""The event log of an account (reference: kommo section 11)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Values = Sequence[dict[str, Any]]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TYPES = {
    "lead_added": (1, "New lead"),
    "contact_added": (2, "New contact"),
    "company_added": (3, "New company"),
    "lead_deleted": (7, "Lead deleted"),
    "contact_deleted": (8, "Contact deleted"),
    "company_deleted": (9, "Company deleted"),
    "lead_restored": (10, "Lead restored"),
    "lead_status_changed": (13, "Stage changed"),
    "lead_linked": (14, "Lead linked"),
    "entity_linked": (15, "Linked"),
    "entity_unlinked": (16, "Unlinked"),
    "entity_responsible_changed": (18, "Responsible user changed"),
    "entity_tag_added": (20, "Tags added"),
    "entity_tag_deleted": (21, "Tags deleted"),
    "sale_field_changed": (23, "Sale changed"),
    "name_field_changed": (24, "Name changed"),
    "entity_merged": (28, "Merged"),
    "custom_field_value_changed": (30, "Field changed"),
}
"""Keys of event types with their numbers and labels; ``custom_field_{id}_value_changed`` of each field besides."""


@dataclass(frozen=True, order=True)
class Event:
    """One event; ``at`` is Unix seconds, ``number`` counts all events of the account."""

    at: int
    number: int
    type: str
    entity: str
    entity_id: int
    by: int
    before: Values = ()
    after: Values = ()

    def id(self) -> str:
        """Return its id, 26 characters that rise with time."""
        value, digits = (self.at << 60) + self.number * 1_000_003, ""
        for _ in range(23):
            value, digit = divmod(value, 32)
            digits = _ALPHABET[digit] + digits
        return f"01h{digits}"

    def is_a(self, types: set[str]) -> bool:
        """Tell whether its type is one of those asked for."""
        if self.type in types:
            return True
        return self.type.startswith("custom_field_") and "custom_field_value_changed" in types

    def row(self, account_id: int, base: str) -> dict[str, Any]:
        """Return the event as ``GET /events`` answers it."""
        return {
            "id": self.id(),
            "type": self.type,
            "entity_id": self.entity_id,
            "entity_type": self.entity,
            "created_by": self.by,
            "created_at": self.at,
            "value_after": list(self.after),
            "value_before": list(self.before),
            "account_id": account_id,
            "_links": {"self": {"href": f"{base}/api/v4/events/{self.id()}"}},
            "_embedded": {
                "entity": {
                    "id": self.entity_id,
                    "_links": {"self": {"href": f"{base}/api/v4/{_PATHS[self.entity]}/{self.entity_id}"}},
                }
            },
        }


_PATHS = {"lead": "leads", "contact": "contacts", "company": "companies"}


class EventLog:
    """Events in order of time."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._count = 0

    def record(
        self,
        type_: str,
        entity: str,
        entity_id: int,
        *,
        at: int,
        by: int,
        before: Values = (),
        after: Values = (),
    ) -> None:
        """Enter an event, back-dated ones at their place."""
        self._count += 1
        insort(self._events, Event(at, self._count, type_, entity, entity_id, by, before, after))

    def record_all(self, events: Iterable[tuple[int, str, str, int, int]]) -> None:
        """Enter many events of time, type, entity, id and author at once."""
        for at, type_, entity, entity_id, by in events:
            self._count += 1
            self._events.append(Event(at, self._count, type_, entity, entity_id, by))
        self._events.sort(key=lambda event: (event.at, event.number))

    def between(self, low: int | None, high: int | None) -> list[Event]:
        """Return the events of low <= time <= high, oldest first."""
        start = 0 if low is None else bisect_left(self._events, low, key=lambda event: event.at)
        stop = len(self._events) if high is None else bisect_left(self._events, high + 1, key=lambda event: event.at)
        return self._events[start:stop]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)
