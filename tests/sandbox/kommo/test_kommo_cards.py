"""Cards as answers show them: with, links, encodings of every custom field, the account's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from leadhouse.sandbox.kommo import Account, serve
from sandbox.kommo.conftest import EVERYTHING, Client

if TYPE_CHECKING:
    import urllib3

    from leadhouse.sandbox.kommo import Clock

TYPES = {
    "text", "textarea", "url", "streetaddress", "tracking_data", "numeric", "monetary", "checkbox", "select",
    "radiobutton", "multiselect", "date", "date_time", "birthday", "smart_address", "legal_entity", "chained_list",
    "file",
}  # fmt: skip


def _value(card: dict[str, Any], field_id: int) -> Any:
    return next(entry["values"] for entry in card["custom_fields_values"] if entry["field_id"] == field_id)


def test_a_list_and_single_leads_tell_the_truth(client: Client, account: Account) -> None:
    truth = account.leads()
    listed = client.all(f"leads?limit=250&order[id]=asc&with={EVERYTHING}")
    assert [{**row, "_links": None} for row in listed] == [{**row, "_links": None} for row in truth]
    assert [client.get(f"leads/{lead['id']}?with={EVERYTHING}") for lead in truth[:20]] == truth[:20]
    assert len(truth) == len(account) == 180


def test_contacts_and_companies_tell_the_truth(client: Client, account: Account) -> None:
    contact, company = account.contacts()[3], account.companies()[3]
    everything = "leads,contacts,catalog_elements,customers"
    assert client.get(f"contacts/{contact['id']}?with={everything}") == contact == account.contact(contact["id"])
    assert client.get(f"companies/{company['id']}?with={everything}") == company == account.company(company["id"])
    assert set(client.get(f"contacts/{contact['id']}")["_embedded"]) == {"tags", "companies"}
    assert contact["_embedded"]["leads"]
    assert client.get("contacts/1") is None


def test_only_what_was_asked_for_is_embedded(client: Client, account: Account) -> None:
    id_ = account.leads()[0]["id"]
    plain = client.get(f"leads/{id_}?with=nonsense")
    assert set(plain["_embedded"]) == {"tags", "companies"}
    assert {"source_id", "is_price_modified_by_robot"}.isdisjoint(plain)
    for name in ("contacts", "catalog_elements", "loss_reason", "source"):
        assert set(client.get(f"leads/{id_}?with={name}")["_embedded"]) == {"tags", "companies", name}
    assert {"source_id", "is_price_modified_by_robot"} <= client.get(
        f"leads/{id_}?with[]=source_id&with[]=is_price_modified_by_robot"
    ).keys()


def test_unknown_ids_answer_204_and_words_404(client: Client) -> None:
    assert client.get("leads/1") is None
    assert client.raw("leads/first").status == 404


def test_self_links_of_listed_cards_carry_the_query(client: Client, account: Account) -> None:
    row = client.get("leads?limit=2")["_embedded"]["leads"][0]
    assert row["_links"]["self"]["href"] == f"{client.url}/api/v4/leads/{row['id']}?limit=2&page=1"
    account.switches.query_in_self_links = False
    row = client.get("leads?limit=2")["_embedded"]["leads"][0]
    assert row["_links"]["self"]["href"] == f"{client.url}/api/v4/leads/{row['id']}"


def test_links_name_the_host_as_its_client_does(client: Client) -> None:
    answer = client.raw("leads?limit=1", headers={"Host": "acme-demo.kommo.example"})
    assert answer.json()["_links"]["next"]["href"].startswith("http://acme-demo.kommo.example/api/v4/leads?")


def test_invented_leads_have_values_of_every_type(client: Client, account: Account) -> None:
    entries = [entry for lead in client.all("leads?limit=250") for entry in lead["custom_fields_values"] or ()]
    assert {entry["field_type"] for entry in entries} == TYPES
    values = {entry["field_type"]: entry["values"][0] for entry in entries}
    assert values["checkbox"] == {"value": True}
    assert set(values["chained_list"]) == {"catalog_id", "catalog_element_id"}
    assert set(values["select"]) == {"value", "enum_id", "enum_code"}
    assert isinstance(values["numeric"]["value"], str)
    assert values["smart_address"]["enum_code"] == "address_line_1"
    assert {"file_uuid", "file_name", "file_size"} <= values["file"]["value"].keys()
    assert values["legal_entity"]["value"]["entity_type"] == 2
    assert all(type(values[kind]["value"]) is int for kind in ("date", "date_time", "birthday"))
    known = {row["id"] for row in account.custom_fields("leads")}
    assert {entry["field_id"] for entry in entries} <= known


def test_invented_leads_differ_as_real_ones_do(account: Account, clock: Clock) -> None:
    leads = account.leads()
    assert {len(lead["_embedded"]["contacts"]) for lead in leads} == {0, 1, 2, 3}
    assert {sum(contact["is_main"] for contact in lead["_embedded"]["contacts"]) for lead in leads} == {0, 1}
    assert len({lead["pipeline_id"] for lead in leads}) == 3
    assert {142, 143} < {lead["status_id"] for lead in leads}
    assert {lead["status_id"] for lead in leads if lead["loss_reason_id"]} == {143}
    assert all((lead["closed_at"] is None) == (lead["status_id"] not in {142, 143}) for lead in leads)
    assert any(lead["custom_fields_values"] is None for lead in leads)
    assert any(lead["_embedded"]["catalog_elements"] for lead in leads)
    assert any(tag["color"] for lead in leads for tag in lead["_embedded"]["tags"])
    assert any(lead["_embedded"]["source"] for lead in leads)
    start = clock.second() - 2 * 366 * 86_400
    assert all(start < lead["created_at"] <= lead["updated_at"] <= clock.second() for lead in leads)
    codes = {
        entry["field_code"] for row in account.contacts() for entry in row["custom_fields_values"] or ()
    }  # fmt: skip
    assert {"PHONE", "EMAIL", "IM"} <= codes


def test_the_same_seed_invents_the_same_account(account: Account, clock: Clock) -> None:
    assert Account(leads=180, seed=3, clock=clock).leads() == account.leads()
    assert Account(leads=180, seed=4, clock=clock).leads() != account.leads()


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/New_York", "Asia/Kathmandu"])
def test_days_are_midnights_of_the_account_s_zone(zone: str, clock: Clock, http: urllib3.PoolManager) -> None:
    account = Account(leads=60, timezone=zone, clock=clock)
    lead = account.add_lead({})
    day = int(datetime(2021, 10, 19, 15, 30, tzinfo=ZoneInfo(zone)).timestamp())
    midnight = int(datetime(2021, 10, 19, tzinfo=ZoneInfo(zone)).timestamp())
    fields = {row["type"]: row["id"] for row in account.custom_fields("leads")}
    given = [{"field_id": fields[kind], "values": [{"value": day}]} for kind in ("date", "birthday", "date_time")]
    account.update_lead(lead, {"custom_fields_values": given})
    with serve(account) as sandbox:
        client = Client(sandbox.url, http, account.token)
        found = client.get(f"leads/{lead}")
        assert _value(found, fields["date"]) == _value(found, fields["birthday"]) == [{"value": midnight}]
        assert _value(found, fields["date_time"]) == [{"value": day}]
        settings = client.get("account?with=datetime_settings")["_embedded"]["datetime_settings"]
        assert settings["timezone"] == zone
        http.clear()
    days = [
        datetime.fromtimestamp(entry["values"][0]["value"], ZoneInfo(zone)).time()
        for row in account.leads()
        for entry in row["custom_fields_values"] or ()
        if entry["field_type"] in {"date", "birthday"}
    ]
    assert set(map(str, days)) == {"00:00:00"}


def test_an_account_that_moves_to_another_zone_keeps_its_days(client: Client, account: Account) -> None:
    field = next(row["id"] for row in account.custom_fields("leads") if row["type"] == "date")
    lead = account.add_lead({"custom_fields_values": [{"field_id": field, "values": [{"value": "2026-03-01"}]}]})
    updated = account.lead(lead)["updated_at"]
    account.set_timezone("Asia/Tokyo")
    [item] = _value(client.get(f"leads/{lead}"), field)
    assert datetime.fromtimestamp(item["value"], UTC).isoformat() == "2026-02-28T15:00:00+00:00"
    assert account.lead(lead)["updated_at"] == updated


def test_encodings_by_switch(client: Client, account: Account) -> None:
    lost = next(lead for lead in account.leads() if lead["loss_reason_id"])
    path = f"leads/{lost['id']}?with=loss_reason"
    reason = client.get(path)["_embedded"]["loss_reason"]
    assert reason == [row for row in account.loss_reasons() if row["id"] == lost["loss_reason_id"]]
    account.switches.loss_reason = "object"
    assert client.get(path)["_embedded"]["loss_reason"] == {"id": reason[0]["id"], "name": reason[0]["name"]}

    empty = account.add_lead({})
    assert client.get(f"leads/{empty}")["custom_fields_values"] is None
    account.switches.cfv_empty = "list"
    assert client.get(f"leads/{empty}")["custom_fields_values"] == []

    priced = account.add_lead({"price": 200.75})
    assert "price_with_minor_units" not in client.get(f"leads/{priced}")
    account.switches.price_with_minor_units = "decimal"
    found = client.get(f"leads/{priced}")
    assert (found["price"], found["price_with_minor_units"]) == (200, 200.75)


def test_choices_and_days_by_switch(client: Client, account: Account) -> None:
    fields = {row["type"]: row["id"] for row in account.custom_fields("leads")}
    given = [
        {"field_id": fields["date"], "values": [{"value": "2026-07-01"}]},
        {"field_id": fields["date_time"], "values": [{"value": "2026-07-01T10:00:00+01:00"}]},
        {"field_id": fields["select"], "values": [{"value": "Leeds"}]},
    ]
    lead = account.add_lead({"custom_fields_values": given})
    account.switches.enum_key = "enum"
    found = client.get(f"leads/{lead}")
    assert set(_value(found, fields["select"])[0]) == {"value", "enum_id", "enum"}
    account.switches.dates = "day"
    found = client.get(f"leads/{lead}")
    assert _value(found, fields["date"]) == [{"value": "2026-07-01"}]
    assert _value(found, fields["date_time"]) == [{"value": 1_782_896_400}]
    account.switches.dates = "rfc3339"
    found = client.get(f"leads/{lead}")
    assert _value(found, fields["date"]) == [{"value": "2026-07-01T00:00:00+01:00"}]
    assert _value(found, fields["date_time"]) == [{"value": "2026-07-01T10:00:00+01:00"}]


def test_unknown_keys_and_types_can_appear(client: Client, account: Account) -> None:
    lead = account.leads()[0]["id"]
    account.distort_lead(lead, {"price": "12", "mood": {"value": [1]}})
    found = client.get(f"leads/{lead}?with={EVERYTHING}")
    assert (found["price"], found["mood"]) == ("12", {"value": [1]})
    assert found == account.lead(lead)
    field = account.add_custom_field("leads", "Scent", "odour")
    account.update_lead(lead, {"custom_fields_values": [{"field_id": field, "values": [{"value": {"notes": [1]}}]}]})
    assert _value(client.get(f"leads/{lead}"), field) == [{"value": {"notes": [1]}}]
