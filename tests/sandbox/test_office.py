"""Dictionaries, users, stage history (reference: bitrix24 section 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Clock, Portal
    from sandbox.conftest import Client


def test_statuses(client: Client, portal: Portal) -> None:
    _, answer = client.post("crm.status.list", {"filter": {"ENTITY_ID": "STATUS"}, "order": {"SORT": "ASC"}})
    stages = {row["STATUS_ID"]: row for row in answer["result"]}
    assert answer["total"] == len(stages) >= 8
    assert stages["NEW"] == {
        "ID": "101", "ENTITY_ID": "STATUS", "STATUS_ID": "NEW", "NAME": "New", "NAME_INIT": "New", "SORT": "10",
        "SYSTEM": "Y", "CATEGORY_ID": None, "COLOR": "#39A8EF", "SEMANTICS": None,
        "EXTRA": {"SEMANTICS": "process", "COLOR": "#39A8EF"},
    }  # fmt: skip
    assert [stages[name]["SEMANTICS"] for name in ("JUNK", "CONVERTED", "IN_PROCESS")] == ["F", "S", None]
    whole = client.result("crm.status.list")
    assert {"STATUS", "SOURCE", "HONORIFIC"} <= {row["ENTITY_ID"] for row in whole}
    assert all("EXTRA" not in row for row in whole if row["ENTITY_ID"] == "SOURCE")
    status, refusal = client.post("crm.status.list", {"filter": {"ENTITY_ID": ["STATUS"]}})
    assert (status, refusal["error_description"]) == (400, "Filter by ENTITY_ID must be a string")
    portal.rename_status("STATUS", "NEW", "Neu ✨")
    renamed = client.result("crm.status.list", {"filter": {"STATUS_ID": "NEW"}})
    assert [row["NAME"] for row in renamed] == ["Neu ✨"]


def test_users_include_dismissed_ones_and_miss_bots(client: Client, portal: Portal) -> None:
    users = client.result("user.get")
    assert users == portal.users()
    assert {user["ACTIVE"] for user in users} == {True, False}
    assert users[0]["TIMESTAMP_X"] == {}
    active = client.result("user.get", {"FILTER": {"ACTIVE": True}})
    assert len(active) < len(users)
    known = {user["ID"] for user in users}
    assigned = {lead["ASSIGNED_BY_ID"] for lead in portal.leads()}
    assert assigned - known
    for number in range(60):
        portal.add_user(f"User {number}", active=number % 2 == 0)
    _, first = client.post("user.get")
    assert (len(first["result"]), first["total"], first["next"]) == (50, 72, 50)
    _, second = client.post("user.get", {"start": 50})
    assert len(second["result"]) == 22
    assert "next" not in second
    assert client.result("user.current")["ID"] == "1"
    assert client.result("profile")["ID"] == "1"


def test_currencies_and_mode(client: Client) -> None:
    _, answer = client.post("crm.currency.list", {"order": {"CURRENCY": "ASC"}})
    assert answer["total"] == 0
    assert [row["CURRENCY"] for row in answer["result"]] == ["EUR", "JPY", "KZT", "RUB", "USD"]
    assert [row["CURRENCY"] for row in answer["result"] if row["BASE"] == "Y"] == ["RUB"]
    assert client.result("crm.settings.mode.get") == 1


def test_stage_history_is_appended_and_goes_with_its_lead(client: Client, portal: Portal, clock: Clock) -> None:
    truth = portal.stage_history()
    rows = []
    last = 0
    while page := client.result(
        "crm.stagehistory.list", {"entityTypeId": 1, "filter": {">ID": last}, "order": {"ID": "ASC"}, "start": -1}
    )["items"]:
        rows += page
        last = page[-1]["ID"]
    assert rows == truth
    assert len({row["OWNER_ID"] for row in truth}) == 180
    assert [row["CREATED_TIME"] for row in truth] == sorted(row["CREATED_TIME"] for row in truth)
    id_ = portal.add_lead()
    for stage in ("IN_PROCESS", "JUNK", "NEW"):
        clock.advance(60)
        portal.update_lead(id_, {"STATUS_ID": stage})
    mine = {"entityTypeId": 1, "filter": {"OWNER_ID": id_}, "order": {"ID": "ASC"}}
    events = client.result("crm.stagehistory.list", mine)["items"]
    assert [(e["TYPE_ID"], e["STATUS_ID"], e["STATUS_SEMANTIC_ID"]) for e in events] == [
        (1, "NEW", "P"), (2, "IN_PROCESS", "P"), (3, "JUNK", "F"), (2, "NEW", "P"),
    ]  # fmt: skip
    assert events[2]["CREATED_TIME"] == "2026-11-21T12:02:00+03:00"
    portal.delete_lead(id_)
    assert client.post("crm.stagehistory.list", mine)[1]["total"] == 0
    _, counted = client.post("crm.stagehistory.list", {"entityTypeId": 1})
    assert (counted["total"], counted["next"], len(counted["result"]["items"])) == (len(truth), 50, 50)
    assert client.post("crm.stagehistory.list", {})[1]["error"] == 100
    wrong = client.post("crm.stagehistory.list", {"entityTypeId": 1, "filter": {"id": 1}})[1]
    assert wrong["error"] == "INVALID_ARG_VALUE"
