"""One lead, now: its rows are refreshed, the cursor stays, and each answer of the portal has its line."""

from typing import Any

import pytest

import leadhouse
from leadhouse.chosen import Asked, Fate
from leadhouse.errors import ConfigurationError
from leadhouse.progress import Lines
from scene import Scene


def lead(scene: Scene, *ids: int) -> Asked:
    options: dict[str, Any] = {"dataset": scene.dataset, "api": scene.api, "webhook_url": scene.url}
    return leadhouse.lead("bitrix24", ids, to=scene.to, progress=Lines(), requests_per_second=1000, **options)


def test_an_edited_lead_and_its_phones_are_refreshed_and_the_cursor_stays(both_scene: Scene) -> None:
    both_scene.sync()
    before, number, other = both_scene.state(), both_scene.with_phone(), both_scene.without_phone()
    both_scene.later()
    both_scene.portal.update_lead(number, {"TITLE": "just edited"})
    both_scene.drop_phones(number)
    both_scene.portal.update_lead(other, {"TITLE": "edited too"})
    asked = lead(both_scene, number)
    assert asked.fates == {number: Fate.REFRESHED}
    assert asked.summary.requests == 2
    assert both_scene.state() == before
    assert both_scene.lead(number)["title"] == "just edited"
    assert both_scene.rows(f"SELECT * FROM {{lead_phones}} WHERE lead_id = {number}") == []  # noqa: S608 - an integer
    assert both_scene.lead(other)["title"] != "edited too"
    both_scene.sync()
    both_scene.check()


def test_many_leads_take_fifty_a_request(duckdb_scene: Scene) -> None:
    duckdb_scene.sync()
    duckdb_scene.later()
    ids = [int(found["ID"]) for found in duckdb_scene.portal.leads()]
    duckdb_scene.portal.storm(ids, {"COMMENTS": "all at once"})
    asked = lead(duckdb_scene, *reversed(ids))
    assert list(asked.fates) == ids
    assert asked.summary.requests == 1 + 3
    duckdb_scene.check()


def test_a_deleted_lead_is_marked_and_a_hidden_one_is_out_of_sight(both_scene: Scene) -> None:
    both_scene.sync()
    gone, hidden, back = (int(found["ID"]) for found in both_scene.portal.leads()[:3])
    both_scene.portal.delete_lead(gone)
    both_scene.portal.hide_lead(hidden, back)
    fates = lead(both_scene, gone, hidden, back, 10**6).fates
    assert fates == {gone: Fate.DELETED, hidden: Fate.OUT_OF_SIGHT, back: Fate.OUT_OF_SIGHT, 10**6: Fate.UNKNOWN}
    assert both_scene.lead(gone)["deleted_at"] is not None
    assert both_scene.lead(hidden)["deleted_at"] is None
    assert both_scene.lead(hidden)["out_of_sight_at"] is not None
    both_scene.portal.reveal_lead(back)
    assert lead(both_scene, back).fates == {back: Fate.REFRESHED}
    assert both_scene.lead(back)["out_of_sight_at"] is None
    (run, *_) = both_scene.rows("SELECT * FROM {sync_runs} WHERE command = 'lead' ORDER BY started_at")
    assert (run["leads_deleted"], run["leads_out_of_sight"]) == (1, 2)


def test_a_new_lead_comes_with_its_stage_history_and_before_any_sync(both_scene: Scene) -> None:
    number = both_scene.with_phone()
    assert lead(both_scene, number).fates == {number: Fate.REFRESHED}
    assert both_scene.one("SELECT count(*) FROM {leads}") == 1
    history = [event for event in both_scene.portal.stage_history() if int(event["OWNER_ID"]) == number]
    assert both_scene.one("SELECT count(*) FROM {lead_stage_history}") == len(history) > 0
    both_scene.sync()
    both_scene.check()


def test_a_hidden_lead_that_was_never_held_is_denied(duckdb_scene: Scene) -> None:
    hidden = duckdb_scene.with_phone()
    duckdb_scene.portal.hide_lead(hidden)
    assert lead(duckdb_scene, hidden).fates == {hidden: Fate.DENIED}


def test_an_id_that_the_portal_does_not_take_has_its_line(duckdb_scene: Scene) -> None:
    wrong: dict[str, Any] = {"code": "", "status": 400, "description": "ID is not defined or invalid."}
    duckdb_scene.portal.faults.add("error", match="crm.lead.get", **wrong)
    assert lead(duckdb_scene, 17).fates == {17: Fate.INVALID}


@pytest.mark.parametrize("number", [0, -1, 2**63])
def test_a_number_that_is_no_id_is_refused(number: int) -> None:
    with pytest.raises(ConfigurationError, match="not the id of a lead"):
        leadhouse.lead("bitrix24", [number])


def test_no_id_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no lead's id"):
        leadhouse.lead("bitrix24", [])
