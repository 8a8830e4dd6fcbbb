"""User fields of every type: metadata and values in both families (reference: bitrix24 sections 5.6 and 6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from leadhouse.sandbox.bitrix24.userfields import TYPES, UserField

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Portal
    from sandbox.conftest import Client

FILE = {"id": 5, "showUrl": "/show?fileId=5", "downloadUrl": "/show?auth=&fileId=5"}


def test_a_portal_has_every_type_and_multiple_ones(portal: Portal) -> None:
    rows = portal.userfields()
    assert {row["USER_TYPE_ID"] for row in rows} == set(TYPES) - {"resourcebooking"}
    assert sum(row["MULTIPLE"] == "Y" for row in rows) >= 7


def test_the_list_is_one_page_with_labels_for_a_language(client: Client, portal: Portal) -> None:
    status, answer = client.post("crm.lead.userfield.list")
    assert status == 200
    assert answer["total"] == len(portal.userfields())
    assert "next" not in answer
    row = next(row for row in answer["result"] if row["FIELD_NAME"] == "UF_CRM_1724077760")
    assert (row["ENTITY_ID"], row["USER_TYPE_ID"], row["MULTIPLE"]) == ("CRM_LEAD", "enumeration", "Y")
    assert row["LIST"][0] == {"ID": "51", "SORT": "10", "VALUE": "Windows", "DEF": "N", "XML_ID": "v33"}
    assert "EDIT_FORM_LABEL" not in row
    (labelled,) = client.result(
        "crm.lead.userfield.list", {"filter": {"FIELD_NAME": "UF_CRM_1724077760", "LANG": "ru"}}
    )
    assert labelled["EDIT_FORM_LABEL"] == "Interests"
    multiple = client.result("crm.lead.userfield.list", {"filter": {"MULTIPLE": "Y"}, "order": {"ID": "DESC"}})
    assert [int(row["ID"]) for row in multiple] == sorted((int(row["ID"]) for row in multiple), reverse=True)


@pytest.mark.parametrize(
    ("user_type", "given", "classic", "item"),
    [
        ("string", "Ёж", "Ёж", "Ёж"),
        ("integer", 42, "42", 42),
        ("double", "1.5", "1.5", 1.5),
        ("boolean", "Y", True, "Y"),
        ("datetime", "2026-01-02T00:00:00Z", "2026-01-02T03:00:00+03:00", "2026-01-02T03:00:00+03:00"),
        ("date", "2026-01-02", "2026-01-02T03:00:00+03:00", "2026-01-02T03:00:00+03:00"),
        ("money", "300|RUB", "300|RUB", "300|RUB"),
        ("url", "https://example.com", "https://example.com", "https://example.com"),
        ("address", "Street 1|55;37|9", "Street 1|55;37|9", "Street 1|55;37|9"),
        ("enumeration", 71, "71", 71),
        ("file", FILE, FILE, {"id": 5, "url": "/show?fileId=5", "urlMachine": "/show?auth=&fileId=5"}),
        ("employee", 7, "7", 7),
        ("crm_status", "WEB", "WEB", "WEB"),
        ("iblock_section", 3, "3", 3),
        ("iblock_element", 4, "4", 4),
        ("crm", "C_2", "C_2", "C_2"),
    ],
)
def test_values_of_each_type(
    client: Client, portal: Portal, *, user_type: str, given: Any, classic: Any, item: Any
) -> None:
    portal.add_userfield("UF_CRM_ONE", user_type, options=[(71, "a")])
    portal.add_userfield("UF_CRM_1799999999", user_type, multiple=True, options=[(71, "a")])
    full = portal.add_lead({"UF_CRM_ONE": given, "UF_CRM_1799999999": [given, given]})
    bare = portal.add_lead()
    empty = "" if user_type in {"date", "datetime"} else False if user_type == "boolean" else None
    lead = client.result("crm.lead.get", {"id": full})
    assert (lead["UF_CRM_ONE"], lead["UF_CRM_1799999999"]) == (classic, [classic, classic])
    lead = client.result("crm.lead.get", {"id": bare})
    assert (lead["UF_CRM_ONE"], lead["UF_CRM_1799999999"]) == (empty, False)
    shown = client.result("crm.item.get", {"entityTypeId": 1, "id": full})["item"]
    assert (shown["ufCrmOne"], shown["ufCrm_1799999999"]) == (item, [item, item])
    shown = client.result("crm.item.get", {"entityTypeId": 1, "id": bare})["item"]
    assert (shown["ufCrmOne"], shown["ufCrm_1799999999"]) == ("N" if user_type == "boolean" else None, [])
    meta = client.result("crm.lead.fields")["UF_CRM_1799999999"]
    assert (meta["type"], meta["isMultiple"], meta["isDynamic"]) == (user_type, True, True)


def test_a_new_field_is_empty_everywhere_and_moves_no_date(client: Client, portal: Portal) -> None:
    before = {lead["ID"]: lead["DATE_MODIFY"] for lead in portal.leads()}
    portal.add_userfield("UF_CRM_NEW", "string")
    portal.add_userfield("UF_CRM_NEW_LIST", "string", multiple=True)
    rows = client.result("crm.lead.list", {"select": ["*", "UF_*"], "order": {"ID": "ASC"}})
    assert {(row["UF_CRM_NEW"], row["UF_CRM_NEW_LIST"]) for row in rows} == {(None, False)}
    assert {lead["ID"]: lead["DATE_MODIFY"] for lead in portal.leads()} == before
    portal.remove_userfield("UF_CRM_NEW")
    assert "UF_CRM_NEW" not in client.result("crm.lead.list", {"select": ["UF_*"]})[0]


def test_names_in_items() -> None:
    names = {
        "UF_CRM_1720019876534": "ufCrm_1720019876534",
        "UF_CRM_3_1747": "ufCrm3_1747",
        "UF_CRM_3_DIGIT": "ufCrm3Digit",
        "UF_CRM_SEATS": "ufCrmSeats",
    }
    assert {name: UserField(1, name, "string").item_name for name in names} == names


def test_portals_differ_in_booleans_of_items(client: Client, portal: Portal) -> None:
    id_ = portal.add_lead({"UF_CRM_1708952993785": 1})
    shown = []
    for style in ("letters", "digits", "json"):
        portal.quirks.item_boolean_uf = style
        shown.append(client.result("crm.item.get", {"entityTypeId": 1, "id": id_})["item"]["ufCrm_1708952993785"])
    assert shown == ["Y", 1, True]
