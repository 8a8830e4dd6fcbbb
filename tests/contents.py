"""What a warehouse holds, read straight from DuckDB, Postgres or a lake, by the reviewed contract."""

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import psycopg2

import engines

Row = dict[str, Any]
Key = tuple[Any, ...]
Tables = dict[str, dict[Key, Row]]

_SCHEMAS = Path(__file__).parents[1] / "schemas"
_SHOWN = 20


@cache
def contract(source: str = "bitrix24") -> dict[str, Any]:
    """Return a source's contract as it stands in the reviewed file: tables by name, with `key` and `columns`."""
    return tomllib.loads((_SCHEMAS / source / "tables.toml").read_text(encoding="utf-8"))


@contextmanager
def reading(to: str) -> Iterator[Callable[[str], list[Row]]]:
    """Open a warehouse named as `--to` names it and give the function that runs SQL on it; times come in UTC."""
    if to.startswith("duckdb:"):
        path = to.removeprefix("duckdb:").removeprefix("//")
        with duckdb.connect(path, read_only=True) as file:
            file.execute("SET TimeZone='UTC'")
            yield lambda sql: file.sql(sql).to_arrow_table().to_pylist()
        return
    if "://" not in to:
        with engines.lake(to) as lake:
            yield lambda sql: engines.rows(lake, sql)
        return
    connection = psycopg2.connect(to, options="-c timezone=UTC")
    try:
        with connection, connection.cursor() as cursor:
            yield lambda sql: _rows_of(cursor, sql)
    finally:
        connection.close()


def _rows_of(cursor: Any, sql: str) -> list[Row]:
    cursor.execute(sql)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def query(to: str, sql: str) -> list[Row]:
    """Run one SELECT on a warehouse."""
    with reading(to) as run:
        return run(sql)


def execute(to: str, sql: str) -> None:
    """Change a warehouse behind leadhouse's back."""
    if to.startswith("duckdb:"):
        with duckdb.connect(to.removeprefix("duckdb:").removeprefix("//")) as file:
            file.execute(sql)
        return
    connection = psycopg2.connect(to)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
    finally:
        connection.close()


def columns(to: str, dataset: str = "bitrix24") -> dict[str, dict[str, str]]:
    """Return the database's own types of the columns, by table; dlt's tables and columns are left out."""
    with reading(to) as run:
        return _columns(run, dataset)


def table_columns(to: str, dataset: str, source: str) -> dict[str, dict[str, str]]:
    """Return the same without the views of the source."""
    return {name: told for name, told in columns(to, dataset).items() if name not in contract(f"views/{source}")}


def _columns(run: Callable[[str], list[Row]], dataset: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in run(
        "SELECT table_name, column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "  # noqa: S608 - a test's own names
        f"WHERE table_schema = '{dataset}' ORDER BY table_name, ordinal_position",
    ):
        if row["table_name"].startswith("_dlt"):
            continue
        told = row["data_type"].lower()
        if told == "numeric":
            told = f"numeric({row['numeric_precision']},{row['numeric_scale']})"
        found.setdefault(row["table_name"], {})[row["column_name"]] = told
    return found


def actual(to: str, dataset: str = "bitrix24", source: str = "bitrix24") -> Tables:
    """Return what a warehouse holds: the tables of the source's contract, rows by key, all columns.

    Raises:
        AssertionError: a key is NULL or comes twice.
    """
    made: Tables = {}
    problems: list[str] = []
    with reading(to) as run:
        present = _columns(run, dataset)
        for name in contract(source).keys() & present.keys():
            rows = run(f'SELECT * FROM "{dataset}"."{name}"')  # noqa: S608 - names of the contract
            made[name] = _keyed(name, contract(source)[name]["key"], rows, problems)
    assert not problems, report("the warehouse breaks its keys", problems)
    return made


def _keyed(name: str, columns: list[str], rows: list[Row], problems: list[str]) -> dict[Key, Row]:
    keyed: dict[Key, Row] = {}
    for row in rows:
        key = tuple(row[column] for column in columns)
        if None in key:
            problems.append(f"{name}: a row with a NULL in its key {key}")
        if key in keyed:
            problems.append(f"{name}{list(key)} is there more than once")
        keyed[key] = row
    return keyed


def report(headline: str, lines: list[str]) -> str:
    """Return a message with the first lines."""
    more = [f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join([f"{headline} ({len(lines)}):", *lines[:_SHOWN], *more])
