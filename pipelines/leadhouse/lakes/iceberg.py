"""Iceberg tables, through pyiceberg."""

from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyiceberg.expressions import AlwaysTrue, And, GreaterThanOrEqual, In, LessThanOrEqual
from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
from pyiceberg.table import Table

# Their stubs describe the models of pydantic, not the constructors.
_at_least: Any = GreaterThanOrEqual
_at_most: Any = LessThanOrEqual
_among: Any = In
# Where nobody says otherwise: the metadata of this many commits stays.
PROPERTIES = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


class IcebergLakeTable:
    """An Iceberg table.

    Args:
        table: as pyiceberg opened it.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        told = schema_to_pyarrow(self._table.schema(), include_field_ids=False)
        plain = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
        return pa.schema([field.with_type(plain.get(field.type, field.type)) for field in told])

    @property
    def version(self) -> int | None:
        """The id of its snapshot."""
        snapshot = self._table.current_snapshot()
        return snapshot.snapshot_id if snapshot else None

    def add(self, columns: pa.Schema) -> None:
        """Add columns."""
        with self._table.update_schema() as update:
            update.union_by_name(pa.schema([*self.schema, *columns]))

    def replace(self, rows: pa.Table, key: str, values: list[Any]) -> None:
        """Put `rows` where the rows were whose `key` is one of `values`."""
        # The span lets pyiceberg leave out files by their statistics, which a long list does not.
        where: Any = And(_at_least(key, values[0]), _at_most(key, values[-1]), _among(key, values))
        there = self._table.scan(row_filter=where).count()
        with self._table.transaction() as transaction:
            if there:
                transaction.delete(where)
            if rows.num_rows:
                transaction.append(rows)

    def replace_all(self, rows: pa.Table) -> None:
        """Put `rows` where all rows were."""
        with self._table.transaction() as transaction:
            if self._table.scan().count():
                transaction.delete(AlwaysTrue())
            transaction.append(rows)

    def restore(self, version: int | None) -> None:
        """Take back every commit since `version`."""
        if version == self.version:
            return
        if version is None:
            self._table.delete(AlwaysTrue())
        else:
            self._table.manage_snapshots().rollback_to_snapshot(version).commit()

    def relation(self) -> Any:
        """Return the table as an Arrow dataset; as a table where another engine left files of deleted rows."""
        tasks = list(self._table.scan().plan_files())
        io = self._table.io
        if not tasks:
            return self.schema.empty_table()
        if any(task.delete_files for task in tasks) or not isinstance(io, PyArrowFileIO):
            return self._table.scan().to_arrow()
        scheme, netloc, _ = PyArrowFileIO.parse_location(tasks[0].file.file_path)
        paths = [PyArrowFileIO.parse_location(task.file.file_path)[2] for task in tasks]
        return ds.dataset(paths, schema=self.schema, filesystem=io.fs_by_scheme(scheme, netloc), format="parquet")
