"""Leads as the portal shows them beside the warehouse's rows of the same leads, value by value."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from leadhouse.crm import Chain
from leadhouse.tables import Table
from leadhouse.verdict import ROW, Difference, is_personal

Row = Mapping[str, Any]


def service_columns(table: Table) -> frozenset[str]:
    """Return the columns that say nothing about the portal's row."""
    return frozenset(name for name, column in table.columns.items() if column.field is None)


def compare(
    contract: Mapping[str, Table],
    chain: Chain,
    told: Mapping[str, pa.Table],
    held: Mapping[str, Sequence[Row]],
    *,
    columns: Collection[str],
    left_out: Collection[str],
) -> dict[int, list[Difference]]:
    """Return the differences by lead; leads that are equal are left out.

    Args:
        contract: the source's tables.
        chain: the leads and their child tables.
        told: the portal's leads, decoded: `leads` and the child tables that have rows.
        held: the warehouse's rows of the same leads: `leads` and every child table.
        columns: columns of `leads` to compare.
        left_out: fields whose values in child tables are not compared.
    """
    found: dict[int, list[Difference]] = defaultdict(list)
    present = set(told[chain.root].column("id").to_pylist())
    missing = present - {row["id"] for row in held[chain.root]}
    for name in held:
        table = contract[name]
        lead = chain.id_column(name)
        compared = columns if name == chain.root else table.columns
        portal = _keyed(table, told[name].to_pylist() if name in told else ())
        warehouse = _keyed(table, (row for row in held[name] if row[lead] in present))
        for key in dict.fromkeys([*portal, *warehouse]):
            there, here = portal.get(key, []), warehouse.get(key, [])
            first = (there or here)[0]
            if first.get("field") in left_out or (name != chain.root and first[lead] in missing):
                continue
            differ = _differing(table, chain, first[lead], key)
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


def _differing(table: Table, chain: Chain, lead: int, key: tuple[Any, ...]) -> Callable[[str, Any, Any], Difference]:
    beside = [str(part) for column, part in zip(table.key, key, strict=True) if column != chain.parent]
    row = "" if table.name == chain.root else ", ".join(beside)

    def differ(column: str, portal: Any, warehouse: Any) -> Difference:
        return Difference(lead, table.name, column, portal, warehouse, row, personal=is_personal(table, column))

    return differ


def _rows(count: int) -> str:
    return {0: "missing", 1: "there"}.get(count, f"{count} rows")


def _instant(value: Any) -> Any:
    """Return a time with its zone: destinations that keep none keep UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
