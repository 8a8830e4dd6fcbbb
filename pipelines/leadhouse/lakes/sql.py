"""SQL over the tables of a lake: an in-memory DuckDB that scans them as Arrow."""

from typing import TYPE_CHECKING

from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient

if TYPE_CHECKING:
    from leadhouse.lakes.destination import LakeClient


class LakeSqlClient(FilesystemSqlClient):
    """dlt's SQL client of a filesystem, without the extensions that DuckDB would fetch from the internet."""

    remote_client: "LakeClient"

    def create_views_for_tables(self, tables: dict[str, str]) -> None:
        """Make the views that a query needs; dlt's own tables are its to make."""
        other = {}
        for name, view in tables.items():
            if self.remote_client.is_lake_table(name):
                self._conn.register(f"lake_{name}", self.remote_client.opened(name).relation())
                place = self.make_qualified_table_name(view)
                self._conn.execute(f"CREATE OR REPLACE VIEW {place} AS SELECT * FROM temp.main.lake_{name}")  # noqa: S608 - names of the contract
            else:
                other[name] = view
        super().create_views_for_tables(other)
