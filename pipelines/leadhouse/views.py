"""Views over all CRMs in a warehouse: one query covers a company that runs two, or moves from one to the other.

`schemas/views/crm/{view}.{source}.sql` says how a source's tables give a view's columns; a view is the union of
that over every dataset that leadhouse fills. Views are made where they lack, and replaced when datasets or SQL changed.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

from leadhouse import logs
from leadhouse.catalog import Schema, catalog
from leadhouse.columns import SQL_TYPES
from leadhouse.errors import ConfigurationError, WarehouseUnavailableError
from leadhouse.files import reviewed_files
from leadhouse.pipeline import pipeline_name
from leadhouse.settings import VIEWS, is_dataset_name
from leadhouse.tables import tables
from leadhouse.view_making import View, about, alone, or_warning, replace, transaction, why
from leadhouse.warehouse import Warehouse

log = logs.get_logger("leadhouse.views")

_FOLDER = f"schemas/views/{VIEWS}"
# What a dataset of leadhouse has; a copy of one has another pipeline's state, and the staging schema none.
_MARKS = ("leads", "sync_runs", "_dlt_pipeline_state")
# Schema and name of what may mark a dataset.
_MARKED = {
    "duckdb": f"""
        SELECT schema_name, table_name FROM duckdb_tables()
        WHERE database_name = current_database() AND table_name IN {_MARKS}""",  # noqa: S608 - our own names
    "postgres": f"""
        SELECT space.nspname, told.relname
        FROM pg_class AS told JOIN pg_namespace AS space ON space.oid = told.relnamespace
        WHERE told.relname IN {_MARKS} AND told.relkind = 'r'
            AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(told.oid, 'SELECT')""",  # noqa: S608
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one dataset gives to one view."""

    view: str
    dataset: str
    sql: str


@dataclass(frozen=True, slots=True)
class _Held:
    """What the warehouse has: datasets of leadhouse, our views with their comments, others of the same names."""

    datasets: Sequence[str]
    views: Mapping[str, str]
    foreign: Sequence[str]


def check_no_views(warehouse: Warehouse) -> None:
    """Refuse to fill the dataset `crm` where it holds the views; where it was filled first, there are no views.

    Raises:
        ConfigurationError: it holds the views.
    """
    if warehouse.dataset != VIEWS or warehouse.target.kind not in _MARKED:
        return
    with warehouse.held(), closing(warehouse.connection.cursor()) as cursor:
        views = _catalog(cursor, warehouse.target.kind).views
    if views:
        raise ConfigurationError(
            f"the dataset {VIEWS} of {warehouse.target.label} holds the views over all CRMs; "
            "give another name with --dataset"
        )


def refresh_views(warehouse: Warehouse) -> None:
    """Make the views of the dataset `crm` tell what the warehouse holds now; whatever hinders is a warning.

    Args:
        warehouse: held by this run; other destinations than DuckDB and Postgres get no views.
    """
    if warehouse.connection is None:
        return
    with or_warning("views over all CRMs"), closing(warehouse.connection.cursor()) as cursor:
        _refresh(cursor, warehouse.target.kind)


def check_views(warehouse: Warehouse) -> dict[str, int]:
    """Return how many leads each dataset has, where all of them are in the view `crm.leads`.

    Args:
        warehouse: held by this run, DuckDB or Postgres.

    Raises:
        WarehouseUnavailableError: leads of a dataset are missing from the view; the log of `refresh_views` says why.
    """
    told: dict[str, int] = {}
    kind = warehouse.target.kind
    with closing(warehouse.connection.cursor()) as cursor:
        held = _catalog(cursor, kind)
        view = f"{Schema.of(cursor, kind, VIEWS).place}.leads"
        for source, dataset in _filled(cursor, held):
            table, shown = f'"{dataset}".leads', 0
            cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
            told[dataset] = cursor.fetchone()[0]
            if "leads" in held.views:
                cursor.execute(
                    f"SELECT count(*) FROM {table} AS l WHERE EXISTS (SELECT 1 FROM {view} AS v "  # noqa: S608
                    f"WHERE v.lead_id = l.id AND v.source = '{source}' AND v.portal IN "
                    f'(SELECT portal FROM "{dataset}".sync_runs))'
                )
                shown = cursor.fetchone()[0]
            if shown < told[dataset]:
                raise WarehouseUnavailableError(
                    f"{warehouse.target.label}: the view {VIEWS}.leads shows {shown} of {told[dataset]} leads of "
                    f"{dataset}; the lines above say why it could not be made"
                )
    return told


def _refresh(cursor: Any, kind: str) -> None:
    held = _catalog(cursor, kind)
    if _comments(_views(_pieces(cursor, held))) == held.views:
        return
    with alone(cursor, kind, VIEWS):
        held = _catalog(cursor, kind)
        if held.foreign:
            log.warning("no views over all CRMs: the schema crm has others of the name", names=held.foreign)
            return
        usable = [piece for piece in _pieces(cursor, held) if _usable(cursor, piece)]
        views = _views(usable)
        if views and _comments(views) != held.views:
            _replace(cursor, kind, views)


def _catalog(cursor: Any, kind: str) -> _Held:
    """Return what the warehouse has of datasets and views."""
    marks: dict[str, set[str]] = {}
    cursor.execute(_MARKED[kind])
    for schema, name in cursor.fetchall():
        marks.setdefault(schema, set()).add(name)
    marks.pop(VIEWS, None)
    datasets = [name for name, found in sorted(marks.items()) if len(found) == len(_MARKS) and is_dataset_name(name)]
    there = catalog(Schema.of(cursor, kind, VIEWS))
    views = {name: comment for name, comment in there.made.items() if name in _reviewed()}
    return _Held(datasets, views, there.foreign(_reviewed()))


def _pieces(cursor: Any, held: _Held) -> list[_Piece]:
    """Return what the datasets give to the views, as the reviewed SQL says."""
    sources = _filled(cursor, held)
    return [
        _Piece(view, dataset, by_source[source].replace("{dataset}", f'"{dataset}"'))
        for view, by_source in _reviewed().items()
        for source, dataset in sources
        if source in by_source
    ]


def _filled(cursor: Any, held: _Held) -> list[tuple[str, str]]:
    """Return source and name of each dataset that a run has filled."""
    asked = [
        f"SELECT '{dataset}', (SELECT source FROM \"{dataset}\".sync_runs WHERE outcome = 'done' LIMIT 1) "  # noqa: S608
        f'WHERE EXISTS (SELECT 1 FROM "{dataset}"._dlt_pipeline_state '
        f"WHERE pipeline_name = '{pipeline_name(dataset)}')"
        for dataset in held.datasets
    ]
    cursor.execute(" UNION ALL ".join(asked) or "SELECT NULL, NULL")
    return sorted((source, dataset) for dataset, source in cursor.fetchall() if source)


@cache
def _reviewed() -> dict[str, dict[str, str]]:
    """Return the SELECTs of each view by source, cast to the view's columns."""
    found: dict[str, dict[str, str]] = {name: {} for name in tables(f"views/{VIEWS}")}
    for file in reviewed_files(_FOLDER):
        view, _, source = file.name.removesuffix(".sql").partition(".")
        if file.name.endswith(".sql"):
            columns = tables(f"views/{VIEWS}")[view].columns.values()
            cast = ", ".join(f"CAST({column.name} AS {SQL_TYPES[column.kind]}) AS {column.name}" for column in columns)
            text = file.read_text(encoding="utf-8").strip()
            found[view][source] = f"SELECT {cast} FROM (\n{text}\n) AS piece"  # noqa: S608 - reviewed
    return found


def _views(pieces: Sequence[_Piece]) -> list[View]:
    """Return each view that some piece goes into."""
    found: dict[str, list[str]] = {}
    for piece in pieces:
        found.setdefault(piece.view, []).append(piece.sql)
    contract = tables(f"views/{VIEWS}")
    return [
        View(
            name,
            "\nUNION ALL\n".join(sqls),
            contract[name].grain,
            {column.name: about(column) for column in contract[name].columns.values()},
        )
        for name, sqls in found.items()
    ]


def _comments(views: Sequence[View]) -> dict[str, str]:
    return {view.name: view.comment for view in views}


def _usable(cursor: Any, piece: _Piece) -> bool:
    """Tell whether a dataset has what its SQL asks for; one that an older release filled may lack a column."""
    try:
        cursor.execute(f"SELECT * FROM ({piece.sql}) AS tried LIMIT 0")  # noqa: S608 - reviewed
    except Exception as error:  # noqa: BLE001 - each database has its own
        told = {"view": piece.view, "dataset": piece.dataset, "why": why(error)}
        log.warning("a dataset is left out of the views; sync it", **told)
        return False
    return True


def _replace(cursor: Any, kind: str, views: Sequence[View]) -> None:
    """Make or replace the views, all or none of them."""
    place = Schema.of(cursor, kind, VIEWS).place
    cursor.execute(f"SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = '{VIEWS}'")  # noqa: S608
    there = cursor.fetchone()[0]
    with transaction(cursor):
        if not there:  # Postgres asks for the right to make it also where it is there
            cursor.execute(f"CREATE SCHEMA {place}")
        replace(cursor, kind, place, views)
