"""dlt's filesystem destination, taught to replace rows of Delta Lake and Iceberg tables."""

import posixpath
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import dlt
import msgspec
import pyarrow as pa
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import LoadJob
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.libs.pyarrow import columns_to_arrow, py_arrow_to_table_schema_columns
from dlt.common.schema import TSchemaTables
from dlt.common.schema.typing import TTableFormat, TTableSchemaColumns
from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.job_impl import FinalizedLoadJob
from dlt.destinations.sql_client import SqlClientBase

from leadhouse.lakes.merge import ChainMergeJob, StagedJob, undo
from leadhouse.lakes.table import LakeTable

# Files of leadhouse's own in the dataset's folder: locks, and what an interrupted merge must be taken back to.
OWN_FOLDER = "_leadhouse"


class Lake(dlt.destinations.filesystem):
    """A folder or a bucket whose tables are Delta Lake tables, as dlt's configuration describes it."""

    table_format: ClassVar[TTableFormat] = "delta"

    @property
    def destination_type(self) -> str:
        """The name under which warehouses know it."""
        return "dlt.destinations.filesystem"

    @property
    def client_class(self) -> type[FilesystemClient]:
        """The client that does the work."""
        return LakeClient

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        told = super()._raw_capabilities()
        told.preferred_loader_file_format = "parquet"
        told.preferred_table_format = self.table_format
        told.supported_merge_strategies = ["delete-insert"]
        told.merge_strategies_selector = None  # type: ignore[assignment]  # dlt's default
        return told


class IcebergLake(Lake):
    """The same with Iceberg tables."""

    table_format = "iceberg"


class LakeClient(FilesystemClient):
    """Makes tables, merges packages into them, reads them back."""

    # All tables of a chain in one job, so that they are written in order.
    batch_table_chain: ClassVar[bool] = True
    config: FilesystemDestinationClientConfiguration

    @property
    def sql_client(self) -> SqlClientBase[Any]:
        """Runs SQL over the tables."""
        from leadhouse.lakes.sql import LakeSqlClient  # noqa: PLC0415 - readers alone need DuckDB

        if not self._sql_client:
            self._sql_client = LakeSqlClient(self, self.dataset_name)
        return self._sql_client

    @sql_client.setter
    def sql_client(self, client: SqlClientBase[Any]) -> None:
        self._sql_client = client

    @property
    def own_folder(self) -> str:
        """The folder of leadhouse's own files."""
        return str(self.pathlib.join(self.dataset_path, OWN_FOLDER))

    def create_dataset(self) -> None:
        """Make the dataset's folder, which may be there for the lock's sake."""
        self.fs_client.makedirs(self.dataset_path, exist_ok=True)

    # Tables

    def table_format(self, name: str) -> str:
        """Return "delta" or "iceberg"; "" for dlt's own tables, which are files of JSON."""
        told = self.prepare_load_table(name).get("table_format") if name in self.schema.tables else None
        return told or ""

    def is_lake_table(self, name: str) -> bool:
        """True for tables of data."""
        return bool(self.table_format(name))

    def opened(self, name: str) -> LakeTable:
        """Open a table.

        Raises:
            DestinationUndefinedEntity: it is not there.
        """
        if self.table_format(name) == "delta":
            from leadhouse.lakes.delta import DeltaLakeTable  # noqa: PLC0415 - an extra

            return DeltaLakeTable(self.load_open_table("delta", name))
        from leadhouse.lakes.iceberg import IcebergLakeTable  # noqa: PLC0415 - an extra

        return IcebergLakeTable(self._iceberg(name))

    def update_stored_schema(
        self,
        only_tables: Iterable[str] | None = None,
        expected_update: TSchemaTables | None = None,
        force: bool = False,
    ) -> TSchemaTables:
        """Make the tables that lack, add the columns that lack, then remember the schema."""
        if force or not self.get_stored_schema_by_hash(self.schema.stored_version_hash):
            self.heal()  # going back behind a new column would lose it
            for name in self.schema.data_table_names():
                self._make(name)
        return super().update_stored_schema(only_tables, expected_update, force)  # type: ignore[arg-type]

    def _make(self, name: str) -> None:
        wanted = self._arrow_schema(name)
        if not len(wanted):
            return
        try:
            table = self.opened(name)
        except DestinationUndefinedEntity:
            self._create(name, wanted)
            return
        there = set(table.schema.names)
        lacking = [field for field in wanted if field.name not in there]
        if lacking:
            table.add(pa.schema(lacking))

    def _arrow_schema(self, name: str) -> pa.Schema:
        """Return a table's columns; all may be NULL, since neither format can relax a column later."""
        told = columns_to_arrow(self.schema.get_table_columns(name), self.capabilities, "UTC")
        return pa.schema([field.with_nullable(True) for field in told])

    def _create(self, name: str, schema: pa.Schema) -> None:
        if self.table_format(name) == "delta":
            from leadhouse.lakes.delta import DeltaLakeTable  # noqa: PLC0415 - an extra

            location = self.get_open_table_location("delta", name)
            DeltaLakeTable.create(location, schema, self._delta_options(), self.config.deltalake_configuration)
            return
        from leadhouse.lakes.iceberg import PROPERTIES  # noqa: PLC0415 - an extra

        self.get_open_table_catalog("iceberg").create_table(
            f"{self.dataset_name}.{name}",
            schema,
            location=self.get_open_table_location("iceberg", name).rstrip("/"),
            properties=PROPERTIES | (self.config.iceberg_table_properties or {}),
        )

    def _delta_options(self) -> dict[str, str]:
        from dlt.common.libs.deltalake import deltalake_storage_options  # noqa: PLC0415 - an extra

        return deltalake_storage_options(self.config.credentials, self.config.deltalake_storage_options)

    def _iceberg(self, name: str) -> Any:
        """Open an Iceberg table: as the catalog knows it, else as its newest whole metadata tells.

        A file of metadata that a killed run left half-written is no commit.
        """
        from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415 - an extra

        catalog = self.get_open_table_catalog("iceberg")
        told = f"{self.dataset_name}.{name}"
        try:
            return catalog.load_table(told)
        except NoSuchTableError:
            pass
        location = self.get_open_table_location("iceberg", name).rstrip("/")
        folder = self.pathlib.join(self.get_table_dir(name), "metadata")
        files = self.fs_client.ls(folder, detail=False, refresh=True) if self.fs_client.exists(folder) else []
        for path in sorted((path for path in files if path.endswith(".metadata.json")), reverse=True):
            try:
                msgspec.json.decode(self.fs_client.cat_file(path))
            except msgspec.DecodeError:
                continue
            return catalog.register_table(told, f"{location}/metadata/{posixpath.basename(path)}")
        raise DestinationUndefinedEntity(name)

    def get_storage_tables(self, table_names: Iterable[str]) -> Iterable[tuple[str, TTableSchemaColumns]]:
        """Yield the columns that tables have; none where a table is not there."""
        for name in table_names:
            try:
                yield name, py_arrow_to_table_schema_columns(self.opened(name).schema)
            except DestinationUndefinedEntity:
                yield name, {}

    # Loading

    @staticmethod
    def get_reference_followup_job_class(table: PreparedTableSchema) -> Any:
        """Return the job that merges what was staged."""
        return ChainMergeJob if table.get("table_format") else None

    def get_load_job_class(self, table: PreparedTableSchema, file_path: str) -> type[LoadJob]:
        """Return the job of a file; dlt waits a second for one that is born finished, a running one tells its end."""
        found = super().get_load_job_class(table, file_path)
        return StagedJob if issubclass(found, FinalizedLoadJob) else found

    def chain_of(self, name: str) -> Sequence[str]:
        """Return the tables of a chain by one of them, the root first."""
        parents = {table: told.get("parent") for table, told in self.schema.tables.items()}
        root = parents.get(name) or name
        return [root, *(table for table, parent in parents.items() if parent == root)]

    def heal(self) -> None:
        """Take back merges that an interrupted run left half-done."""
        if self.fs_client.isdir(self.own_folder):
            for path in self.fs_client.glob(f"{self.own_folder}/*.json"):
                undo(self, path)

    # dlt's files of JSON

    def _write_to_json_file(self, filepath: str, data: Any) -> None:
        """Write a file that is whole or not there; object stores see to that by themselves."""
        if not self.config.is_local_filesystem:
            super()._write_to_json_file(filepath, data)
            return
        self.fs_client.makedirs(self.own_folder, exist_ok=True)
        half = self.pathlib.join(self.own_folder, "being-written")
        super()._write_to_json_file(half, data)
        self.fs_client.makedirs(self.pathlib.dirname(filepath), exist_ok=True)
        self.fs_client.mv(half, filepath)

    def forget(self, pipeline_name: str) -> None:
        """Delete the stored states of a pipeline."""
        for path, _ in list(self._list_dlt_table_files(self.schema.state_table_name, pipeline_name)):
            self._delete_file(path)
