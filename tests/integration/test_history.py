"""What leads looked like before: `lead_versions`, for every source, in both databases."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import contents
from any_scene import AnyScene, Crash, crash_at, lose_disk
from leadhouse import state
from leadhouse.crm import crm
from leadhouse.errors import ConfigurationError
from leadhouse.versions import Versions, versions
from leadhouse.warehouse import Target, Warehouse
from scene import Scene
from versions import ENDS, STAMPS, check_intervals, kept, without


def titles(scene: AnyScene, lead_id: int) -> list[str]:
    return [row[scene.title_column] for row in kept(scene, lead_id)]


def as_of(scene: AnyScene, at: datetime) -> dict[int, contents.Row]:
    """Return the leads as they were then, without what says nothing about them."""
    rows = scene.rows(
        f"SELECT * FROM {{lead_versions}} WHERE valid_from <= '{at.isoformat()}' "  # noqa: S608 - a time
        f"AND (valid_to IS NULL OR valid_to > '{at.isoformat()}')"
    )
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: without(row, STAMPS[scene.source] | set(ENDS)) for row in rows}


def shown(scene: AnyScene) -> dict[int, contents.Row]:
    """Return the leads as the portal has them now, as the oracle tells."""
    return {key[0]: without(row, STAMPS[scene.source]) for key, row in scene.expected()["leads"].items()}


def test_the_past_looks_as_the_portal_did(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    scene.sync(history=True)
    past: list[tuple[datetime, dict[int, Any]]] = []
    for seed in range(1, 5):
        past.append((datetime.fromtimestamp(scene.portal.clock.timestamp() + 60).astimezone(), shown(scene)))
        scene.later().life(create=3, edit=10, stage=4, phone_add=2, phone_remove=2, seed=seed)
        scene.sync()
    for at, leads in past:
        assert as_of(scene, at) == leads
    check_intervals(scene)


def test_the_first_version_begins_with_the_last_edit_before(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    scene.sync(history=True)
    rows = scene.rows(
        f"SELECT l.{scene.modified_column} AS edited, v.valid_from, v.valid_to FROM {{leads}} AS l "  # noqa: S608
        "LEFT JOIN {lead_versions} AS v ON v.id = l.id"
    )
    assert len(rows) == len(scene.portal)
    assert all(row["edited"] == row["valid_from"] and row["valid_to"] is None for row in rows)


def test_runs_without_changes_make_no_version(each_scene: AnyScene) -> None:
    scene = each_scene
    scene.sync(history=True)
    before = kept(scene)
    scene.sync()
    scene.later().sync(history=True)
    scene.reconcile(every_lead=True)
    scene.fetch(scene.ids()[0])
    scene.sync(full=True)
    assert kept(scene) == before


def test_an_edit_of_a_phone_alone_makes_no_version(scene: Scene) -> None:
    scene.sync(history=True)
    before = kept(scene)
    lead_id = scene.with_phone()
    scene.later().add_phone(lead_id, "+44 20 7946 0123")
    assert scene.sync().rows_written > 0
    assert len(scene.phones(lead_id)) == 2
    assert kept(scene) == before


def test_an_edit_that_left_no_date_begins_when_the_portals_clock_showed_it(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    for hour, title in enumerate(("one", "two"), start=1):
        scene.later().edit_quietly(lead_id, title)
        scene.reconcile(every_lead=True)
        began = kept(scene, lead_id)[-1]["valid_from"].timestamp()
        assert began == scene.portal.clock.timestamp(), hour
    assert titles(scene, lead_id)[1:] == ["one", "two"]
    check_intervals(scene)


def test_two_edits_that_leave_no_date_in_one_second_follow_one_another(each_scene: AnyScene) -> None:
    scene = each_scene
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    for title in ("one", "two", "three"):
        scene.edit_quietly(lead_id, title)
        scene.fetch(lead_id)
    assert titles(scene, lead_id)[1:] == ["one", "two", "three"]
    check_intervals(scene)


def test_a_deletion_ends_the_last_version_and_no_other_is_made(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    scene.sync(history=True)
    lead_id, edited = scene.ids()[3], scene.ids()[4]
    scene.later().edit(edited, "a last word")
    scene.sync()
    for gone in (lead_id, edited):
        scene.later().delete(gone)
    scene.reconcile()
    ends = {number: kept(scene, number)[-1]["valid_to"] for number in (lead_id, edited)}
    assert ends == {number: scene.lead(number)["deleted_at"] for number in ends}
    assert None not in ends.values()
    before = kept(scene)
    scene.later().sync()
    scene.reconcile()
    assert kept(scene) == before
    check_intervals(scene)


def test_a_lead_that_comes_back_gets_a_version_of_its_own(scene: Scene) -> None:
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    row = scene.portal.lead(lead_id)
    scene.delete(lead_id)
    scene.reconcile()
    scene.portal.add_lead({"TITLE": row["TITLE"]}, id=lead_id, date_modify=row["DATE_MODIFY"])
    scene.later(48).fetch(lead_id)
    first, second = kept(scene, lead_id)
    assert first["valid_to"] <= second["valid_from"]
    assert second["valid_to"] is None
    check_intervals(scene)


def test_a_lead_out_of_sight_keeps_its_version(scene: Scene) -> None:
    scene.sync(history=True)
    before = kept(scene)
    scene.hide(scene.ids()[3])
    scene.reconcile()
    assert scene.marks()[1]
    assert kept(scene) == before


def test_a_lead_that_was_deleted_before_history_began_has_one_closed_version(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    lead_id = scene.ids()[3]
    scene.delete(lead_id)
    scene.reconcile()
    scene.sync(history=True)
    assert [row["valid_to"] for row in kept(scene, lead_id)] == [scene.lead(lead_id)["deleted_at"]]
    check_intervals(scene)


def test_a_field_that_is_new_has_no_past(scene: Scene) -> None:
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    scene.portal.add_userfield("UF_CRM_REGION", "string")
    scene.later().sync()
    assert len(kept(scene)) == len(scene.portal)
    scene.later().portal.update_lead(lead_id, {"UF_CRM_REGION": "Kent"})
    scene.sync()
    assert [row["uf_crm_region"] for row in kept(scene, lead_id)] == [None, "Kent"]
    check_intervals(scene)


def test_history_stays_on_without_the_flag_on_a_new_machine_and_after_a_reset(scene: Scene, tmp_path: Path) -> None:
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    scene.later().edit(lead_id, "on a new machine")
    lose_disk(tmp_path / "dlt")
    scene.sync()
    state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)
    scene.later().edit(lead_id, "after a reset")
    scene.sync()
    scene.later().edit(lead_id, "by hand")
    scene.fetch(lead_id)
    assert titles(scene, lead_id)[1:] == ["on a new machine", "after a reset", "by hand"]
    check_intervals(scene)


def test_without_the_flag_there_is_no_table_and_dropping_it_ends_history(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.sync()
    assert "lead_versions" not in contents.columns(scene.to)
    monkeypatch.setenv("LEADHOUSE__HISTORY", "true")
    scene.sync()
    assert len(kept(scene)) == len(scene.portal)
    monkeypatch.delenv("LEADHOUSE__HISTORY")
    scene.change("DROP TABLE {lead_versions}")
    scene.later().edit(scene.ids()[3], "nobody keeps this")
    scene.sync()
    assert "lead_versions" not in contents.columns(scene.to)
    scene.sync(history=True)
    check_intervals(scene)


def test_the_table_has_the_contracts_columns_in_their_types(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    scene.sync(history=True)
    found = contents.columns(scene.to, scene.dataset)
    service = {"synced_at", "deleted_at", "out_of_sight_at", "_fingerprint"}
    assert found["lead_versions"].keys() == (found["leads"].keys() - service) | set(ENDS)
    texts = {"varchar", "character varying", "text"}
    for name, kind in found["lead_versions"].items():
        told = found["leads"].get(name, "timestamp with time zone")
        assert kind == told or {kind, told} <= texts, name
    assert crm(scene.source).contract["lead_versions"].columns.keys() <= found["lead_versions"].keys()


@pytest.mark.parametrize(("step", "after"), [("make", False), ("make", True), ("note", True), ("keep", False)])
@pytest.mark.parametrize("call", [1, 2])
def test_what_a_killed_run_wrote_is_in_the_history_of_the_next(
    crossed_scene: AnyScene, monkeypatch: pytest.MonkeyPatch, step: str, after: bool, call: int
) -> None:
    """Between the two the lead is edited again: the version that the killed run wrote is there, too."""
    scene = crossed_scene
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    before = titles(scene, lead_id)
    scene.later().edit(lead_id, "first")
    died = False
    with monkeypatch.context() as patch:
        crash_at(patch, Versions, step, call, after=after)
        try:
            scene.sync()
        except Crash:
            died = True
    held = scene.title(lead_id)
    scene.later().edit(lead_id, "second")
    scene.sync()
    assert titles(scene, lead_id) == [*before, *(["first"] if held == "first" else []), "second"]
    assert died or call == 2
    check_intervals(scene)


def test_history_that_a_kill_stopped_before_its_first_version_goes_on_without_the_flag(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        crash_at(patch, Versions, "keep", 1)
        with pytest.raises(Crash):
            scene.sync(history=True)
    scene.later().sync()
    check_intervals(scene)


@pytest.mark.parametrize("clock", [timedelta(days=-3), timedelta(days=3)], ids=["slow", "fast"])
def test_a_portal_with_a_wrong_clock_has_intervals_too(scene: Scene, clock: timedelta) -> None:
    """Deletions are dated by this machine's clock, edits by the portal's."""
    scene.sync(history=True)
    lead_id = scene.ids()[3]
    scene.later(clock.total_seconds() / 3600 if clock > timedelta() else 1.0)
    scene.edit(lead_id, "dated by a wrong clock")
    scene.sync()
    scene.delete(lead_id)
    scene.reconcile()
    check_intervals(scene)


def test_other_destinations_are_refused_with_the_cure() -> None:
    warehouse = Warehouse(Target("lake", "mylake", "mylake", "delta"), "bitrix24", lock_timeout=0.0)
    with pytest.raises(ConfigurationError, match=r"mylake: that takes a DuckDB file or Postgres; leave --history out"):
        versions(crm("bitrix24"), warehouse, None, wanted=True)  # type: ignore[arg-type]  # refused before it is used
    assert versions(crm("bitrix24"), warehouse, None, wanted=False) is None  # type: ignore[arg-type]


def test_a_setting_that_is_neither_true_nor_false_is_refused(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__HISTORY", "perhaps")
    with pytest.raises(ConfigurationError, match="it is true or false"):
        duckdb_scene.sync()
