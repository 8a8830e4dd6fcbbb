"""Random life on a portal, between and during runs, some of which crash: no loss, no regress, no row twice.

After every run, also a crashed one, each lead in the warehouse must be, with all its child rows, exactly one version
that the portal once showed, and never an older one than the warehouse had before. Deletions, leads with old
dates, leads that go out of sight and edits that leave no date are part of that life; a reconcile puts them right. In
the end all tables equal the portal, and what left it is marked.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.load.load import Load
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

import oracle
from leadhouse.bitrix24 import census
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.errors import StateError
from leadhouse.inventory import Inventory
from leadhouse.sandbox.bitrix24 import Portal, serve
from leadhouse.warehouse import Warehouse
from scene import Crash, Scene, crash_at, in_small_packages, lose_disk, small_portal

# Where a process may die: class, method, before its work or after it.
STEPS: dict[str, tuple[type, str, bool]] = {
    "before a request": (Bitrix24Client, "batch", False),
    "after a request": (Bitrix24Client, "batch", True),
    "before extract": (dlt.Pipeline, "extract", False),
    "after extract": (dlt.Pipeline, "extract", True),
    "after normalize": (dlt.Pipeline, "normalize", True),
    "after the schema": (dlt.Pipeline, "sync_schema", True),
    "after the indexes": (Warehouse, "index", True),
    "before load": (dlt.Pipeline, "load", False),
    "rows in, state not yet": (SqlJobClientBase, "complete_load", False),
    "state in": (SqlJobClientBase, "complete_load", True),
    "package not put away": (Load, "complete_package", False),
    "after load": (dlt.Pipeline, "load", True),
}
RECONCILE_STEPS: dict[str, tuple[type, str, bool]] = {
    **{name: STEPS[name] for name in ("after a request", "after extract", "rows in, state not yet", "after load")},
    "before the marks": (Inventory, "mark", False),
    "after the marks": (Inventory, "mark", True),
}
OLD = "2019-05-05T10:00:00+03:00"
# No boolean: a new one is false at once for every lead, without an edit that a cursor could see.
CUSTOM_TYPES = ("string", "integer", "double", "money", "date", "datetime")
CUSTOM_VALUES = {
    "string": "Σ text",
    "integer": "7",
    "double": "1.5",
    "money": "12.50|EUR",
    "date": "2026-02-03",
    "datetime": "2026-02-03T04:05:06+03:00",
}
Whole = dict[str, dict[oracle.Key, oracle.Row]]
picks = st.integers(0, 10_000)
ticks = st.sampled_from([0, 0, 1, 59, 299, 300, 301, 4000])


class LifeAndSyncs(RuleBasedStateMachine):
    """One portal, one warehouse."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = Path(tempfile.mkdtemp())
        self.patch.setenv("DLT_DATA_DIR", str(self.folder / "dlt"))
        in_small_packages(self.patch, leads=50, pages=1)
        self.edits = 0
        self.fields = 0
        self.shown: dict[int, dict[int, Whole]] = {}
        self.held: dict[int, int] = {}

    @initialize(
        leads=st.sampled_from([0, 1, 50, 51, 130]), seed=st.integers(1, 99), api=st.sampled_from(["lead", "item"])
    )
    def open(self, leads: int, seed: int, api: str) -> None:
        """A portal with leads that no version number marks yet: they are version 0."""
        self.portal = small_portal(leads, seed)
        self.server = serve(self.portal)
        url = self.server.__enter__().url
        self.scene = Scene(self.portal, url, f"duckdb:{self.folder / 'leads.duckdb'}", api=api)
        self.note()

    # Life

    def note(self) -> None:
        """Remember every lead with its child rows as the portal shows it now, by version."""
        truth = oracle.expected(self.portal, addresses=self.scene.api == "lead")
        for lead_id, whole in _by_lead(truth).items():
            self.shown.setdefault(lead_id, {}).setdefault(_version(whole), whole)

    def some(self, pick: int) -> int | None:
        """Return the id of some lead, None where there are none."""
        ids = self.portal.store.ids
        return ids[pick % len(ids)] if ids else None

    def edit(self, pick: int, fields: dict[str, Any] | None = None) -> None:
        """Edit some lead, which makes its next version."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.edits += 1
            self.portal.update_lead(lead_id, {"POST": f"v{self.edits}", **(fields or {})})
            self.note()

    @rule(seconds=ticks)
    def time_passes(self, seconds: int) -> None:
        """Seconds pass, or none."""
        self.portal.clock.advance(seconds)

    @rule(count=st.integers(1, 4))
    def leads_come(self, count: int) -> None:
        """New leads."""
        self.portal.invent_leads(count)
        self.note()

    @rule(pick=picks, stage=st.sampled_from(["NEW", "IN_PROCESS", "JUNK", "CONVERTED"]))
    def a_lead_moves(self, pick: int, stage: str) -> None:
        """Another stage."""
        self.edit(pick, {"STATUS_ID": stage})

    @rule(pick=picks, kind=st.sampled_from(["PHONE", "EMAIL", "IM", "WEB"]))
    def a_value_is_added(self, pick: int, kind: str) -> None:
        """A phone, an address."""
        self.edit(pick, {kind: [{"VALUE": f"+44 7700 900{self.edits % 1000:03d}"}]})

    @rule(pick=picks, all_of_them=st.booleans())
    def phones_go(self, pick: int, all_of_them: bool) -> None:
        """One or all."""
        lead_id = self.some(pick)
        phones = self.portal.lead(lead_id).get("PHONE", []) if lead_id is not None else []
        self.edit(pick, {"PHONE": [{"ID": p["ID"], "DELETE": "Y"} for p in (phones if all_of_them else phones[:1])]})

    @rule(picked=st.lists(picks, min_size=2, max_size=80))
    def a_storm_in_one_second(self, picked: list[int]) -> None:
        """Many leads, one second."""
        ids = {lead_id for pick in picked if (lead_id := self.some(pick)) is not None}
        self.edits += 1
        self.portal.storm(sorted(ids), {"POST": f"v{self.edits}"})
        self.note()

    @rule(kind=st.sampled_from(CUSTOM_TYPES), multiple=st.booleans())
    def a_custom_field_is_made(self, kind: str, multiple: bool) -> None:
        """No lead has a value yet."""
        self.fields += 1
        self.portal.add_userfield(f"UF_CRM_NEW{self.fields}", kind, multiple=multiple)

    @precondition(lambda self: self.fields)
    @rule(pick=picks, number=picks)
    def a_custom_value_is_set(self, pick: int, number: int) -> None:
        """Once, or twice in a multiple field."""
        field = self.portal.userfield_map[f"UF_CRM_NEW{1 + number % self.fields}"]
        value = CUSTOM_VALUES[field.user_type]
        self.edit(pick, {field.name: [value, value] if field.multiple else value})

    # Life that the cursor cannot see

    @rule(pick=picks, restored=st.booleans())
    def a_lead_goes(self, pick: int, restored: bool) -> None:
        """For ever, or to come back under a new id with its old dates."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.portal.delete_lead(lead_id)
            if restored:
                self.portal.restore_lead(lead_id)
            self.note()

    @rule(count=st.integers(1, 4))
    def old_leads_come(self, count: int) -> None:
        """An import with past dates."""
        self.portal.import_leads(count, OLD)
        self.note()

    @rule(pick=picks)
    def a_lead_changes_without_a_date(self, pick: int) -> None:
        """As a change of bindings or of a field's schema does."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.edits += 1
            self.portal.update_lead(lead_id, {"POST": f"v{self.edits}"}, touch=False)
            self.note()

    @rule(pick=picks)
    def a_lead_goes_out_of_sight(self, pick: int) -> None:
        """The user behind the access may not read it any more."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.portal.hide_lead(lead_id)

    @rule()
    def all_leads_are_in_sight(self) -> None:
        """Rights are given again."""
        self.portal.reveal_lead(*self.portal.store.ids)
        self.note()

    # Syncs

    @rule(during=st.lists(st.tuples(st.integers(0, 40), picks, ticks), max_size=3))
    def sync(self, during: list[tuple[int, int, int]]) -> None:
        """With edits, and time, between the commands that the portal executes."""
        self.portal.before_command.append(self.meanwhile(during))
        try:
            self.scene.sync()
        finally:
            self.portal.before_command.clear()
        self.look()

    def meanwhile(self, during: list[tuple[int, int, int]]) -> Callable[[str, Any, Portal], None]:
        """Return the hook that lets time pass and a lead change before given commands."""
        commands = [0]

        def hook(_: str, __: Any, portal: Portal) -> None:
            for number, pick, seconds in during:
                if number == commands[0]:
                    portal.clock.advance(seconds)
                    self.edit(pick, {"EMAIL": [{"VALUE": "during@example.org"}]})
            commands[0] += 1

        return hook

    @rule(
        step=st.sampled_from(sorted(STEPS)),
        call=st.integers(1, 3),
        left=st.sampled_from(["nothing", "working files", "no disk"]),
        full=st.sampled_from([False, False, True]),
    )
    def a_sync_dies(self, step: str, call: int, left: str, full: bool) -> None:
        """Its working files stay as a killed process leaves them, or are emptied, or the disk is lost."""
        owner, method, after = STEPS[step]
        with pytest.MonkeyPatch.context() as patch:
            if left == "working files":
                patch.setattr("leadhouse.pipeline._wipe", lambda _: None)
            crash_at(patch, owner, method, call, after=after)
            with suppress(Crash):
                self.scene.sync(full=full)
        if left == "no disk":
            lose_disk(self.folder / "dlt")
        self.look()

    @rule(deep=st.booleans(), counted=st.booleans())
    def reconcile(self, deep: bool, counted: bool) -> None:
        """By counts or by listing."""
        with pytest.MonkeyPatch.context() as patch:
            if counted:
                _count_always(patch)
            with suppress(StateError):  # before the first sync there is nothing to compare
                self.scene.reconcile(deep=deep)
        self.look()

    @rule(step=st.sampled_from(sorted(RECONCILE_STEPS)), call=st.integers(1, 2))
    def a_reconcile_dies(self, step: str, call: int) -> None:
        """And leaves nothing half done."""
        owner, method, after = RECONCILE_STEPS[step]
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, owner, method, call, after=after)
            with suppress(Crash, StateError):
                self.scene.reconcile()
        self.look()

    def look(self) -> None:
        """What the warehouse holds was shown by the portal, and is not older than what it held."""
        if not (self.folder / "leads.duckdb").exists():
            return
        for lead_id, whole in _by_lead(oracle.actual(self.scene.to)).items():
            assert whole["leads"], f"lead {lead_id} has child rows and no row"
            version = _version(whole)
            assert version in self.shown[lead_id], f"lead {lead_id} is version {version}, which the portal never showed"
            assert version >= self.held.get(lead_id, 0), f"lead {lead_id} went back to version {version}"
            self.held[lead_id] = version
            for table, rows in self.shown[lead_id][version].items():
                told = whole[table]
                assert told.keys() == rows.keys(), f"lead {lead_id}, version {version}: {table}"
                for key, row in rows.items():
                    assert {name: told[key][name] for name in row} == row, f"lead {lead_id}, version {version}: {table}"

    def teardown(self) -> None:
        """The portal is quiet, time passes, one more sync and a reconcile of every lead: all is equal."""
        try:
            if hasattr(self, "scene"):
                self.portal.clock.advance(10)
                self.scene.sync()
                self.look()
                self.scene.reconcile(every_lead=True)
                self.look()
                self.scene.check(ignoring_deleted=False)
        finally:
            if hasattr(self, "server"):
                self.server.__exit__(None, None, None)
            self.patch.undo()
            shutil.rmtree(self.folder)


def _count_always(patch: pytest.MonkeyPatch) -> None:
    """Let small portals be counted as large ones are."""
    patch.setattr(census, "_SMALL_REQUESTS", 0)
    patch.setattr(census, "_MARGIN_IDS", 10)
    patch.setattr(census, "_requests_to_come", lambda *_: 0)


def _version(whole: Whole) -> int:
    (row,) = whole["leads"].values()
    post = row["post"] or ""
    return int(post[1:]) if post[:1] == "v" and post[1:].isdigit() else 0


def _by_lead(tables: oracle.Tables) -> dict[int, Whole]:
    """Return each lead's rows, by table and key."""
    names = ("leads", *oracle.MULTIFIELD_TABLES.values(), "lead_custom_values")
    found: dict[int, Whole] = {}
    for name in names:
        for key, row in tables.get(name, {}).items():
            lead_id = row["id" if name == "leads" else "lead_id"]
            found.setdefault(lead_id, {table: {} for table in names})[name][key] = row
    return found


def test_no_life_and_no_crash_loses_repeats_or_ages_a_row() -> None:
    run_state_machine_as_test(LifeAndSyncs)
