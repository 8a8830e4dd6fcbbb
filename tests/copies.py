"""Copies of warehouses: of DuckDB files, and of databases of one Postgres server."""

import re
import shutil

import psycopg2

_DATABASE = re.compile(r"(?<=/)[^/?]+(?=\?)")


def beside(to: str) -> str:
    """Return the URL of a warehouse, not there yet, that may hold a copy of another."""
    return f"{to}.copy" if to.startswith("duckdb:") else _DATABASE.sub(lambda name: f"{name[0]}_copy", to)


def copy(of: str, to: str) -> None:
    """Make a warehouse the copy of another; nobody uses either of them."""
    if of.startswith("duckdb:"):
        shutil.copyfile(of.removeprefix("duckdb:"), to.removeprefix("duckdb:"))
        return
    (template,), (name,) = _DATABASE.findall(of), _DATABASE.findall(to)
    administer(
        _DATABASE.sub("postgres", of),
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f"CREATE DATABASE {name} TEMPLATE {template}",
    )


def administer(url: str, *statements: str) -> None:
    """Run statements that no transaction may hold."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()
