"""The dictionary of the data as text, and as JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from leadhouse.dictionary import ColumnEntry, Section, TableEntry


def to_json(sections: Sequence[Section]) -> dict[str, Any]:
    """Return the dictionary as JSON values."""
    return {"datasets": [asdict(section) for section in sections]}


def render(sections: Sequence[Section]) -> str:
    """Return the dictionary for a terminal."""
    return "\n\n".join(_table(section, entry) for section in sections for entry in section.tables)


def _table(section: Section, entry: TableEntry) -> str:
    kind = "view" if entry.is_view else "table"
    missing = "" if entry.there in (None, True) else "  (not in this warehouse)"
    head = [
        f"{section.dataset}.{entry.name}  {kind}{missing}",
        f"  a row: {entry.grain}",
        f"  key:   {', '.join(entry.key)}",
        f"  asks:  {entry.question}",
    ]
    wide = max(len(column.name) for column in entry.columns)
    types = max(len(column.type) for column in entry.columns)
    lines = [f"    {column.name:<{wide}}  {column.type:<{types}}  {meaning(column)}" for column in entry.columns]
    fields = [
        f"    rows where {field.rows_where}: {_plain(field.title) or 'a field without title'} ({field.type})"
        for field in entry.fields
    ]
    return "\n".join([*head, *lines, *fields])


def meaning(column: ColumnEntry) -> str:
    """Return what a column means, with what else is known of it, in one line."""
    told = [column.about]
    if column.title:
        told.insert(0, f"“{_plain(column.title)}”")
    if column.key:
        told.append("key")
    if column.references or column.joins:
        told.append(f"→ {column.references or column.joins}")
    if column.personal:
        told.append("personal data")
    return " · ".join(told)


def _plain(title: str | None) -> str:
    """Return a title in one line, without what a terminal would obey."""
    return " ".join("".join(char if char.isprintable() else " " for char in title or "").split())
