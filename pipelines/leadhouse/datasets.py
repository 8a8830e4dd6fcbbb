"""Which datasets a warehouse holds that leadhouse fills."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from leadhouse.errors import ConfigurationError, LeadhouseError, StateError
from leadhouse.pipeline import pipeline_name
from leadhouse.settings import dataset_name, is_dataset_name, sources
from leadhouse.warehouse import Target, connect_postgres, explain, open_duckdb

# What a dataset has from its first run on, also where that failed.
_MARKS = ("sync_runs", "_dlt_pipeline_state")
_SCHEMAS = {
    "duckdb": f"""
        SELECT schema_name FROM duckdb_tables()
        WHERE database_name = current_database() AND table_name IN {_MARKS}""",  # noqa: S608 - our own names
    "postgres": f"""
        SELECT space.nspname FROM pg_class AS told JOIN pg_namespace AS space ON space.oid = told.relnamespace
        WHERE told.relname IN {_MARKS} AND told.relkind = 'r'
            AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(told.oid, 'SELECT')""",  # noqa: S608
}


@contextmanager
def looking(target: Target, *, lock_timeout: float) -> Iterator[Any]:
    """Give a cursor to look into a DuckDB file or a Postgres server with.

    Raises:
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the warehouse cannot be read.
    """
    problem: LeadhouseError
    postgres = target.kind == "postgres"
    try:
        opened = connect_postgres(target) if postgres else open_duckdb(target.url, lock_timeout, read_only=True)
        with closing(opened) as connection, closing(connection.cursor()) as cursor:
            yield cursor
            return
    except Exception as error:  # noqa: BLE001 - each database has its own
        problem = explain(error, target)
    raise problem


def filled(target: Target, *, lock_timeout: float) -> dict[str, str]:
    """Return the source of each dataset, by its name; those whose runs all failed are among them.

    Args:
        target: a DuckDB file, which may be absent, or a Postgres server.
        lock_timeout: seconds to wait for a process that has the file open.

    Raises:
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the warehouse cannot be read.
    """
    if target.kind == "duckdb" and not Path(target.url).exists():
        return {}
    found = {}
    with looking(target, lock_timeout=lock_timeout) as cursor:
        cursor.execute(_SCHEMAS[target.kind])
        marks = Counter(schema for (schema,) in cursor.fetchall())
        for dataset in sorted(name for name, count in marks.items() if count == len(_MARKS) and is_dataset_name(name)):
            cursor.execute(
                f'SELECT min(source) FROM "{dataset}".sync_runs WHERE EXISTS (SELECT 1 FROM '  # noqa: S608 - a dataset's name
                f"\"{dataset}\"._dlt_pipeline_state WHERE pipeline_name = '{pipeline_name(dataset)}')"
            )
            source = cursor.fetchone()[0]
            if source in sources():
                found[dataset] = source
    return found


def meant(
    target: Target,
    source: str | None,
    portal: str | None,
    dataset: str | None,
    *,
    lock_timeout: float,
    every: str = "",
) -> tuple[str, str]:
    """Return source and name of the dataset that an operator means who may have named neither.

    Args:
        target: the warehouse.
        source: as named.
        portal: as named.
        dataset: as named.
        lock_timeout: seconds to wait for a process that has the file open.
        every: how to mean all datasets instead, for the message.

    Raises:
        ConfigurationError: it could be any of several.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the warehouse cannot be read.
    """
    default = source or "bitrix24"
    name = dataset_name(default, portal, dataset)
    if source is not None or not target.connects:
        return default, name
    held = filled(target, lock_timeout=lock_timeout)
    if name in held:
        return held[name], name
    if not held or portal or dataset:
        return default, name
    if len(held) > 1:
        raise ConfigurationError(f"{target.label} holds the datasets {', '.join(held)}; name one with --dataset{every}")
    ((only, of),) = held.items()
    return of, only


def none_yet(target: Target) -> StateError:
    """Return the error of a warehouse that holds no dataset."""
    return StateError(f"{target.label} holds no dataset of leadhouse; run `leadhouse sync` first")
