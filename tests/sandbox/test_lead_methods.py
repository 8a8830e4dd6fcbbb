"""``crm.lead.get``, ``add``, ``update``, ``delete`` against the vendor's pages (reference: bitrix24 section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Clock, Portal
    from sandbox.conftest import Client

# The example of the page on crm.lead.get.
PAGE_LEAD: dict[str, Any] = {
    "ID": "123", "TITLE": "Lead #1591", "HONORIFIC": None, "NAME": "", "SECOND_NAME": None, "LAST_NAME": None,
    "COMPANY_TITLE": None, "COMPANY_ID": None, "CONTACT_ID": None, "IS_RETURN_CUSTOMER": "N", "BIRTHDATE": "",
    "SOURCE_ID": "1", "SOURCE_DESCRIPTION": None, "STATUS_ID": "IN_PROCESS", "STATUS_DESCRIPTION": None, "POST": None,
    "COMMENTS": None, "CURRENCY_ID": "EUR", "OPPORTUNITY": "0.00", "IS_MANUAL_OPPORTUNITY": "N", "HAS_PHONE": "N",
    "HAS_EMAIL": "N", "HAS_IMOL": "N", "ASSIGNED_BY_ID": "1", "CREATED_BY_ID": "1", "MODIFY_BY_ID": "1",
    "DATE_CREATE": "2024-05-23T18:18:25+02:00", "DATE_MODIFY": "2024-05-23T18:18:25+02:00", "DATE_CLOSED": "",
    "STATUS_SEMANTIC_ID": "P", "OPENED": "Y", "ORIGINATOR_ID": None, "ORIGIN_ID": None, "MOVED_BY_ID": "1",
    "MOVED_TIME": "2024-05-23T18:18:25+02:00", "ADDRESS": None, "ADDRESS_2": None, "ADDRESS_CITY": None,
    "ADDRESS_POSTAL_CODE": None, "ADDRESS_REGION": None, "ADDRESS_PROVINCE": None, "ADDRESS_COUNTRY": None,
    "ADDRESS_COUNTRY_CODE": None, "ADDRESS_LOC_ADDR_ID": None, "UTM_SOURCE": None, "UTM_MEDIUM": None,
    "UTM_CAMPAIGN": None, "UTM_CONTENT": None, "UTM_TERM": None, "LAST_ACTIVITY_BY": "1",
    "LAST_ACTIVITY_TIME": "2024-05-23T18:18:25+02:00",
    "PHONE": [{"ID": "11658", "VALUE_TYPE": "OTHER", "VALUE": "+15454777777", "TYPE_ID": "PHONE"}],
    "IM": [{"ID": "11660", "VALUE_TYPE": "OPENLINE", "VALUE": "imol|livechat|1|67|21", "TYPE_ID": "IM"}],
}  # fmt: skip

# The request of the page on crm.lead.add.
PAGE_ADD: dict[str, Any] = {
    "fields": {
        "TITLE": "IP Titov", "NAME": "Gleb", "SECOND_NAME": "Egorovich", "LAST_NAME": "Titov", "STATUS_ID": "NEW",
        "OPENED": "Y", "ASSIGNED_BY_ID": 1, "CURRENCY_ID": "USD", "OPPORTUNITY": 12500,
        "PHONE": [{"VALUE": "555888", "VALUE_TYPE": "WORK"}],
        "WEB": [{"VALUE": "www.mysite.com", "VALUE_TYPE": "WORK"}],
    },
    "params": {"REGISTER_SONET_EVENT": "Y"},
}  # fmt: skip


def test_get_answers_in_the_shape_of_the_page(client: Client, portal: Portal) -> None:
    id_ = portal.add_lead(
        {
            "STATUS_ID": "IN_PROCESS",
            "SOURCE_ID": "1",
            "CURRENCY_ID": "EUR",
            "NAME": "",
            "PHONE": [{"VALUE": "+15454777777", "VALUE_TYPE": "OTHER"}],
            "IM": [{"VALUE": "imol|livechat|1|67|21", "VALUE_TYPE": "OPENLINE"}],
        },
        id=12_300,
    )
    status, answer = client.post("crm.lead.get", {"ID": id_})
    lead = answer["result"]
    assert status == 200
    assert [name for name in lead if not name.startswith("UF_")] == list(PAGE_LEAD)
    same = {"NAME", "OPPORTUNITY", "BIRTHDATE", "DATE_CLOSED", "STATUS_ID", "STATUS_SEMANTIC_ID", "IS_RETURN_CUSTOMER"}
    assert {name: lead[name] for name in same} == {name: PAGE_LEAD[name] for name in same}
    assert [set(entry) for entry in lead["PHONE"] + lead["IM"]] == [{"ID", "VALUE_TYPE", "VALUE", "TYPE_ID"}] * 2
    assert lead["HAS_IMOL"] == "Y"
    assert all(
        value is None or isinstance(value, str)
        for name, value in lead.items()
        if name in PAGE_LEAD and name.isupper() and name not in {"PHONE", "IM"}
    )


@pytest.mark.parametrize("params", [{}, {"id": 0}, {"id": -3}, {"id": "abc"}, {"id": ""}, {"id": [1]}, {"id": "1.5"}])
def test_get_refuses_what_is_no_id(client: Client, params: dict[str, Any]) -> None:
    refusal = {"error": "", "error_description": "ID is not defined or invalid."}
    assert client.post("crm.lead.get", params) == (400, refusal)


def test_get_tells_missing_from_forbidden(client: Client, portal: Portal) -> None:
    first = portal.store.ids[0]
    portal.hide_lead(first)
    assert client.post("crm.lead.get", {"id": 10**17}) == (400, {"error": "", "error_description": "Not found"})
    assert client.post("crm.lead.get", {"id": first}) == (400, {"error": "", "error_description": "Access denied."})
    answer = client.batch({"a": f"crm.lead.get?id={first}", "b": "crm.lead.get?id=99999999", "c": "crm.lead.get"})
    texts = [error["error_description"] for error in answer["result_error"].values()]
    assert texts == ["Access denied.", "Not found", "ID is not defined or invalid."]
    assert answer["result"] == []


def test_add_of_the_page(client: Client, portal: Portal) -> None:
    id_ = client.result("crm.lead.add", PAGE_ADD)
    assert isinstance(id_, int)
    lead = portal.lead(id_)
    assert (lead["TITLE"], lead["OPPORTUNITY"], lead["CURRENCY_ID"]) == ("IP Titov", "12500.00", "USD")
    assert lead["DATE_CREATE"] == lead["DATE_MODIFY"] == lead["MOVED_TIME"] == "2026-11-21T12:00:00+03:00"
    assert [(p["VALUE"], p["VALUE_TYPE"]) for p in lead["PHONE"]] == [("555888", "WORK")]
    assert (lead["HAS_PHONE"], lead["HAS_EMAIL"], lead["WEB"][0]["VALUE"]) == ("Y", "N", "www.mysite.com")
    found = client.result("crm.lead.list", {"filter": {"PHONE": "555888"}, "select": ["ID", "TITLE"]})
    assert found == [{"ID": str(id_), "TITLE": "IP Titov"}]


def test_add_ignores_what_cannot_be_and_marks_repeat_leads(client: Client, portal: Portal) -> None:
    fields = {"NO_SUCH": 1, "STATUS_ID": "NOPE", "OPPORTUNITY": "much", "IS_RETURN_CUSTOMER": "Y", "ID": 5}
    lead = portal.lead(client.result("crm.lead.add", {"fields": fields}))
    assert (lead["STATUS_ID"], lead["OPPORTUNITY"], lead["IS_RETURN_CUSTOMER"]) == ("NEW", "0.00", "N")
    assert "NO_SUCH" not in lead
    linked = portal.lead(client.result("crm.lead.add", {"fields": {"CONTACT_ID": 12}}))
    assert (linked["IS_RETURN_CUSTOMER"], linked["CONTACT_ID"]) == ("Y", "12")


def test_update_changes_only_what_it_names(client: Client, portal: Portal, clock: Clock) -> None:
    id_ = portal.add_lead({"TITLE": "Before", "COMMENTS": "stays"})
    clock.advance(61.7)
    assert client.result("crm.lead.update", {"id": id_, "fields": {"TITLE": "После"}}) is True
    lead = portal.lead(id_)
    assert (lead["TITLE"], lead["COMMENTS"]) == ("После", "stays")
    assert (lead["DATE_CREATE"], lead["DATE_MODIFY"]) == ("2026-11-21T12:00:00+03:00", "2026-11-21T12:01:01+03:00")
    clock.advance(60)
    assert client.result("crm.lead.update", {"id": id_, "fields": {"TITLE": "После", "STATUS_ID": "NOPE"}}) is True
    assert portal.lead(id_)["DATE_MODIFY"] == "2026-11-21T12:01:01+03:00"
    assert client.post("crm.lead.update", {"id": 10**9})[1]["error_description"] == "Not found"


def test_values_of_multifields_are_changed_deleted_and_added(client: Client, portal: Portal) -> None:
    id_ = portal.add_lead({"PHONE": [{"VALUE": "1"}, {"VALUE": "2"}, {"VALUE": "3"}], "IM": [{"VALUE": "x"}]})
    first, second, third = (entry["ID"] for entry in portal.lead(id_)["PHONE"])
    assert portal.lead(id_)["IM"][0]["VALUE_TYPE"] == "OTHER"
    edits = [
        {"ID": first, "VALUE": "1b", "VALUE_TYPE": "HOME"},
        {"ID": second, "DELETE": "Y"},
        {"ID": third, "VALUE": ""},
        {"VALUE": "4", "VALUE_TYPE": "MOBILE"},
    ]
    client.result("crm.lead.update", {"id": id_, "fields": {"PHONE": edits}})
    phones = portal.lead(id_)["PHONE"]
    assert [(p["VALUE"], p["VALUE_TYPE"]) for p in phones] == [("1b", "HOME"), ("4", "MOBILE")]
    assert int(phones[0]["ID"]) == int(first) < int(phones[1]["ID"])
    gone = [{"ID": entry["ID"], "DELETE": "Y"} for entry in phones]
    client.result("crm.lead.update", {"id": id_, "fields": {"PHONE": gone}})
    assert "PHONE" not in portal.lead(id_)
    assert portal.lead(id_)["HAS_PHONE"] == "N"


def test_delete(client: Client, portal: Portal) -> None:
    id_ = portal.store.ids[5]
    assert client.result("crm.lead.delete", {"id": id_}) is True
    assert client.post("crm.lead.delete", {"id": id_}) == (400, {"error": "", "error_description": "Not found"})
    assert id_ not in {int(lead["ID"]) for lead in portal.leads()}
    assert all(row["OWNER_ID"] != id_ for row in portal.stage_history())


def test_contacts_and_products_do_not_move_the_date(client: Client, portal: Portal, clock: Clock) -> None:
    id_ = portal.add_lead()
    before = portal.lead(id_)
    clock.advance(100)
    portal.set_contacts(id_, [21, 22])
    portal.set_productrows(id_, [("Стол", 1500.5, 2)])
    assert portal.lead(id_) == before
    contacts = client.result("crm.lead.contact.items.get", {"id": id_})
    assert contacts[0] == {"CONTACT_ID": 21, "SORT": 10, "ROLE_ID": 0, "IS_PRIMARY": "Y"}
    assert contacts[1]["IS_PRIMARY"] == "N"
    (row,) = client.result("crm.lead.productrows.get", {"id": id_})
    assert (row["OWNER_ID"], row["OWNER_TYPE"], row["PRICE_ACCOUNT"]) == (str(id_), "L", "1500.50000000")
    assert client.post("crm.lead.productrows.get")[1]["error_description"].startswith("The parameter id is invalid")
    assert client.post("crm.lead.contact.items.get", {"id": 10**9})[1]["error"] == "NOT_FOUND"


def test_fields_describe_every_column(client: Client, portal: Portal) -> None:
    fields = client.result("crm.lead.fields")
    lead = portal.leads()[0]
    assert lead.keys() <= fields.keys()
    assert fields["ID"]["isReadOnly"]
    assert (fields["STATUS_ID"]["type"], fields["STATUS_ID"]["statusType"]) == ("crm_status", "STATUS")
    assert fields["PHONE"]["type"] == "crm_multifield"
    assert fields["PHONE"]["isMultiple"]
    assert fields["CONTACT_ID"]["isDeprecated"]
    assert fields["UF_CRM_1724077760"]["isDynamic"]
    assert fields["UF_CRM_1724077760"]["items"][0] == {"ID": "51", "VALUE": "Windows"}
