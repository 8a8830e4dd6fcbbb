"""Lakes, read by an engine that did not write them: DuckDB has readers of Delta Lake and Iceberg of its own.

A lake is named as `--to` names it; the environment describes it, as dlt's configuration does.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

_NEEDED = {"delta": ("delta",), "iceberg": ("avro", "iceberg"), "ducklake": ("ducklake",)}


def described(name: str, setting: str) -> str:
    """Return what the environment says of a destination, "" where it does not."""
    return os.environ.get(f"DESTINATION__{name}__{setting}".upper(), "")


@contextmanager
def lake(name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a lake: its datasets are the schemas of the connection."""
    kind = described(name, "table_format") or described(name, "destination_type")
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        for extension in _NEEDED[kind]:
            connection.execute(f"LOAD '{_file_of(extension)}'")
        if kind == "ducklake":
            catalog = described(name, "credentials__catalog").removeprefix("duckdb:///")
            connection.execute(f"ATTACH 'ducklake:/{catalog.lstrip('/')}' AS lake (READ_ONLY)")
            connection.execute("USE lake")
        else:
            _show(connection, Path(described(name, "bucket_url")), kind)
        yield connection


def _file_of(extension: str) -> Path:
    package = files(f"duckdb_extension_{extension}")
    return Path(str(package)) / "extensions" / f"v{duckdb.__version__}" / f"{extension}.duckdb_extension"


def _show(connection: duckdb.DuckDBPyConnection, bucket: Path, kind: str) -> None:
    """Make a view of every table in the folders of a lake."""
    for folder in sorted(bucket.glob("*/*")):
        scanned = _scan(folder, kind)
        if scanned:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{folder.parent.name}"')
            connection.execute(f'CREATE VIEW "{folder.parent.name}"."{folder.name}" AS SELECT * FROM {scanned}')  # noqa: S608 - ours


def _scan(folder: Path, kind: str) -> str:
    if kind == "delta":
        return f"delta_scan('{folder}')" if (folder / "_delta_log").is_dir() else ""
    metadata = sorted(folder.glob("metadata/*.metadata.json"))
    return f"iceberg_scan('{metadata[-1]}')" if metadata else ""


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Run SQL; times come in UTC."""
    connection.execute("SET TimeZone='UTC'")
    found: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
    return found
