"""What a good run leaves for people beside the rows: foreign keys, comments, and the views of its dataset."""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from leadhouse import logs
from leadhouse.catalog import Catalog, Schema, catalog
from leadhouse.columns import Kind
from leadhouse.comments import describe
from leadhouse.crm import Crm
from leadhouse.custom_part import CustomPart
from leadhouse.dataset_views import dataset_views, view_columns
from leadhouse.dlt_tables import stored_kinds
from leadhouse.keys import make_references
from leadhouse.view_making import alone, or_warning, replace, transaction
from leadhouse.warehouse import Warehouse

if TYPE_CHECKING:
    from dlt import Pipeline

log = logs.get_logger("leadhouse.views")


def present(warehouse: Warehouse, crm: Crm, pipeline: "Pipeline") -> None:
    """Bring foreign keys, comments and views of a dataset up to date; whatever hinders is a warning.

    Args:
        warehouse: held by this run; other destinations than DuckDB and Postgres get none of it.
        crm: the source.
        pipeline: knows the columns of the tables.
    """
    if warehouse.connection is None:
        return
    with or_warning("foreign keys and views"), closing(warehouse.connection.cursor()) as cursor:
        schema = Schema.of(cursor, warehouse.target.kind, warehouse.dataset)
        held = catalog(schema)
        make_references(schema, crm, held)
        known = pipeline.default_schema
        custom = _custom(schema, crm, stored_kinds(known, crm.leads.root))
        with or_warning("comments"):
            columns = {name: set(table["columns"]) for name, table in known.tables.items()}
            for name, table in crm.contract.items():
                if table.versions_of is not None:  # made in SQL: dlt does not know it
                    original = crm.contract[table.versions_of].columns.keys()
                    columns[name] = {*table.columns, *(columns.get(table.versions_of, set()) - original)}
            describe(schema, crm.contract, held.tables, columns, custom.fields or {})
        _refresh(schema, held, crm, custom)


def make_views(warehouse: Warehouse, crm: Crm, kinds: Mapping[str, Kind]) -> None:
    """Make the views of a dataset in a copy of it; whatever hinders is a warning.

    Args:
        warehouse: the copy, held.
        crm: the source.
        kinds: of the columns of `leads`.
    """
    with or_warning("views"), closing(warehouse.connection.cursor()) as cursor:
        schema = Schema.of(cursor, warehouse.target.kind, warehouse.dataset)
        _refresh(schema, catalog(schema), crm, _custom(schema, crm, kinds))


def _custom(schema: Schema, crm: Crm, kinds: Mapping[str, Kind]) -> CustomPart:
    return crm.customs(schema.ask, kinds, view_columns(crm.name))


def _refresh(schema: Schema, held: Catalog, crm: Crm, custom: CustomPart) -> None:
    """Make or replace the views that the warehouse has otherwise, each by itself: one may lack a table of its own."""
    # DuckDB looks for bare names in the view's own schema first: the file may be renamed, or attached by any name.
    prefix = "" if schema.kind == "duckdb" else f"{schema.place}."
    views = dataset_views(crm.name, prefix, custom)
    foreign = held.foreign(view.name for view in views)
    if foreign:
        log.warning("no views of these names: the dataset has others of yours; rename them", names=foreign)
    lacking = [view for view in views if view.name not in foreign and held.views.get(view.name) != view.comment]
    if lacking:
        with alone(schema.cursor, schema.kind, schema.dataset):
            for view in lacking:
                with or_warning(f"view {view.name}"), transaction(schema.cursor):
                    replace(schema.cursor, schema.kind, schema.place, [view])
