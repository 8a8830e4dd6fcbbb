"""What leads looked like before: a table of versions beside `leads`, kept in SQL inside the warehouse.

Before rows of leads are written, their ids are noted in the warehouse; afterwards the noted rows are compared with
their present versions, in one transaction that also takes the note away. So a run costs what it changed, and what a
killed run wrote is compared by the next one. The table's existence is what remembers that history is wanted.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leadhouse.columns import SQL_TYPES, Kind
from leadhouse.crm import Crm
from leadhouse.dlt_tables import stored_kinds
from leadhouse.errors import ConfigurationError
from leadhouse.lots import lots
from leadhouse.tables import Table
from leadhouse.warehouse import Warehouse

if TYPE_CHECKING:
    from dlt import Pipeline

# Leads compared in one statement.
_LEADS_A_STATEMENT = 5_000
# A modification time this far ahead of the portal's clock was made by a wrong clock.
_CLOCK_SLACK = "INTERVAL '1 day'"
# What lies between the beginnings of two versions at least.
_TICK = "INTERVAL '1 microsecond'"
_ENDS = ("valid_from", "valid_to")


class _Within:
    """The condition that a row is one of some leads'; their span lets DuckDB skip what lies outside."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._span = f"BETWEEN {ids[0]} AND {ids[-1]}"
        self._listed = ",".join(map(str, ids))

    def __call__(self, alias: str) -> str:
        return f"{alias}.id {self._span} AND {alias}.id IN ({self._listed})"


class Versions:
    """The versions of a source's leads in one warehouse.

    Args:
        crm: the source.
        table: the contract's table of versions.
        warehouse: a DuckDB file or a Postgres server.
        pipeline: dlt's pipeline to it.
    """

    def __init__(self, crm: Crm, table: Table, warehouse: Warehouse, pipeline: "Pipeline") -> None:
        self._chain = crm.leads
        self._columns = crm.contract[self._chain.root].columns
        self._table = table
        self._warehouse = warehouse
        self._pipeline = pipeline
        # Columns that the table has, none where it does not exist; and whether leads are noted.
        self._held: frozenset[str] = frozenset()
        self._noting = False
        if not warehouse.missing:
            with self._client() as client:
                self._held = self._columns_of(client, table.name)
                self._noting = self.there and bool(self._columns_of(client, self._note))

    @property
    def there(self) -> bool:
        """True where the table exists."""
        return bool(self._held)

    def make(self) -> None:
        """Make the table where it lacks, every lead noted, and give it the columns that `leads` has got since."""
        wanted = self._kinds()
        if self._noting and wanted.keys() <= self._held:
            return
        with self._client() as client, client.begin_transaction():
            versions, noted = self._versions(client), self._noted(client)
            if not self.there:
                columns = ", ".join(
                    f'"{name}" {SQL_TYPES[kind]}{" NOT NULL" if name in self._table.key else ""}'
                    for name, kind in wanted.items()
                )
                client.execute_sql(f"CREATE TABLE {versions} ({columns})")
                if self._warehouse.target.kind == "postgres":
                    key = ", ".join(self._table.key)
                    client.execute_sql(f'CREATE UNIQUE INDEX "{self._table.name}_key" ON {versions} ({key})')
            for name in [name for name in wanted if self.there and name not in self._held]:
                client.execute_sql(f'ALTER TABLE {versions} ADD COLUMN "{name}" {SQL_TYPES[wanted[name]]}')
            if not self._noting:
                client.execute_sql(f"CREATE TABLE IF NOT EXISTS {noted} (id BIGINT)")
                client.execute_sql(f"INSERT INTO {noted} SELECT id FROM {self._leads(client)}")  # noqa: S608 - our own names
        self._held, self._noting = self._held | wanted.keys(), True

    def note(self, ids: Iterable[int]) -> None:
        """Note leads that are about to be written."""
        with self._client() as client, client.begin_transaction():
            self.note_with(client, ids)

    def note_with(self, client: Any, ids: Iterable[int]) -> None:
        """Note leads that are written in the transaction of `client`; before the table is made all of them will be."""
        if not self._noting:
            return
        for lot in lots(sorted(ids), _LEADS_A_STATEMENT):
            listed = ",".join(map(str, lot))
            client.execute_sql(f"INSERT INTO {self._noted(client)} SELECT unnest(ARRAY[{listed}])")

    def keep(self, now: datetime) -> None:
        """Compare the noted leads with their present versions: close those that differ, open new ones.

        A lead's versions, and the note of it, change in one transaction.

        Args:
            now: the portal's clock (UTC), for edits that left no time.
        """
        with self._client() as client:
            noted = self._noted(client)
            rows = client.execute_sql(f"SELECT DISTINCT id FROM {noted} ORDER BY id")  # noqa: S608 - our own names
            for lot in lots([number for (number,) in rows or ()], _LEADS_A_STATEMENT):
                of = _Within(lot)
                with client.begin_transaction():
                    client.execute_sql(self._opening(client, of, now))
                    client.execute_sql(self._closing(client, of))
                    client.execute_sql(self._ending(client, of))
                    client.execute_sql(f"DELETE FROM {noted} AS n WHERE {of('n')}")  # noqa: S608 - our own names

    def _opening(self, client: Any, of: "_Within", now: datetime) -> str:
        """The statement that opens a version of each lead that has none, or that looks otherwise than it."""
        names = [name for name in self._kinds() if name not in _ENDS]
        differs = " OR ".join(
            f'o."{name}" IS DISTINCT FROM l."{name}"' for name in names if name not in {"id", *self._table.stamps}
        )
        clock = f"CAST('{now.astimezone(UTC).isoformat()}' AS TIMESTAMP WITH TIME ZONE)"
        modified = f'l."{self._chain.modified}"'
        # A version begins with the edit, if that lies behind the beginning of the open version or the end of the last.
        begins = f"""CASE WHEN {modified} <= {clock} + {_CLOCK_SLACK}
                AND (p.id IS NULL OR {modified} > CASE WHEN p.is_open THEN p.began ELSE p.ended END) THEN {modified}
            ELSE greatest({clock}, CASE WHEN p.is_open THEN p.began + {_TICK} ELSE p.ended END) END"""
        return f"""
            INSERT INTO {self._versions(client)} ({", ".join(f'"{name}"' for name in names)}, valid_from)
            SELECT {", ".join(f'l."{name}"' for name in names)}, {begins}
            FROM {self._leads(client)} AS l
            LEFT JOIN (
                SELECT v.id, max(v.valid_from) AS began, max(v.valid_to) AS ended,
                    bool_or(v.valid_to IS NULL) AS is_open
                FROM {self._versions(client)} AS v WHERE {of("v")} GROUP BY v.id
            ) AS p ON p.id = l.id
            LEFT JOIN (
                SELECT v.* FROM {self._versions(client)} AS v WHERE {of("v")} AND v.valid_to IS NULL
            ) AS o ON o.id = l.id
            WHERE {of("l")} AND (p.id IS NULL OR CASE WHEN p.is_open THEN {differs} ELSE l.deleted_at IS NULL END)
        """  # noqa: S608 - names of the contract

    def _closing(self, client: Any, of: "_Within") -> str:
        """The statement that closes versions which another has followed."""
        return f"""
            UPDATE {self._versions(client)} AS v SET valid_to = n.began
            FROM (
                SELECT v.id, max(v.valid_from) AS began FROM {self._versions(client)} AS v WHERE {of("v")} GROUP BY v.id
            ) AS n
            WHERE v.id = n.id AND {of("v")} AND v.valid_to IS NULL AND v.valid_from < n.began
        """  # noqa: S608 - our own names

    def _ending(self, client: Any, of: "_Within") -> str:
        """The statement that closes the last versions of deleted leads."""
        return f"""
            UPDATE {self._versions(client)} AS v SET valid_to = greatest(l.deleted_at, v.valid_from + {_TICK})
            FROM {self._leads(client)} AS l
            WHERE v.id = l.id AND {of("v")} AND {of("l")} AND v.valid_to IS NULL AND l.deleted_at IS NOT NULL
        """  # noqa: S608 - our own names

    def _kinds(self) -> dict[str, Kind]:
        """Return the table's columns: those of `leads` that the portal fills, then the contract's own."""
        own = {name: column.kind for name, column in self._table.columns.items()}
        leads = stored_kinds(self._pipeline.default_schema, self._chain.root)
        ends = {name: own.pop(name) for name in _ENDS}
        return {**own, **{name: kind for name, kind in leads.items() if name not in self._columns}, **ends}

    def _columns_of(self, client: Any, table: str) -> frozenset[str]:
        """Return the columns of a table of the dataset, none where it does not exist."""
        rows = client.execute_sql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            self._warehouse.dataset,
            table,
        )
        return frozenset(name for (name,) in rows or ())

    @contextmanager
    def _client(self) -> Iterator[Any]:
        with self._warehouse.held(), self._pipeline.sql_client() as client:
            yield client

    @property
    def _note(self) -> str:
        return f"_{self._table.name}_noted"

    def _versions(self, client: Any) -> str:
        return str(client.make_qualified_table_name(self._table.name))

    def _noted(self, client: Any) -> str:
        return str(client.make_qualified_table_name(self._note))

    def _leads(self, client: Any) -> str:
        return str(client.make_qualified_table_name(self._chain.root))


def versions(crm: Crm, warehouse: Warehouse, pipeline: "Pipeline", *, wanted: bool) -> Versions | None:
    """Return the versions of a source's leads; None where they are not kept.

    Args:
        crm: the source.
        warehouse: where its rows are.
        pipeline: dlt's pipeline to it.
        wanted: somebody asks for history; else it is kept where its table is there already.

    Raises:
        ConfigurationError: it cannot be kept here.
    """
    table = next((told for told in crm.contract.values() if told.versions_of == crm.leads.root), None)
    if table is None or not warehouse.target.connects:
        if not wanted:
            return None
        place = "a DuckDB file or Postgres" if table else f"a table of versions in schemas/{crm.name}/tables.toml"
        raise ConfigurationError(
            f"no history of {crm.name} can be kept in {warehouse.target.label}: that takes {place}; "
            "leave --history out, or give another --to"
        )
    found = Versions(crm, table, warehouse, pipeline)
    return found if wanted or found.there else None
