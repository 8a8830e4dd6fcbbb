"""What leads looked like before: a table of versions beside `leads`, kept in SQL inside the warehouse.

Before rows of leads are written, their ids are noted in the warehouse; afterwards the noted rows are compared with
their present versions, in one transaction that also takes the note away. So a run costs what it changed, and what a
killed run wrote is compared by the next one. The table's existence is what remembers that history is wanted.
"""

from collections.abc import Iterable, Iterator
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


class Versions:
    """The versions of a source's leads in one warehouse.

    Args:
        crm: the source.
        table: the contract's table of versions.
        warehouse: a DuckDB file or a Postgres server.
        pipeline: dlt's pipeline to it.

    Attributes:
        there: the table exists.
    """

    def __init__(self, crm: Crm, table: Table, warehouse: Warehouse, pipeline: "Pipeline") -> None:
        self._chain = crm.leads
        self._columns = crm.contract[self._chain.root].columns
        self._table = table
        self._warehouse = warehouse
        self._pipeline = pipeline
        self.there = self._noting = False
        if not warehouse.missing:
            with self._transaction() as client:
                self.there = bool(self._held(client, table.name))
                self._noting = self.there and bool(self._held(client, self._note))

    def make(self) -> None:
        """Make the table where it lacks, every lead noted, and give it the columns that `leads` has got since."""
        wanted = self._kinds()
        with self._transaction() as client:
            held = self._held(client, self._table.name)
            if not held:
                columns = ", ".join(
                    f'"{name}" {SQL_TYPES[kind]}{" NOT NULL" if name in self._table.key else ""}'
                    for name, kind in wanted.items()
                )
                client.execute_sql(f"CREATE TABLE {self._versions(client)} ({columns})")
                key = ", ".join(self._table.key)
                client.execute_sql(f'CREATE UNIQUE INDEX "{self._table.name}_key" ON {self._versions(client)} ({key})')
            for name in [name for name in wanted if held and name not in held]:
                client.execute_sql(
                    f'ALTER TABLE {self._versions(client)} ADD COLUMN "{name}" {SQL_TYPES[wanted[name]]}'
                )
            if not self._noting:
                client.execute_sql(f"CREATE TABLE IF NOT EXISTS {self._noted(client)} (id BIGINT)")
                client.execute_sql(f"INSERT INTO {self._noted(client)} SELECT id FROM {self._leads(client)}")  # noqa: S608 - our own names
        self.there = self._noting = True

    def note(self, ids: Iterable[int]) -> None:
        """Note leads that are about to be written."""
        with self._transaction() as client:
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

        Args:
            now: the portal's clock (UTC), for edits that left no time.
        """
        with self._transaction() as client:
            rows = client.execute_sql(f"SELECT DISTINCT id FROM {self._noted(client)} ORDER BY id")  # noqa: S608 - our own names
            for lot in lots([number for (number,) in rows or ()], _LEADS_A_STATEMENT):
                within = f"BETWEEN {lot[0]} AND {lot[-1]} AND {{id}} IN ({','.join(map(str, lot))})"
                for statement in (self._opening(client, now), self._closing(client), self._ending(client)):
                    client.execute_sql(
                        statement.replace("{of l}", f"l.id {within.format(id='l.id')}").replace(
                            "{of v}", f"v.id {within.format(id='v.id')}"
                        )
                    )
            if rows:
                client.execute_sql(f"DELETE FROM {self._noted(client)}")  # noqa: S608 - our own names

    def _opening(self, client: Any, now: datetime) -> str:
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
                FROM {self._versions(client)} AS v WHERE {{of v}} GROUP BY v.id
            ) AS p ON p.id = l.id
            LEFT JOIN (
                SELECT v.* FROM {self._versions(client)} AS v WHERE {{of v}} AND v.valid_to IS NULL
            ) AS o ON o.id = l.id
            WHERE {{of l}} AND (p.id IS NULL OR CASE WHEN p.is_open THEN {differs} ELSE l.deleted_at IS NULL END)
        """  # noqa: S608 - names of the contract

    def _closing(self, client: Any) -> str:
        """The statement that closes versions which another has followed."""
        return f"""
            UPDATE {self._versions(client)} AS v SET valid_to = n.began
            FROM (
                SELECT v.id, max(v.valid_from) AS began FROM {self._versions(client)} AS v WHERE {{of v}} GROUP BY v.id
            ) AS n
            WHERE v.id = n.id AND {{of v}} AND v.valid_to IS NULL AND v.valid_from < n.began
        """  # noqa: S608 - our own names

    def _ending(self, client: Any) -> str:
        """The statement that closes the last versions of deleted leads."""
        return f"""
            UPDATE {self._versions(client)} AS v SET valid_to = greatest(l.deleted_at, v.valid_from + {_TICK})
            FROM {self._leads(client)} AS l
            WHERE v.id = l.id AND {{of v}} AND {{of l}} AND v.valid_to IS NULL AND l.deleted_at IS NOT NULL
        """  # noqa: S608 - our own names

    def _kinds(self) -> dict[str, Kind]:
        """Return the table's columns: those of `leads` that the portal fills, then the contract's own."""
        own = {name: column.kind for name, column in self._table.columns.items()}
        leads = stored_kinds(self._pipeline.default_schema, self._chain.root)
        ends = {name: own.pop(name) for name in _ENDS}
        return {**own, **{name: kind for name, kind in leads.items() if name not in self._columns}, **ends}

    def _held(self, client: Any, table: str) -> set[str]:
        """Return the columns of a table of the dataset, none where it does not exist."""
        rows = client.execute_sql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            self._warehouse.dataset,
            table,
        )
        return {name for (name,) in rows or ()}

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._warehouse.held(), self._pipeline.sql_client() as client, client.begin_transaction():
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
        if wanted:
            raise ConfigurationError(
                f"no history of {crm.name} can be kept in {warehouse.target.label}: that takes a DuckDB file or "
                "Postgres; leave --history out, or give another --to"
            )
        return None
    found = Versions(crm, table, warehouse, pipeline)
    return found if wanted or found.there else None
