"""Views in a dataset's own schema, beside its tables: names in place of codes, and what analysts ask most.

`schemas/views/{source}/{view}.sql` is the reviewed SQL of each, `tables.toml` beside it its contract.
"""

from collections.abc import Mapping
from functools import cache

from leadhouse.custom_part import CustomPart
from leadhouse.files import reviewed_files
from leadhouse.tables import Table, tables
from leadhouse.view_making import View, about


@cache
def reviewed_views(source: str) -> Mapping[str, str]:
    """Return the reviewed SQL of each view of a source, by name; none where it has no views."""
    try:
        files = reviewed_files(f"schemas/views/{source}")
    except FileNotFoundError:
        return {}
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8").strip()
        for file in files
        if file.name.endswith(".sql")
    }


def view_columns(source: str) -> frozenset[str]:
    """Return the names of the columns of the view that has the portal's own fields, without these."""
    return frozenset(
        column
        for name, sql in reviewed_views(source).items()
        if "{custom_columns}" in sql
        for column in tables(f"views/{source}")[name].columns
    )


def dataset_views(source: str, schema: str, custom: CustomPart) -> list[View]:
    """Return the views of a dataset.

    Args:
        source: the CRM.
        schema: what stands before a table's name, with its point; "" for a bare name.
        custom: the portal's own fields.
    """
    return [_view(tables(f"views/{source}")[name], sql, schema, custom) for name, sql in reviewed_views(source).items()]


def _view(contract: Table, sql: str, schema: str, custom: CustomPart) -> View:
    columns = {column.name: about(column) for column in contract.columns.values()}
    if "{custom_columns}" in sql:
        columns |= custom.comments or {}
    # The portal's titles come last: whatever they hold is no placeholder.
    made = sql.replace("{custom_joins}", custom.joins).replace("{dataset}.", schema)
    made = made.replace("{custom_columns}", custom.columns)
    return View(contract.name, made, contract.grain, columns)
