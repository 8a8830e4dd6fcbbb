"""Leads as the portal sent them become rows: values, money, custom values, drift."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from leadhouse.bitrix24.decode import CHILDREN
from leadhouse.bitrix24.families import ITEM
from leadhouse.columns import Kind
from leadhouse.tables import tables
from unit.portal_leads import LeadDesk, wire


@pytest.fixture(scope="module")
def desk() -> LeadDesk:
    return LeadDesk(region="KZ")


@pytest.fixture(scope="module")
def items() -> LeadDesk:
    return LeadDesk(ITEM, region="KZ")


CLASSIC = {
    "TITLE": "Site form 88",
    "NAME": "Olga",
    "HONORIFIC": None,
    "COMPANY_ID": "0",
    "CONTACT_ID": "12",
    "BIRTHDATE": "2000-01-01T03:00:00+03:00",
    "STATUS_ID": "NEW",
    "OPPORTUNITY": "12500.00",
    "OPENED": "Y",
    "HAS_PHONE": "N",
    "ASSIGNED_BY_ID": "7",
    "DATE_CREATE": "2026-10-02T09:15:00+03:00",
    "DATE_MODIFY": "2026-10-02T09:20:11+03:00",
    "DATE_CLOSED": "",
    "UF_CRM_WHOLE": False,
    "UF_CRM_FLAG": False,
    "UF_CRM_MONEY": "300|RUB",
    "UF_CRM_FILE": {"id": 45, "showUrl": "https://acme.example/show?auth=x", "downloadUrl": "/x"},
    "UF_CRM_LISTS": ["45", "46"],
}
ITEMS = {
    "title": "Site form 88",
    "name": "Olga",
    "honorific": None,
    "companyId": 0,
    "contactId": 12,
    "birthdate": "2000-01-01T03:00:00+03:00",
    "stageId": "NEW",
    "opportunity": 12500,
    "opened": "Y",
    "hasPhone": "N",
    "assignedById": 7,
    "createdTime": "2026-10-02T09:15:00+03:00",
    "updatedTime": "2026-10-02T09:20:11+03:00",
    "dateClosed": None,
    wire("UF_CRM_WHOLE"): None,
    wire("UF_CRM_FLAG"): "0",
    wire("UF_CRM_MONEY"): "300|RUB",
    wire("UF_CRM_FILE"): {"id": 45, "urlMachine": "https://acme.example/other?token=y"},
    wire("UF_CRM_LISTS"): [45, 46],
}
EXPECTED: dict[str, Any] = {
    "id": 7,
    "title": "Site form 88",
    "name": "Olga",
    "honorific": None,
    "company_id": None,
    "contact_id": 12,
    "birthdate": date(2000, 1, 1),
    "status_id": "NEW",
    "opportunity": Decimal("12500.00"),
    "opened": True,
    "has_phone": False,
    "assigned_by_id": 7,
    "date_create": datetime(2026, 10, 2, 6, 15, tzinfo=UTC),
    "date_modify": datetime(2026, 10, 2, 6, 20, 11, tzinfo=UTC),
    "date_closed": None,
    "deleted_at": None,
    "uf_crm_whole": None,
    "uf_crm_flag": False,
    "uf_crm_money": Decimal("300.00"),
    "uf_crm_money_currency": "RUB",
    "uf_crm_file": 45,
}


def test_a_classic_lead_becomes_a_typed_row(desk: LeadDesk) -> None:
    row = desk.one(CLASSIC)
    assert {name: row[name] for name in EXPECTED} == EXPECTED


def test_both_families_give_the_same_rows_to_the_last_value(desk: LeadDesk, items: LeadDesk) -> None:
    phones = [("9001", "+77000000001", "WORK"), ("9002", "8 700 000 00 02", "HOME")]
    classic = {**CLASSIC, "PHONE": [{"ID": i, "VALUE": v, "VALUE_TYPE": t, "TYPE_ID": "PHONE"} for i, v, t in phones]}
    item = {**ITEMS, "fm": [{"id": int(i), "value": v, "valueType": t, "typeId": "PHONE"} for i, v, t in phones]}
    one, other = desk.one(classic), items.one(item)
    assert one.pop("synced_at") <= other.pop("synced_at")
    del one["_fingerprint"], other["_fingerprint"]
    assert one == other
    for table in CHILDREN:
        assert desk.rows(table, classic) == items.rows(table, item), table
    assert len(desk.rows("lead_custom_values", classic)) == 2


def test_every_column_of_the_contract_is_there_also_when_all_are_empty(desk: LeadDesk) -> None:
    batch = desk.decode([{"ID": "1"}, {"ID": "2"}])
    contract = tables("bitrix24")["leads"].schema()
    assert batch.leads.schema.names[: len(contract.names)] == contract.names
    assert [field.type for field in batch.leads.schema][: len(contract.types)] == contract.types
    assert batch.leads.column("id").to_pylist() == [1, 2]
    assert batch.children == {}
    assert (batch.misfits, batch.rows) == (0, 2)


def test_when_it_was_read_is_not_part_of_the_fingerprint(desk: LeadDesk) -> None:
    one, other = desk.one(CLASSIC), desk.one(CLASSIC)
    assert one["synced_at"] < other["synced_at"]
    assert one["_fingerprint"] == other["_fingerprint"]
    assert desk.one({**CLASSIC, "UF_CRM_TEXT": "x"})["_fingerprint"] != one["_fingerprint"]


def custom(desk: LeadDesk, field: str, told: Any) -> list[tuple[int, str]]:
    rows = desk.rows("lead_custom_values", {field: told})
    assert {row["field"] for row in rows} <= {field.lower()}
    return [(row["position"], row["value"]) for row in rows]


@pytest.mark.parametrize(
    ("field", "told", "rows"),
    [
        ("UF_CRM_TEXTS", ["b", "a", "b"], [(0, "b"), (1, "a"), (2, "b")]),
        ("UF_CRM_TEXTS", ["b", "", None, "c"], [(0, "b"), (3, "c")]),
        ("UF_CRM_TEXTS", "alone", [(0, "alone")]),
        ("UF_CRM_LISTS", ["45", 46], [(0, "45"), (1, "46")]),
        ("UF_CRM_FLAGS", [True, False, "1", "0"], [(0, "true"), (1, "false"), (2, "true"), (3, "false")]),
        ("UF_CRM_MONEYS", ["300|RUB", "5|USD"], [(0, "300|RUB"), (1, "5|USD")]),
        ("UF_CRM_DOUBLES", ["1.50", 2], [(0, "1.50"), (1, "2")]),
        ("UF_CRM_TIMES", ["2026-10-02T09:15:00+03:00"], [(0, "2026-10-02T06:15:00+00:00")]),
        ("UF_CRM_DATES", ["2000-01-01T03:00:00+03:00", "2000-01-02"], [(0, "2000-01-01"), (1, "2000-01-02")]),
        ("UF_CRM_FILES", [{"id": 45, "showUrl": "/x"}, {"id": 46}], [(0, "45"), (1, "46")]),
        ("UF_CRM_FILES", {"id": 45, "showUrl": "/x"}, [(0, "45")]),
        ("UF_CRM_LINKS", ["L_4", "CO_3"], [(0, "L_4"), (1, "CO_3")]),
    ],
)
def test_values_of_a_multiple_field_are_rows_in_the_portals_order(
    desk: LeadDesk, field: str, told: Any, rows: list[tuple[int, str]]
) -> None:
    assert custom(desk, field, told) == rows


def test_a_value_of_a_multiple_field_that_is_no_date_is_kept_as_drift(desk: LeadDesk) -> None:
    lead = {"UF_CRM_DATES": ["2000-01-01", "0000-00-00", "soon"]}
    assert len(desk.rows("lead_custom_values", lead)) == 1
    drift = desk.rows("schema_drift", lead)
    assert [(row["field"], row["position"], row["value"]) for row in drift] == [
        ("uf_crm_dates", 0, "0000-00-00"),
        ("uf_crm_dates", 1, "soon"),
    ]


@pytest.mark.parametrize(
    ("told", "amount", "currency"),
    [
        ("300|RUB", Decimal("300.00"), "RUB"),
        ("9999999999999.99|KZT", Decimal("9999999999999.99"), "KZT"),
        ("300|", Decimal("300.00"), None),
        ("300", Decimal("300.00"), None),
        (300, Decimal("300.00"), None),
        ("|RUB", None, "RUB"),
        ("", None, None),
        (None, None, None),
        (False, None, None),
    ],
)
def test_money_of_a_user_field_is_an_amount_and_a_currency(
    desk: LeadDesk, told: Any, amount: Decimal | None, currency: str | None
) -> None:
    row = desk.one({"UF_CRM_MONEY": told})
    assert (row["uf_crm_money"], row["uf_crm_money_currency"]) == (amount, currency)
    assert desk.rows("schema_drift", {"UF_CRM_MONEY": told}) == []


@pytest.mark.parametrize("told", ["abc|RUB", "1.005|RUB", ["300|RUB"], {"a": 1}, True], ids=repr)
def test_money_that_is_none_is_kept_whole_as_drift(desk: LeadDesk, told: Any) -> None:
    assert desk.one({"UF_CRM_MONEY": told})["uf_crm_money"] is None
    (row,) = desk.rows("schema_drift", {"UF_CRM_MONEY": told})
    assert row["field"] == "uf_crm_money"
    assert row["value"] == (told if isinstance(told, str) else row["value"])


def test_a_field_that_became_money_leaves_the_text_column_alone_that_is_there() -> None:
    desk = LeadDesk(stored={"uf_crm_money": Kind.TEXT})
    row = desk.one({"UF_CRM_MONEY": "300|RUB"})
    assert (row["uf_crm_money_2"], row["uf_crm_money_2_currency"]) == (Decimal(300), "RUB")
    assert "uf_crm_money" not in row


def test_misfits_are_null_in_their_column_and_kept_with_their_lead(desk: LeadDesk) -> None:
    batch = desk.decode(
        [
            {"ID": "1", "OPPORTUNITY": "12.345", "DATE_CLOSED": "0000-00-00", "UF_CRM_WHOLE": "many"},
            {"ID": "2", "OPPORTUNITY": "12.34"},
            {"ID": "3", "OPPORTUNITY": "free"},
        ]
    )
    assert batch.leads.column("opportunity").to_pylist() == [None, Decimal("12.34"), None]
    drift = {(row["lead_id"], row["field"], row["value"]) for row in batch.children["schema_drift"].to_pylist()}
    assert drift == {
        (1, "opportunity", "12.345"),
        (1, "date_closed", "0000-00-00"),
        (1, "uf_crm_whole", "many"),
        (3, "opportunity", "free"),
    }
    assert batch.misfits == 4
    assert batch.rows == 7


def test_a_field_that_appears_in_a_page_is_learnt_and_becomes_a_column() -> None:
    desk = LeadDesk()
    assert desk.transport.sent == []
    row = desk.one({"UF_CRM_FRESH": "x", "CONTACT_IDS": [1]})
    assert (row["uf_crm_fresh"], row["contact_ids"]) == ("x", "1")
    asked = len(desk.transport.sent)
    assert asked > 0
    assert desk.one({"UF_CRM_FRESH": "y"})["uf_crm_fresh"] == "y"
    assert len(desk.transport.sent) == asked


def test_rows_read_before_a_field_was_learnt_are_decoded_with_it() -> None:
    desk = LeadDesk()
    before = desk.pages.rows(Raw(b'[{"ID":"1","TITLE":"a"}]'))
    after = desk.pages.rows(Raw(b'[{"ID":"2","TITLE":"b","UF_CRM_FRESH":"x"}]'))
    batch = desk.pages.decode([*before, *after])
    assert batch.leads.column("uf_crm_fresh").to_pylist() == [None, "x"]
    assert batch.leads.column("title").to_pylist() == ["a", "b"]


def test_text_that_strict_json_refuses_is_repaired_and_kept(desk: LeadDesk) -> None:
    batch = desk.decode(b'[{"ID":"1","TITLE":"a\\ud83d","NAME":"\xff\xfe","PHONE":[{"ID":"5","VALUE":"x\\ud83d"}]}]')
    batch.leads.validate(full=True)
    row = batch.leads.to_pylist()[0]
    assert row["name"] == "\ufffd\ufffd"
    assert batch.children["lead_phones"].to_pylist()[0]["value"].startswith("x\ufffd")
    kept = [row["value"] for row in batch.children.get("schema_drift", batch.leads.slice(0, 0)).to_pylist()]
    assert [text for text in (row["title"], *kept) if text and text.startswith("a\ufffd")]


@pytest.mark.parametrize("page", [b'"leads"', b"[1]", b"null", b"[null]"])
def test_a_page_that_is_no_list_of_leads_is_refused(desk: LeadDesk, page: bytes) -> None:
    with pytest.raises((TypeError, ValueError)):
        desk.decode(page)
