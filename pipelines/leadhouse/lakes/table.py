"""What both formats can do with a table: one commit at a time, and back to an earlier one."""

from typing import Any, Protocol

import pyarrow as pa


class LakeTable(Protocol):
    """A table of a lake, as it was when it was opened or last written."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""

    @property
    def version(self) -> int | None:
        """What `restore` takes; None: it holds nothing yet."""

    def add(self, columns: pa.Schema) -> None:
        """Add columns; their values are NULL so far."""

    def replace(self, rows: pa.Table, key: str, values: list[Any]) -> None:
        """Put `rows` where the rows were whose `key` is one of `values`, in one commit.

        Args:
            rows: with the columns of the table, in its order.
            key: a column of integers or text.
            values: without duplicates, ascending, not empty.
        """

    def replace_all(self, rows: pa.Table) -> None:
        """Put `rows` where all rows were, in one commit."""

    def restore(self, version: int | None) -> None:
        """Take back every commit since `version`; columns that were added since may stay."""

    def relation(self) -> Any:
        """Return what DuckDB scans: a dataset or a table of Arrow."""


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `rows` with the columns of `schema`; those that it lacks are NULL.

    Raises:
        ValueError: it has others.
        pa.ArrowInvalid: a value does not fit its column.
    """
    strange = set(rows.column_names) - set(schema.names)
    if strange:
        raise ValueError(f"the table has no column {', '.join(sorted(strange))}")
    told = {
        field.name: rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    }
    return pa.table(told, schema=schema)
