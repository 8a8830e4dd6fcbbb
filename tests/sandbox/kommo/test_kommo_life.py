"""Life on an account: edits move updated_at, and what happens during a scan."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leadhouse.sandbox.kommo import Account, Clock
    from sandbox.kommo.conftest import Client


def test_an_edit_moves_updated_at_to_the_clock_or_where_it_is_told(
    client: Client, account: Account, clock: Clock
) -> None:
    lead = account.leads()[0]["id"]
    clock.advance(5)
    account.update_lead(lead, {"name": "Now"})
    assert client.get(f"leads/{lead}")["updated_at"] == clock.second()
    account.update_lead(lead, {"name": "Then"}, by=410_022, at="2025-01-01T00:00:00+00:00")
    found = client.get(f"leads/{lead}")
    assert (found["updated_at"], found["updated_by"], found["name"]) == (1_735_689_600, 410_022, "Then")
    account.update_lead(lead, {"updated_at": 1_600_000_000})
    assert client.ids("leads?limit=1&order[updated_at]=asc") == [lead]


def test_stages_close_and_open_leads(account: Account, clock: Clock) -> None:
    lead = account.add_lead({"name": "Order", "price": 10})
    assert (account.lead(lead)["status_id"], account.lead(lead)["closed_at"]) == (61_200_341, None)
    account.update_lead(lead, {"status_id": 143, "loss_reason_id": 90_003})
    found = account.lead(lead)
    assert (found["closed_at"], found["loss_reason_id"]) == (clock.second(), 90_003)
    account.update_lead(lead, {"status_id": 142})
    assert account.lead(lead)["loss_reason_id"] is None
    account.update_lead(lead, {"status_id": 61_200_342})
    assert account.lead(lead)["closed_at"] is None
    account.update_lead(lead, {"pipeline_id": 7_100_902})
    assert account.lead(lead)["status_id"] == 61_200_361


def test_a_given_custom_field_is_replaced_whole_and_others_stay(account: Account) -> None:
    fields = {row["type"]: row["id"] for row in account.custom_fields("leads")}
    many, text = fields["multiselect"], fields["text"]
    lead = account.add_lead(
        {
            "custom_fields_values": [
                {"field_id": many, "values": [{"value": "Windows"}, {"value": "Doors"}]},
                {"field_id": text, "values": [{"value": "note"}]},
            ]
        }
    )
    account.update_lead(lead, {"custom_fields_values": [{"field_id": many, "values": [{"value": "Roof"}]}]})
    values = {entry["field_id"]: entry["values"] for entry in account.lead(lead)["custom_fields_values"]}
    assert [item["value"] for item in values[many]] == ["Roof"]
    assert values[text] == [{"value": "note"}]
    empty: list[dict[str, Any]] = [{"field_id": field, "values": None} for field in (many, text)]
    account.update_lead(lead, {"custom_fields_values": empty})
    assert account.lead(lead)["custom_fields_values"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"colour": "red"}, {"status_id": 5}, {"pipeline_id": 5}, {"loss_reason_id": 5}, {"name": 5}, {"price": "x"},
        {"_embedded": {"contacts": [{"id": 5}]}}, {"_embedded": {"notes": []}},
        {"custom_fields_values": [{"field_id": 5, "values": [{"value": 1}]}]},
        {"custom_fields_values": [{"field_id": 880_108, "values": [{"value": "Atlantis"}]}]},
        {"custom_fields_values": [{"field_id": 880_111, "values": [{"value": "tomorrow"}]}]},
        {"custom_fields_values": [{"field_id": 880_116, "values": [{"value": "x"}]}]},
        {"custom_fields_values": [{"field_id": 880_114, "values": [{"value": "x", "enum_code": "planet"}]}]},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(account: Account, fields: dict[str, Any]) -> None:
    before = account.leads()
    with pytest.raises(ValueError, match=":"):
        account.update_lead(before[0]["id"], fields)
    with pytest.raises(ValueError, match=":"):
        account.add_lead(fields)
    assert account.leads() == before


def test_a_contact_s_edit_moves_the_contact_only(client: Client, account: Account, clock: Clock) -> None:
    lead = next(lead for lead in account.leads() if lead["_embedded"]["contacts"])
    contact = lead["_embedded"]["contacts"][0]["id"]
    clock.advance(7)
    phones = [{"value": "+44 7700 900123", "enum_code": "MOB"}, {"value": "+44 7700 900124"}]
    account.update_contact(contact, {"custom_fields_values": [{"field_code": "PHONE", "values": phones}]})
    found = client.get(f"contacts/{contact}")
    assert found["updated_at"] == clock.second()
    [entry] = [entry for entry in found["custom_fields_values"] if entry["field_code"] == "PHONE"]
    assert [(item["value"], item["enum_code"]) for item in entry["values"]] == [
        ("+44 7700 900123", "MOB"), ("+44 7700 900124", "WORK"),
    ]  # fmt: skip
    assert account.lead(lead["id"]) == lead


def test_contacts_and_companies_go_without_touching_leads(client: Client, account: Account, clock: Clock) -> None:
    company = account.add_company({"name": "Acme"})
    contact = account.add_contact({"name": "Ida", "_embedded": {"companies": [{"id": company}]}})
    lead = account.add_lead({"_embedded": {"contacts": [{"id": contact}], "companies": [{"id": company}]}})
    updated = clock.second()
    found = client.get(f"companies/{company}?with=leads,contacts")["_embedded"]
    assert ([row["id"] for row in found["leads"]], [row["id"] for row in found["contacts"]]) == ([lead], [contact])
    clock.advance(60)
    account.update_company(company, {"name": "Acme & Co"})
    account.delete_company(company)
    account.delete_contact(contact)
    after = client.get(f"leads/{lead}?with=contacts")
    assert (after["updated_at"], after["_embedded"]["contacts"], after["_embedded"]["companies"]) == (updated, [], [])
    assert client.get(f"contacts/{contact}") is client.get(f"companies/{company}") is None
    assert {"contact_deleted", "company_deleted", "contact_added"} <= {event["type"] for event in account.events()}


def test_linking_a_contact_touches_the_lead_or_not(account: Account, clock: Clock) -> None:
    one, two = (account.add_contact({"name": name}) for name in ("One", "Two"))
    lead, added = account.add_lead({}), clock.second()
    clock.advance(3)
    account.switches.links_touch = False
    account.link_contact(lead, one)
    assert account.lead(lead)["updated_at"] == added
    account.switches.links_touch = True
    account.link_contact(lead, two, is_main=True)
    found = account.lead(lead)
    assert found["updated_at"] == added + 3
    mains = {contact["id"]: contact["is_main"] for contact in found["_embedded"]["contacts"]}
    assert mains == {one: False, two: True}
    with pytest.raises(ValueError, match="contacts"):
        account.link_contact(lead, 1)


def test_storms_and_imports(client: Client, account: Account, clock: Clock) -> None:
    imported = account.import_leads(5, at="2025-02-03T00:00:00+00:00")
    assert {account.lead(id_)["updated_at"] for id_ in imported} == {1_738_540_800}
    assert {event["created_at"] for event in account.events() if event["entity_id"] in imported} == {clock.second()}
    ids = account.invent_leads(300)
    clock.advance(30)
    account.storm(ids, {"price": 7})
    found = client.all(f"leads?limit=250&filter[updated_at][from]={clock.second()}&order[id]=asc")
    assert [row["id"] for row in found] == ids
    assert {(row["price"], row["updated_at"]) for row in found} == {(7, clock.second())}


def test_random_life_touches_what_it_says(account: Account, clock: Clock) -> None:
    before = {lead["id"]: lead for lead in account.leads()}
    contacts = {row["id"]: row for row in account.contacts()}
    clock.advance(60)
    changes = account.live(create=3, edit=4, delete=2, phone_add=2, phone_remove=2, stage=3, seed=5)
    after = {lead["id"]: lead for lead in account.leads()}
    assert [
        len(changes.created), len(changes.edited), len(changes.deleted), len(changes.phone_added),
        len(changes.phone_removed), len(changes.stage_moved), len(changes.contacts),
    ] == [3, 4, 2, 2, 2, 3, 4]  # fmt: skip
    assert after.keys() - before.keys() == set(changes.created)
    assert before.keys() - after.keys() == set(changes.deleted)
    touched = {id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]}
    assert touched == {*changes.edited, *changes.stage_moved}
    assert all(after[id_]["updated_at"] == clock.second() for id_ in touched)
    assert all(after[id_]["status_id"] != before[id_]["status_id"] for id_ in changes.stage_moved)
    assert {id_ for id_, row in contacts.items() if account.contact(id_) != row} >= set(changes.contacts)
    mains = {
        contact["id"]
        for id_ in [*changes.phone_added, *changes.phone_removed]
        for contact in before[id_]["_embedded"]["contacts"]
        if contact["is_main"]
    }
    assert mains == set(changes.contacts)


def test_life_is_repeatable_by_seed(account: Account, clock: Clock) -> None:
    counts = {"create": 2, "edit": 3, "delete": 1, "phone_add": 1, "phone_remove": 1, "stage": 2}
    twin = type(account)(leads=180, seed=3, clock=clock)
    assert twin.live(**counts, seed=9) == account.live(**counts, seed=9)
    assert twin.live(**counts) != account.live(**counts, seed=9)


def test_life_between_two_pages_shifts_rows_as_it_does_in_the_field(client: Client, account: Account) -> None:
    seen: list[str] = []

    def touch(path: str, params: dict[str, str], own: Account) -> None:
        seen.append(path)
        if params.get("page") == "2":
            first = own.leads()
            read = sorted((lead["updated_at"], lead["id"]) for lead in first)[:10]
            for _, id_ in read:
                own.update_lead(id_, {"name": "Read already"})

    account.before_request.append(touch)
    rows = client.all("leads?limit=50&order[updated_at]=asc")
    assert len({row["id"] for row in rows}) == 170
    account.before_request.clear()
    assert len({row["id"] for row in client.all("leads?limit=50&order[updated_at]=asc")}) == 180
    assert set(seen) == {"/api/v4/leads"}


def test_an_account_is_read_while_it_is_written(client: Client, account: Account) -> None:
    problems: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(40):
                account.live(create=1, edit=3, phone_add=1, stage=1, delete=1)
        except Exception as problem:  # noqa: BLE001 - told by the test
            problems.append(problem)

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        ids = client.ids("leads?limit=250&order[id]=asc&with=contacts,loss_reason")
        assert ids == sorted(set(ids))
        assert len(ids) in {180, 181}
    thread.join()
    assert problems == []
    assert client.ids("leads?limit=250&order[id]=asc") == [lead["id"] for lead in account.leads()]
