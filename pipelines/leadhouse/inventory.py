"""What the warehouse has of leads (or of another chain), and the marks on those that left the portal."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadhouse.crm import Chain
from leadhouse.live import Live
from leadhouse.lots import lots
from leadhouse.tables import Table
from leadhouse.warehouse import Warehouse

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.versions import Versions

_IDS_A_STATEMENT = 5_000
# Marked leads that are looked for again by their ids, the latest marks first.
_MARKED = 2_500
_ROWS_A_FETCH = 50_000
_LIVES = "deleted_at IS NULL AND out_of_sight_at IS NULL"


class Inventory:
    """The root table of a chain, `leads` before all, in one warehouse.

    Args:
        chain: the root table and its children.
        contract: the source's tables.
        warehouse: the destination.
        pipeline: dlt's pipeline to it.
        versions: told which rows are marked; None where no history is kept.
    """

    def __init__(
        self,
        chain: Chain,
        contract: Mapping[str, Table],
        warehouse: Warehouse,
        pipeline: "Pipeline",
        versions: "Versions | None" = None,
    ) -> None:
        self._chain = chain
        self._contract = contract
        self._warehouse = warehouse
        self._pipeline = pipeline
        self._versions = versions
        self._newest: int | None = None

    @property
    def exists(self) -> bool:
        """True when a run has made the table."""
        return bool(self._pipeline.schemas) and self._chain.root in self._pipeline.default_schema.tables

    def versions(self, ids: Sequence[int]) -> dict[int, tuple[datetime | None, int | None, bool]]:
        """Return what is held of these leads: modification time, fingerprint, and whether it is marked as gone."""
        if not ids or not self.exists:
            return {}
        with self._client() as (client, name):
            rows = client.execute_sql(
                f"SELECT id, {self._chain.modified}, _fingerprint, CASE WHEN {_LIVES} THEN 0 ELSE 1 END "  # noqa: S608 - integers
                f"FROM {name} WHERE id IN ({_listed(ids)})"
            )
        return {row[0]: (row[1], row[2], bool(row[3])) for row in rows or ()}

    def versions_before(self, ids: Sequence[int]) -> dict[int, tuple[datetime | None, int | None, bool]]:
        """Return the same of those that the warehouse may have had when this was first asked.

        Ids above the greatest one of then are new: a first load looks nothing up.
        """
        with ExitStack() as stack:
            if self._newest is None and self.exists:
                stack.enter_context(self._warehouse.held())
            if self._newest is None:
                self._newest = self.newest_id() or 0
            return self.versions([number for number in ids if number <= self._newest])

    def values(self, table: str, parent: str, ids: Sequence[int], columns: Sequence[str]) -> list[Sequence[Any]]:
        """Return some columns of a table for these leads, their id (column `parent`) before them."""
        names = ", ".join(f'"{name}"' for name in (parent, *columns))
        with self._client() as (client, _):
            name = client.make_qualified_table_name(table)
            sql = f"SELECT {names} FROM {name} WHERE {parent} IN ({_listed(ids)})"  # noqa: S608 - integers
            return list(client.execute_sql(sql) or ())

    def newest_id(self) -> int | None:
        """Return the greatest lead id, None while there is none.

        None, too, where an interrupted package may have left a lead without its child rows: what comes is written then.
        """
        if not self.exists or not self._warehouse.target.transactions:
            return None
        with self._client() as (client, name):
            rows = client.execute_sql(f"SELECT max(id) FROM {name}")  # noqa: S608
        return rows[0][0] if rows else None

    def newest_second(self) -> tuple[int, int] | None:
        """Return the latest modification time (Unix seconds) and how many rows share it, None while there is none."""
        if not self.exists:
            return None
        modified = self._chain.modified
        sql = "SELECT max({modified}), count(*) FROM {name} WHERE {modified} = (SELECT max({modified}) FROM {name})"
        with self._client() as (client, name):
            ((latest, rows),) = client.execute_sql(sql.format(modified=modified, name=name))
        return (int(latest.timestamp()), rows) if latest else None

    def live(self) -> Live:
        """Return the leads held as living."""
        named = self._warehouse.target.kind == "named"  # each has a way of its own to tell the seconds
        modified = self._chain.modified if named else f"CAST(extract(epoch FROM {self._chain.modified}) AS BIGINT)"
        sql = f"SELECT id, {modified} FROM {{name}} WHERE {_LIVES} ORDER BY id"  # noqa: S608 - a column of the contract
        with self._client() as (client, name), client.execute_query(sql.format(name=name)) as cursor:
            rows = (row for some in iter(lambda: cursor.fetchmany(_ROWS_A_FETCH), []) for row in some)
            return Live.of(((number, at and int(at.timestamp())) for number, at in rows) if named else rows)

    def marked(self) -> dict[int, bool]:
        """Return the leads that are marked, the latest marks first: id, and whether it is only out of sight."""
        with self._client() as (client, name):
            sql = (
                f"SELECT id, CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END FROM {name} WHERE NOT ({_LIVES}) "  # noqa: S608 - names of the contract
                "ORDER BY coalesce(out_of_sight_at, deleted_at) DESC, id"
            )
            with client.execute_query(sql) as cursor:
                return {row[0]: bool(row[1]) for row in cursor.fetchmany(_MARKED)}

    def marks(self, ids: Sequence[int]) -> dict[int, tuple[datetime | None, datetime | None]]:
        """Return when each of these leads was marked as deleted and as out of sight; those not held are left out."""
        found = {}
        with self._client() as (client, name):
            for lot in lots(ids, _IDS_A_STATEMENT):
                sql = f"SELECT id, deleted_at, out_of_sight_at FROM {name} WHERE id IN ({_listed(lot)})"  # noqa: S608 - integers
                found.update({row[0]: (row[1], row[2]) for row in client.execute_sql(sql)})
        return found

    def whole(self, ids: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of these leads by table, the root first, every column, in the order of the table's key."""
        found = {}
        with self._client() as (client, _):
            if self._warehouse.target.kind == "postgres":
                client.execute_sql("SET timezone = 'UTC'")  # a server elsewhere would write year 1 as a year before it
            for table in self._chain.tables:
                name = client.make_qualified_table_name(table)
                key, number = ", ".join(self._contract[table].key), self._chain.id_column(table)
                sql = f"SELECT * FROM {name} WHERE {number} IN ({_listed(ids) or 'NULL'}) ORDER BY {key}"  # noqa: S608 - integers
                with client.execute_query(sql) as cursor:
                    columns = [column[0] for column in cursor.description]
                    found[table] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        return found

    def mark(self, *, deleted: Mapping[int, datetime], out_of_sight: Mapping[int, datetime]) -> None:
        """Mark leads, all in one transaction; child rows and history stay, an earlier mark keeps its time.

        Args:
            deleted: ids that the portal does not know any more, each with the time to write (UTC).
            out_of_sight: the same of ids that the access may not read any more.
        """
        if self._warehouse.target.kind == "lake":
            self._mark_lake(deleted, out_of_sight)
            return
        with self._client() as (client, name), client.begin_transaction():
            if self._versions is not None:
                self._versions.note_with(client, [*deleted, *out_of_sight])
            for column, other, marks in (
                ("deleted_at", "out_of_sight_at", deleted),
                ("out_of_sight_at", "deleted_at", out_of_sight),
            ):
                together: dict[datetime, list[int]] = defaultdict(list)
                for number, at in marks.items():
                    together[at].append(number)
                for at, numbers in together.items():
                    for ids in lots(numbers, _IDS_A_STATEMENT):
                        client.execute_sql(
                            f"UPDATE {name} SET {column} = coalesce({column}, %s), {other} = NULL "  # noqa: S608 - integers
                            f"WHERE id IN ({_listed(ids)})",
                            at,
                        )

    def _mark_lake(self, deleted: Mapping[int, datetime], out_of_sight: Mapping[int, datetime]) -> None:
        """Mark leads of a lake, all in one commit."""
        from leadhouse.lakes.merge import mark  # noqa: PLC0415 - loads dlt

        client: Any
        with self._warehouse.held(), self._pipeline.destination_client() as client:
            mark(client, self._chain.root, deleted_at=deleted, out_of_sight_at=out_of_sight)

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, str]]:
        with self._warehouse.held(), self._pipeline.sql_client() as client:
            yield client, client.make_qualified_table_name(self._chain.root)


def _listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))
