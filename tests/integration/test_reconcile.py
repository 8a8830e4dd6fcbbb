"""What the cursor cannot see is found and put right: vanished leads, backdated leads, edits without a date."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import leadhouse
from any_scene import AnyScene
from leadhouse.bitrix24 import census
from leadhouse.errors import ConfigurationError, GuardError, StateError
from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import OLD, Scene, small_portal
from served import opened


def settled(scene: AnyScene) -> None:
    """The warehouse equals the portal, and what is not there is marked."""
    scene.check(ignoring_deleted=False)


def count_all_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Bitrix24 be compared by counts, also where a listing would be cheaper."""
    monkeypatch.setattr(census, "_SMALL_REQUESTS", 0)
    monkeypatch.setattr(census, "_MARGIN_IDS", 10)
    monkeypatch.setattr(census, "_requests_to_come", lambda *_: 0)


WAYS = ["lead-counts", "lead-listing", "item-counts", "item-listing", "kommo-listing"]


@pytest.fixture(params=WAYS)
def compared(
    request: pytest.FixtureRequest, to: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[AnyScene, str]]:
    """Each source, over each family of methods, with each kind of warehouse, and each way to compare."""
    way, _, by = request.param.partition("-")
    if by == "counts":
        count_all_spans(monkeypatch)
    with opened(way, to, request) as scene:
        yield scene, by


@pytest.fixture(params=["counts", "listing"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to compare."""
    if request.param == "counts":
        count_all_spans(monkeypatch)
    return str(request.param)


def test_deleted_leads_are_marked_and_keep_their_rows(compared: tuple[AnyScene, str]) -> None:
    scene, by = compared
    scene.synced()
    gone = scene.ids()[3:60:9]
    phones = scene.one(f"SELECT count(*) FROM {{{scene.phones_table}}}")  # noqa: S608
    for number in gone:
        scene.delete(number)
    summary = scene.reconcile()
    assert (summary.reconciled, summary.leads_deleted, summary.rows_written) == (by, len(gone), 0)
    assert scene.marks() == (set(gone), set())
    assert scene.one(f"SELECT count(*) FROM {{{scene.phones_table}}}") == phones  # noqa: S608
    settled(scene)
    again = scene.reconcile()
    assert (again.leads_deleted, again.rows_written) == (0, 0)


def test_leads_with_old_dates_are_fetched_whole(compared: tuple[AnyScene, str]) -> None:
    scene, by = compared
    scene.synced()
    new = scene.later().import_old(7)
    assert scene.sync().rows_written == 0, "the cursor cannot see them"
    summary = scene.reconcile()
    assert (summary.reconciled, summary.leads_recovered, summary.leads_read) == (by, len(new), len(new))
    settled(scene)


def test_the_stage_history_of_leads_with_old_dates_has_new_ids(family_scene: Scene) -> None:
    family_scene.synced()
    family_scene.later().import_old(7)
    family_scene.sync()
    entries = len(family_scene.portal.stage_history())
    assert family_scene.one("SELECT count(*) FROM {lead_stage_history}") == entries


def test_a_lead_that_is_restored_under_a_new_id_while_another_goes_is_no_zero_sum(
    duckdb_scene: Scene, way: str
) -> None:
    duckdb_scene.sync()
    duckdb_scene.later()
    *_, first, second = duckdb_scene.ids()
    duckdb_scene.portal.delete_lead(first)
    restored = duckdb_scene.portal.restore_lead(first)
    duckdb_scene.portal.add_lead({"TITLE": "comes after"})
    duckdb_scene.sync()
    duckdb_scene.portal.delete_lead(second)
    summary = duckdb_scene.reconcile()
    assert summary.reconciled == way
    assert duckdb_scene.marks()[0] == {first, second}
    assert duckdb_scene.lead(restored)["deleted_at"] is None
    settled(duckdb_scene)


def test_a_hidden_lead_is_out_of_sight_and_not_deleted_until_it_comes_back(both_scene: Scene, way: str) -> None:
    both_scene.sync()
    hidden = both_scene.ids()[10:16]
    both_scene.portal.hide_lead(*hidden)
    summary = both_scene.reconcile()
    assert (summary.reconciled, summary.leads_out_of_sight, summary.leads_deleted) == (way, len(hidden), 0)
    assert both_scene.marks() == (set(), set(hidden))
    both_scene.portal.reveal_lead(*hidden[:4])
    both_scene.portal.delete_lead(hidden[4])
    back = both_scene.reconcile()
    assert back.leads_recovered == 4
    assert (back.leads_deleted, back.leads_out_of_sight) == (1, 0)
    assert both_scene.marks() == ({hidden[4]}, {hidden[5]})
    both_scene.portal.reveal_lead(hidden[5])
    both_scene.reconcile()
    assert both_scene.marks() == ({hidden[4]}, set())
    settled(both_scene)


@pytest.mark.usefixtures("way")
def test_a_lead_that_comes_back_under_its_id_is_unmarked_though_another_goes(duckdb_scene: Scene) -> None:
    duckdb_scene.sync()
    first, second = duckdb_scene.ids()[20:22]
    lead = duckdb_scene.portal.lead(first)
    duckdb_scene.portal.delete_lead(first)
    duckdb_scene.reconcile()
    duckdb_scene.portal.add_lead({"TITLE": lead["TITLE"]}, id=first, date_create=OLD, date_modify=OLD)
    duckdb_scene.portal.delete_lead(second)
    assert duckdb_scene.reconcile().reconciled == "listing", "counts would be equal"
    assert duckdb_scene.marks()[0] == {second}
    assert duckdb_scene.lead(first)["title"] == lead["TITLE"]


def test_deep_heals_rows_whose_date_differs_and_every_lead_heals_all(way_scene: AnyScene) -> None:
    scene = way_scene.synced()
    stale, silent = scene.ids()[5:7]
    older = f"{scene.modified_column} = {scene.modified_column} - INTERVAL '1 day', {scene.title_column} = 'old'"
    scene.change(f"UPDATE {{leads}} SET {older}, _fingerprint = 1 WHERE id = {stale}")  # noqa: S608 - an integer
    scene.edit_quietly(silent, "edited without a date")
    assert scene.reconcile().leads_read == 0
    deep = scene.reconcile(deep=True)
    assert (deep.reconciled, deep.leads_read) == ("listing", 1)
    assert scene.title(stale) == scene.title_of(stale)
    every = scene.reconcile(every_lead=True)
    assert every.leads_read == len(scene.portal)
    assert every.leads_unchanged == len(scene.portal) - 1
    settled(scene)


def test_deep_heals_a_lead_whose_date_went_back(file_scene: AnyScene) -> None:
    scene = file_scene.synced()
    scene.edit_quietly(scene.ids()[8], "set back", at=OLD)
    assert scene.sync().rows_written == 0
    assert scene.reconcile(deep=True).rows_written > 0
    settled(scene)


@pytest.mark.parametrize(
    "told", [b'"0000-00-00T00:00:00+03:00"', b'""', b"null", b"{}", b'"0001-01-01T00:00:00+00:00"']
)
def test_a_modification_time_that_is_none_hinders_nothing(duckdb_scene: Scene, told: bytes) -> None:
    odd, gone = duckdb_scene.ids()[4:6]
    duckdb_scene.portal.distort_lead(odd, {"DATE_MODIFY": told})
    duckdb_scene.sync()
    duckdb_scene.portal.delete_lead(gone)
    summary = duckdb_scene.reconcile(deep=True)
    assert (summary.leads_deleted, summary.leads_read) == (1, 0)


def test_too_many_missing_leads_are_refused_and_nothing_changes(file_scene: AnyScene) -> None:
    scene = file_scene
    scene.sync()
    gone = scene.ids()[:30]
    for number in gone:
        scene.delete(number)
    with pytest.raises(GuardError, match=r"30 of 150 leads are missing on the portal, 20 may be; nothing was changed"):
        scene.reconcile(max_deletions=20)
    with pytest.raises(GuardError, match="15 may be"):
        scene.reconcile(max_deletions="10%")
    assert scene.marks() == (set(), set())
    assert scene.reconcile().leads_deleted == 30, "100 leads are always believed"
    settled(scene)


def test_yes_overrides_the_guard(file_scene: AnyScene) -> None:
    scene = file_scene
    scene.sync()
    scene.delete(scene.ids()[0])
    with pytest.raises(GuardError):
        scene.reconcile(max_deletions=0)
    assert scene.reconcile(max_deletions=0, yes=True).leads_deleted == 1


def test_the_guard_believes_a_tenth_of_a_large_warehouse() -> None:
    from leadhouse.reconciliation import Extent  # noqa: PLC0415

    assert [Extent().allowed(leads) for leads in (0, 999, 1001, 50_000)] == [100, 100, 100, 5_000]
    assert Extent(max_deletions="2.5%").allowed(1000) == 25


@pytest.mark.parametrize("told", ["many", "-1", "101%", "5 %%", "1e9"])
def test_a_limit_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(ConfigurationError, match="--max-deletions"):
        leadhouse.reconcile("bitrix24", max_deletions=told)


def test_reconcile_before_the_first_sync_says_so(file_scene: AnyScene) -> None:
    scene = file_scene
    with pytest.raises(StateError, match="run `leadhouse sync` first"):
        scene.reconcile()


def test_sync_reconciles_when_it_is_due(file_scene: AnyScene) -> None:
    scene = file_scene
    first = scene.sync(reconcile_every="24h")
    assert first.reconciled
    gone = scene.ids()[7]
    scene.delete(gone)
    assert scene.sync(reconcile_every="24h").reconciled is None
    assert scene.marks() == (set(), set())
    summary = scene.sync(reconcile_every=timedelta(0))
    assert (summary.reconciled, summary.leads_deleted) == ("listing", 1)
    settled(scene)
    assert scene.sync(reconcile=True).leads_deleted == 0
    (run,) = scene.rows("SELECT * FROM {sync_runs} WHERE leads_deleted > 0")
    assert (run["command"], run["outcome"], run["leads_deleted"]) == ("sync", "done", 1)


@pytest.mark.parametrize("told", ["daily", "24", "-1h", "h"])
def test_an_interval_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(ConfigurationError, match="--reconcile-every"):
        leadhouse.sync("bitrix24", reconcile_every=told)


@pytest.mark.usefixtures("way")
def test_counts_that_lie_make_it_list_every_id(duckdb_scene: Scene) -> None:
    duckdb_scene.sync()
    gone = duckdb_scene.ids()[11]
    duckdb_scene.portal.delete_lead(gone)
    duckdb_scene.portal.faults.add("wrong_total", times=None, match="crm.lead.list", total=7)
    summary = duckdb_scene.reconcile()
    assert (summary.reconciled, summary.leads_deleted) == ("listing", 1)
    settled(duckdb_scene)


@pytest.mark.usefixtures("way")
def test_a_capped_count_costs_more_and_still_finds_all(duckdb_scene: Scene) -> None:
    duckdb_scene.portal.quirks.total_cap = 40
    duckdb_scene.sync()
    gone = duckdb_scene.ids()[100]
    duckdb_scene.portal.delete_lead(gone)
    assert duckdb_scene.reconcile().leads_deleted == 1
    settled(duckdb_scene)


def test_a_portal_without_lists_of_ids_is_asked_one_by_one(duckdb_scene: Scene) -> None:
    duckdb_scene.sync()
    duckdb_scene.later()
    new = duckdb_scene.portal.import_leads(3, OLD)

    def blind(_method: str, params: dict[str, Any], _portal: Portal) -> None:
        chosen = params.get("filter")
        if isinstance(chosen, dict):
            chosen.pop("@ID", None)

    duckdb_scene.portal.before_command.append(blind)
    assert duckdb_scene.reconcile().leads_recovered == len(new)
    duckdb_scene.portal.before_command.clear()
    settled(duckdb_scene)


@pytest.fixture
def large(to: str) -> Iterator[Scene]:
    """A portal whose ids take seven pages of fifty, counted in spans."""
    portal = small_portal(leads=350)
    with serve(portal) as served:
        yield Scene(portal, served.url, to)


def test_requests_grow_with_the_difference(large: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_SMALL_REQUESTS", 0)
    monkeypatch.setattr(census, "_MARGIN_IDS", 0)
    large.sync()
    assert large.reconcile().requests <= 3, "a look at the newest, one batch of counts"
    for number in large.ids()[::40]:
        large.portal.delete_lead(number)
    assert large.reconcile().requests <= 4
    settled(large)
