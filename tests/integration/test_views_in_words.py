"""`leads_readable`: live leads with names in place of codes, and the portal's own fields under their titles."""

from pathlib import Path

import pytest

from any_scene import AnyScene
from contents import columns
from kommo_scene import KommoScene
from leadhouse.sandbox.bitrix24 import Clock, Portal, serve
from portrait import Portrait
from scene import NOON, Scene

_VIEW = 'SELECT * FROM "bitrix24".leads_readable ORDER BY id'
_SEGMENT = "UF_CRM_1704817278"


@pytest.fixture
def size() -> int:
    """How many leads a portal has."""
    return 60


def _read(scene: AnyScene) -> dict[int, dict[str, object]]:
    return {row["id"]: row for row in scene.rows(_VIEW)}


def _titles(scene: AnyScene) -> list[str]:
    return list(columns(scene.to, scene.dataset)["leads_readable"])


def test_codes_are_words(both_scene: Scene) -> None:
    both_scene.sync()

    told, rows = Portrait(both_scene.portal), _read(both_scene)

    assert rows.keys() == told.leads.keys()
    for number, lead in told.leads.items():
        row = rows[number]
        assert row["title"] == lead["title"]
        assert (row["stage"], row["stage_kind"]) == (told.stages[lead["status_id"]], told.kind(number))
        assert row["source"] == told.sources.get(lead["source_id"], lead["source_id"])
        assert row["responsible"] == told.user(lead["assigned_by_id"])
        assert row["created_by"] == told.user(lead["created_by_id"])
        assert row["modified_by"] == told.user(lead["modify_by_id"])
        assert (row["amount"], row["currency"]) == (lead["opportunity"], lead["currency_id"])
        assert (row["created_at"], row["moved_at"]) == (lead["date_create"], lead["moved_time"])
        assert row["has_phone"] == lead["has_phone"]
    assert any(str(row["responsible"]).startswith("user ") for row in rows.values())


def test_fields_of_the_portal_stand_under_their_titles(both_scene: Scene) -> None:
    portal = both_scene.portal
    curator = portal.add_user("Wanda", "Invented")
    portal.update_lead(1, {"UF_CRM_CURATOR": str(curator), "UF_CRM_BUDGET": "12.50|EUR", "UF_CRM_TAGS": ["b", "a"]})
    portal.update_lead(2, {"UF_CRM_CURATOR": "4711", "UF_CRM_SECOND_SOURCE": "no such source"})
    both_scene.sync()

    told, rows = Portrait(portal), _read(both_scene)

    for number, lead in told.leads.items():
        row = rows[number]
        assert row["Segment"] == told.chosen(number, _SEGMENT)
        assert row["Interests"] == (told.chosen(number, "UF_CRM_1724077760") or None)
        assert row["Newsletter"] == lead["uf_crm_1708952993785"]
        assert row["Contract date"] == lead["uf_crm_1730000000002"]
        assert (row["Budget"], row["Budget (currency)"]) == (lead["uf_crm_budget"], lead["uf_crm_budget_currency"])
        assert row["Curator"] == told.user(lead["uf_crm_curator"])
        second = lead["uf_crm_second_source"]
        assert row["Second source"] == told.sources.get(second, second)
        assert row["Sizes"] == ([str(size) for size in told.raw[number]["UF_CRM_SIZES"] or ()] or None)
    assert {rows[1]["Curator"], rows[2]["Curator"]} == {"Wanda Invented", "user 4711"}
    assert (rows[1]["Теги"], rows[2]["Second source"]) == (["b", "a"], "no such source")


def test_the_view_follows_the_portal(both_scene: Scene) -> None:
    portal = both_scene.portal
    both_scene.sync()
    before = Portrait(portal)
    kept = next(number for number in before.leads if before.chosen(number, _SEGMENT) == "Retail")
    both_scene.later()

    portal.userfield_map["UF_CRM_SITE"].label = "Сайт клиента"
    portal.add_userfield("UF_CRM_FLOOR", "employee", True, label="Floor staff")
    portal.add_userfield("UF_CRM_WISH", "enumeration", False, [(901, "Now"), (902, "Later")], "Wish")
    portal.userfield_map[_SEGMENT].options.pop(0)
    portal.rename_status("STATUS", "NEW", "Brand new")
    portal.remove_userfield("UF_CRM_SEATS")
    gone = both_scene.ids()[5]
    portal.delete_lead(gone)
    wanda = portal.add_user("Wanda", "Invented")
    portal.update_lead(kept, {"UF_CRM_WISH": "902", "UF_CRM_FLOOR": [str(wanda), "4711"], "ASSIGNED_BY_ID": "4712"})
    both_scene.sync(reconcile=True)

    rows, titles = _read(both_scene), _titles(both_scene)
    assert rows.keys() == before.leads.keys() - {gone}
    assert (rows[kept]["Wish"], rows[kept]["Floor staff"]) == ("Later", ["Wanda Invented", "user 4711"])
    assert rows[kept]["responsible"] == "user 4712"
    assert rows[kept]["Segment"] == "Retail", "a variant that the portal dropped keeps its name"
    assert {"Сайт клиента", "Wish"} <= set(titles)
    assert "Site" not in titles
    assert {"Seats", "uf_crm_seats"} & set(titles), "a field that the portal dropped keeps its column"
    assert "Brand new" in {row["stage"] for row in rows.values()}


def test_titles_may_be_any_text(scene: Scene) -> None:
    portal = scene.portal
    labels = {
        "UF_CRM_SITE": 'He said "no"; DROP VIEW x; --',
        "UF_CRM_RATING": "{dataset}.leads '%s' {custom_joins}",
        "UF_CRM_CATALOG": "Очень длинное название поля, которое не помещается в имя столбца",
        "UF_CRM_PARTNER": "Stage",
        "UF_CRM_CURATOR": "Twice",
        "UF_CRM_OFFER_FILE": "twice",
        "UF_CRM_TAGS": "Twice",
        "UF_CRM_BUDGET": "Бюджет " * 12,
    }
    for name, label in labels.items():
        portal.userfield_map[name].label = label
    scene.sync()

    titles = _titles(scene)

    assert {
        'He said "no"; DROP VIEW x; --',
        "{dataset}.leads '%s' {custom_joins}",
        "Очень длинное название поля, котор",
        "Stage (uf_crm_partner)",
        "Twice (uf_crm_curator)",
        "twice (uf_crm_offer_file)",
        "Twice (uf_crm_tags)",
    } <= set(titles)
    amount, currency = (name for name in titles if name.startswith("Бюджет"))
    assert currency.endswith(" (currency)")
    assert all(len(name.encode()) <= 63 for name in titles)
    told = Portrait(portal)
    for number, row in _read(scene).items():
        lead = told.leads[number]
        assert (row[amount], row[currency]) == (lead["uf_crm_budget"], lead["uf_crm_budget_currency"])
        assert row["Twice (uf_crm_curator)"] == told.user(lead["uf_crm_curator"])
    scene.later().sync()
    assert _titles(scene) == titles


def test_a_portal_without_fields_of_its_own_has_the_view_too(tmp_path: Path) -> None:
    portal = Portal(leads=3, seed=1, clock=Clock.frozen(NOON))
    for name in list(portal.userfield_map):
        portal.remove_userfield(name)
    with serve(portal) as served:
        scene = Scene(portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")
        scene.sync()
        assert _read(scene).keys() == set(scene.ids())


def test_fields_of_an_account_stand_under_their_names(kommo_scene: KommoScene) -> None:
    kommo_scene.sync()

    rows = {row["id"]: row for row in kommo_scene.rows("SELECT * FROM kommo.leads_readable")}

    fields = {field["id"]: field for field in kommo_scene.portal.custom_fields("leads")}
    users = {user["id"]: user["name"] for user in kommo_scene.portal.users()}
    assert rows.keys() == set(kommo_scene.ids())
    for lead in kommo_scene.portal.leads():
        row = rows[lead["id"]]
        owner = lead["responsible_user_id"]
        assert row["responsible"] == users.get(owner, f"user {owner}")
        told = {
            entry["field_id"]: [value.get("value") for value in entry["values"]]
            for entry in lead["custom_fields_values"] or ()
        }
        for number, field in fields.items():
            if field["type"] == "multiselect":
                assert row[field["name"]] == told.get(number)
            elif field["type"] == "checkbox":
                assert row[field["name"]] == (told[number][0] if number in told else None)
            elif field["type"] in {"text", "select", "url"}:
                assert row[field["name"]] == (str(told[number][0]) if number in told else None)
