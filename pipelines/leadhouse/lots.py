"""Cutting a sequence into lots of a size that a portal or a database takes at once."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def lots(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield `items` in order, `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
