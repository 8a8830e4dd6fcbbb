"""Cards of one kind in memory: encoded rows with an index by id and one by (updated_at, id)."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

Card = dict[str, Any]

ID_BITS = 64
ID_MASK = (1 << ID_BITS) - 1

decode_card = msgspec.json.Decoder(Card).decode
encode = msgspec.json.Encoder().encode


class Facts(msgspec.Struct):
    """What filters ask about a card."""

    name: str | None = None
    price: int | None = None
    responsible_user_id: int | None = None
    group_id: int | None = None
    status_id: int | None = None
    pipeline_id: int | None = None
    created_by: int | None = None
    updated_by: int | None = None
    created_at: int | None = None
    updated_at: int | None = None
    closed_at: int | None = None
    closest_task_at: int | None = None


_decode_facts = msgspec.json.Decoder(Facts).decode


class Row:
    """A lead, contact or company with all that can be embedded, encoded once; ``updated`` is updated_at."""

    __slots__ = ("_facts", "body", "id", "updated")

    def __init__(self, id_: int, updated: int, body: bytes) -> None:
        self.id = id_
        self.updated = updated
        self.body = body
        self._facts: Facts | None = None

    def card(self) -> Card:
        """Return the decoded card."""
        return decode_card(self.body)

    def facts(self) -> Facts:
        """Return what filters ask about."""
        if self._facts is None:
            self._facts = _decode_facts(self.body)
        return self._facts


class Store:
    """Rows by id. ``ids`` and ``keys`` (updated_at and id in one number) list the visible ones in order.

    ``bin`` holds deleted rows that can be restored. ``answers`` are cleared by any change.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self.keys: list[int] = []
        self.bin: dict[int, Row] = {}
        self.hidden: set[int] = set()
        self.answers: dict[Hashable, list[int]] = {}

    def add_all(self, rows: list[Row]) -> None:
        """Add many new rows at once."""
        self.rows.update((row.id, row) for row in rows)
        self.ids = sorted([*self.ids, *(row.id for row in rows)])
        self.keys = sorted([*self.keys, *(row.updated << ID_BITS | row.id for row in rows)])
        self.answers.clear()

    def put(self, card: Card) -> None:
        """Add a card or replace the one of its id."""
        row = Row(card["id"], card["updated_at"], encode(card))
        self._unindex(row.id)
        self.rows[row.id] = row
        if row.id not in self.hidden:
            self._index(row)

    def remove(self, id_: int) -> Row:
        """Remove and return a row; KeyError when there is none."""
        self._unindex(id_)
        self.hidden.discard(id_)
        return self.rows.pop(id_)

    def hide(self, id_: int) -> None:
        """Take a row out of sight."""
        if id_ not in self.rows:
            raise KeyError(id_)
        self._unindex(id_)
        self.hidden.add(id_)

    def reveal(self, id_: int) -> None:
        """Bring a hidden row back."""
        if id_ in self.hidden:
            self.hidden.remove(id_)
            self._index(self.rows[id_])

    def _index(self, row: Row) -> None:
        self.answers.clear()
        insort(self.ids, row.id)
        insort(self.keys, row.updated << ID_BITS | row.id)

    def _unindex(self, id_: int) -> None:
        self.answers.clear()
        row = self.rows.get(id_)
        if row is None or id_ in self.hidden:
            return
        del self.ids[bisect_left(self.ids, id_)]
        del self.keys[bisect_left(self.keys, row.updated << ID_BITS | id_)]

    def visible(self, id_: int) -> Row | None:
        """Return a row that is there and not hidden."""
        return None if id_ in self.hidden else self.rows.get(id_)

    def __iter__(self) -> Iterator[Row]:
        return (self.rows[id_] for id_ in self.ids)

    def __len__(self) -> int:
        return len(self.ids)
