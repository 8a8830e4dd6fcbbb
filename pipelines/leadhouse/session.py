"""One run at work on one portal and one warehouse: opened, loaded from, accounted for, recorded."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leadhouse.cursor import Cursor
from leadhouse.progress import Progress
from leadhouse.settings import PortalSettings
from leadhouse.state import stored
from leadhouse.summary import SyncSummary
from leadhouse.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt import Pipeline

    from leadhouse.columns import Kind
    from leadhouse.crm import Chain, Crm, Entities, Portal
    from leadhouse.flow import LeadFlow
    from leadhouse.inventory import Inventory
    from leadhouse.masking import Mask
    from leadhouse.pieces import Piece, Reading
    from leadhouse.pii import Memory
    from leadhouse.retired import Retired
    from leadhouse.seen_times import Row
    from leadhouse.unchanged import Unchanged
    from leadhouse.versions import Versions

LOCK_TIMEOUT_S = 60.0
# Leads that a killed run reads again at most: a load package, a lot that waits behind it, and one that is being read.
CHECKPOINT_LEADS = 20_000
LOTS_AHEAD = 1
_LOT_LEADS = 2_500  # a batch of 50 pages of 50
PACKAGE_LEADS = CHECKPOINT_LEADS - (LOTS_AHEAD + 1) * _LOT_LEADS
# Seconds of reading after which a package ends before that: slow portals get smaller ones.
CHECKPOINT_S = 10.0


@dataclass(slots=True)
class Session:
    """One run at work.

    Attributes:
        crm: the source.
        settings: how to reach and read the portal.
        warehouse: where the rows go.
        pipeline: dlt's pipeline to it, with the state that the warehouse holds.
        portal: the portal.
        summary: what is accounted for.
        progress: told what happens.
        versions: what leads looked like before; None where no history is kept.
        mask: what becomes of personal data, once that is settled; None: it is kept.
    """

    crm: "Crm"
    settings: PortalSettings
    warehouse: Warehouse
    pipeline: "Pipeline"
    portal: "Portal"
    summary: SyncSummary
    progress: Progress
    versions: "Versions | None" = None
    mask: "Mask | None" = None
    _schema_hash: str | None = None
    _upper: datetime | None = None
    _dictionaries: "dict[str, Sequence[Row]]" = field(default_factory=dict)

    @property
    def slot(self) -> dict[str, Any]:
        """What the warehouse's state remembers of this source, empty before the first run."""
        return stored(self.pipeline, self.summary.source) or {}

    @property
    def cursor(self) -> Cursor:
        """The stored cursor.

        Raises:
            StateError: it is damaged.
        """
        return Cursor.from_dict(self.slot.get("cursor"))

    def stored_kinds(self, chain: "Chain") -> "dict[str, Kind]":
        """Return the kinds of the columns that a root table has in the warehouse; empty before the first run."""
        from leadhouse.dlt_tables import stored_kinds  # noqa: PLC0415 - arrow's weight is loaded late

        return stored_kinds(self.pipeline.default_schema, chain.root) if self.pipeline.default_schema_name else {}

    def entities(self, chain: "Chain") -> "Entities":
        """Return the portal's rows of a chain, to ask for; nothing is sent yet."""
        return self.portal.entities(chain, self.stored_kinds(chain), self.dictionary)

    def dictionary(self, name: str) -> "Sequence[Row]":
        """Return the rows that the warehouse had of a dictionary when this run first asked."""
        from leadhouse.seen_times import held_rows  # noqa: PLC0415 - arrow's weight is loaded late

        if name not in self._dictionaries:
            self._dictionaries[name] = held_rows(self.warehouse, self.pipeline, self.crm.contract[name])
        return self._dictionaries[name]

    def inventory(self, chain: "Chain") -> "Inventory":
        """Return what the warehouse has of a chain."""
        from leadhouse.inventory import Inventory  # noqa: PLC0415 - arrow's weight is loaded late

        versions = self.versions if chain is self.crm.leads else None
        return Inventory(chain, self.crm.contract, self.warehouse, self.pipeline, versions)

    def load_all(
        self,
        reading: "Reading",
        pieces: "Iterator[Piece]",
        unchanged: "Mapping[str, Unchanged]",
        *,
        last: bool = False,
    ) -> None:
        """Load what is read, package by package.

        Args:
            reading: the portal being read.
            pieces: what it brings.
            unchanged: leave out what the warehouse has already, by root table.
            last: the portal is not asked again in this run.
        """
        from leadhouse.flow import LeadFlow  # noqa: PLC0415 - arrow's weight is loaded late

        root = self.crm.leads.root
        self.warehouse.columns = len(self.crm.contract[root].columns) + len(reading.extra_columns(root))
        flow = LeadFlow(
            self.crm,
            reading,
            pieces,
            unchanged=unchanged,
            limit=PACKAGE_LEADS,
            seconds=CHECKPOINT_S,
            nul=self.warehouse.target.kind != "postgres",
            held=self.dictionary,
            retired=self._retired(reading),
            mask=self.mask,
        )
        read_before = self.summary.leads_read
        self._upper = reading.upper
        while not flow.finished:
            self._load(flow, last=last)
            self.summary.leads_read = read_before + flow.leads_read
            self.account()
            self.progress.step("loading", self.summary.leads_read)
        self.summary.leads_unchanged += unchanged[root].count if root in unchanged else 0
        self.summary.rows_written += flow.rows_written
        self.summary.misfits += flow.misfits
        self.summary.unavailable = reading.unavailable

    def _retired(self, reading: "Reading") -> "Retired | None":
        """Return what keeps the values of user fields that the portal dropped; None where fields are not remembered."""
        from leadhouse.retired import Retired  # noqa: PLC0415 - arrow's weight is loaded late

        if self.crm.fields is None:
            return None
        chain, contract = self.crm.leads, self.crm.contract
        held, told = self.dictionary(self.crm.fields), reading.dictionaries.get(self.crm.fields)
        present = set() if told is None else set(told.column("column_name").to_pylist())
        dropped = {row["column_name"] for row in held if row["is_multiple"]} - present
        stored = self.stored_kinds(chain)
        names = {name for row in held for name in (row["column_name"], f"{row['column_name']}_currency")}
        columns = {name: stored[name] for name in sorted(names & stored.keys() - contract[chain.root].columns.keys())}
        return Retired(chain.root, columns, contract["lead_custom_values"], dropped, self.inventory(chain).values)

    def _load(self, flow: "LeadFlow", *, last: bool) -> None:
        """Extract one package from `flow` and load it."""
        from leadhouse.flow import flowing  # noqa: PLC0415 - arrow's weight is loaded late
        from leadhouse.keys import make_keys  # noqa: PLC0415

        self.pipeline.extract(flowing(self.crm, flow))
        if last and flow.finished:
            self.warehouse.keep()
        with self.warehouse.held():
            self.pipeline.normalize()
            schema = self.pipeline.default_schema.stored_version_hash
            if self._schema_hash != schema:
                self.pipeline.sync_schema()
                make_keys(self.warehouse, self.crm)
                self._schema_hash = schema
                if self.versions is not None:
                    self.versions.make()
                    self.keep_versions()  # of what a killed run wrote
            if self.versions is not None and flow.written:
                self.versions.note(flow.written)
            self.pipeline.load()
        self.summary.packages += 1

    def keep_versions(self) -> None:
        """Bring the history of leads up to date with their rows."""
        if self.versions is not None and self.versions.there:
            self.versions.keep(self._upper or datetime.now(UTC))

    def account(self) -> None:
        """Take over what was counted on the way to the portal."""
        self.summary.portal = self.portal.portal
        self.summary.requests = self.portal.traffic.requests
        self.summary.retries = self.portal.traffic.retries
        self.summary.throttled_s = self.portal.pause.throttled_s

    def record(self, outcome: str, cursor: Cursor | None = None) -> None:
        """Write the run's row of `sync_runs`, unless the run only looks.

        Args:
            outcome: "done" or "failed".
            cursor: to be remembered with it; None: what is remembered stays.
        """
        if self.warehouse.read_only:
            return
        self.summary.finished_at = datetime.now(UTC)
        self.summary.outcome = outcome
        with self.warehouse.held():
            if self.pipeline.has_pending_data:
                self.pipeline.abort_packages()
            if cursor is None and self._schema_hash is not None and self.warehouse.target.connects:
                self._insert(self.summary.row())
            else:
                from leadhouse.flow import recording  # noqa: PLC0415 - arrow's weight is loaded late

                self.pipeline.run(recording(self.crm, self.summary.row(), cursor))
            self._present()

    def remember(self, memory: "Memory", *, anew: bool = False) -> None:
        """Write what is remembered of personal data; `anew` forgets how far a window was read, but not the cursor."""
        from leadhouse.flow import remembering  # noqa: PLC0415 - arrow's weight is loaded late

        parts = memory.to_slot()
        if anew:
            parts["cursor"] = replace(self.cursor, window=None).to_dict()
        with self.warehouse.held():
            self.pipeline.run(remembering(self.crm, parts))

    def _insert(self, row: dict[str, Any]) -> None:
        """Add a row to `sync_runs`, which this run's packages have made: a package for one row takes 0.3 s."""
        with self.pipeline.sql_client() as client:
            names, places = ", ".join(row), ", ".join(["%s"] * len(row))
            table = client.make_qualified_table_name("sync_runs")
            client.execute_sql(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())  # noqa: S608 - columns of the contract

    def _present(self) -> None:
        """Bring keys, comments and views up to date once the run is recorded as done."""
        from leadhouse.presentation import present  # noqa: PLC0415 - arrow's weight is loaded late
        from leadhouse.views import refresh_views  # noqa: PLC0415

        if self.summary.outcome == "done":
            present(self.warehouse, self.crm, self.pipeline)
            refresh_views(self.warehouse)
