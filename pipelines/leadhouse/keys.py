"""Keys, indexes and foreign keys of a Postgres dataset: made when they lack; what hinders is a warning.

DuckDB gets none. Its foreign keys refuse to delete and insert a row in one transaction, which is how rows are merged,
and its scans need no index.

- Primary keys where the merge keeps rows unique: roots of chains, streams and dictionaries. Not on child tables: a
  value's id is the portal's, which moves a phone to another lead when it merges two, and the deleted one keeps its row.
- Indexes: child rows by their lead (each merge looks for them) and by their id, roots by modification time (the cursor)
  and by stage (boards and funnels), phones by number (one person in several leads), whatever joins to a root.
- Foreign keys of child rows, checked at the end of a transaction: a merge deletes leads before it inserts them.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from leadhouse import logs
from leadhouse.catalog import Catalog, Schema, catalog
from leadhouse.crm import Crm
from leadhouse.view_making import identifier, patient, why
from leadhouse.warehouse import Warehouse

log = logs.get_logger("leadhouse.keys")

_NUMBER = "e164"
_STAGE = "status_id"
_LACKING = "a key or an index could not be made; remove what the reason names, the next run tries again"


def make_keys(warehouse: Warehouse, crm: Crm) -> None:
    """Make the primary keys and indexes that a Postgres dataset lacks: before rows come, which are found by them."""
    if warehouse.target.kind != "postgres":
        return
    with closing(warehouse.connection.cursor()) as cursor:
        schema = Schema.of(cursor, "postgres", warehouse.dataset)
        held = catalog(schema)
        _make(cursor, [*_primary_keys(schema.place, crm, held), *_indexes(schema.place, crm, held)])


def make_references(schema: Schema, crm: Crm, held: Catalog) -> None:
    """Make the foreign keys that a Postgres dataset lacks, and statistics: after rows came, which are checked at once.

    Args:
        schema: the dataset.
        crm: the source.
        held: what the schema has.
    """
    if schema.kind == "postgres":
        lacking = list(_references(schema.place, crm, held))
        # New tables have no statistics for a while, and Postgres makes poor plans of the views over them.
        new = [table for table in crm.contract if lacking and table in held.tables]
        statistics = [(f"statistics of {table}", f"ANALYZE {schema.place}.{identifier(table)}") for table in new]
        _make(schema.cursor, [*lacking, *statistics])


def _make(cursor: Any, statements: Sequence[tuple[str, str]]) -> None:
    if not statements:
        return
    with patient(cursor):
        for name, statement in statements:
            try:
                cursor.execute(statement)
            except Exception as error:  # noqa: BLE001 - rows are complete without keys
                log.warning(_LACKING, name=name, why=why(error))


def _primary_keys(place: str, crm: Crm, held: Catalog) -> Iterator[tuple[str, str]]:
    """Yield name and statement of the primary keys that lack; an older release made a unique index on roots' ids."""
    roots = {chain.root for chain in crm.chains}
    for table in (*sorted(roots), *crm.streams, *crm.dictionaries):
        if table not in held.tables or table in held.keyed:
            continue
        index, key = f"{table}_id", ", ".join(crm.contract[table].key)
        if table in roots and index in held.names:
            made = f"ADD CONSTRAINT {identifier(index)} PRIMARY KEY USING INDEX {identifier(index)}"
        else:
            made = f"ADD CONSTRAINT {identifier(f'{table}_pkey')} PRIMARY KEY ({key})"
        yield f"primary key of {table}", f"ALTER TABLE {place}.{identifier(table)} {made}"


def _indexes(place: str, crm: Crm, held: Catalog) -> Iterator[tuple[str, str]]:
    """Yield name and statement of the indexes that lack."""
    for table, column in dict.fromkeys(_indexed(crm)):
        name = f"{table}_{column}"
        if table in held.tables and name not in held.names:
            yield name, f"CREATE INDEX {identifier(name)} ON {place}.{identifier(table)} ({identifier(column)})"


def _indexed(crm: Crm) -> Iterator[tuple[str, str]]:
    roots = {f"{chain.root}.id" for chain in crm.chains}
    for chain in crm.chains:
        yield chain.root, chain.modified
        if _STAGE in crm.contract[chain.root].columns:
            yield chain.root, _STAGE
        for table in chain.children:
            yield table, chain.parent
            for column in ("id", _NUMBER):
                if column in crm.contract[table].columns:
                    yield table, column
    for table, contract in crm.contract.items():
        if contract.versions_of is None:  # the unique index of versions begins with the lead
            for told in contract.columns.values():
                if {told.references, told.joins} & roots:
                    yield table, told.name


def _references(place: str, crm: Crm, held: Catalog) -> Iterator[tuple[str, str]]:
    """Yield name and statement of the foreign keys that lack."""
    for table, contract in crm.contract.items():
        for column in contract.columns.values():
            name = f"{table}_{column.name}_fkey"
            if column.references is None or table not in held.tables or name in held.names:
                continue
            target, _, key = column.references.partition(".")
            made = (
                f"FOREIGN KEY ({identifier(column.name)}) REFERENCES {place}.{identifier(target)} ({identifier(key)})"
            )
            statement = f"ALTER TABLE {place}.{identifier(table)} ADD CONSTRAINT {identifier(name)} {made}"
            yield name, f"{statement} DEFERRABLE INITIALLY DEFERRED"
