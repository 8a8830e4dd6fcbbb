"""Random life on a portal, between and during runs, some of which crash: no loss, no regress, no row twice.

After every run, also a crashed one, each lead (and whatever else a source tells of by itself, such as contacts) must
be in the warehouse, with all its child rows, as the portal once showed it, and never older than the warehouse had it
before. After every good run all is there that was dated when it changed. Deletions, leads with old dates, leads that
go out of sight and edits that leave no date are part of that life, too; a reconcile puts them right. In the end all
tables equal the portal, and what left it is marked. History is kept from the first run on: after every good run the
versions of each lead follow one another, and the last is the lead.
"""

import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import dlt
import pytest
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.load.load import Load
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from any_scene import AnyScene, Crash, crash_at, lose_disk
from contents import Key, Row, Tables
from difference import Family
from leadhouse import keys
from leadhouse.errors import StateError
from leadhouse.inventory import Inventory
from leadhouse.versions import Versions
from versions import check_intervals

Step = tuple[Any, str, bool]
Whole = dict[str, dict[Key, Row]]
During = list[tuple[int, int, int]]

# Where a process may die: class or module, method, before its work or after it.
STEPS: dict[str, Step] = {
    "before extract": (dlt.Pipeline, "extract", False),
    "after extract": (dlt.Pipeline, "extract", True),
    "after normalize": (dlt.Pipeline, "normalize", True),
    "after the schema": (dlt.Pipeline, "sync_schema", True),
    "after the indexes": (keys, "make_keys", True),
    "before the note": (Versions, "note", False),
    "after the note": (Versions, "note", True),
    "before the versions": (Versions, "keep", False),
    "after the versions": (Versions, "keep", True),
    "before load": (dlt.Pipeline, "load", False),
    "rows in, state not yet": (SqlJobClientBase, "complete_load", False),
    "state in": (SqlJobClientBase, "complete_load", True),
    "package not put away": (Load, "complete_package", False),
    "after load": (dlt.Pipeline, "load", True),
}
# … and in a request of the source's client.
REQUEST_STEPS = {"before a request": False, "after a request": True}
RECONCILE_STEPS: dict[str, Step] = {
    **{name: STEPS[name] for name in ("after extract", "rows in, state not yet", "after load")},
    "before the marks": (Inventory, "mark", False),
    "after the marks": (Inventory, "mark", True),
}
picks = st.integers(0, 10_000)
ticks = st.sampled_from([0, 0, 1, 59, 299, 300, 301, 4000])


class LifeAndSyncs(RuleBasedStateMachine):
    """One portal, one warehouse; a source's own machine opens the scene, and adds the life that only it knows.

    Attributes:
        families: tables whose rows belong together.
        prompt: roots of those that every run reads.
        request: class and method of the source's client that sends a request.
    """

    scene: AnyScene
    families: ClassVar[tuple[Family, ...]]
    prompt: ClassVar[frozenset[str]]
    request: ClassVar[tuple[type, str]]

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.folder = Path(tempfile.mkdtemp())
        self.patch.setenv("DLT_DATA_DIR", str(self.folder / "dlt"))
        self.patch.setenv("LEADHOUSE__HISTORY", "true")
        self.edits = 0
        # What the portal showed, oldest first, and which of it the warehouse held last.
        self.shown: dict[Key, list[Whole]] = {}
        self.held: dict[Key, int] = {}
        # What changed last without a date that a cursor could see.
        self.undated: set[Key] = set()

    @property
    def to(self) -> str:
        """The warehouse."""
        return f"duckdb:{self.folder / 'leads.duckdb'}"

    # Of the source's own kind

    @abstractmethod
    def truth(self) -> Tables:
        """Return the rows of the families as the portal shows them now."""

    @abstractmethod
    def edit_during(self, pick: int) -> None:
        """Let something happen between two requests."""

    @abstractmethod
    def hidden(self) -> list[int]:
        """Return the leads that may not be read."""

    def reconciling(self, patch: pytest.MonkeyPatch, *, otherwise: bool) -> None:
        """Let a reconcile go the other way, where the source has two."""

    @abstractmethod
    def close_server(self) -> None:
        """Stop serving."""

    # Life

    def note(self) -> None:
        """Remember every lead with its child rows as the portal shows it now."""
        now = datetime.fromtimestamp(self.scene.portal.clock.second(), UTC)
        for owner, whole in self.by_owner(self.truth()).items():
            versions = self.shown.setdefault(owner, [])
            if not versions or versions[-1] != whole:
                versions.append(whole)
                (row,) = whole[owner[0]].values()
                (self.undated.discard if row[self.scene.modified_column] == now else self.undated.add)(owner)

    def begin(self) -> None:
        """Remember what a first run will see, whatever its dates."""
        self.note()
        self.undated.clear()

    def by_owner(self, tables: Tables) -> dict[Key, Whole]:
        """Return each lead's rows (each contact's …), by table and key; the owner is its table and id."""
        found: dict[Key, Whole] = {}
        for family in self.families:
            names = (family.root, *family.children)
            for name in names:
                for key, row in tables.get(name, {}).items():
                    owner = (family.root, row[family.owner(name)])
                    found.setdefault(owner, {table: {} for table in names})[name][key] = row
        return found

    def some(self, pick: int) -> int | None:
        """Return the id of some lead, None where there are none."""
        ids = self.scene.ids()
        return ids[pick % len(ids)] if ids else None

    def title(self) -> str:
        """Return the next title."""
        self.edits += 1
        return f"v{self.edits}"

    @rule(seconds=ticks)
    def time_passes(self, seconds: int) -> None:
        """Seconds pass, or none."""
        self.scene.portal.clock.advance(seconds)

    @rule(count=st.integers(1, 4))
    def leads_come(self, count: int) -> None:
        """New leads."""
        self.scene.invent(count)
        self.note()

    @rule(pick=picks)
    def a_lead_is_edited(self, pick: int) -> None:
        """Another title."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.scene.edit(lead_id, self.title())
            self.note()

    @rule(picked=st.lists(picks, min_size=2, max_size=80))
    def a_storm_in_one_second(self, picked: list[int]) -> None:
        """Many leads, one second."""
        ids = self.scene.ids()
        self.scene.storm(sorted({ids[pick % len(ids)] for pick in picked} if ids else ()), self.title())
        self.note()

    # Life that the cursor cannot see

    @rule(pick=picks, restored=st.booleans())
    def a_lead_goes(self, pick: int, restored: bool) -> None:
        """For ever, or to come back at once."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.scene.delete(lead_id)
            if restored:
                self.scene.restore(lead_id)
            self.note()

    @rule(count=st.integers(1, 4))
    def old_leads_come(self, count: int) -> None:
        """An import with past dates."""
        self.scene.import_old(count)
        self.note()

    @rule(pick=picks)
    def a_lead_changes_without_a_date(self, pick: int) -> None:
        """As a change of bindings or of a field's schema does."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.scene.edit_quietly(lead_id, self.title())
            self.note()

    @rule(pick=picks)
    def a_lead_goes_out_of_sight(self, pick: int) -> None:
        """The user behind the access may not read it any more."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.scene.hide(lead_id)

    @rule()
    def all_leads_are_in_sight(self) -> None:
        """Rights are given again."""
        self.reveal()
        self.note()

    def reveal(self) -> None:
        """Give the right to read leads back; their times do not move."""
        hidden = self.hidden()
        self.undated |= {(self.families[0].root, number) for number in hidden}
        self.scene.reveal(*hidden)

    # Syncs

    @rule(during=st.lists(st.tuples(st.integers(0, 40), picks, ticks), max_size=3))
    def sync(self, during: During) -> None:
        """With life, and time, between the requests that the portal answers."""
        self.scene.before_each_request(self.meanwhile(during))
        try:
            self.scene.sync()
        finally:
            self.scene.quiet()
        self.look()
        check_intervals(self.scene)
        if not during:
            self.expect_all_dated()

    def expect_all_dated(self) -> None:
        """The warehouse has everything that was dated when it changed."""
        held = self.by_owner(self.scene.held())
        for owner, whole in self.by_owner(self.truth()).items():
            if owner[0] in self.prompt and owner not in self.undated:
                assert owner in held, f"{owner} lacks"
                assert _holds(held[owner], whole), f"{owner} is {held[owner]}, the portal shows {whole}"

    def meanwhile(self, during: During) -> Callable[[], None]:
        """Return the hook that lets time pass and something happen before given requests."""
        requests = [0]

        def hook() -> None:
            for number, pick, seconds in during:
                if number == requests[0]:
                    self.scene.portal.clock.advance(seconds)
                    self.edit_during(pick)
                    self.note()
            requests[0] += 1

        return hook

    @rule(
        step=st.sampled_from(sorted({*STEPS, *REQUEST_STEPS})),
        call=st.integers(1, 3),
        left=st.sampled_from(["nothing", "working files", "no disk"]),
        full=st.sampled_from([False, False, True]),
    )
    def a_sync_dies(self, step: str, call: int, left: str, full: bool) -> None:
        """Its working files stay as a killed process leaves them, or are emptied, or the disk is lost."""
        with pytest.MonkeyPatch.context() as patch:
            if left == "working files":
                patch.setattr("leadhouse.pipeline._wipe", lambda _: None)
            self.crash_at(patch, STEPS, step, call)
            with suppress(Crash):
                self.scene.sync(full=full)
        if left == "no disk":
            lose_disk(self.folder / "dlt")
        self.look()

    def crash_at(self, patch: pytest.MonkeyPatch, steps: Mapping[str, Step], step: str, call: int) -> None:
        """Let the `call`-th call of a step crash."""
        owner, method, after = steps[step] if step in steps else (*self.request, REQUEST_STEPS[step])
        crash_at(patch, owner, method, call, after=after)

    @rule(deep=st.booleans(), otherwise=st.booleans())
    def reconcile(self, deep: bool, otherwise: bool) -> None:
        """Compare, and put right."""
        with pytest.MonkeyPatch.context() as patch:
            self.reconciling(patch, otherwise=otherwise)
            with suppress(StateError):  # before the first sync there is nothing to compare
                self.scene.reconcile(deep=deep)
        self.look()

    @rule(step=st.sampled_from(sorted({*RECONCILE_STEPS, "after a request"})), call=st.integers(1, 2))
    def a_reconcile_dies(self, step: str, call: int) -> None:
        """And leaves nothing half done."""
        with pytest.MonkeyPatch.context() as patch:
            self.crash_at(patch, RECONCILE_STEPS, step, call)
            with suppress(Crash, StateError):
                self.scene.reconcile()
        self.look()

    def look(self) -> None:
        """What the warehouse holds was shown by the portal, and is not older than what it held."""
        if not (self.folder / "leads.duckdb").exists():
            return
        for owner, whole in self.by_owner(self.scene.held()).items():
            assert whole[owner[0]], f"{owner} has child rows and no row"
            versions, before = self.shown[owner], self.held.get(owner, 0)
            matching = [number for number, version in enumerate(versions) if _holds(whole, version)]
            assert matching, f"{owner} is what the portal never showed: {whole}; it showed last {versions[-1]}"
            assert matching[-1] >= before, f"{owner} went back from version {before} to {matching[-1]}"
            self.held[owner] = next(number for number in matching if number >= before)

    def teardown(self) -> None:
        """The portal is quiet, time passes, one more sync and a reconcile of every lead: all is equal."""
        try:
            if hasattr(self, "scene"):
                self.scene.quiet()
                self.scene.portal.clock.advance(10)
                self.scene.sync()
                self.look()
                self.expect_all_dated()
                self.scene.reconcile(every_lead=True)
                self.look()
                self.scene.check(ignoring_deleted=False)
                check_intervals(self.scene)
        finally:
            if hasattr(self, "scene"):
                self.close_server()
            self.patch.undo()
            shutil.rmtree(self.folder)


def _holds(whole: Whole, version: Whole) -> bool:
    """True where rows of the warehouse are those of a version; the warehouse has columns of its own."""
    return all(
        whole[table].keys() == rows.keys()
        and all({name: whole[table][key].get(name, _ABSENT) for name in row} == row for key, row in rows.items())
        for table, rows in version.items()
    )


_ABSENT: Any = object()
