"""Delta Lake tables, through deltalake (delta-rs)."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field, write_deltalake

# A table of more files than these is compacted; files that no version of the last days needs are deleted then.
_FILES = 100


class DeltaLakeTable:
    """A Delta table.

    Args:
        table: as delta-rs opened it.
    """

    def __init__(self, table: DeltaTable) -> None:
        self._table = table

    @classmethod
    def create(
        cls,
        location: str,
        schema: pa.Schema,
        options: Mapping[str, str],
        configuration: Mapping[str, str | None] | None,
    ) -> None:
        """Make an empty table, unless it is there."""
        DeltaTable.create(location, schema, mode="ignore", storage_options=dict(options), configuration=configuration)

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return pa.schema(self._table.schema().to_arrow())

    @property
    def version(self) -> int | None:
        """Its version."""
        return self._table.version()

    def add(self, columns: pa.Schema) -> None:
        """Add columns."""
        self._table.alter.add_columns([Field.from_arrow(field) for field in columns])

    def replace(self, rows: pa.Table, key: str, values: list[Any]) -> None:
        """Put `rows` where the rows were whose `key` is one of `values`."""
        if not rows.num_rows and not self.relation().count_rows(filter=pc.field(key).isin(values)):
            return
        first, last = _literal(values[0]), _literal(values[-1])
        listed = ", ".join(map(_literal, values))
        # The span lets delta-rs leave out files by their statistics, which a long list does not.
        where = f"{key} >= {first} AND {key} <= {last} AND {key} IN ({listed})"
        write_deltalake(self._table, rows, mode="overwrite", predicate=where)
        self._tidy()

    def replace_all(self, rows: pa.Table) -> None:
        """Put `rows` where all rows were."""
        write_deltalake(self._table, rows, mode="overwrite")
        self._tidy()

    def restore(self, version: int | None) -> None:
        """Take back every commit since `version`."""
        self._table.restore(version or 0)

    def relation(self) -> Any:
        """Return the table as an Arrow dataset."""
        return self._table.to_pyarrow_dataset()

    def _tidy(self) -> None:
        if len(self._table.file_uris()) > _FILES:
            self._table.optimize.compact()
            self._table.vacuum(dry_run=False)


def _literal(value: Any) -> str:
    """Return a value as SQL."""
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
