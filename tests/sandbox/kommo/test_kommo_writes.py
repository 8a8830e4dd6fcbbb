"""Leads written over HTTP: what is answered, what is stored, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadhouse.sandbox.kommo import Account, Clock
    from sandbox.kommo.conftest import Client


def test_leads_are_created_in_an_array(client: Client, account: Account, clock: Clock) -> None:
    rows = [{"name": "One", "price": 5, "request_id": "a"}, {}]
    answer = client.raw("leads", "POST", json=rows)
    assert answer.status == 200
    items = answer.json()["_embedded"]["leads"]
    assert [item["request_id"] for item in items] == ["a", "1"]
    first, second = (account.lead(item["id"]) for item in items)
    assert (first["name"], first["price"], first["created_at"]) == ("One", 5, clock.second())
    assert (second["status_id"], second["pipeline_id"]) == (61_200_341, 7_100_901)


def test_leads_are_edited_one_by_one_or_together(client: Client, account: Account, clock: Clock) -> None:
    one, two = (lead["id"] for lead in account.leads()[:2])
    clock.advance(11)
    answer = client.raw("leads", "PATCH", json=[{"id": one, "price": 8}, {"id": two, "updated_at": 1_700_000_000}])
    items = answer.json()["_embedded"]["leads"]
    assert [(item["id"], item["updated_at"]) for item in items] == [(one, clock.second()), (two, 1_700_000_000)]
    answer = client.raw(f"leads/{one}", "PATCH", json={"name": "Renamed"})
    assert (answer.status, answer.json()["id"]) == (200, one)
    assert (account.lead(one)["name"], account.lead(one)["price"]) == ("Renamed", 8)


def test_a_complex_lead_brings_its_contact_and_company(client: Client, account: Account) -> None:
    row = {
        "name": "Complex",
        "_embedded": {"contacts": [{"first_name": "Ida", "name": "Ida"}], "companies": [{"name": "Acme"}]},
    }
    [item] = client.raw("leads/complex", "POST", json=[row]).json()
    assert (item["request_id"], item["merged"]) == (["0"], False)
    embedded = account.lead(item["id"])["_embedded"]
    assert embedded["contacts"][0]["id"] == item["contact_id"]
    assert account.contact(item["contact_id"])["first_name"] == "Ida"
    assert account.company(item["company_id"])["name"] == "Acme"


def test_wrong_values_are_told_by_path_and_nothing_is_written_of_them(client: Client, account: Account) -> None:
    answer = client.raw("leads", "POST", json=[{"status_id": "won"}, {"colour": 1}])
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    body = answer.json()
    assert (body["detail"], body["status"]) == ("Request validation failed", 400)
    assert body["validation-errors"] == [
        {"request_id": "0", "errors": [
            {"code": "InvalidType", "path": "status_id", "detail": "This value should be of type int."}]},
        {"request_id": "1", "errors": [
            {"code": "FieldNotExpected", "path": "colour", "detail": "This field was not expected."}]},
    ]  # fmt: skip
    assert len(account) == 180
    assert client.raw("leads/1", "PATCH", json={"name": "None"}).status == 400


def test_bodies_that_are_none(client: Client) -> None:
    empty = client.raw("leads", "POST")
    assert (empty.status, empty.json()["detail"]) == (400, "Request data can not be empty")
    statuses = [
        client.raw("leads", "POST", body="{").status,
        client.raw("leads", "PATCH", json={"id": 1}).status,
        client.raw("leads", "POST", json=[]).status,
        client.raw("leads/1", "PATCH", json=[]).status,
        client.raw("leads", "POST", json=[{}] * 251).status,
    ]
    assert statuses == [400, 400, 400, 400, 422]
