"""The leads that a warehouse holds as living: ids in ascending order, each with its modification time."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Self

# Modification time of a lead that has none.
NEVER = -(2**62)


class Live:
    """Ids and modification times, eight bytes each.

    Attributes:
        ids: ascending.
        modified: Unix seconds by position in `ids`; NEVER where there is none.
    """

    def __init__(self, ids: Iterable[int], modified: Iterable[int]) -> None:
        self.ids = array("q", ids)
        self.modified = array("q", modified)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int | None]]) -> Self:
        """Make it from rows of id and Unix seconds, in ascending id."""
        made = cls((), ())
        for number, modified in rows:
            made.ids.append(number)
            made.modified.append(NEVER if modified is None else modified)
        return made

    def __len__(self) -> int:
        return len(self.ids)

    def between(self, after: int, through: int | None) -> Iterator[tuple[int, int]]:
        """Yield id and modification time of the leads with `after` < id <= `through` (None: without end)."""
        first, last = self._places(after, through)
        yield from zip(self.ids[first:last], self.modified[first:last], strict=True)

    def count(self, after: int, through: int | None) -> int:
        """Return how many leads have `after` < id <= `through`."""
        first, last = self._places(after, through)
        return last - first

    def split(self, through: int, parts: int) -> list[tuple[int, int]]:
        """Cut the ids from 1 to `through` into spans `(after, through)` that hold about as many leads each."""
        total = self.count(0, through)
        borders = sorted({self.ids[total * part // parts] for part in range(1, parts) if total >= parts})
        edges = [0, *borders, through]
        return [(after, upto) for after, upto in pairwise(edges) if upto > after]

    def _places(self, after: int, through: int | None) -> tuple[int, int]:
        last = len(self.ids) if through is None else bisect_right(self.ids, through)
        return bisect_right(self.ids, after), max(last, bisect_right(self.ids, after))
