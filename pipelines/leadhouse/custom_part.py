"""A portal's own fields as columns of a view: under their titles, which may be any text."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from leadhouse.columns import Kind

# Postgres cuts longer names off, in bytes.
_LONGEST = 63

# Runs a query on a dataset's tables, {dataset} standing for the schema.
Ask = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class CustomPart:
    """What a view has of a portal's own fields.

    Attributes:
        columns: SQL behind the reviewed columns, for {custom_columns}.
        joins: SQL behind the reviewed joins, for {custom_joins}.
        comments: on the view's columns that the fields became, by column.
        fields: comments on the columns of `leads` that hold the fields, by column.
    """

    columns: str = ""
    joins: str = ""
    comments: Mapping[str, str] | None = None
    fields: Mapping[str, str] | None = None


# Given how to ask the warehouse, the kinds of the columns of `leads`, and names that the view has already.
Customs = Callable[[Ask, Mapping[str, Kind], Collection[str]], CustomPart]


def column_names(titles: Sequence[tuple[str, str, str]], taken: Collection[str]) -> list[str]:
    """Return a column's name for each field: its title, made usable and unique.

    A title that several fields have, or that is a column of the view already (up to case), is told apart by the field's
    own name in brackets, in all of them: none changes its meaning when another comes.

    Args:
        titles: title, what is set behind it, and the field's own name, which is unique.
        taken: names that the view has already.
    """
    shown = [_shortened(title, tail) or own for title, tail, own in titles]
    often = Counter(name.casefold() for name in (*shown, *taken))
    names, used = [], {name.casefold() for name in taken}
    for name, (title, tail, own) in zip(shown, titles, strict=True):
        unique = [name] if often[name.casefold()] == 1 else []
        ways_out = (_shortened(own, f" {number}") for number in count(2))
        wanted = chain(unique, [_shortened(title, f"{tail} ({own})"), _shortened(own, "")], ways_out)
        chosen = next(name for name in wanted if name and name.casefold() not in used)
        used.add(chosen.casefold())
        names.append(chosen)
    return names


def _shortened(title: str, tail: str) -> str:
    """Return a title with its tail, as long as a name may be; "" where nothing of the title would be left."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in title).split())
    room = _LONGEST - len(tail.encode())
    cut = plain.encode()[: max(room, 0)].decode(errors="ignore").strip()
    return cut + tail if cut else ""
