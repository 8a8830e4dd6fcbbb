"""The account itself, users, pipelines, loss reasons, custom fields, tags and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leadhouse.sandbox.kommo import Account
    from sandbox.kommo.conftest import Client


def test_the_account(client: Client, account: Account) -> None:
    plain = client.get("account")
    assert (plain["id"], plain["subdomain"], plain["current_user_id"]) == (33_000_123, "acme-demo", account.user_id)
    assert plain["is_loss_reason_enabled"] is True
    assert {"_embedded", "is_api_filter_enabled", "version"}.isdisjoint(plain)
    more = client.get("account?with=datetime_settings,is_api_filter_enabled,users_groups,task_types,version")
    assert more["is_api_filter_enabled"] is True
    assert more["_embedded"]["datetime_settings"] == {
        "date_pattern": "d.m.Y H:i", "short_date_pattern": "d.m.Y", "short_time_pattern": "H:i",
        "date_formant": "d.m.Y", "time_format": "H:i:s", "timezone": "Europe/London", "timezone_offset": "+00:00",
    }  # fmt: skip
    account.set_timezone("America/St_Johns")
    settings = client.get("account?with=datetime_settings")["_embedded"]["datetime_settings"]
    assert (settings["timezone"], settings["timezone_offset"]) == ("America/St_Johns", "-03:30")


def test_users_with_roles_and_groups(client: Client, account: Account) -> None:
    page = client.get("users?limit=2")
    assert (page["_total_items"], page["_page"], page["_page_count"]) == (5, 1, 3)
    assert set(page["_links"]) == {"self", "next", "last"}
    assert client.all("users?limit=2") == account.users()
    new = account.add_user("Anna Ward", "anna@example.org")
    assert client.get(f"users/{new}")["email"] == "anna@example.org"
    rich = client.get(f"users/{new}?with=role,group,uuid,phone_number")
    assert rich["_embedded"]["groups"] == [{"id": 0, "name": "Sales"}]
    assert rich["_embedded"]["roles"][0]["id"] == rich["rights"]["role_id"]
    assert {"uuid", "phone_number"} <= rich.keys()
    account.remove_user(new)
    assert client.get(f"users/{new}") is None
    assert {lead["responsible_user_id"] for lead in account.leads()} - {row["id"] for row in account.users()}


def test_pipelines_and_statuses(client: Client, account: Account) -> None:
    answer = client.get("leads/pipelines")
    assert answer["_total_items"] == 3
    assert answer["_embedded"]["pipelines"] == account.pipelines()
    first = account.pipelines()[0]
    statuses = first["_embedded"]["statuses"]
    assert client.get(f"leads/pipelines/{first['id']}") == first
    assert client.get(f"leads/pipelines/{first['id']}/statuses")["_embedded"]["statuses"] == statuses
    assert client.get(f"leads/pipelines/{first['id']}/statuses/142") == statuses[-2]
    sorts = {(row["id"], status["id"]): status["sort"] for row in account.pipelines() for status in _statuses(row)}
    assert all((sorts[row["id"], 142], sorts[row["id"], 143]) == (10_000, 11_000) for row in account.pipelines())
    assert [status["type"] for status in statuses].count(1) == 1
    assert client.raw("leads/pipelines/5").json()["detail"] == "Pipeline not found"
    assert client.raw("leads/pipelines/5/statuses").status == 404
    described = client.get(f"leads/pipelines/{first['id']}/statuses?with=descriptions")
    assert all(status["descriptions"] == [] for status in described["_embedded"]["statuses"])


def _statuses(pipeline: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pipeline["_embedded"]["statuses"]
    return found


def test_stages_are_renamed_and_added_without_touching_leads(client: Client, account: Account) -> None:
    leads = account.leads()
    account.rename_stage(7_100_902, 142, "Shipped")
    new = account.add_stage(7_100_902, "Packing")
    names = {
        (row["id"], status["id"]): status["name"]
        for row in client.get("leads/pipelines")["_embedded"]["pipelines"]
        for status in _statuses(row)
    }
    assert (names[7_100_902, 142], names[7_100_901, 142]) == ("Shipped", "Closed - won")
    assert names[7_100_902, new] == "Packing"
    assert account.leads() == leads
    lead = account.add_lead({"status_id": new})
    assert account.lead(lead)["pipeline_id"] == 7_100_902


def test_loss_reasons(client: Client, account: Account) -> None:
    answer = client.get("leads/loss_reasons")
    assert answer["_embedded"]["loss_reasons"] == account.loss_reasons()
    assert answer["_total_items"] == 4
    assert client.get("leads/loss_reasons/90002") == account.loss_reasons()[1]
    refused = client.raw("leads/loss_reasons/5")
    assert (refused.status, refused.json()["detail"]) == (404, "Loss reason not found")


@pytest.mark.parametrize("entity", ["leads", "contacts", "companies"])
def test_custom_fields(client: Client, account: Account, entity: str) -> None:
    truth = account.custom_fields(entity)
    assert client.all(f"{entity}/custom_fields?limit=4") == truth
    page = client.get(f"{entity}/custom_fields?limit=250")
    assert (page["_total_items"], page["_page_count"]) == (len(truth), 1)
    assert client.get(f"{entity}/custom_fields/{truth[0]['id']}") == truth[0]
    assert client.get(f"{entity}/custom_fields/1") is None
    reverse = [row["id"] for row in reversed(truth)]
    assert client.ids(f"{entity}/custom_fields?limit=250&order[id]=desc") == reverse
    new = account.add_custom_field(entity, "Size", "select", code="SIZE", enums=("S", "M"))
    found = client.get(f"{entity}/custom_fields/{new}")
    assert ([enum["value"] for enum in found["enums"]], found["code"]) == (["S", "M"], "SIZE")
    assert new in client.ids(f"{entity}/custom_fields?limit=250&filter[type][]=select&filter[type][]=text")


def test_groups_of_custom_fields_are_texts_or_numbers(client: Client, account: Account) -> None:
    coded = next(row["id"] for row in account.custom_fields("leads") if row["code"])
    assert isinstance(client.get(f"leads/custom_fields/{coded}")["group_id"], str)
    account.switches.field_group = "number"
    assert isinstance(client.get(f"leads/custom_fields/{coded}")["group_id"], int)


def test_tags(client: Client, account: Account) -> None:
    account.add_lead({"tags_to_add": [{"name": "fresh"}]})
    rows = client.all("leads/tags?limit=2")
    assert [row["name"] for row in rows] == ["web", "Срочно", "vip ⭐", "repeat", "a,b;c", "fresh"]
    assert rows[1]["color"] == "FF8F92"


def test_links_of_a_lead(client: Client, account: Account) -> None:
    one, two = (account.add_contact({"name": name}) for name in ("One", "Two"))
    company = account.add_company({"name": "Acme"})
    element = {"id": 300_001, "metadata": {"quantity": 2, "catalog_id": 5_077}}
    lead = account.add_lead(
        {
            "_embedded": {
                "contacts": [{"id": one}, {"id": two, "is_main": True}],
                "companies": [{"id": company}],
                "catalog_elements": [element],
            }
        }
    )
    links = client.get(f"leads/{lead}/links")["_embedded"]["links"]
    assert [(row["to_entity_type"], row["to_entity_id"], row["metadata"]) for row in links] == [
        ("contacts", one, {"main_contact": False}), ("contacts", two, {"main_contact": True}),
        ("companies", company, None), ("catalog_elements", 300_001, element["metadata"]),
    ]  # fmt: skip
    chosen = client.get(f"leads/{lead}/links?filter[to_entity_type]=contacts&filter[to_entity_id]={two}")
    assert [row["to_entity_id"] for row in chosen["_embedded"]["links"]] == [two]
    assert client.get(f"leads/{account.add_lead({})}/links") is client.get("leads/1/links") is None
