"""Phones, addresses and links of both families become child rows in the portal's order."""

from typing import Any

import pytest

from leadhouse.bitrix24.decode import CHILDREN
from leadhouse.bitrix24.families import ITEM, MULTIFIELDS
from unit.portal_leads import LeadDesk, wire


@pytest.fixture(scope="module")
def desk() -> LeadDesk:
    return LeadDesk(region="KZ")


@pytest.fixture(scope="module")
def items() -> LeadDesk:
    return LeadDesk(ITEM, region="KZ")


PHONE = {"ID": "9001", "VALUE": "+7 700 000 00 01", "VALUE_TYPE": "WORK", "TYPE_ID": "PHONE"}


@pytest.mark.parametrize(("field", "table"), MULTIFIELDS.items())
def test_multifields_keep_the_portals_order(desk: LeadDesk, field: str, table: str) -> None:
    entries = [{"ID": str(number), "VALUE": f"v{number}", "VALUE_TYPE": "WORK"} for number in (9, 3, 5)]
    rows = desk.rows(table, {field: entries})
    assert [(row["id"], row["lead_id"], row["position"], row["value"], row["value_type"]) for row in rows] == [
        (9, 7, 0, "v9", "WORK"),
        (3, 7, 1, "v3", "WORK"),
        (5, 7, 2, "v5", "WORK"),
    ]


def test_items_mix_their_types_and_each_table_counts_its_own_positions(items: LeadDesk) -> None:
    told = [("PHONE", 1), ("EMAIL", 2), ("PHONE", 3), ("LINK", 4), ("EMAIL", 5)]
    lead = {"fm": [{"id": number, "typeId": kind, "valueType": "WORK", "value": "x"} for kind, number in told]}
    placed = {table: [(row["id"], row["position"]) for row in items.rows(table, lead)] for table in CHILDREN}
    assert placed["lead_phones"] == [(1, 0), (3, 1)]
    assert placed["lead_emails"] == [(2, 0), (5, 1)]
    assert placed["lead_links"] == [(4, 0)]


@pytest.mark.parametrize("none", [None, False, "", [], {}], ids=repr)
def test_a_lead_without_values_has_no_child_rows(desk: LeadDesk, items: LeadDesk, none: Any) -> None:
    assert desk.decode([{"ID": "7", **dict.fromkeys(MULTIFIELDS, none), "UF_CRM_LISTS": none}]).children == {}
    assert items.decode([{"id": 7, "fm": none, wire("UF_CRM_LISTS"): none}]).children == {}


def test_a_list_with_gaps_comes_as_an_object_and_is_read_alike(desk: LeadDesk) -> None:
    other = {**PHONE, "ID": "9002"}
    assert desk.rows("lead_phones", {"PHONE": {"0": PHONE, "2": other}}) == desk.rows(
        "lead_phones", {"PHONE": [PHONE, other]}
    )
    assert desk.rows("lead_custom_values", {"UF_CRM_LISTS": {"3": "45", "7": "46"}}) == desk.rows(
        "lead_custom_values", {"UF_CRM_LISTS": ["45", "46"]}
    )


@pytest.mark.parametrize(
    "entry",
    [{"VALUE": "x", "VALUE_TYPE": "WORK"}, {**PHONE, "ID": "new"}, {**PHONE, "ID": None}, "+77000000001", 5, ["x"]],
    ids=repr,
)
def test_an_entry_that_is_no_multifield_is_kept_as_drift_and_the_others_stay(desk: LeadDesk, entry: Any) -> None:
    lead = {"PHONE": [entry, PHONE]}
    assert [row["id"] for row in desk.rows("lead_phones", lead)] == [9001]
    drift = desk.rows("schema_drift", lead)
    assert [(row["lead_id"], row["field"], row["position"]) for row in drift] == [(7, "lead_phones", 0)]


@pytest.mark.parametrize("told", ["+77000000001", 5, True], ids=repr)
def test_a_multifield_that_is_no_list_is_kept_as_drift(desk: LeadDesk, items: LeadDesk, told: Any) -> None:
    assert [row["field"] for row in desk.rows("schema_drift", {"PHONE": told})] == ["phone"]
    assert [row["field"] for row in items.rows("schema_drift", {"fm": told})] == ["fm"]


def test_an_item_entry_of_an_unknown_type_is_kept_as_drift(items: LeadDesk) -> None:
    entry = {"id": 1, "typeId": "PAGER", "valueType": "WORK", "value": "x"}
    (row,) = items.rows("schema_drift", {"fm": [entry]})
    assert row["value"] == '{"id":1,"typeId":"PAGER","valueType":"WORK","value":"x"}'


@pytest.mark.parametrize("value", [0, "0", 5], ids=repr)
def test_a_multifields_number_is_a_value_and_not_empty(desk: LeadDesk, value: Any) -> None:
    (row,) = desk.rows("lead_links", {"LINK": [{"ID": "1", "VALUE": value, "VALUE_TYPE": "USER"}]})
    assert row["value"] == str(value)


def test_unknown_value_types_stay_as_they_are(desk: LeadDesk) -> None:
    (row,) = desk.rows("lead_ims", {"IM": [{"ID": "1", "VALUE": "imol|livechat|1|67|21", "VALUE_TYPE": "НОВЫЙ"}]})
    assert (row["value"], row["value_type"]) == ("imol|livechat|1|67|21", "НОВЫЙ")


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("+7 (700) 000-00-01", "+77000000001"),
        ("8 700 000 00 01", "+77000000001"),
        ("+1 202 555 0100 ext. 5", "+12025550100"),
        ("+49 30 901820", "+4930901820"),
        ("call me", None),
        ("12", None),
        ("", None),
    ],
)
def test_phones_have_an_e164_form_where_they_can(desk: LeadDesk, typed: str, e164: str | None) -> None:
    (row,) = desk.rows("lead_phones", {"PHONE": [{**PHONE, "VALUE": typed}]})
    assert (row["value"], row["e164"]) == (typed or None, e164)


def test_a_local_number_is_local_to_the_default_region() -> None:
    lead = {"PHONE": [{**PHONE, "VALUE": "030 901820"}]}
    assert LeadDesk(region="DE").rows("lead_phones", lead)[0]["e164"] == "+4930901820"
    assert LeadDesk(region=None).rows("lead_phones", lead)[0]["e164"] is None
