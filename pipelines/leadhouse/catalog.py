"""What the catalog of a DuckDB file or a Postgres database has of one dataset, asked once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadhouse.view_making import MADE, identifier, literal

# What it is (table, view, index, constraint, keyed: a table with a primary key), its name, its comment.
_ASKED = {
    "duckdb": """
        SELECT 'table', table_name, comment FROM duckdb_tables()
        WHERE database_name = current_database() AND schema_name = {dataset}
        UNION ALL
        SELECT 'view', view_name, comment FROM duckdb_views()
        WHERE database_name = current_database() AND schema_name = {dataset}""",
    "postgres": """
        SELECT CASE relkind WHEN 'i' THEN 'index' WHEN 'v' THEN 'view' ELSE 'table' END,
            relname, obj_description(oid, 'pg_class')
        FROM pg_class
        WHERE relnamespace = to_regnamespace({dataset}) AND relkind IN ('r', 'p', 'f', 'm', 'v', 'i')
        UNION ALL
        SELECT CASE contype WHEN 'p' THEN 'keyed' ELSE 'constraint' END,
            CASE contype WHEN 'p' THEN (SELECT relname FROM pg_class WHERE oid = conrelid) ELSE conname END, NULL
        FROM pg_constraint
        WHERE connamespace = to_regnamespace({dataset}) AND contype IN ('p', 'f')""",
}


@dataclass(frozen=True, slots=True)
class Schema:
    """A dataset's schema in a warehouse that is in use.

    Attributes:
        cursor: on the warehouse.
        kind: "duckdb" or "postgres".
        dataset: its name.
        place: its name as SQL has it: DuckDB takes a bare one for the file, where that bears it.
    """

    cursor: Any
    kind: str
    dataset: str
    place: str

    @classmethod
    def of(cls, cursor: Any, kind: str, dataset: str) -> "Schema":
        """Return a dataset's schema."""
        cursor.execute("SELECT current_database()")
        file = f"{identifier(cursor.fetchone()[0])}." if kind == "duckdb" else ""
        return cls(cursor, kind, dataset, f"{file}{identifier(dataset)}")

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        """Run a query on the dataset's tables, {dataset} standing for it."""
        self.cursor.execute(sql.replace("{dataset}", self.place))
        found: Sequence[Sequence[Any]] = self.cursor.fetchall()
        return found


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is there.

    Attributes:
        tables: tables with their comments.
        views: views with their comments.
        keyed: tables with a primary key.
        names: names of indexes and foreign keys.
    """

    tables: Mapping[str, str | None]
    views: Mapping[str, str | None]
    keyed: frozenset[str]
    names: frozenset[str]

    @property
    def made(self) -> dict[str, str]:
        """The views that leadhouse made, with their comments."""
        return {name: comment for name, comment in self.views.items() if comment and MADE in comment}

    def foreign(self, names: Iterable[str]) -> list[str]:
        """Return those of the names of our views that tables or views of somebody else bear."""
        others = (self.tables.keys() | self.views.keys()) - self.made.keys()
        return [name for name in names if name in others]


def catalog(schema: Schema) -> Catalog:
    """Return what there is of a dataset."""
    found: dict[str, dict[str, str | None]] = {}
    schema.cursor.execute(_ASKED[schema.kind].format(dataset=literal(schema.dataset)))
    for what, name, comment in schema.cursor.fetchall():
        found.setdefault(what, {})[name] = comment
    names = frozenset({**found.get("index", {}), **found.get("constraint", {})})
    return Catalog(found.get("table", {}), found.get("view", {}), frozenset(found.get("keyed", ())), names)
