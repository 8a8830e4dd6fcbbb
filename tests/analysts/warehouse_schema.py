"""The schema that a warehouse really has, as the golden files tell it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import contents

GOLDEN = Path(__file__).parent / "golden"
KINDS = ("duckdb", "postgres")
# Types of a column, by table and column; a view's key is "name (view)".
Schema = dict[str, dict[str, tuple[str, ...]]]

_COLUMNS = (
    "SELECT col.table_name AS name, held.table_type AS kind, col.column_name AS col, col.data_type AS type, "
    "col.numeric_precision AS digits, col.numeric_scale AS scale, col.is_nullable AS nullable "
    "FROM information_schema.columns AS col JOIN information_schema.tables AS held "
    "ON held.table_schema = col.table_schema AND held.table_name = col.table_name "
    "WHERE col.table_schema = '{}' AND col.table_name NOT LIKE '\\_%' ESCAPE '\\'"
)


def held(warehouses: Mapping[str, str], dataset: str) -> Schema:
    """Return the schema of a dataset as both databases have it, DuckDB's types first."""
    found: Schema = {}
    for place, kind in enumerate(KINDS):
        for row in contents.query(warehouses[kind], _COLUMNS.format(dataset)):
            name = f"{row['name']} (view)" if row["kind"] == "VIEW" else row["name"]
            told = found.setdefault(name, {}).setdefault(row["col"], ("-",) * len(KINDS))
            found[name][row["col"]] = (*told[:place], _type(row), *told[place + 1 :])
    return found


def _type(row: contents.Row) -> str:
    told: str = row["type"]
    if told == "numeric":
        told = f"numeric({row['digits']},{row['scale']})"
    return told if row["nullable"] == "YES" else f"{told} NOT NULL"


def write(schema: Schema, path: Path) -> None:
    """Write a golden file."""
    lines = [
        "# Made by `make golden`: every column of the dataset after a sync of the sandbox.",
        "# column | DuckDB | Postgres",
    ]
    for table, columns in sorted(schema.items()):
        lines += ["", f"[{table}]", *(f"{name} | {' | '.join(types)}" for name, types in sorted(columns.items()))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: Path) -> Schema:
    """Return what a golden file tells; nothing where there is none."""
    found: Schema = {}
    columns: dict[str, tuple[str, ...]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith("["):
            columns = found[line[1:-1]] = {}
        elif line and not line.startswith("#"):
            name, *types = line.split(" | ")
            columns[name] = tuple(types)
    return found


def changes(before: Schema, after: Schema) -> Iterator[tuple[str, str | None, str]]:
    """Yield what changed: table, column (None: the table itself), and how."""
    for table in sorted(before.keys() | after.keys()):
        if table not in before or table not in after:
            yield table, None, "added" if table in after else "removed"
            continue
        old, new = before[table], after[table]
        for column in sorted(old.keys() | new.keys()):
            if old.get(column) != new.get(column):
                how = "added" if column not in old else "removed" if column not in new else "changed"
                yield table, column, f"{how}: {' | '.join(old.get(column, ()))} → {' | '.join(new.get(column, ()))}"
