"""Leads as the portal shows them beside the warehouse's rows of the same leads, value by value."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from leadhouse.dlt_tables import ROOT
from leadhouse.tables import Table, tables
from leadhouse.verdict import ROW, Difference

Row = Mapping[str, Any]
# Columns of `leads` that say nothing about the portal's lead.
SERVICE = frozenset(name for name, column in tables("bitrix24")[ROOT].columns.items() if column.field is None)
# Columns that crm.item.* does not deliver.
ADDRESSES = frozenset(
    name for name, column in tables("bitrix24")[ROOT].columns.items() if (column.field or "").startswith("ADDRESS")
)


def compare(
    told: Mapping[str, pa.Table], held: Mapping[str, Sequence[Row]], columns: Collection[str], left_out: Collection[str]
) -> dict[int, list[Difference]]:
    """Return the differences by lead; leads that are equal are left out.

    Args:
        told: the portal's leads, decoded: `leads` and the child tables that have rows.
        held: the warehouse's rows of the same leads: `leads` and every child table.
        columns: columns of `leads` to compare.
        left_out: fields whose values in child tables are not compared.
    """
    found: dict[int, list[Difference]] = defaultdict(list)
    present = set(told[ROOT].column("id").to_pylist())
    missing = present - {row["id"] for row in held[ROOT]}
    for name in held:
        table = tables("bitrix24")[name]
        lead = "id" if name == ROOT else "lead_id"
        compared = columns if name == ROOT else table.columns
        portal = _keyed(table, told[name].to_pylist() if name in told else ())
        warehouse = _keyed(table, (row for row in held[name] if row[lead] in present))
        for key in dict.fromkeys([*portal, *warehouse]):
            there, here = portal.get(key, []), warehouse.get(key, [])
            first = (there or here)[0]
            if first.get("field") in left_out or (name != ROOT and first[lead] in missing):
                continue
            differ = _differing(table, first[lead], key)
            if len(there) != len(here):
                found[first[lead]].append(differ(ROW, _rows(len(there)), _rows(len(here))))
            found[first[lead]] += [
                differ(column, one.get(column), other.get(column))
                for one, other in zip(there, here, strict=False)
                for column in compared
                if _instant(one.get(column)) != _instant(other.get(column))
            ]
    return {number: differences for number, differences in found.items() if differences}


def _keyed(table: Table, rows: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
    keyed: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        keyed[tuple(row[column] for column in table.key)].append(row)
    return keyed


def _differing(table: Table, lead: int, key: tuple[Any, ...]) -> Callable[[str, Any, Any], Difference]:
    beside = [str(part) for column, part in zip(table.key, key, strict=True) if column != "lead_id"]
    row = "" if table.name == ROOT else ", ".join(beside)
    return lambda column, portal, warehouse: Difference(lead, table.name, column, portal, warehouse, row)


def _rows(count: int) -> str:
    return {0: "missing", 1: "there"}.get(count, f"{count} rows")


def _instant(value: Any) -> Any:
    """Return a time with its zone: destinations that keep none keep UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
