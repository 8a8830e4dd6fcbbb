"""Fields that are renamed, retyped, removed and made again: columns stay, `lead_fields` and the log tell."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

import contents
from any_scene import lose_disk
from leadhouse import state
from leadhouse.sandbox.bitrix24.dispatch import METHODS
from scene import NOON_UTC, Scene

SEATS = "UF_CRM_SEATS"


def described(scene: Scene, name: str) -> dict[str, contents.Row]:
    """Return the rows of `lead_fields` of a field, by column."""
    rows = scene.rows(f"SELECT * FROM {{lead_fields}} WHERE name = '{name}'")  # noqa: S608 - a field
    return {row["column_name"]: row for row in rows}


def seated(scene: Scene) -> tuple[int, int]:
    """Return a lead with seats, and how many."""
    lead = next(lead for lead in scene.portal.leads() if lead[SEATS])
    return int(lead["ID"]), int(lead[SEATS])


def made_anew(scene: Scene, name: str, told: str, *, multiple: bool = False) -> None:
    """Make a field again with another type, which is how people of the portal do it."""
    scene.portal.remove_userfield(name)
    scene.portal.add_userfield(name, told, multiple)


def changes(scene: Scene, **options: Any) -> list[dict[str, Any]]:
    """Sync and return what the log says of fields."""
    with structlog.testing.capture_logs() as lines:
        scene.sync(**options)
    return [
        {key: line[key] for key in ("field", "what", "old", "new")}
        for line in lines
        if line["event"] == "a field changed"
    ]


def test_a_retyped_field_has_a_new_column_and_the_old_one_its_values(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    lead_id, seats = seated(scene)
    made_anew(scene, SEATS, "string")
    scene.later().portal.update_lead(lead_id, {SEATS: "a dozen"})
    assert changes(scene) == [{"field": SEATS, "what": "retyped", "old": "integer", "new": "string"}]
    row = scene.lead(lead_id)
    assert (row["uf_crm_seats"], row["uf_crm_seats_2"]) == (seats, "a dozen")
    assert scene.rows("SELECT * FROM {schema_drift}") == []
    told = described(scene, SEATS)
    assert {column: (row["type"], row["removed_at"] is None) for column, row in told.items()} == {
        "uf_crm_seats": ("integer", False),
        "uf_crm_seats_2": ("string", True),
    }
    assert changes(scene.later()) == []


def test_every_run_and_a_new_machine_take_the_same_column(either_scene: Scene, tmp_path: Path) -> None:
    """Nothing but `lead_fields` tells the two apart: both are whole numbers."""
    scene = either_scene
    scene.synced()
    lead_id, seats = seated(scene)
    made_anew(scene, SEATS, "enumeration")
    scene.portal.userfield_map[SEATS].options.append((900, "nine hundred"))
    for _ in range(2):
        scene.later().portal.update_lead(lead_id, {SEATS: "900"})
        scene.sync()
        lose_disk(tmp_path / "dlt")
        scene.fetch(lead_id)
        scene.sync(full=True)
        state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)
        scene.sync()
        row = scene.lead(lead_id)
        assert (row["uf_crm_seats"], row["uf_crm_seats_2"]) == (seats, 900)
        assert "uf_crm_seats_3" not in row
    scene.renamed[SEATS] = "uf_crm_seats_2"
    verdict = scene.verify()
    assert (verdict.differences, verdict.equal) == ([], True)


def test_a_field_that_comes_back_with_its_old_type_has_its_old_column(scene: Scene) -> None:
    scene.synced()
    lead_id, _ = seated(scene)
    made_anew(scene, SEATS, "money")
    scene.later().portal.update_lead(lead_id, {SEATS: "12.50|EUR"})
    scene.sync()
    made_anew(scene, SEATS, "integer")
    scene.later().portal.update_lead(lead_id, {SEATS: 8})
    assert changes(scene) == [{"field": SEATS, "what": "retyped", "old": "money", "new": "integer"}]
    row = scene.lead(lead_id)
    assert row["uf_crm_seats"] == 8
    assert (row["uf_crm_seats_2"], row["uf_crm_seats_2_currency"]) == (Decimal("12.50"), "EUR")
    told = described(scene, SEATS)
    assert [told[column]["removed_at"] is None for column in ("uf_crm_seats", "uf_crm_seats_2")] == [True, False]


def test_a_removed_fields_column_keeps_its_values_through_edits_and_full_reads(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    lead_id, seats = seated(scene)
    scene.portal.remove_userfield(SEATS)
    scene.later().edit(lead_id, "edited without seats")
    assert changes(scene) == [{"field": SEATS, "what": "removed", "old": "integer", "new": None}]
    assert scene.lead(lead_id)["uf_crm_seats"] == seats
    scene.sync(full=True)
    assert (scene.title(lead_id), scene.lead(lead_id)["uf_crm_seats"]) == ("edited without seats", seats)
    gone = described(scene, SEATS)["uf_crm_seats"]
    assert gone["removed_at"] is not None
    scene.portal.add_userfield(SEATS, "integer")
    assert changes(scene.later()) == [{"field": SEATS, "what": "back", "old": None, "new": "integer"}]
    back = described(scene, SEATS)["uf_crm_seats"]
    assert (back["removed_at"], back["first_seen_at"]) == (None, gone["first_seen_at"])
    scene.sync(full=True)
    scene.check()


def test_a_field_that_became_multiple_and_single_again(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    lead_id, seats = seated(scene)
    made_anew(scene, SEATS, "integer", multiple=True)
    scene.later().portal.update_lead(lead_id, {SEATS: ["3", "4"]})
    assert changes(scene) == [{"field": SEATS, "what": "retyped", "old": "integer", "new": "multiple integer"}]
    assert scene.lead(lead_id)["uf_crm_seats"] == seats

    def several() -> list[str]:
        sql = f"SELECT value FROM {{lead_custom_values}} WHERE lead_id = {lead_id} AND field = 'uf_crm_seats_2'"  # noqa: S608
        return [row["value"] for row in scene.rows(f"{sql} ORDER BY position")]

    assert several() == ["3", "4"]
    made_anew(scene, SEATS, "integer")
    scene.later().portal.update_lead(lead_id, {SEATS: 9})
    scene.sync()
    scene.sync(full=True)
    assert (scene.lead(lead_id)["uf_crm_seats"], several()) == (9, ["3", "4"])
    verdict = scene.verify()
    assert (verdict.differences, verdict.equal) == ([], True)


def test_values_of_a_multiple_field_stay_when_the_portal_removes_it(scene: Scene) -> None:
    scene.synced()
    sql = "SELECT * FROM {lead_custom_values} WHERE field = 'uf_crm_tags' ORDER BY lead_id, position"
    before = scene.rows(sql)
    scene.portal.remove_userfield("UF_CRM_TAGS")
    scene.later().sync(full=True)
    assert scene.rows(sql) == before
    assert before
    assert scene.verify().equal


def test_a_renamed_field_keeps_its_column(scene: Scene) -> None:
    scene.synced()
    field = scene.portal.userfield_map[SEATS]
    field.label = "Chairs"
    assert changes(scene.later()) == [{"field": SEATS, "what": "renamed", "old": "Seats", "new": "Chairs"}]
    (row,) = described(scene, SEATS).values()
    assert (row["column_name"], row["title"]) == ("uf_crm_seats", "Chairs")
    scene.check()


def test_another_family_of_methods_looks_like_no_change(scene: Scene) -> None:
    scene.synced()
    before = scene.rows("SELECT * FROM {lead_fields} ORDER BY column_name")
    scene.api = "item"
    assert changes(scene.later()) == []
    scene.api = "lead"
    assert changes(scene.later()) == []
    assert scene.rows("SELECT * FROM {lead_fields} ORDER BY column_name") == before


def test_a_new_fields_column_never_is_the_currency_of_another(scene: Scene) -> None:
    scene.synced()
    scene.portal.add_userfield("UF_CRM_BUDGET_CURRENCY", "string")
    lead_id = next(int(lead["ID"]) for lead in scene.portal.leads() if lead["UF_CRM_BUDGET"])
    currency = scene.lead(lead_id)["uf_crm_budget_currency"]
    scene.later().portal.update_lead(lead_id, {"UF_CRM_BUDGET_CURRENCY": "a text"})
    scene.sync()
    row = scene.lead(lead_id)
    assert (row["uf_crm_budget_currency"], row["uf_crm_budget_currency_2"]) == (currency, "a text")


def test_a_warehouse_of_an_older_release_learns_which_column_is_whose(duckdb_scene: Scene) -> None:
    """Its lead_fields has one row a field, and no times."""
    scene = duckdb_scene
    scene.synced()
    for column in ("first_seen_at", "last_seen_at", "removed_at"):
        scene.change(f"UPDATE {{lead_fields}} SET {column} = NULL")  # noqa: S608 - ours
    lead_id, seats = seated(scene)
    made_anew(scene, SEATS, "enumeration")
    scene.later().edit(lead_id, "edited")
    scene.sync()
    row = scene.lead(lead_id)
    assert (row["uf_crm_seats"], row["uf_crm_seats_2"]) == (seats, None)
    assert all(row["first_seen_at"] for row in scene.rows("SELECT first_seen_at FROM {lead_fields}"))


def test_a_field_was_first_seen_once(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    scene.portal.add_userfield("UF_CRM_REGION", "string")
    scene.later().sync()
    scene.portal.userfield_map[SEATS].label = "Chairs"
    scene.later().sync()
    first = {row["name"]: row["first_seen_at"] for row in scene.rows("SELECT name, first_seen_at FROM {lead_fields}")}
    assert first.pop("UF_CRM_REGION").isoformat() == "2026-11-21T10:00:00+00:00"
    assert {at.isoformat().replace("+00:00", "Z") for at in first.values()} == {NOON_UTC}


@pytest.mark.parametrize("api", ["lead", "item"])
def test_every_field_is_told_of(duckdb_scene: Scene, api: str) -> None:
    scene = duckdb_scene
    scene.api = api
    scene.synced()
    told = {row["name"]: row for row in scene.rows("SELECT * FROM {lead_fields}")}
    customs = {field["FIELD_NAME"] for field in scene.portal.userfields()}
    assert told.keys() >= METHODS["crm.lead.fields"](scene.portal, {}).result.keys()
    assert told.keys() >= {"TITLE", "STATUS_ID", "ADDRESS", "PHONE", "EMAIL", "IM", "WEB", "LINK", *customs}
    assert {name for name, row in told.items() if row["is_custom"]} == customs
    assert [told["PHONE"][name] for name in ("column_name", "type", "is_multiple")] == [
        "lead_phones",
        "crm_multifield",
        True,
    ]
    assert told["UF_CRM_TAGS"]["is_multiple"]
    leads = contents.columns(scene.to)["leads"]
    tables = {"lead_phones", "lead_emails", "lead_ims", "lead_webs", "lead_links"}
    assert {row["column_name"] for row in told.values() if not row["is_multiple"]} <= leads.keys() | tables


@pytest.mark.parametrize("api", ["lead", "item"])
def test_fields_with_tables_of_their_own_are_no_columns_of_the_view(duckdb_scene: Scene, api: str) -> None:
    """They would be empty lists called Phone, E-mail, Contacts …, beside phones that are there."""
    scene = duckdb_scene
    scene.api = api
    scene.synced()
    apart = {"PHONE", "EMAIL", "IM", "WEB", "LINK", "CONTACT_IDS"}
    fields = scene.rows("SELECT name, title FROM {lead_fields}")
    titles = {row["title"] for row in fields if row["name"] in apart}
    assert apart <= {row["name"] for row in fields}
    shown = contents.columns(scene.to)["leads_readable"].keys()
    assert {"Interests", "Segment"} <= shown
    assert not shown & (titles | {"Phone", "E-mail", "Messenger", "Website", "Link"})


def test_a_field_that_lists_never_hold_has_one_column_when_one_does(duckdb_scene: Scene) -> None:
    scene = duckdb_scene
    lead_id = scene.ids()[0]
    for _ in range(3):
        scene.later().edit(lead_id, f"edited at {scene.portal.clock.timestamp()}")
        scene.portal.distort_lead(lead_id, {"CONTACT_IDS": b'"5"'})
        scene.sync()
    (row,) = described(scene, "CONTACT_IDS").values()
    assert (row["column_name"], row["removed_at"], scene.lead(lead_id)["contact_ids"]) == ("contact_ids", None, "5")
    assert "contact_ids_2" not in scene.lead(lead_id)
