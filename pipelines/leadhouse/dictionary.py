"""The dictionary of the data: what every table, view and column means, from the reviewed files of `schemas/`.

Where a warehouse is given, what a portal adds to that: its own fields with their titles, and which tables are there.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from textwrap import fill
from typing import Any

from leadhouse import logs
from leadhouse.columns import Kind
from leadhouse.crm import crm
from leadhouse.errors import StateError
from leadhouse.files import reviewed
from leadhouse.personal import reviewed as without_free_text
from leadhouse.redact import redact
from leadhouse.settings import VIEWS, sources
from leadhouse.snapshot import Held, HeldColumn, Snapshot, snapshot
from leadhouse.tables import Column, Table, tables
from leadhouse.warehouse import Target

log = logs.get_logger("leadhouse.dictionary")

# Columns by which a person knows a row.
_LABELS = ("title", "name", "full_name", "value")
_SHOWN = 10
_AS = "\u00a0AS\u00a0"
_JOINED = 3
_CURRENCY = "_currency"
# Types of fields whose ids stand in views as the names of users.
_PEOPLE = frozenset({"employee", "user"})


@dataclass(frozen=True, slots=True)
class PortalField:
    """A field as a portal tells of it.

    Attributes:
        table: where its values are.
        column: the column there; None where they are rows.
        rows_where: which rows, as SQL; None where they are a column.
        title: in the portal's words.
        type: the portal's.
        custom: made in this portal.
    """

    table: str
    column: str | None
    rows_where: str | None
    title: str | None
    type: str | None
    custom: bool


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """A column.

    Attributes:
        name: of the column.
        type: as `schemas/` calls it; the database's own where `schemas/` has no word for it.
        about: its meaning.
        personal: it holds personal data.
        key: it is part of the table's key.
        references, joins: as in `leadhouse.tables.Column`.
        title: what the portal calls it; None where no warehouse told.
        custom: it is not in `schemas/`: this portal has it.
    """

    name: str
    type: str
    about: str
    personal: bool
    key: bool = False
    references: str | None = None
    joins: str | None = None
    title: str | None = None
    custom: bool = False


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table or a view.

    Attributes:
        name: of the table.
        grain: what a row is.
        key: its key's columns.
        question: that it answers.
        is_view: it is a view.
        columns: in the contract's order, then the portal's own.
        sql: a query to begin with, the same text for DuckDB and Postgres.
        there: whether the warehouse has it; None where none was given.
        fields: portal fields whose values are rows of it.
        optional: it is there only where somebody asked for it.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    question: str
    is_view: bool
    columns: Sequence[ColumnEntry]
    sql: str
    there: bool | None = None
    fields: Sequence[PortalField] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What stands in one schema.

    Attributes:
        dataset: the schema.
        source: the CRM; None for the views over all of them.
        tables: tables, then views.
    """

    dataset: str
    source: str | None
    tables: Sequence[TableEntry]


def promised(source: str, dataset: str | None = None) -> Section:
    """Return what `schemas/` promises of a source's dataset, its views included."""
    name, contract, views = dataset or source, tables(source), _views(source)
    both = {**contract, **views}
    made = [_entry(table, name, both, is_view=table.name in views) for table in both.values()]
    return Section(name, source, made)


def over_all() -> Section:
    """Return what `schemas/` promises of the views over all CRMs."""
    views = _views(VIEWS)
    return Section(VIEWS, None, [_entry(table, VIEWS, views, is_view=True) for table in views.values()])


def everything() -> list[Section]:
    """Return what `schemas/` promises of every source, and over all of them."""
    return [*map(promised, sources()), over_all()]


def of_warehouse(target: Target, source: str | None, dataset: str | None, *, lock_timeout: float) -> list[Section]:
    """Return what a warehouse has of it, with the portals' own fields.

    Args:
        target: a DuckDB file or a Postgres server.
        source: of the dataset; None: of every one.
        dataset: its name; None: every one of the source. Where neither is given, the views over all are told, too.
        lock_timeout: seconds to wait for a process that has the DuckDB file open.

    Raises:
        StateError: nothing was synced there yet.
        ConfigurationError, WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: it cannot be read.
    """
    with snapshot(target, lock_timeout=lock_timeout) as held:
        found = {name: of for name, of in held.datasets.items() if dataset in (None, name) and source in (None, of)}
        if not found:
            raise StateError(
                f"{target.label} has no dataset {dataset or ''} of leadhouse; run `leadhouse sync` first, or leave "
                "--to, --dataset and --portal out".replace("  ", " ")
            )
        sections = [_filled(held, promised(of, name)) for name, of in found.items()]
        with_views = source is None and dataset is None and VIEWS in held.held
        return [*sections, _filled(held, over_all())] if with_views else sections


def _views(name: str) -> Mapping[str, Table]:
    with suppress(FileNotFoundError):
        return tables(f"views/{name}")
    return {}


def _entry(table: Table, dataset: str, others: Mapping[str, Table], *, is_view: bool) -> TableEntry:
    columns = [_column(column, table) for column in table.columns.values()]
    sql = _example(table, dataset, others)
    optional = table.versions_of is not None
    return TableEntry(table.name, table.grain, table.key, table.question, is_view, columns, sql, optional=optional)


def _column(column: Column, table: Table) -> ColumnEntry:
    return ColumnEntry(
        name=column.name,
        type=f"{column.kind.value}[]" if column.many else column.kind.value,
        about=column.about,
        personal=column.personal,
        key=column.name in table.key,
        references=column.references,
        joins=column.joins,
    )


def _example(table: Table, dataset: str, others: Mapping[str, Table]) -> str:
    """Return a query over a table and what it joins to, where a join cannot multiply its rows."""
    shown = [f"t.{name}" for name in table.columns if not name.startswith("_")][:_SHOWN]
    joins: list[str] = []
    for column in table.columns.values():
        name, _, key = (column.references or column.joins or "").partition(".")
        other = others.get(name)
        if other is None or other.key != (key,) or len(joins) == _JOINED:
            continue
        alias = f"{column.name.removesuffix('_id')}_of"
        label = next((label for label in _LABELS if label in other.columns), None)
        called = f"{column.name.removesuffix('_id')}_{label}"
        if label and called not in table.columns:
            shown.append(f"{alias}.{label} AS {called}")
            joins.append(f"\nLEFT JOIN {dataset}.{name} AS {alias} ON {alias}.{key} = t.{column.name}")
    lives = "\nWHERE t.deleted_at IS NULL" if "deleted_at" in table.columns else ""
    # The wrapping breaks at bare spaces only.
    columns = fill(f"SELECT {', '.join(shown).replace(' AS ', _AS)}", 80, subsequent_indent=" " * 7).replace(
        _AS, " AS "
    )
    return f"{columns}\nFROM {dataset}.{table.name} AS t{''.join(joins)}{lives}\nLIMIT 20;"


def _filled(held: Snapshot, section: Section) -> Section:
    there = held.held.get(section.dataset, {})
    fields = _portal_fields(held, section)
    columns, titles = _not_personal(section, fields)
    return replace(
        section,
        tables=[
            _told(entry, there.get(entry.name), fields, titles if entry.is_view else columns)
            for entry in section.tables
        ],
    )


def _not_personal(section: Section, fields: Sequence[PortalField]) -> tuple[Collection[str], Collection[str]]:
    """Return the portal's own columns of text that hold no free text, as `--pii` has it: by name, in views by title."""
    if section.source is None:
        return frozenset(), frozenset()
    known, own = crm(section.source), [field for field in fields if field.custom]
    plain = known.codes | known.figures - _PEOPLE
    titles = {
        name
        for field in own
        if field.type in plain
        for name in (field.title or "", f"{field.title} ({field.column})", f"{field.title} (currency)")
    } - {field.title for field in own if field.type not in plain}
    return without_free_text(known, ((field.column, field.type) for field in own if field.column)).columns, titles


def _told(entry: TableEntry, held: Held | None, fields: Sequence[PortalField], plain: Collection[str]) -> TableEntry:
    """Return an entry with what the warehouse tells of its table."""
    titles = {field.column or "": field for field in fields if field.table == entry.name and field.column}
    columns = [
        replace(column, title=titles[column.name].title) if column.name in titles else column
        for column in entry.columns
    ]
    known = {column.name for column in columns}
    columns += [
        _own(column, titles, is_view=entry.is_view, personal=column.name not in plain)
        for column in (held.columns if held else ())
        if column.name not in known and not column.name.startswith("_dlt_")
    ]
    rows = [field for field in fields if field.table == entry.name and not field.column]
    return replace(entry, columns=columns, there=held is not None, fields=rows)


def _own(column: HeldColumn, fields: Mapping[str, PortalField], *, is_view: bool, personal: bool) -> ColumnEntry:
    """Return the entry of a column that this portal has; only texts are `personal`."""
    name, kind = column.name, column.kind.value if column.kind else column.type
    field, about = fields.get(name), "a field of this portal"
    of = fields.get(name.removesuffix(_CURRENCY))
    if field is not None:
        about = f"a field of this portal, type {field.type}"
    elif of is not None:
        field, about = of, f"currency of {of.column}"
    if is_view:
        about = "a field of this portal, under its title"
    personal = personal and column.kind in (None, Kind.TEXT)
    return ColumnEntry(name, kind, about, personal, title=field.title if field else None, custom=True)


def _portal_fields(held: Snapshot, section: Section) -> list[PortalField]:
    """Return the fields of a portal, by the reviewed SQL of its source; a source may have none."""
    with suppress(FileNotFoundError):
        text = reviewed(f"schemas/{section.source or f'views/{VIEWS}'}/custom_fields.sql").read_text(encoding="utf-8")
        try:
            rows: list[Any] = held.ask(text.replace("{dataset}", f'"{section.dataset}"'))
        except Exception as error:  # noqa: BLE001 - each database has its own
            why = redact(str(error).split("\n", 1)[0])
            log.warning("the portal's own titles are left out; sync the dataset", dataset=section.dataset, why=why)
            return []
        return [PortalField(*row) for row in rows]
    return []
