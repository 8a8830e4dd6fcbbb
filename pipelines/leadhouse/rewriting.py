"""Personal values that lie in a warehouse already: read, masked by the same code as what comes, written back in place.

A row is known by the database's own number of it, so tables with and without keys are alike. Masking twice is masking
once, so whatever is cut is begun again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from leadhouse.errors import WarehouseRefusedError
from leadhouse.fingerprint import FINGERPRINT
from leadhouse.masking import Mask
from leadhouse.personal import Reviewed, personal_tables, reviewed
from leadhouse.view_making import identifier
from leadhouse.warehouse import Warehouse, connect_postgres

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.crm import Crm

_ROWS = 20_000
_TEXT_TYPES = frozenset({"varchar", "character varying", "text"})
# How each database numbers its rows.
_ROW = {"duckdb": "rowid", "postgres": "ctid"}


def holds(warehouse: Warehouse, pipeline: "Pipeline", table: str) -> bool:
    """Tell whether the dataset has a table; of databases also where the state that tells of it was lost."""
    if warehouse.target.kind not in _ROW:
        return bool(pipeline.schemas) and table in pipeline.default_schema.tables
    sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    with warehouse.held(), pipeline.sql_client() as client:
        ((found,),) = client.execute_sql(sql, warehouse.dataset, table) or ((0,),)
    return bool(found)


def stored_review(crm: "Crm", warehouse: Warehouse, pipeline: "Pipeline") -> Reviewed:
    """Return the custom fields without free text, as the warehouse's dictionary of fields has them."""
    if not crm.fields or not holds(warehouse, pipeline, crm.fields):
        return Reviewed()
    with warehouse.held(), pipeline.sql_client() as client:
        name = client.make_qualified_table_name(crm.fields)
        rows = client.execute_sql(f"SELECT column_name, type FROM {name}") or ()  # noqa: S608 - of the contract
    return reviewed(crm, ((row[0], row[1]) for row in rows))


def check_place(warehouse: Warehouse) -> None:
    """Refuse a destination whose rows leadhouse cannot change in place.

    Raises:
        WarehouseRefusedError: it is one.
    """
    if warehouse.target.kind not in _ROW:
        raise WarehouseRefusedError(
            f"{warehouse.target.label}: personal data that is in there cannot be changed in place, only in DuckDB and "
            "Postgres; sync into a new dataset (--dataset) and delete this one"
        )


class Rewriting:
    """Masks rows of a warehouse where they lie.

    Args:
        crm: the source.
        warehouse: the destination.
        pipeline: dlt's pipeline to it.
        mask: what becomes of personal values.

    Raises:
        WarehouseRefusedError: a destination whose rows leadhouse cannot change in place.
    """

    def __init__(self, crm: "Crm", warehouse: Warehouse, pipeline: "Pipeline", mask: Mask) -> None:
        check_place(warehouse)
        self._warehouse = warehouse
        self._pipeline = pipeline
        self._mask = mask
        self._personal = personal_tables(crm)
        self._reviewed = stored_review(crm, warehouse, pipeline)

    def everything(self) -> None:
        """Mask every row of every table."""
        with self._client() as client:
            for name, columns in self._tables(client).items():
                after: int | None = None
                while True:
                    after, last = self._lot(client, name, columns, after)
                    if last:
                        break
            self._empty_staging(client)
            self._let_go(client, ())

    def of(self, ids: Mapping[str, Collection[int]]) -> None:
        """Mask the rows of some leads (or of another chain's rows) in one transaction.

        Args:
            ids: by root table.
        """
        with self._client() as client:
            with client.begin_transaction():
                for name, columns in self._tables(client).items():
                    personal = self._personal[name]
                    wanted = ids.get(personal.root)
                    if wanted:
                        listed = ",".join(map(str, sorted(wanted)))
                        self._masked(client, name, columns, f"WHERE {personal.id_column} IN ({listed})")
            self._empty_staging(client)
            self._let_go(client, [name for name in self._tables(client) if ids.get(self._personal[name].root)])

    def _lot(self, client: Any, name: str, columns: Mapping[str, str], after: int | None) -> tuple[int | None, bool]:
        """Mask the rows behind an id, as many as go at once; return the last id and whether that were all."""
        personal = self._personal[name]
        if not personal.id_column:
            with client.begin_transaction():
                self._masked(client, name, columns, "")
            return None, True
        table, number = client.make_qualified_table_name(name), personal.id_column
        behind = "" if after is None else f"WHERE {number} > {after}"
        sql = f"SELECT {number} FROM {table} {behind} ORDER BY {number} LIMIT 1 OFFSET {_ROWS - 1}"  # noqa: S608 - names of the contract
        found = client.execute_sql(sql)
        through = found[0][0] if found else None
        span = behind if through is None else f"{behind or 'WHERE true'} AND {number} <= {through}"
        with client.begin_transaction():
            self._masked(client, name, columns, span)
        return through, through is None

    def _masked(self, client: Any, name: str, columns: Mapping[str, str], where: str) -> None:
        personal, kind = self._personal[name], self._warehouse.target.kind
        is_text = {column: told in _TEXT_TYPES for column, told in columns.items()}
        texts, others = personal.texts(is_text, self._reviewed), personal.others(is_text)
        if not texts and not others:
            return
        beside = [personal.id_column, personal.field_column, *personal.told_by]
        read = list(dict.fromkeys([*texts, *others, *(column for column in beside if column)]))
        table = client.make_qualified_table_name(name)
        number = _ROW[kind] if kind == "duckdb" else f"{_ROW[kind]}::text"
        sql = f"SELECT {number}, {', '.join(map(identifier, read))} FROM {table} {where}"  # noqa: S608 - names of the database
        rows = client.execute_sql(sql)
        if not rows:
            return
        numbers, *cells = zip(*rows, strict=True)
        arrays = [
            pa.array(cell, pa.string() if is_text[told] else None) for told, cell in zip(read, cells, strict=True)
        ]
        told = pa.table(arrays, names=read)
        made = self._mask.table(name, told, self._reviewed).select([*texts, *others])
        cleared = [FINGERPRINT] if personal.is_root and FINGERPRINT in columns else []
        self._write(client, table, made.add_column(0, "row_number", pa.array(numbers)), columns, cleared)

    def _write(
        self, client: Any, table: str, made: pa.Table, columns: Mapping[str, str], cleared: Sequence[str]
    ) -> None:
        """Write rows back; `made` has the database's numbers of the rows first."""
        connection, values = client.native_connection, made.column_names[1:]
        assigned = [
            *(f"{identifier(name)} = m.{identifier(name)}" for name in values),
            *(f"{name} = NULL" for name in cleared),
        ]
        sql = f"UPDATE {table} AS t SET {', '.join(assigned)} FROM {{rows}} AS m"  # noqa: S608 - names of the database
        if self._warehouse.target.kind == "duckdb":
            connection.register("masked_rows", made)
            client.execute_sql(f"{sql.format(rows='masked_rows')} WHERE t.rowid = m.row_number")
            connection.unregister("masked_rows")
            return
        from psycopg2.extras import execute_values  # noqa: PLC0415 - Postgres alone

        names = ", ".join(map(identifier, made.column_names))
        types = ", ".join(f"%s::{told}" for told in ["tid", *(columns[name] for name in values)])
        sql = f"{sql.format(rows='(VALUES %s)')} ({names}) WHERE t.ctid = m.row_number"
        rows = list(zip(*(column.to_pylist() for column in made.columns), strict=True))
        with connection.cursor() as cursor:
            execute_values(cursor, sql, rows, template=f"({types})", page_size=_ROWS)

    def _tables(self, client: Any) -> dict[str, dict[str, str]]:
        """Return the dataset's tables with personal data: their columns, each with the database's name of its type."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self._columns(client, self._warehouse.dataset):
            if table in self._personal:
                found.setdefault(table, {})[column] = kind.lower()
        return found

    def _empty_staging(self, client: Any) -> None:
        """Delete what a killed run left in the staging tables."""
        schema = f"{self._warehouse.dataset}_staging"
        for table in {table for table, *_ in self._columns(client, schema)} & self._personal.keys():
            client.execute_sql(f"DELETE FROM {identifier(schema)}.{identifier(table)}")  # noqa: S608 - names of the database

    def _let_go(self, client: Any, tables: Sequence[str]) -> None:
        """Free the places where the old values stood, as far as that is cheap."""
        if self._warehouse.target.kind == "duckdb":
            client.execute_sql("CHECKPOINT")  # the write-ahead log still had them
            return
        connection = connect_postgres(self._warehouse.target)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for name in tables:
                    cursor.execute(f"VACUUM {client.make_qualified_table_name(name)}")
        finally:
            connection.close()

    def _columns(self, client: Any, schema: str) -> list[tuple[str, str, str]]:
        sql = (
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c "
            "JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
            "WHERE c.table_schema = %s AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position"
        )
        return [(row[0], row[1], row[2]) for row in client.execute_sql(sql, schema) or ()]

    @contextmanager
    def _client(self) -> Iterator[Any]:
        with self._warehouse.held(), self._pipeline.sql_client() as client:
            yield client
