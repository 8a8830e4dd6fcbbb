"""A DuckDB file or a Postgres database at one instant: what its datasets hold, and their rows as Arrow batches."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from leadhouse.columns import TIMESTAMP, Kind
from leadhouse.datasets import filled, looking, none_yet
from leadhouse.errors import ConfigurationError, LeadhouseError
from leadhouse.tables import tables
from leadhouse.view_making import identifier
from leadhouse.warehouse import Target, connect_postgres, explain

BATCH_ROWS = 10_000
MEMORY = "512MB"
# Bytes of a lot that Postgres' driver reads at a time.
_BATCH_BYTES = 4 << 20
_ARROW = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "text": pa.string(),
    "varchar": pa.string(),
    "boolean": pa.bool_(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp with time zone": TIMESTAMP,
}
_SAME = {"character varying": "varchar", "double precision": "double"}
_KINDS = {
    "bigint": Kind.BIGINT,
    "text": Kind.TEXT,
    "varchar": Kind.TEXT,
    "boolean": Kind.BOOLEAN,
    "double": Kind.DOUBLE,
    "date": Kind.DATE,
    "timestamp with time zone": Kind.TIMESTAMP,
}
# Of timestamp(6) and varchar(40), which DuckDB does not tell apart.
_PRECISION = re.compile(r"(?<=timestamp)\(\d\)|(?<=character varying)\(\d+\)")
_DECIMAL = re.compile(r"(?:numeric|decimal)\((\d+),(\d+)\)")
# Schema, table or view, whether it is a view, its comment; then column, type, whether it may be NULL, its comment.
_CATALOG = {
    "duckdb": """
        SELECT held.*, col.column_name, col.data_type, col.is_nullable, col.comment
        FROM (
            SELECT schema_name, table_name, false AS view, comment FROM duckdb_tables()
            WHERE database_name = current_database()
            UNION ALL
            SELECT schema_name, view_name, true, comment FROM duckdb_views()
            WHERE database_name = current_database() AND NOT internal
        ) AS held
        JOIN duckdb_columns() AS col ON col.database_name = current_database()
            AND col.schema_name = held.schema_name AND col.table_name = held.table_name
        ORDER BY held.schema_name, held.table_name, col.column_index""",
    "postgres": """
        SELECT space.nspname, held.relname, held.relkind = 'v', obj_description(held.oid, 'pg_class'), col.attname,
            format_type(col.atttypid, col.atttypmod), NOT col.attnotnull, col_description(held.oid, col.attnum)
        FROM pg_class AS held
        JOIN pg_namespace AS space ON space.oid = held.relnamespace
        JOIN pg_attribute AS col ON col.attrelid = held.oid AND col.attnum > 0 AND NOT col.attisdropped
        WHERE held.relkind IN ('r', 'v') AND space.nspname NOT IN ('pg_catalog', 'information_schema')
            AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(held.oid, 'SELECT')
        ORDER BY space.nspname, held.relname, col.attnum""",
}


@dataclass(frozen=True, slots=True)
class HeldColumn:
    """A column that a database has.

    Attributes:
        name: of the column.
        type: as the database calls it, lower case: "bigint", "numeric(18,2)".
        nullable: it may be NULL, as far as the database knows.
        comment: None where there is none.
    """

    name: str
    type: str
    nullable: bool
    comment: str | None

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of its values; text for types that leadhouse's tables do not have."""
        item = self.type.removesuffix("[]")
        if item != self.type:
            return pa.list_(_arrow(item) or pa.string())
        return _arrow(self.type) or pa.string()

    @property
    def kind(self) -> Kind | None:
        """The same in the words of `schemas/`; None where they have none for it."""
        return Kind.DECIMAL if _DECIMAL.fullmatch(self.type) else _KINDS.get(_SAME.get(self.type, self.type))

    @property
    def copied(self) -> str:
        """The type of its copy in DuckDB."""
        item = self.type.removesuffix("[]")
        return self.type if _arrow(item) is not None else f"varchar{self.type[len(item) :]}"

    @property
    def quoted(self) -> str:
        """Its name as SQL takes it, whatever a portal calls its fields."""
        return identifier(self.name)


@dataclass(frozen=True, slots=True)
class Held:
    """A table or a view that a database has."""

    schema: str
    name: str
    is_view: bool
    comment: str | None
    columns: Sequence[HeldColumn]

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of its rows."""
        return pa.schema([pa.field(column.name, column.arrow, column.nullable) for column in self.columns])


class Snapshot:
    """What a database holds at one instant.

    Attributes:
        datasets: the source of each dataset of leadhouse, by its name.
    """

    def __init__(self, target: Target, connection: Any, datasets: Mapping[str, str]) -> None:
        self.target = target
        self.datasets = datasets
        self._connection = connection

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a small SELECT."""
        if self.target.kind == "duckdb":
            return list(self._connection.execute(sql).fetchall())
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    @cached_property
    def held(self) -> Mapping[str, Mapping[str, Held]]:
        """All tables and views that we may read, by schema and name."""
        found: dict[str, dict[str, tuple[bool, str | None, list[HeldColumn]]]] = {}
        for schema, name, is_view, comment, *column in self.ask(_CATALOG[self.target.kind]):
            title, kind, nullable, about = column
            told = found.setdefault(schema, {}).setdefault(name, (is_view, comment, []))
            told[2].append(HeldColumn(title, _PRECISION.sub("", kind.lower()), nullable, about))
        return {
            schema: {name: Held(schema, name, *told) for name, told in there.items()} for schema, there in found.items()
        }

    def tables(self, dataset: str) -> list[Held]:
        """Return the tables of the contract that a dataset has, in the contract's order."""
        there = self.held.get(dataset, {})
        return [there[name] for name in tables(self.datasets[dataset]) if name in there and not there[name].is_view]

    def relations(self, dataset: str) -> list[Held]:
        """Return the same and then the views that a dataset has."""
        views = [held for held in self.held.get(dataset, {}).values() if held.is_view]
        return [*self.tables(dataset), *views]

    def rows(self, of: Held) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table or view, in batches of its Arrow schema."""
        schema = of.arrow
        sql = f'SELECT {", ".join(map(_selected, of.columns))} FROM "{of.schema}"."{of.name}"'  # noqa: S608 - names of the catalog
        if self.target.kind == "duckdb":
            told = self._connection.sql(sql)
            # 1.4 has the older name alone
            reader = (getattr(told, "to_arrow_reader", None) or told.fetch_arrow_reader)(BATCH_ROWS)
            yield from (_fitting(batch, schema) for batch in reader)
            return
        with closing(self._connection.cursor()) as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(sql)
            yield from (_fitting(batch, schema) for batch in cursor.fetch_record_batch())


@contextmanager
def snapshot(target: Target, *, lock_timeout: float) -> Iterator[Snapshot]:
    """Give what a warehouse holds now; what is written meanwhile is not seen.

    Args:
        target: a DuckDB file or a Postgres server.
        lock_timeout: seconds to wait for a process that has the file open.

    Raises:
        StateError: there is no such file.
        ConfigurationError: another destination.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: it cannot be read.
    """
    if not target.connects:
        raise ConfigurationError(
            f"only a DuckDB file and a Postgres database can be copied, {target.label} is neither; read it with "
            "its own tools"
        )
    if target.kind == "duckdb" and not Path(target.url).exists():
        raise none_yet(target)
    datasets = filled(target, lock_timeout=lock_timeout)
    problem: LeadhouseError
    try:
        if target.kind == "postgres":
            with closing(_connect(target)) as connection:
                yield Snapshot(target, connection, datasets)
                return
        with looking(target, lock_timeout=lock_timeout) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.execute(
                f"SET memory_limit = '{MEMORY}'"
            )  # it would fill most of the machine's with pages of the file
            cursor.execute("BEGIN")
            yield Snapshot(target, cursor, datasets)
            return
    except Exception as error:  # noqa: BLE001 - each database has its own
        problem = explain(error, target)
    raise problem


def _connect(target: Target) -> Any:
    """Return a connection that gives Arrow, in a transaction that sees one instant."""
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415 - loaded with the first use

    connect_postgres(target).close()  # what is wrong with the address is told better by it
    connection = adbc.connect(target.url, autocommit=True)
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return connection


def _arrow(kind: str) -> pa.DataType | None:
    decimal = _DECIMAL.fullmatch(kind)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else _ARROW.get(_SAME.get(kind, kind))


def _selected(column: HeldColumn) -> str:
    """Return a column as it is selected: what Postgres' driver has no type for comes as text, decimals among it."""
    item, name = column.type.removesuffix("[]"), column.quoted
    if item not in {*_ARROW, *_SAME}:
        return f"CAST({name} AS TEXT{column.type[len(item) :]}) AS {name}"
    return name


def _fitting(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [batch.column(place).cast(field.type) for place, field in enumerate(schema)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
