"""What differs between the tables that a warehouse must hold and those that it holds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from contents import Row, Tables, contract


@dataclass(frozen=True)
class Family:
    """A table and those with rows that belong to a row of it: `parent` is their column with its id."""

    root: str
    children: tuple[str, ...]
    parent: str

    def owner(self, table: str) -> str:
        """Return the column of one of the tables that holds the root's id."""
        return "id" if table == self.root else self.parent


def differing(
    source: str,
    families: Collection[Family],
    wanted: Tables,
    held: Tables,
    *,
    ignoring_deleted: bool,
    kept: Collection[str] = (),
) -> list[str]:
    """Return what differs, a line each: rows that lack, rows too many, values that are others.

    Args:
        source: whose contract the tables follow.
        families: which rows belong together; tables outside are compared row by row.
        wanted: what must be there.
        held: what is there.
        ignoring_deleted: rows that left the portal may still be there; else only those marked may.
        kept: tables that may hold further rows.
    """
    lines: list[str] = []
    excused: dict[str, tuple[str, set[Any]]] = {}
    for family in families:
        alive = {key[0] for key in wanted[family.root]}
        marked = {row["id"] for row in held.get(family.root, {}).values() if _marked(row)}
        gone = {row[family.owner(name)] for name in _tables(family) for row in held.get(name, {}).values()} - alive
        for name in _tables(family):
            excused[name] = (family.owner(name), gone if ignoring_deleted else gone & marked)
        lines += [f"{family.root}[{number}] is marked deleted and lives" for number in sorted(marked & alive)]
    for name, rows in wanted.items():
        if name not in held:
            lines.append(f"{name}: the table is missing")
            continue
        owner, gone = excused.get(name, ("", set()))
        lines += [f"{name}{list(key)} lacks in the warehouse" for key in rows if key not in held[name]]
        for key, row in held[name].items():
            if row.get(owner) in gone:
                continue
            if key in rows:
                lines += _row_differences(f"{name}{list(key)}", rows[key], row)
            elif name not in kept:
                lines.append(f"{name}{list(key)} is in the warehouse, not on the portal")
        lines += _strange_columns(source, name, wanted, held)
    return lines


def _tables(family: Family) -> tuple[str, ...]:
    return (family.root, *family.children)


def _marked(row: Row) -> bool:
    return row.get("deleted_at") is not None or row.get("out_of_sight_at") is not None


def _row_differences(place: str, wanted: Row, held: Row) -> list[str]:
    lines = [f"{place}.{column}: the column is missing" for column in wanted if column not in held]
    return lines + [
        f"{place}.{column}: portal {value!r}, warehouse {held[column]!r}"
        for column, value in wanted.items()
        if column in held and not _same(value, held[column])
    ]


def _same(value: Any, held: Any) -> bool:
    return type(value) is type(held) and bool(value == held)


def _strange_columns(source: str, name: str, wanted: Tables, held: Tables) -> Iterator[str]:
    known = {*contract(source)[name]["columns"], *next(iter(wanted[name].values()), {})}
    for column in next(iter(held.get(name, {}).values()), {}):
        if column not in known:
            yield f"{name}.{column} is a column that the contract does not know"
