"""``crm.item.*`` for leads: the successor (reference: bitrix24 section 7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Portal
    from sandbox.conftest import Client

LEAD = {"entityTypeId": 1}


def listed(client: Client, wanted: Any, **more: Any) -> list[int]:
    params = LEAD | {"filter": wanted, "order": {"id": "ASC"}, "select": ["id"], **more}
    return [item["id"] for item in client.result("crm.item.list", params)["items"]]


def test_an_item_has_numbers_nulls_and_fm(client: Client, portal: Portal) -> None:
    id_ = portal.add_lead(
        {
            "TITLE": "Lead 250", "OPPORTUNITY": "999.90", "BIRTHDATE": "2000-01-01", "STATUS_ID": "IN_PROCESS",
            "PHONE": [{"VALUE": "+70000000002"}], "EMAIL": [{"VALUE": "a@example.com", "VALUE_TYPE": "HOME"}],
        }
    )  # fmt: skip
    phone, mail = portal.lead(id_)["PHONE"][0], portal.lead(id_)["EMAIL"][0]
    item = client.result("crm.item.get", LEAD | {"id": id_})["item"]
    assert item | {
        "id": id_, "entityTypeId": 1, "createdTime": "2026-11-21T12:00:00+03:00", "createdBy": 1, "companyId": 0,
        "contactId": 0, "stageId": "IN_PROCESS", "stageSemanticId": "P", "opportunity": 999.9, "dateClosed": None,
        "birthdate": "2000-01-01T03:00:00+03:00", "hasPhone": "Y", "phoneWork": "+70000000002", "phoneMobile": "",
        "emailHome": "a@example.com", "phone": "+70000000002", "observers": [], "contactIds": [], "webformId": 0,
        "fm": [
            {"id": int(phone["ID"]), "typeId": "PHONE", "valueType": "WORK", "value": "+70000000002"},
            {"id": int(mail["ID"]), "typeId": "EMAIL", "valueType": "HOME", "value": "a@example.com"},
        ],
    } == item  # fmt: skip
    assert item["address"] is None
    assert "250" in item["searchContent"]


def test_amounts_are_exact_numbers(client: Client, portal: Portal) -> None:
    for text, shown in (("19000", "19000"), ("9999999999999.99", "9999999999999.99"), ("0.10", "0.1"), ("0", "0")):
        id_ = portal.add_lead({"OPPORTUNITY": text})
        raw = client.raw("crm.item.get", json=LEAD | {"id": id_}).data.decode()
        found = re.search(r'"opportunity":([^,]+),', raw)
        assert found is not None
        assert found[1] == shown


def test_the_same_leads_in_both_families(client: Client, portal: Portal) -> None:
    items = client.result("crm.item.list", LEAD | {"order": {"id": "ASC"}})["items"]
    for item, lead in zip(items, portal.leads(), strict=False):
        assert str(item["id"]) == lead["ID"]
        assert (item["title"], item["updatedTime"], item["stageId"]) == (
            lead["TITLE"],
            lead["DATE_MODIFY"],
            lead["STATUS_ID"],
        )
        assert f"{item['opportunity']:.2f}" == lead["OPPORTUNITY"]
        values = sum(len(lead.get(kind, ())) for kind in ("PHONE", "EMAIL", "WEB", "IM", "LINK"))
        assert [entry["id"] for entry in item["fm"]] == sorted(entry["id"] for entry in item["fm"])
        assert len(item["fm"]) == values


def test_select_names_columns_but_never_fm(client: Client, portal: Portal) -> None:
    params = LEAD | {"select": ["title", "fm", "ufCrm_1704817278", "NO_SUCH"], "order": {"id": "ASC"}}
    items = client.result("crm.item.list", params)["items"]
    assert list(items[0]) == ["id", "title", "ufCrm_1704817278"]
    original = params | {"select": ["title", "UF_CRM_1704817278"], "useOriginalUfNames": "Y"}
    assert list(client.result("crm.item.list", original)["items"][0]) == ["id", "title", "UF_CRM_1704817278"]
    portal.quirks.original_uf_names_bug = True
    assert list(client.result("crm.item.list", original)["items"][0]) == ["UF_CRM_1704817278"]
    whole = client.result("crm.item.list", LEAD | {"select": ["*"], "useOriginalUfNames": "Y"})["items"][0]
    assert "UF_CRM_1704817278" in whole
    assert "fm" in whole


def test_pages(client: Client, portal: Portal) -> None:
    _, first = client.post("crm.item.list", LEAD | {"order": {"id": "ASC"}})
    assert (first["total"], first["next"]) == (180, 50)
    _, last = client.post("crm.item.list", LEAD | {"start": 150, "order": {"id": "ASC"}})
    assert len(last["result"]["items"]) == 30
    assert "next" not in last
    _, past = client.post("crm.item.list", LEAD | {"start": 200})
    assert past["result"] == {"items": []}
    _, uncounted = client.post("crm.item.list", LEAD | {"start": -1, "order": {"id": "ASC"}})
    assert list(uncounted) == ["result", "time"]
    assert [item["id"] for item in uncounted["result"]["items"]] == portal.store.ids[:50]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({">ID": 5}, "Invalid filter: field 'ID' is not allowed in filter"),
        ({"NO_SUCH": 5}, "Invalid filter: field 'NO_SUCH' is not allowed in filter"),
        ({">id": [5]}, "Invalid filter: field 'id' has invalid value"),
    ],
)
def test_wrong_filters_are_refused(client: Client, wanted: Any, text: str) -> None:
    status, answer = client.post("crm.item.list", LEAD | {"filter": wanted})
    assert (status, answer) == (400, {"error": "INVALID_ARG_VALUE", "error_description": text})


def test_other_refusals(client: Client, portal: Portal) -> None:
    assert client.post("crm.item.list", {})[1]["error"] == 100
    assert client.post("crm.item.list", {"entityTypeId": 999})[1]["error"] == "NOT_FOUND"
    text = "Invalid order: allowed sort directions are `ASC, DESC`. But got 'up' for field 'id'"
    assert client.post("crm.item.list", LEAD | {"order": {"id": "up"}})[1]["error_description"] == text
    text = "Invalid order: field 'ID' is not allowed in order"
    assert client.post("crm.item.list", LEAD | {"order": {"ID": "ASC"}})[1]["error_description"] == text
    assert client.post("crm.item.get", LEAD | {"id": 10**9})[1]["error"] == "NOT_FOUND"
    portal.hide_lead(portal.store.ids[0])
    (hidden,) = portal.store.hidden
    assert client.post("crm.item.get", LEAD | {"id": hidden})[1]["error"] == "ACCESS_DENIED"


def test_conditions_nest_with_or(client: Client, portal: Portal) -> None:
    a = portal.add_lead({"TITLE": "a", "STATUS_ID": "JUNK"})
    b = portal.add_lead({"TITLE": "b", "OPPORTUNITY": 7})
    c = portal.add_lead({"TITLE": "c", "OPPORTUNITY": 9})
    either = {"0": {"logic": "OR", "0": {"stageId": "JUNK"}, "1": {"=opportunity": 7}}, ">=id": a}
    assert listed(client, either) == [a, b]
    assert listed(client, {"><opportunity": [7, 9], ">=id": a}) == [b, c]
    assert listed(client, {"@title": ["a", "c"], ">=id": a}) == [a, c]
    assert listed(client, {"!=%title": "%b%", ">=id": a}) == [a, c]
    assert listed(client, {">=updatedTime": "2026-11-21T12:00:00+03:00"}) == [a, b, c]
    portal.quirks.item_filter_shift = 1.0
    assert listed(client, {">=updatedTime": "2026-11-21T12:00:00+03:00"}) == []


def test_writing(client: Client) -> None:
    fields = {
        "title": "new",
        "fm": {"n0": {"typeId": "PHONE", "valueType": "MOBILE", "value": "1"}},
        "ufCrm_1704817278": 46,
    }
    item = client.result("crm.item.add", LEAD | {"fields": fields})["item"]
    assert (item["title"], item["fm"][0]["value"], item["ufCrm_1704817278"]) == ("new", "1", 46)
    edit = {"opportunity": 5.5, "fm": {str(item["fm"][0]["id"]): {"typeId": "PHONE", "value": ""}}}
    after = client.result("crm.item.update", LEAD | {"id": item["id"], "fields": edit})["item"]
    assert (after["opportunity"], after["fm"], after["title"]) == (5.5, [], "new")
    assert client.result("crm.item.delete", LEAD | {"id": item["id"]}) == []
    assert client.post("crm.item.delete", LEAD | {"id": item["id"]})[1]["error"] == "NOT_FOUND"


def test_fields_give_the_upper_names(client: Client, portal: Portal) -> None:
    fields = client.result("crm.item.fields", LEAD)["fields"]
    assert fields["id"]["upperName"] == "ID"
    assert fields["createdTime"]["upperName"] == "CREATED_TIME"
    customs = {field["upperName"] for field in fields.values() if field["isDynamic"]}
    assert customs == {row["FIELD_NAME"] for row in portal.userfields()}
    assert fields["ufCrm_1724077760"]["isMultiple"]
    item = client.result("crm.item.list", LEAD)["items"][0]
    assert {name for name in item if name.startswith("uf")} == {name for name, f in fields.items() if f["isDynamic"]}
