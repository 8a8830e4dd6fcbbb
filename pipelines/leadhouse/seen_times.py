"""Dictionaries that remember: rows that the portal dropped stay, and each tells from when to when it was there."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from leadhouse import logs
from leadhouse.tables import Table
from leadhouse.warehouse import Warehouse

if TYPE_CHECKING:
    from dlt import Pipeline

log = logs.get_logger("leadhouse.sync")

Row = Mapping[str, Any]
# Returns the rows of a dictionary, as the warehouse holds them.
Held = Callable[[str], Sequence[Row]]
# They say when leadhouse looked, nothing about the portal.
TIMES = ("first_seen_at", "last_seen_at", "removed_at")


def nothing_held(_name: str) -> Sequence[Row]:
    """No warehouse is known."""
    return ()


def held_rows(warehouse: Warehouse, pipeline: "Pipeline", table: Table) -> list[Row]:
    """Return the rows that the warehouse has of a dictionary; [] where there is none yet.

    A table that an older release filled lacks columns, and so do its rows.
    """
    from dlt.destinations.exceptions import DatabaseUndefinedRelation  # noqa: PLC0415 - loaded already, with dlt

    known: dict[str, Any] = dict(pipeline.default_schema.tables.get(table.name, {})) if pipeline.schemas else {}
    names = [name for name in table.columns if name in known.get("columns", {})]
    if not known.get("x-normalizer", {}).get("seen-data"):
        return []
    with warehouse.held(), pipeline.sql_client() as client:
        place = client.make_qualified_table_name(table.name)
        try:
            rows = client.execute_sql(f"SELECT {', '.join(names)} FROM {place}")  # noqa: S608 - columns of the contract
        except DatabaseUndefinedRelation:
            return []
    return [dict(zip(names, row, strict=True)) for row in rows or ()]


def with_times(table: Table, made: pa.Table, held: Sequence[Row], now: datetime) -> pa.Table:
    """Return a dictionary with the times of its rows, and the rows that were there before.

    Args:
        table: the contract's; one without these times is returned as it was made.
        made: what the portal has.
        held: what the warehouse has.
        now: the portal's clock (UTC).
    """
    if "removed_at" not in table.columns:
        return made
    before = {_key(table, row): row for row in held}
    rows = {_key(table, row): row for row in made.to_pylist()}
    for key, row in rows.items():
        first = _first_seen(before.get(key, {}), now)
        rows[key] = {**row, "first_seen_at": first, "last_seen_at": now, "removed_at": None}
    for key, row in before.items():
        if key not in rows:
            gone = row.get("removed_at") or now
            rows[key] = {**row, "first_seen_at": _first_seen(row, now), "removed_at": gone}
    return pa.Table.from_pylist([rows[key] for key in sorted(rows, key=repr)], schema=table.schema())


def _first_seen(row: Row, now: datetime) -> datetime:
    """Return since when a row was there, as far as known: older releases did not ask."""
    first: datetime = row.get("first_seen_at") or row.get("last_seen_at") or now
    return first


def tell_of_fields(held: Sequence[Row], rows: Sequence[Row]) -> None:
    """Log how the portal's fields have changed; no values of leads are among it.

    Args:
        held: `lead_fields` as the warehouse has it.
        rows: what it will have.
    """
    before = {row["column_name"]: row for row in held}
    lived = {row["name"]: row for row in held if row.get("removed_at") is None}
    present = {row["name"] for row in rows if row["removed_at"] is None}
    for row in rows if held else ():
        earlier, name, column = before.get(row["column_name"]), row["name"], row["column_name"]
        last = lived.get(name)
        if row["removed_at"] is not None:
            if name not in present and earlier is not None and earlier.get("removed_at") is None:
                log.info("a field changed", field=name, column=column, what="removed", old=_type(row), new=None)
        elif last is not None and last["column_name"] != column:
            log.info("a field changed", field=name, column=column, what="retyped", old=_type(last), new=_type(row))
        elif last is None:
            what = "new" if earlier is None else "back"
            log.info("a field changed", field=name, column=column, what=what, old=None, new=_type(row))
        elif last["title"] != row["title"]:
            log.info("a field changed", field=name, column=column, what="renamed", old=last["title"], new=row["title"])


def _type(row: Row) -> str:
    return f"multiple {row['type']}" if row["is_multiple"] else str(row["type"])


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in table.key)
