"""Comments on tables and columns, so that any client of the database shows what they mean.

A table's comment ends with a digest of all that is told of it, so that it is told again only when that changed. A table
that somebody else commented is left to them.
"""

from collections.abc import Collection, Mapping

from leadhouse.catalog import Schema
from leadhouse.dlt_tables import ROOT
from leadhouse.tables import Table
from leadhouse.view_making import about, alone, digest, identifier, literal, transaction

_MARK = "described by leadhouse"


def describe(
    schema: Schema,
    contract: Mapping[str, Table],
    held: Mapping[str, str | None],
    stored: Mapping[str, Collection[str]],
    fields: Mapping[str, str],
) -> None:
    """Comment the tables of which something else is to be told than the warehouse has.

    Args:
        schema: the dataset.
        contract: the source's tables.
        held: the tables that are there, with their comments.
        stored: columns of the tables.
        fields: comments on columns of the leads beyond the contract.
    """
    statements: list[str] = []
    for name, table in contract.items():
        told = {column.name: about(column) for column in table.columns.values()}
        if ROOT in (name, table.versions_of):
            told |= fields
        present = {column: text for column, text in told.items() if column in stored.get(name, ())}
        comment = f"{table.grain}; {_MARK} ({digest(table.grain, *present, *present.values())})"
        if name not in held or held[name] == comment or (held[name] and _MARK not in str(held[name])):
            continue
        shown = f"{schema.place}.{identifier(name)}"
        statements.append(f"COMMENT ON TABLE {shown} IS {literal(comment)}")
        statements.extend(
            f"COMMENT ON COLUMN {shown}.{identifier(column)} IS {literal(text)}" for column, text in present.items()
        )
    if statements:
        with alone(schema.cursor, schema.kind, schema.dataset), transaction(schema.cursor):
            schema.cursor.execute("; ".join(statements))
