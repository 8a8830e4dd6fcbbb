"""What the warehouse has of leads, and the marks on those that left the portal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadhouse.dlt_tables import ROOT
from leadhouse.live import Live
from leadhouse.lots import lots
from leadhouse.tables import tables
from leadhouse.warehouse import Warehouse

if TYPE_CHECKING:
    from dlt import Pipeline

_IDS_A_STATEMENT = 5_000
_ROWS_A_FETCH = 50_000
_LIVES = "deleted_at IS NULL AND out_of_sight_at IS NULL"


class Inventory:
    """The table `leads` of one warehouse.

    Args:
        warehouse: the destination.
        pipeline: dlt's pipeline to it.
    """

    def __init__(self, warehouse: Warehouse, pipeline: "Pipeline") -> None:
        self._warehouse = warehouse
        self._pipeline = pipeline

    @property
    def exists(self) -> bool:
        """True when a run has made the table."""
        return bool(self._pipeline.schemas) and ROOT in self._pipeline.default_schema.tables

    def versions(self, ids: Sequence[int]) -> dict[int, tuple[datetime | None, int | None, bool]]:
        """Return what is held of these leads: modification time, fingerprint, and whether it is marked as gone."""
        if not ids or not self.exists:
            return {}
        with self._client() as (client, name):
            wanted = ",".join(map(str, ids))
            rows = client.execute_sql(
                f"SELECT id, date_modify, _fingerprint, NOT ({_LIVES}) FROM {name} WHERE id IN ({wanted})"  # noqa: S608 - integers
            )
        return {row[0]: (row[1], row[2], row[3]) for row in rows or ()}

    def newest_id(self) -> int | None:
        """Return the greatest lead id, None while there is none or the destination has no SQL."""
        if not self.exists or self._warehouse.target.kind == "named":
            return None
        with self._client() as (client, name):
            rows = client.execute_sql(f"SELECT max(id) FROM {name}")  # noqa: S608
        return rows[0][0] if rows else None

    def live(self) -> Live:
        """Return the leads held as living."""
        sql = "SELECT id, CAST(extract(epoch FROM date_modify) AS BIGINT) FROM {name} WHERE {lives} ORDER BY id"
        with self._client() as (client, name), client.execute_query(sql.format(name=name, lives=_LIVES)) as cursor:
            return Live.of(row for rows in iter(lambda: cursor.fetchmany(_ROWS_A_FETCH), []) for row in rows)

    def marked(self, limit: int) -> dict[int, bool]:
        """Return the leads that are marked, the latest marks first: id, and whether it is only out of sight."""
        with self._client() as (client, name):
            rows = client.execute_sql(
                f"SELECT id, deleted_at IS NULL FROM {name} WHERE NOT ({_LIVES}) "  # noqa: S608 - an integer
                f"ORDER BY coalesce(out_of_sight_at, deleted_at) DESC, id LIMIT {limit}"
            )
        return {row[0]: row[1] for row in rows or ()}

    def marks(self, ids: Sequence[int]) -> dict[int, tuple[datetime | None, datetime | None]]:
        """Return when each of these leads was marked as deleted and as out of sight; those not held are left out."""
        found = {}
        with self._client() as (client, name):
            for lot in lots(ids, _IDS_A_STATEMENT):
                wanted = ",".join(map(str, lot))
                sql = f"SELECT id, deleted_at, out_of_sight_at FROM {name} WHERE id IN ({wanted})"  # noqa: S608 - integers
                found.update({row[0]: (row[1], row[2]) for row in client.execute_sql(sql)})
        return found

    def whole(self, ids: Sequence[int], children: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of these leads by table, every column, in the order of the table's key.

        Args:
            ids: leads.
            children: child tables beside `leads`, which comes first.
        """
        found = {}
        wanted = ",".join(map(str, ids)) or "NULL"
        with self._client() as (client, _):
            if self._warehouse.target.kind == "postgres":
                client.execute_sql("SET timezone = 'UTC'")  # a server elsewhere would write year 1 as a year before it
            for table in (ROOT, *children):
                name = client.make_qualified_table_name(table)
                key, lead = ", ".join(tables("bitrix24")[table].key), "id" if table == ROOT else "lead_id"
                sql = f"SELECT * FROM {name} WHERE {lead} IN ({wanted}) ORDER BY {key}"  # noqa: S608 - integers
                with client.execute_query(sql) as cursor:
                    columns = [column[0] for column in cursor.description]
                    found[table] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        return found

    def mark(self, *, deleted: Sequence[int], out_of_sight: Sequence[int], at: datetime) -> None:
        """Mark leads, all in one transaction; child rows and history stay, an earlier mark keeps its time.

        Args:
            deleted: ids that the portal does not know any more.
            out_of_sight: ids that the webhook's user may not read any more.
            at: the time to write (UTC).
        """
        with self._client() as (client, name), client.begin_transaction():
            for ids in lots(deleted, _IDS_A_STATEMENT):
                wanted = ",".join(map(str, ids))
                client.execute_sql(
                    f"UPDATE {name} SET deleted_at = coalesce(deleted_at, %s), out_of_sight_at = NULL "  # noqa: S608 - integers
                    f"WHERE id IN ({wanted})",
                    at,
                )
            for ids in lots(out_of_sight, _IDS_A_STATEMENT):
                wanted = ",".join(map(str, ids))
                client.execute_sql(
                    f"UPDATE {name} SET out_of_sight_at = coalesce(out_of_sight_at, %s), deleted_at = NULL "  # noqa: S608 - integers
                    f"WHERE id IN ({wanted})",
                    at,
                )

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, str]]:
        with self._warehouse.held(), self._pipeline.sql_client() as client:
            yield client, client.make_qualified_table_name(ROOT)
