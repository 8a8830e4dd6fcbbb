"""The portal's leads in memory: encoded rows with an id index and a modification index."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Lead = dict[str, Any]
T = TypeVar("T")

_ID_BITS = 64
_ID_MASK = (1 << _ID_BITS) - 1
_CACHED_ROWS = 250_000

decode_lead = msgspec.json.Decoder(Lead).decode
encode = msgspec.json.Encoder().encode


class Row:
    """A lead as ``crm.lead.get`` answers it, encoded once; ``modified`` is DATE_MODIFY in Unix seconds."""

    __slots__ = ("body", "id", "modified", "version")

    def __init__(self, id_: int, modified: int, body: bytes, version: int) -> None:
        self.id = id_
        self.modified = modified
        self.body = body
        self.version = version

    def lead(self) -> Lead:
        """Return the decoded lead."""
        return decode_lead(self.body)


class LeadStore:
    """Rows by id. ``ids`` lists the readable ones in order; hidden rows are in no index."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self.hidden: set[int] = set()
        self._modified: list[int] = []
        self._answers: dict[Hashable, Any] = {}
        self._encoded: dict[Hashable, dict[int, bytes]] = {}

    def add_all(self, rows: list[Row]) -> None:
        """Add many new rows at once."""
        self.rows.update((row.id, row) for row in rows)
        self.ids = sorted([*self.ids, *(row.id for row in rows)])
        self._modified = sorted([*self._modified, *(row.modified << _ID_BITS | row.id for row in rows)])
        self._answers.clear()

    def put(self, row: Row) -> None:
        """Add a row or replace the row of its id."""
        self._unindex(row.id)
        self.rows[row.id] = row
        if row.id not in self.hidden:
            self._index(row)

    def remove(self, id_: int) -> Row:
        """Remove and return a row."""
        self._unindex(id_)
        self.hidden.discard(id_)
        return self.rows.pop(id_)

    def hide(self, id_: int) -> None:
        """Take a row out of sight."""
        self._unindex(id_)
        self.hidden.add(id_)

    def reveal(self, id_: int) -> None:
        """Bring a hidden row back."""
        if id_ in self.hidden:
            self.hidden.remove(id_)
            self._index(self.rows[id_])

    def _index(self, row: Row) -> None:
        self._answers.clear()
        insort(self.ids, row.id)
        insort(self._modified, row.modified << _ID_BITS | row.id)

    def _unindex(self, id_: int) -> None:
        self._answers.clear()
        for cached in self._encoded.values():
            cached.pop(id_, None)
        row = self.rows.get(id_)
        if row is None or id_ in self.hidden:
            return
        del self.ids[bisect_left(self.ids, id_)]
        del self._modified[bisect_left(self._modified, row.modified << _ID_BITS | id_)]

    def forget_encoded(self) -> None:
        """Drop every cached encoding and answer, after a change of the portal's settings."""
        self._encoded.clear()
        self._answers.clear()

    def __iter__(self) -> Iterator[Row]:
        return (self.rows[id_] for id_ in self.ids)

    def holds(self, row: Row) -> bool:
        """Tell whether a row is the present one of its id; a page may still hold an older one."""
        return self.rows.get(row.id) is row

    def between(self, low: int, high: int | None) -> tuple[int, int]:
        """Return the positions in ``ids`` of low <= id < high."""
        return bisect_left(self.ids, low), len(self.ids) if high is None else bisect_left(self.ids, high)

    def modified_count(self, since: int | None, until: int | None) -> int:
        """Count readable rows with since <= DATE_MODIFY < until (Unix seconds)."""
        start, stop = self._span(since, until)
        return stop - start

    def modified_ids(self, since: int | None, until: int | None) -> list[int]:
        """Return the ids of those rows in order of id."""

        def read() -> list[int]:
            start, stop = self._span(since, until)
            return sorted([key & _ID_MASK for key in self._modified[start:stop]])

        return self.answer(("modified", since, until), read)

    def _span(self, since: int | None, until: int | None) -> tuple[int, int]:
        start = 0 if since is None else bisect_left(self._modified, since << _ID_BITS)
        stop = len(self._modified) if until is None else bisect_left(self._modified, until << _ID_BITS)
        return start, max(start, stop)

    def answer(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what ``read`` returned for the key since the last change of any row."""
        if key not in self._answers:
            self._answers[key] = read()
        found: T = self._answers[key]
        return found

    def encoding(self, style: Hashable) -> dict[int, bytes]:
        """Return the cached encodings by id of one style; bounded over all styles."""
        if sum(map(len, self._encoded.values())) > _CACHED_ROWS:
            self._encoded.clear()
        return self._encoded.setdefault(style, {})
