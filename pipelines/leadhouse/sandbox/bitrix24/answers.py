"""Results of methods: plain values, or pages of leads that are encoded late and cheaply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from .store import Row


@dataclass(frozen=True)
class Page:
    """A page of leads; ``item`` pages stand below the key ``items`` and name the id in lower case."""

    rows: list[Row]
    encode_row: Callable[[Row], bytes]
    item: bool = False

    def raw(self) -> msgspec.Raw:
        """Return the page as JSON."""
        listed = b"[" + b",".join(map(self.encode_row, self.rows)) + b"]"
        return msgspec.Raw(b'{"items":' + listed + b"}" if self.item else listed)

    def value(self) -> Any:
        """Return the page as decoded JSON."""
        return msgspec.json.decode(self.raw())

    def descend(self, path: list[str]) -> Any:
        """Return what a batch reference into the page resolves to: the last level that exists."""
        if self.item:
            if not path or path[0] != "items":
                return self
            path = path[1:]
        if not path:
            return self
        if not path[0].isdigit() or int(path[0]) >= len(self.rows):
            return self
        row = self.rows[int(path[0])]
        if len(path) == 2 and path[1] == ("id" if self.item else "ID"):
            return row.id if self.item else str(row.id)
        return descend(msgspec.json.decode(self.encode_row(row)), path[1:])

    def __bool__(self) -> bool:
        return self.item or bool(self.rows)


class Single(Page):
    """One lead as ``crm.lead.get`` or, below the key ``item``, ``crm.item.get`` answer it."""

    def raw(self) -> msgspec.Raw:
        """Return the lead as JSON."""
        lead = self.encode_row(self.rows[0])
        return msgspec.Raw(b'{"item":' + lead + b"}" if self.item else lead)

    def descend(self, path: list[str]) -> Any:
        """Return what a batch reference into the lead resolves to."""
        return descend(self.value(), path)


def descend(value: Any, path: list[str]) -> Any:
    """Follow keys and list positions as far as they lead; return the last level that exists."""
    for position, key in enumerate(path):
        if isinstance(value, Page):
            return value.descend(path[position:])
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return value
    return value


@dataclass
class Answer:
    """What a method returned; ``total`` and ``next`` only where the method tells them."""

    result: Any
    total: int | None = None
    next: int | None = None

    def encoded(self) -> Any:
        """Return the result ready for the encoder."""
        return self.result.raw() if isinstance(self.result, Page) else self.result
