"""What an account may send: ways of writing values, zones, fields and members that nobody knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import contents
from kommo_scene import KommoScene, small_account
from leadhouse.sandbox.kommo import Switches, serve


def columns(scene: KommoScene) -> dict[str, str]:
    return contents.columns(scene.to, scene.dataset)["leads"]


def drift(scene: KommoScene, lead_id: int) -> dict[str, str]:
    rows = scene.rows(f"SELECT field, value FROM {{schema_drift}} WHERE lead_id = {lead_id}")  # noqa: S608
    return {row["field"]: row["value"] for row in rows}


def custom(scene: KommoScene, field_id: int) -> list[str]:
    told = f"SELECT value FROM {{lead_custom_values}} WHERE field_id = {field_id} ORDER BY lead_id, position"  # noqa: S608
    return [row["value"] for row in scene.rows(told)]


@pytest.fixture
def odd_scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KommoScene]:
    switches, zone = request.param
    account = small_account(100, timezone=zone)
    account.switches = switches
    with serve(account) as served:
        yield KommoScene(account, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")


@pytest.mark.parametrize(
    "odd_scene",
    [
        (Switches(loss_reason="object", cfv_empty="list", enum_key="enum"), "America/Bogota"),
        (Switches(price_with_minor_units="decimal", dates="day", field_group="number"), "Europe/Moscow"),
        (Switches(dates="rfc3339", limit_over_250="reset50", short_pages=True, bounds="exclusive"), "Pacific/Auckland"),
        (Switches(query_in_self_links=False, default_order="id", links_touch=False), "America/St_Johns"),
    ],
    ids=["objects", "decimals", "rfc3339", "order"],
    indirect=True,
)
def test_ways_in_which_accounts_differ_do_not_show_in_the_tables(odd_scene: KommoScene) -> None:
    odd_scene.sync()
    odd_scene.later().life(seed=2, create=3, edit=8, phone_add=2, phone_remove=2, stage=3)
    odd_scene.later().sync()
    odd_scene.check(ignoring_deleted=False)


@pytest.mark.parametrize("size", [5])
@pytest.mark.parametrize("zone", ["America/Bogota", "Europe/Moscow", "Asia/Kolkata", "Pacific/Kiritimati"])
def test_a_date_is_the_day_that_the_account_shows(kommo_scene: KommoScene, zone: str) -> None:
    """Midnight at -05:00 and at +03:00; a time of day is an instant, told in UTC."""
    account = kommo_scene.account
    account.set_timezone(zone)
    fields = {field["name"]: field["id"] for field in account.custom_fields("leads")}
    values = {"Install date": "2026-02-28", "Birthday": "1984-02-29", "Meeting": "2026-03-01T23:30:00+03:00"}
    told = [{"field_id": fields[name], "values": [{"value": value}]} for name, value in values.items()]
    lead_id = account.add_lead({"custom_fields_values": told})
    kommo_scene.sync()
    rows = kommo_scene.rows(f"SELECT name, value FROM {{lead_custom_values}} WHERE lead_id = {lead_id}")  # noqa: S608
    assert {row["name"]: row["value"] for row in rows} == {**values, "Meeting": "2026-03-01T20:30:00+00:00"}
    assert kommo_scene.one("SELECT timezone FROM {account}") == zone
    kommo_scene.check(ignoring_deleted=False)


def test_an_account_that_moves_to_another_zone_keeps_its_days(kommo_scene: KommoScene) -> None:
    scene = kommo_scene.synced()
    before = scene.rows("SELECT * FROM {lead_custom_values} WHERE type IN ('date', 'birthday') ORDER BY ALL")
    scene.account.set_timezone("America/Bogota")
    scene.later().storm(scene.ids(), "read again")
    scene.sync()
    assert scene.rows("SELECT * FROM {lead_custom_values} WHERE type IN ('date', 'birthday') ORDER BY ALL") == before
    scene.check(ignoring_deleted=False)


NEW: dict[str, tuple[Any, str, Any]] = {
    "pax": (7, "bigint", 7),
    "is_priority": (True, "boolean", True),
    "channel": ("web ✓", "varchar", "web ✓"),
    "share": (12.5, "varchar", "12.5"),
    "segments": (["a", "№"], "varchar", '["a","№"]'),
    "owner_info": ({"id": 1, "none": None}, "varchar", '{"id":1,"none":null}'),
    "CamelCase": ("kept", "varchar", "kept"),
}


def test_a_member_that_nobody_knows_becomes_a_column(kommo_scene: KommoScene) -> None:
    scene = kommo_scene.synced()
    lead_id = scene.ids()[9]
    scene.account.distort_lead(lead_id, {name: value for name, (value, _, _) in NEW.items()})
    scene.later().edit(lead_id, "with new members")
    summary = scene.sync()
    assert (summary.outcome, summary.misfits) == ("done", 0)
    held, lead = columns(scene), scene.lead(lead_id)
    assert {name: held[name.lower()] for name in NEW} == {name: kind for name, (_, kind, _) in NEW.items()}
    assert {name: lead[name.lower()] for name in NEW} == {name: value for name, (_, _, value) in NEW.items()}
    scene.check(ignoring_deleted=False)
    scene.later().storm(scene.ids(), "all again")
    scene.sync()
    scene.check(ignoring_deleted=False)


def test_members_that_are_there_from_the_beginning_become_columns(kommo_scene: KommoScene) -> None:
    first, last = kommo_scene.in_reading_order()[0], kommo_scene.in_reading_order()[-1]
    kommo_scene.account.distort_lead(first, {"pax": None, "lane": 1})
    kommo_scene.account.distort_lead(last, {"pax": 3, "lane": None})
    kommo_scene.sync()
    assert (kommo_scene.lead(first)["pax"], kommo_scene.lead(last)["pax"]) == (None, 3)
    assert (kommo_scene.lead(first)["lane"], kommo_scene.lead(last)["lane"]) == (1, None)
    kommo_scene.check(ignoring_deleted=False)


@pytest.mark.parametrize("empty", [None, "", [], {}], ids=["null", "text", "list", "object"])
def test_a_member_without_a_value_waits_for_one(kommo_scene: KommoScene, empty: Any) -> None:
    scene = kommo_scene.synced()
    first, second = scene.ids()[3:5]
    for lead_id in (first, second):
        scene.account.distort_lead(lead_id, {"pax": empty})
        scene.edit(lead_id, "with an empty member")
    scene.later().sync()
    scene.check(ignoring_deleted=False)
    scene.account.distort_lead(second, {"pax": 4})
    scene.edit(second, "with a value")
    scene.later().sync()
    assert scene.lead(second)["pax"] in {4, "4"}
    assert scene.lead(first)["pax"] is None


def test_a_value_that_fits_no_column_is_kept_as_drift(kommo_scene: KommoScene) -> None:
    scene = kommo_scene
    odd, later = scene.ids()[3:5]
    told = {"price": "a lot", "created_at": "soon", "group_id": [1, 2], "is_deleted": "perhaps", "score": {"a": 1}}
    scene.account.distort_lead(odd, told | {"pax": 4})
    summary = scene.sync()
    assert summary.misfits == len(told)
    assert drift(scene, odd) == {**told, "group_id": "[1,2]", "score": '{"a":1}'}
    assert [scene.lead(odd)[name] for name in told] == [None] * len(told)
    scene.account.distort_lead(later, {"pax": "many"})
    scene.later().edit(later, "with another type")
    scene.sync()
    assert drift(scene, later) == {"pax": "many"}
    assert (scene.lead(odd)["pax"], scene.lead(later)["pax"]) == (4, None)
    assert scene.verify().equal


def test_a_value_that_fits_again_leaves_no_drift(kommo_scene: KommoScene) -> None:
    scene = kommo_scene
    lead_id = scene.ids()[3]
    scene.account.distort_lead(lead_id, {"price": "a lot"})
    scene.sync()
    scene.account.oddities.clear()
    scene.later().edit(lead_id, "with a price again")
    scene.sync()
    assert drift(scene, lead_id) == {}
    scene.check(ignoring_deleted=False)


def test_a_custom_field_of_a_type_that_nobody_knows_is_kept(kommo_scene: KommoScene) -> None:
    scene = kommo_scene.synced()
    field = scene.account.add_custom_field("leads", "Hologram", "hologram")
    values = [{"value": {"depth": 3}}, {"value": "flat"}, {"value": 2}, {"value": False}]
    lead_id = scene.ids()[3]
    scene.later().account.update_lead(lead_id, {"custom_fields_values": [{"field_id": field, "values": values}]})
    scene.sync()
    assert custom(scene, field) == ['{"depth":3}', "flat", "2", "false"]
    scene.check(ignoring_deleted=False)


def test_characters_that_stores_cannot_hold_are_replaced(kommo_scene: KommoScene, postgres_url: str) -> None:
    scene = KommoScene(kommo_scene.account, kommo_scene.url, postgres_url)
    lead_id, contact = scene.ids()[3], scene.with_phone()
    scene.edit(lead_id, "a\x00b ✓ Σ")
    scene.account.distort_lead(scene.ids()[4], {"name": "price in \x00", "channel": "\x00"})
    scene.add_phone(contact, "\x00 7700 900123")
    scene.sync()
    assert scene.title(lead_id) == "a\u2400b ✓ Σ"
    assert scene.verify().equal


def test_phones_mails_and_messengers_of_contacts_have_tables(kommo_scene: KommoScene) -> None:
    scene = kommo_scene
    values = [
        {
            "field_code": "PHONE",
            "values": [{"value": "+44 7700 900123", "enum_code": "MOB"}, {"value": "020 7946 0018"}],
        },
        {"field_code": "EMAIL", "values": [{"value": "Ann@Example.com", "enum_code": "PRIV"}]},
        {"field_code": "IM", "values": [{"value": "@ann", "enum_code": "TELEGRAM"}]},
    ]
    contact = scene.account.add_contact({"name": "Ann", "custom_fields_values": values})
    scene.sync(phone_region="GB")
    phones = scene.rows(f"SELECT * FROM {{contact_phones}} WHERE contact_id = {contact} ORDER BY position")  # noqa: S608
    assert [(row["value"], row["value_type"], row["e164"]) for row in phones] == [
        ("+44 7700 900123", "MOB", "+447700900123"),
        ("020 7946 0018", "WORK", "+442079460018"),
    ]
    for table, value in (("contact_emails", "Ann@Example.com"), ("contact_ims", "@ann")):
        assert scene.one(f"SELECT value FROM {{{table}}} WHERE contact_id = {contact}") == value  # noqa: S608
