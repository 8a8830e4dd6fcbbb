"""One lead, now: its rows are refreshed, the cursor stays, and each answer of the portal has its line."""

from typing import Any

import pytest

import leadhouse
from any_scene import AnyScene
from leadhouse.chosen import Fate
from leadhouse.errors import ConfigurationError
from scene import Scene


def test_an_edited_lead_is_refreshed_and_the_cursor_stays(every_scene: AnyScene) -> None:
    scene = every_scene.synced()
    before, number, other = scene.state(), scene.ids()[7], scene.ids()[8]
    scene.later().edit(number, "just edited")
    scene.edit(other, "edited too")
    asked = scene.fetch(number)
    assert asked.fates == {number: Fate.REFRESHED}
    assert asked.summary.requests == 2
    assert scene.state() == before
    assert scene.title(number) == "just edited"
    assert scene.title(other) != "edited too"
    scene.sync()
    scene.check()


def test_a_phone_that_went_goes_with_the_refresh(both_scene: Scene) -> None:
    number = both_scene.synced().with_phone()
    both_scene.later().drop_phones(number)
    both_scene.fetch(number)
    assert both_scene.phones(number) == []


def test_many_leads_take_fifty_a_request(duckdb_scene: Scene) -> None:
    duckdb_scene.sync()
    duckdb_scene.later()
    ids = duckdb_scene.ids()
    duckdb_scene.portal.storm(ids, {"COMMENTS": "all at once"})
    asked = duckdb_scene.fetch(*reversed(ids))
    assert list(asked.fates) == ids
    assert asked.summary.requests == 1 + 3
    duckdb_scene.check()


def test_a_deleted_lead_is_marked_and_a_hidden_one_is_out_of_sight(both_scene: Scene) -> None:
    both_scene.sync()
    gone, hidden, back = both_scene.ids()[:3]
    both_scene.portal.delete_lead(gone)
    both_scene.portal.hide_lead(hidden, back)
    fates = both_scene.fetch(gone, hidden, back, 10**6).fates
    assert fates == {gone: Fate.DELETED, hidden: Fate.OUT_OF_SIGHT, back: Fate.OUT_OF_SIGHT, 10**6: Fate.UNKNOWN}
    assert both_scene.lead(gone)["deleted_at"] is not None
    assert both_scene.lead(hidden)["deleted_at"] is None
    assert both_scene.lead(hidden)["out_of_sight_at"] is not None
    both_scene.portal.reveal_lead(back)
    assert both_scene.fetch(back).fates == {back: Fate.REFRESHED}
    assert both_scene.lead(back)["out_of_sight_at"] is None
    (run, *_) = both_scene.rows("SELECT * FROM {sync_runs} WHERE command = 'lead' ORDER BY started_at")
    assert (run["leads_deleted"], run["leads_out_of_sight"]) == (1, 2)


def test_a_deleted_lead_is_marked_and_one_that_never_was_is_unknown(crossed_scene: AnyScene) -> None:
    scene = crossed_scene.synced()
    gone = scene.ids()[3]
    scene.later().delete(gone)
    assert scene.fetch(gone, 10**6).fates == {gone: Fate.DELETED, 10**6: Fate.UNKNOWN}
    assert scene.marks() == ({gone}, set())
    assert scene.one("SELECT leads_deleted FROM {sync_runs} WHERE command = 'lead'") == 1
    scene.check(ignoring_deleted=False)


def test_a_lead_comes_before_any_sync(crossed_scene: AnyScene) -> None:
    number = crossed_scene.ids()[7]
    assert crossed_scene.fetch(number).fates == {number: Fate.REFRESHED}
    assert crossed_scene.one("SELECT count(*) FROM {leads}") == 1
    crossed_scene.sync()
    crossed_scene.check()


def test_a_new_lead_comes_with_its_stage_history_and_before_any_sync(both_scene: Scene) -> None:
    number = both_scene.with_phone()
    assert both_scene.fetch(number).fates == {number: Fate.REFRESHED}
    assert both_scene.one("SELECT count(*) FROM {leads}") == 1
    history = [event for event in both_scene.portal.stage_history() if int(event["OWNER_ID"]) == number]
    assert both_scene.one("SELECT count(*) FROM {lead_stage_history}") == len(history) > 0
    both_scene.sync()
    both_scene.check()


def test_a_hidden_lead_that_was_never_held_is_denied(duckdb_scene: Scene) -> None:
    hidden = duckdb_scene.with_phone()
    duckdb_scene.portal.hide_lead(hidden)
    assert duckdb_scene.fetch(hidden).fates == {hidden: Fate.DENIED}


def test_an_id_that_the_portal_does_not_take_has_its_line(duckdb_scene: Scene) -> None:
    wrong: dict[str, Any] = {"code": "", "status": 400, "description": "ID is not defined or invalid."}
    duckdb_scene.portal.faults.add("error", match="crm.lead.get", **wrong)
    assert duckdb_scene.fetch(17).fates == {17: Fate.INVALID}


@pytest.mark.parametrize("number", [0, -1, 2**63])
def test_a_number_that_is_no_id_is_refused(number: int) -> None:
    with pytest.raises(ConfigurationError, match="not the id of a lead"):
        leadhouse.lead("bitrix24", [number])


def test_no_id_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no lead's id"):
        leadhouse.lead("bitrix24", [])
