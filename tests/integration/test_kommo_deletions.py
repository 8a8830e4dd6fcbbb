"""Leads that leave an account and come back: found by its events, its list of deleted leads, or one by one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from any_scene import Crash, crash_at
from kommo_scene import KommoScene
from leadhouse.inventory import Inventory


@pytest.fixture
def scene(kommo_scene: KommoScene) -> KommoScene:
    """A warehouse that equals the account, and an hour later."""
    return kommo_scene.synced().later()


def deleted_at(scene: KommoScene, lead_id: int) -> Any:
    return scene.lead(lead_id)["deleted_at"]


def now(scene: KommoScene) -> datetime:
    return scene.account.clock.now()


def is_now(told: datetime | None) -> bool:
    return told is not None and abs(datetime.now(UTC) - told) < timedelta(minutes=5)


def test_a_sync_marks_deleted_leads_with_the_time_of_the_event(scene: KommoScene) -> None:
    first, second = scene.ids()[4:6]
    at = now(scene)
    scene.delete(first)
    scene.later(0.5).delete(second)
    summary = scene.later(0.5).sync()
    assert summary.leads_deleted == 2
    assert deleted_at(scene, first) == at
    assert deleted_at(scene, second) == at + timedelta(minutes=30)
    scene.check(ignoring_deleted=False)
    assert scene.later().sync().leads_deleted == 0
    assert deleted_at(scene, first) == at


def test_a_deleted_lead_keeps_its_values_and_child_rows(scene: KommoScene) -> None:
    gone = next(row["lead_id"] for row in scene.rows("SELECT lead_id FROM {lead_tags} ORDER BY lead_id"))
    before, tags = scene.lead(gone), scene.rows(f"SELECT * FROM {{lead_tags}} WHERE lead_id = {gone}")  # noqa: S608
    scene.delete(gone)
    scene.sync()
    assert scene.lead(gone) == before | {"deleted_at": now(scene)}
    assert scene.rows(f"SELECT * FROM {{lead_tags}} WHERE lead_id = {gone}") == tags  # noqa: S608


def test_reconcile_marks_deleted_leads_with_the_time_of_the_event(scene: KommoScene) -> None:
    gone = scene.ids()[3:60:9]
    at = now(scene)
    for lead_id in gone:
        scene.delete(lead_id)
    summary = scene.later().reconcile()
    assert (summary.leads_deleted, summary.rows_written) == (len(gone), 0)
    assert {deleted_at(scene, lead_id) for lead_id in gone} == {at}
    scene.check(ignoring_deleted=False)


@pytest.mark.parametrize("touches", [True, False])
@pytest.mark.parametrize("between", [True, False], ids=["deletion seen", "deletion not seen"])
def test_a_restored_lead_lives_again(scene: KommoScene, touches: bool, between: bool) -> None:
    """Also where restoring does not move its time of modification."""
    scene.account.switches.restore_touches = touches
    lead_id = scene.ids()[8]
    scene.delete(lead_id)
    if between:
        scene.later().sync()
        assert deleted_at(scene, lead_id) is not None
    scene.later().restore(lead_id)
    scene.later().sync()
    assert deleted_at(scene, lead_id) is None
    scene.check(ignoring_deleted=False)


def test_a_lead_that_is_deleted_again_has_the_later_time(scene: KommoScene) -> None:
    lead_id = scene.ids()[8]
    scene.delete(lead_id)
    scene.later().restore(lead_id)
    scene.later().delete(lead_id)
    at = now(scene)
    scene.later().sync()
    assert deleted_at(scene, lead_id) == at
    scene.check(ignoring_deleted=False)


@pytest.mark.parametrize(("told_on", "also_deleted"), [("loser", False), ("winner", True), ("loser", True)])
def test_the_loser_of_a_merge_is_gone_since_the_event(scene: KommoScene, told_on: Any, also_deleted: bool) -> None:
    scene.account.switches.merge_event_on = told_on
    scene.account.switches.merge_emits_deleted = also_deleted
    winner, loser = scene.ids()[20:22]
    at = now(scene)
    scene.account.merge_leads(winner, loser)
    scene.later().sync()
    assert deleted_at(scene, loser) == at
    assert deleted_at(scene, winner) is None
    scene.check(ignoring_deleted=False)


def test_the_loser_of_a_merge_that_no_event_names_is_found_by_reconcile(scene: KommoScene) -> None:
    winner, loser = scene.ids()[20:22]
    scene.account.merge_leads(winner, loser)
    scene.later().sync()
    scene.reconcile()
    assert is_now(deleted_at(scene, loser))
    assert deleted_at(scene, winner) is None
    scene.check(ignoring_deleted=False)


def test_the_order_of_events_and_their_pages_do_not_matter(scene: KommoScene) -> None:
    scene.account.switches.events_order = "mixed"
    scene.account.switches.events_limit = 100
    gone = scene.ids()[:120]
    at = now(scene)
    for lead_id in gone:
        scene.delete(lead_id)
    scene.later().sync()
    assert {deleted_at(scene, lead_id) for lead_id in gone} == {at}
    scene.check(ignoring_deleted=False)


def test_without_events_the_list_of_deleted_leads_tells_the_time(scene: KommoScene) -> None:
    scene.account.switches.events_forbidden = True
    kept, purged = scene.ids()[30:32]
    at = now(scene)
    scene.delete(kept)
    scene.account.purge_lead(purged)
    scene.later().sync()
    assert scene.marks() == (set(), set()), "only events tell a sync of deletions"
    assert scene.reconcile().leads_deleted == 2
    assert deleted_at(scene, kept) == at
    assert is_now(deleted_at(scene, purged))
    scene.check(ignoring_deleted=False)


def test_a_purged_lead_is_gone_since_its_event(scene: KommoScene) -> None:
    purged = scene.ids()[30]
    at = now(scene)
    scene.account.purge_lead(purged)
    scene.later().sync()
    assert deleted_at(scene, purged) == at
    scene.check(ignoring_deleted=False)


@pytest.mark.parametrize("filtered", [True, False])
def test_the_list_of_deleted_leads_never_empties_what_is_held(scene: KommoScene, filtered: bool) -> None:
    """Its rows have hardly any values."""
    scene.account.switches.only_deleted_filtered = filtered
    scene.account.switches.events_forbidden = True
    gone = scene.ids()[5]
    before = scene.lead(gone)
    scene.delete(gone)
    scene.reconcile(every_lead=True)
    assert scene.lead(gone) == before | {"deleted_at": now(scene)}


def test_a_lead_that_goes_out_of_sight_lives_again_when_it_comes_back(scene: KommoScene) -> None:
    """By id the account says that it is not found, as of a deleted one."""
    hidden = scene.ids()[10:16]
    scene.hide(*hidden)
    scene.reconcile()
    assert set.union(*scene.marks()) == set(hidden)
    scene.reveal(*hidden)
    assert scene.later().reconcile().leads_recovered == len(hidden)
    assert scene.marks() == (set(), set())
    scene.check(ignoring_deleted=False)


def test_deletions_of_contacts_and_companies_are_found_by_reconcile(scene: KommoScene) -> None:
    contact = scene.with_phone()
    company = scene.account.companies()[2]["id"]
    at = now(scene)
    scene.account.delete_contact(contact)
    scene.account.delete_company(company)
    scene.later().reconcile(every_lead=True)
    for table, number in (("contacts", contact), ("companies", company)):
        assert scene.one(f"SELECT deleted_at FROM {{{table}}} WHERE id = {number}") == at  # noqa: S608
    scene.check(ignoring_deleted=False)


def test_a_deletion_is_not_forgotten_by_a_crash_after_it_was_told(
    scene: KommoScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, other = scene.ids()[3], scene.ids()[5]
    scene.delete(gone)
    scene.later(0.5).edit(other, "edited")
    with monkeypatch.context() as patch:
        crash_at(patch, Inventory, "mark", 1)
        with pytest.raises(Crash):
            scene.sync()
    scene.later(2).sync()
    assert scene.marks() == ({gone}, set())


def test_a_winner_of_a_merge_that_goes_later_is_not_gone_since_the_merge(scene: KommoScene) -> None:
    winner, loser = scene.ids()[3:5]
    scene.account.merge_leads(winner, loser)
    scene.later().sync()
    scene.later(24).edit(winner, "later")
    scene.sync()
    scene.hide(winner)
    scene.later().reconcile()
    assert is_now(deleted_at(scene, winner))
