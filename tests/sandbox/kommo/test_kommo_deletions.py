"""Deleted, restored, purged, merged and hidden leads, and the events they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.kommo.conftest import EVERYTHING, Client

if TYPE_CHECKING:
    from leadhouse.sandbox.kommo import Account, Clock


def _events(client: Client, query: str) -> list[tuple[str, int]]:
    return [(event["type"], event["entity_id"]) for event in client.all(f"events?limit=250&{query}")]


def test_a_deleted_lead_is_shown_by_only_deleted_with_hardly_anything_left(
    client: Client, account: Account, clock: Clock
) -> None:
    assert client.get("leads?with=only_deleted") is None
    id_ = account.leads()[5]["id"]
    keys = account.lead(id_).keys()
    clock.advance(100)
    account.delete_lead(id_)
    assert client.get(f"leads/{id_}") is None
    assert id_ not in client.ids("leads?limit=250")
    [row] = client.get(f"leads?with=only_deleted,{EVERYTHING}")["_embedded"]["leads"]
    assert row.keys() == keys
    told = {name: value for name, value in row.items() if value is not None and name not in {"_links", "_embedded"}}
    assert told == {"id": id_, "updated_at": clock.second(), "updated_by": account.user_id, "is_deleted": True}
    assert client.get(f"leads/{id_}?with={EVERYTHING},only_deleted") == account.deleted()[0]
    assert client.get(f"leads/{account.leads()[0]['id']}?with=only_deleted") is None
    with pytest.raises(KeyError):
        account.lead(id_)
    assert len(account) == 179


def test_deleted_leads_are_paged_and_filtered_or_not(client: Client, account: Account, clock: Clock) -> None:
    ids = [lead["id"] for lead in account.leads()[:12]]
    for id_ in ids:
        clock.advance(1)
        account.delete_lead(id_)
    pages = list(client.walk("leads?with=only_deleted&limit=5"))
    assert [row["id"] for page in pages for row in page["_embedded"]["leads"]] == ids
    recent = f"leads?with=only_deleted&filter[updated_at][from]={clock.second() - 1}&order[updated_at]=desc"
    assert client.ids(recent) == [ids[11], ids[10]]
    account.switches.only_deleted_filtered = False
    assert client.ids(recent) == ids


def test_a_restored_lead_has_its_id_and_values_again(client: Client, account: Account, clock: Clock) -> None:
    before = account.lead(next(lead["id"] for lead in account.leads() if len(lead["_embedded"]["contacts"]) > 1))
    gone = before["_embedded"]["contacts"][0]["id"]
    account.delete_lead(before["id"])
    account.delete_contact(gone)
    clock.advance(50)
    account.restore_lead(before["id"])
    after = client.get(f"leads/{before['id']}?with={EVERYTHING}")
    assert (after["updated_at"], after["name"], after["created_at"]) == (
        clock.second(), before["name"], before["created_at"],
    )  # fmt: skip
    contacts = after["_embedded"]["contacts"]
    assert gone not in [contact["id"] for contact in contacts]
    assert [contact["is_main"] for contact in contacts].count(True) == 1
    assert account.deleted() == []


def test_a_restored_lead_may_keep_its_time_of_update(client: Client, account: Account) -> None:
    account.switches.restore_touches = False
    before = account.leads()[0]
    account.delete_lead(before["id"])
    account.restore_lead(before["id"])
    assert client.get(f"leads/{before['id']}")["updated_at"] == before["updated_at"]


def test_a_purged_lead_is_gone_for_good(client: Client, account: Account) -> None:
    first, second = (lead["id"] for lead in account.leads()[:2])
    account.delete_lead(first)
    account.purge_lead(first)
    account.purge_lead(second)
    assert client.get("leads?with=only_deleted") is None
    assert client.get(f"leads/{second}?with=only_deleted") is None
    with pytest.raises(KeyError):
        account.restore_lead(second)
    assert {("lead_deleted", first), ("lead_deleted", second)} <= set(_events(client, "filter[type]=lead_deleted"))


def test_a_merge_keeps_the_winner_with_tags_and_contacts_of_both(
    client: Client, account: Account, clock: Clock
) -> None:
    contacts = [account.add_contact({"name": name}) for name in ("One", "Two", "Three")]
    winner = account.add_lead(
        {"tags_to_add": [{"name": "web"}], "_embedded": {"contacts": [{"id": contacts[0]}, {"id": contacts[1]}]}}
    )
    loser = account.add_lead(
        {"tags_to_add": [{"name": "new"}], "_embedded": {"contacts": [{"id": contacts[2]}, {"id": contacts[1]}]}}
    )
    clock.advance(9)
    account.merge_leads(winner, loser)
    assert client.get(f"leads/{loser}") is client.get(f"leads/{loser}?with=only_deleted") is None
    found = client.get(f"leads/{winner}?with=contacts")
    assert found["updated_at"] == clock.second()
    assert [tag["name"] for tag in found["_embedded"]["tags"]] == ["web", "new"]
    linked = {contact["id"]: contact["is_main"] for contact in found["_embedded"]["contacts"]}
    assert linked == {contacts[0]: True, contacts[1]: False, contacts[2]: False}
    assert _events(client, "filter[type]=entity_merged,lead_deleted") == [("entity_merged", winner)]
    assert account.contact(contacts[2])["_embedded"]["leads"][0]["id"] == winner


def test_the_events_of_a_merge_are_switches(client: Client, account: Account) -> None:
    winner, loser = (lead["id"] for lead in account.leads()[:2])
    account.switches.merge_event_on, account.switches.merge_emits_deleted = "loser", True
    account.merge_leads(winner, loser)
    found = _events(client, "filter[type][]=entity_merged&filter[type][]=lead_deleted")
    assert set(found) == {("entity_merged", loser), ("lead_deleted", loser)}


def test_hidden_leads_are_out_of_sight_until_they_are_revealed(client: Client, account: Account) -> None:
    ids = [lead["id"] for lead in account.leads()]
    account.hide_lead(*ids[:3])
    assert client.get(f"leads/{ids[0]}") is None
    assert sorted(client.ids("leads?limit=250")) == ids[3:] == [lead["id"] for lead in account.leads()]
    account.update_lead(ids[1], {"name": "Out of sight"})
    account.reveal_lead(*ids[:3])
    assert sorted(client.ids("leads?limit=250")) == ids
    assert client.get(f"leads/{ids[1]}")["name"] == "Out of sight"


def test_every_edit_leaves_events(client: Client, account: Account, clock: Clock) -> None:
    start = clock.second() + 10
    clock.set(start)
    field = next(row["id"] for row in account.custom_fields("leads") if row["type"] == "text")
    other = account.user_id + 2
    lead = account.add_lead({"name": "Old"})
    edit: dict[str, Any] = {
        "name": "New", "price": 5, "status_id": 142, "responsible_user_id": other, "tags_to_add": [{"name": "vip"}],
        "custom_fields_values": [{"field_id": field, "values": [{"value": "x"}]}],
    }  # fmt: skip
    account.update_lead(lead, edit, by=other)
    account.link_contact(lead, account.contacts()[0]["id"])
    account.update_lead(lead, {"tags_to_delete": [{"name": "vip"}]})
    account.delete_lead(lead)
    account.restore_lead(lead)
    found = client.all(f"events?filter[created_at][from]={start}&filter[entity]=lead&filter[entity_id]={lead}")
    assert {event["type"] for event in found} == {
        "lead_added", "name_field_changed", "sale_field_changed", "lead_status_changed", "entity_responsible_changed",
        "entity_tag_added", f"custom_field_{field}_value_changed", "entity_linked", "entity_tag_deleted",
        "lead_deleted", "lead_restored",
    }  # fmt: skip
    status = next(event for event in found if event["type"] == "lead_status_changed")
    assert (status["entity_id"], status["created_by"], status["created_at"]) == (lead, other, start)
    assert status["value_after"] == [{"lead_status": {"id": 142, "pipeline_id": 7_100_901}}]
    assert len(status["id"]) == 26
    assert len({event["id"] for event in found}) == len(found)
    deleted = next(event for event in found if event["type"] == "lead_deleted")
    assert deleted["value_before"] == deleted["value_after"] == []
    custom = client.all("events?filter[type]=custom_field_value_changed")
    assert [event["type"] for event in custom] == [f"custom_field_{field}_value_changed"]
    won = "filter[value_after][leads_statuses][0]"
    assert client.ids(f"events?{won}[pipeline_id]=7100901&{won}[status_id]=142") == [status["id"]]
    assert client.ids(f"events?filter[id]={status['id']}") == [status["id"]]


def test_events_in_a_window_by_page_order_and_author(client: Client, account: Account) -> None:
    truth = account.events()
    assert [event["created_at"] for event in truth] == sorted(event["created_at"] for event in truth)
    assert client.ids("events?limit=250") == [event["id"] for event in reversed(truth)]
    account.switches.events_order = "asc"
    pages = list(client.walk("events?limit=50"))
    assert [event["id"] for page in pages for event in page["_embedded"]["events"]] == [event["id"] for event in truth]
    low, high = truth[50]["created_at"], truth[99]["created_at"]
    window = [event["id"] for event in truth if low <= event["created_at"] <= high]
    assert client.ids(f"events?limit=250&filter[created_at][from]={low}&filter[created_at][to]={high}") == window
    after = [event["id"] for event in truth if event["created_at"] > high]
    assert client.ids(f"events?limit=250&filter[created_at]={high}") == after
    account.switches.events_order = "mixed"
    mixed = client.ids("events?limit=250")
    assert mixed != sorted(mixed)
    assert set(mixed) == {event["id"] for event in truth}
    author = truth[0]["created_by"]
    mine = {event["id"] for event in truth if event["created_by"] == author}
    assert set(client.ids(f"events?limit=250&filter[created_by]={author}")) == mine


def test_limits_and_rules_of_events(client: Client, account: Account) -> None:
    account.switches.events_limit = 100
    assert len(client.ids("events?limit=250")) == 100
    assert client.raw("events?filter[entity_id]=5").status == 400
    many = "&".join(f"filter[created_by][]={number}" for number in range(11))
    assert client.raw(f"events?{many}").status == 400
    types = client.get("events/types")["_embedded"]["events_types"]
    assert {row["key"]: row["type"] for row in types}["lead_deleted"] == 7
    account.switches.events_forbidden = True
    assert [client.raw(path).status for path in ("events", "events/types")] == [403, 403]
    assert client.get("leads") is not None
