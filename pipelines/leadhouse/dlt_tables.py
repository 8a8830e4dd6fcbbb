"""The contract's tables as dlt sees them: a lead and its child rows are one chain, merged in one transaction.

dlt merges nested tables together with their root, in one transaction, and replaces a root row's nested rows as a whole.
It does so by keys that hints name, so our Arrow tables take part with the portal's own ids and need no tombstones: a
removed phone disappears, a lead that lost its last phone has none, and no reader sees a lead without its phones.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema, TTableSchema
from dlt.extract import DltResource, DltSource

from leadhouse.columns import Kind
from leadhouse.crm import Chain, Crm
from leadhouse.tables import Table

_DATA_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    Kind.BIGINT: {"data_type": "bigint"},
    Kind.TEXT: {"data_type": "text"},
    Kind.BOOLEAN: {"data_type": "bool"},
    Kind.DECIMAL: {"data_type": "decimal", "precision": 18, "scale": 2},
    Kind.DOUBLE: {"data_type": "double"},
    Kind.DATE: {"data_type": "date"},
    Kind.TIMESTAMP: {"data_type": "timestamp", "timezone": True, "precision": 6},
}
ROOT = "leads"
_MERGE = {"disposition": "merge", "strategy": "delete-insert"}
# All rows of the table are replaced in the merge's transaction: readers never see it empty.
_REPLACE = {**_MERGE, "destination_scope": "1 = 1"}


_KINDS: Mapping[str, Kind] = {str(hint["data_type"]): kind for kind, hint in _DATA_TYPES.items()}


def stored_kinds(schema: Schema, root: str = ROOT) -> dict[str, Kind]:
    """Return the kinds of the columns that a root table has in a pipeline's schema; empty before the first run."""
    columns = schema.tables.get(root, {}).get("columns", {})
    types = {name: str(told.get("data_type")) for name, told in columns.items()}
    return {name: _KINDS[told] for name, told in types.items() if told in _KINDS}


def column_hints(table: Table, extra: Sequence[tuple[str, Kind]] = ()) -> dict[str, TColumnSchema]:
    """Return dlt's column hints, complete enough to create the table without data."""
    kinds = [(column.name, column.kind) for column in table.columns.values()]
    hints: dict[str, Any] = {
        name: {"name": name, "nullable": name not in table.key, **_DATA_TYPES[kind]} for name, kind in [*kinds, *extra]
    }
    return hints


def _keys(table: Table, *names: str) -> dict[str, Any]:
    """Return the hints of keys only: dlt checks hints with every lot, and Arrow tells the other types."""
    return {name: hint for name, hint in column_hints(table).items() if name in names}


def root_hints(table: Table) -> Any:
    """Return the hints of the root of a chain."""
    columns = _keys(table, "id")
    columns["id"]["row_key"] = True
    return dlt.mark.make_hints(
        table_name=table.name,
        primary_key="id",
        write_disposition=_MERGE,  # type: ignore[arg-type]  # a TypedDict of dlt's
        columns=columns,
        # A row comes once in a package (the flow sees to it), so dlt's window function is spared.
        additional_table_hints={"x-stage-data-deduplicated": True},
    )


def child_hints(table: Table, chain: Chain) -> Any:
    """Return the hints of a child table of a chain."""
    columns = _keys(table, chain.parent, _row_key(table))
    columns[chain.parent] |= {"root_key": True, "parent_key": True}
    columns[_row_key(table)]["row_key"] = True
    return dlt.mark.make_hints(table_name=table.name, parent_table_name=chain.root, columns=columns)


def _row_key(table: Table) -> str:
    """Dlt wants a row key on nested tables; it is not used where the staged rows are known to be unique."""
    return "id" if "id" in table.columns else "position"


def resource_hints(table: Table, *, replace: bool) -> dict[str, Any]:
    """Return keyword arguments of `dlt.resource` for a table of its own; `replace` swaps all of its rows."""
    key = {} if replace else {"primary_key": table.key}
    disposition = _REPLACE if replace else _MERGE
    return {"name": table.name, "write_disposition": disposition, "columns": column_hints(table), **key}


def declare(schema: Schema, crm: Crm, extra: Mapping[str, Sequence[tuple[str, Kind]]]) -> None:
    """Add the tables of the contract to `schema`, so that the warehouse has them before the first value comes.

    Tables of versions are made in SQL, where they are asked for (`leadhouse.versions`).

    Args:
        schema: the dlt source's schema.
        crm: the source.
        extra: columns of root tables beyond the contract, with kinds.
    """
    parents = {child: chain for chain in crm.chains for child in chain.children}
    replaced = set(crm.dictionaries) - crm.kept
    for name, table in crm.contract.items():
        if table.versions_of is not None:
            continue
        columns: Any = column_hints(table, extra.get(name, ()))
        told: dict[str, Any] = {"name": name, "columns": columns, "write_disposition": "merge"}
        told["x-merge-strategy"] = "delete-insert"
        if name in parents:
            columns[parents[name].parent] |= {"root_key": True, "parent_key": True}
            columns[_row_key(table)]["row_key"] = True
            told["parent"] = parents[name].root
        else:
            told["resource"] = ROOT if name in extra else name
            for key in table.key if name not in replaced else ():
                columns[key]["primary_key"] = True
        if name in extra:
            columns["id"]["row_key"] = True
        schema.update_table(told)  # type: ignore[arg-type]  # a TypedDict of dlt's


class _ChainSchema(Schema):
    """dlt counts metrics by the resource of each table and forgets that nested tables name none (1.31)."""

    def get_table(self, table_name: str) -> TTableSchema:
        table = super().get_table(table_name)
        return table if "resource" in table else {**table, "resource": ROOT}


class ChainSource(DltSource):
    """A dlt source whose resource `leads` also yields other roots and nested Arrow tables."""

    def __init__(self, schema: Schema, section: str, resources: Sequence[DltResource] = ()) -> None:
        super().__init__(schema, section, resources)
        self.schema = schema

    @property
    def schema(self) -> Schema:
        """The schema of the source."""
        return self._schema

    @schema.setter
    def schema(self, value: Schema) -> None:
        self._schema = _ChainSchema.from_stored_schema(value.clone().to_dict())


def chain_items(tables: Mapping[str, pa.Table], hints: Mapping[str, Any]) -> Iterator[Any]:
    """Yield a lot's tables for the resource `leads`, each marked with its own hints, `leads` first."""
    for name, table in tables.items():
        yield dlt.mark.with_hints(table, hints[name], create_table_variant=True)
