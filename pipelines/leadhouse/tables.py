"""The tables that a source promises, read from `schemas/{source}/tables.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from leadhouse.columns import ARROW, Kind
from leadhouse.files import reviewed


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the contract.

    Attributes:
        name: in the database.
        kind: what it holds.
        about: its meaning.
        field: the portal's name of it, None for columns that leadhouse adds.
        none: portal values that mean "empty" beside null and "".
        personal: it holds personal data.
        references: "table.column" where every value of it is found.
        joins: "table.column" where a value of it is found as far as the portal tells of it.
        many: it holds a list of such values; views only.
    """

    name: str
    kind: Kind
    about: str
    field: str | None = None
    none: tuple[str, ...] = ()
    personal: bool = False
    references: str | None = None
    joins: str | None = None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the contract.

    Attributes:
        name: in the database.
        grain: what a row is.
        key: columns that tell rows apart.
        question: an example of what it answers.
        columns: by name.
        versions_of: the table whose rows' versions it holds; such a table is there only where somebody asked for it.
        stamps: columns that move with every edit: they alone make no version.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    question: str
    columns: Mapping[str, Column]
    versions_of: str | None = None
    stamps: frozenset[str] = frozenset()

    def schema(self, extra: Sequence[tuple[str, Kind]] = ()) -> pa.Schema:
        """Return the Arrow schema: the contract's columns, then `extra`; keys cannot be NULL."""
        contract = [(column.name, column.kind) for column in self.columns.values()]
        return pa.schema(
            [pa.field(name, ARROW[kind], nullable=name not in self.key) for name, kind in [*contract, *extra]]
        )


@cache
def tables(source: str) -> Mapping[str, Table]:
    """Return the tables of `source` by name."""
    text = reviewed(f"schemas/{source}/tables.toml").read_text(encoding="utf-8")
    found: dict[str, Table] = {}
    for name, told in tomllib.loads(text).items():
        found[name] = _table(name, told, found)
    return found


def _table(name: str, told: Mapping[str, Any], before: Mapping[str, Table]) -> Table:
    """Return a table; one of versions has the columns of its original that the portal fills, and its own."""
    original = told.get("versions_of")
    inherited = before[original].columns.values() if original else ()
    columns = {column.name: column for column in inherited if column.field}
    columns |= {
        column: Column(
            name=column,
            kind=Kind(about["type"]),
            about=about["about"],
            field=about.get("field"),
            none=tuple(about.get("none", ())),
            personal=about.get("personal", False),
            references=about.get("references"),
            joins=about.get("joins"),
            many=about.get("many", False),
        )
        for column, about in told["columns"].items()
    }
    stamps = frozenset(told.get("stamps", ()))
    return Table(name, told["grain"], tuple(told["key"]), told["question"], columns, original, stamps)
