"""Throttling: the leaky bucket and the operating budget (reference: bitrix24 section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadhouse.sandbox.bitrix24 import Limits

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Clock, Portal
    from sandbox.conftest import Client


def test_a_burst_fills_the_bucket(client: Client, portal: Portal) -> None:
    portal.limits = Limits(drain=0.001, burst=3)
    answers = [client.post("server.time") for _ in range(6)]
    assert [status for status, _ in answers] == [200, 200, 200, 200, 503, 503]
    assert answers[-1][1] == {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
    assert portal.commands["server.time"] == 4
    portal.limits.drain = 1e9
    assert client.post("server.time")[0] == 200


def test_a_method_is_blocked_once_its_budget_is_spent(client: Client, portal: Portal, clock: Clock) -> None:
    portal.limits = Limits(drain=1e9, operating_limit=10, operating_seconds_per_page=6)
    _, first = client.post("crm.lead.list")
    assert first["time"]["operating"] == 6
    assert first["time"]["operating_reset_at"] == int(clock.timestamp()) + 600
    clock.advance(120)
    assert client.post("crm.lead.list")[1]["time"]["operating"] == 12
    refusal = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked due to operation time limit"}
    assert client.post("crm.lead.list") == (429, refusal)
    answer = client.batch({"a": "crm.lead.list", "b": "crm.lead.fields"})
    assert answer["result_error"] == {"a": refusal}
    assert list(answer["result"]) == ["b"]
    clock.advance(480)
    assert client.post("crm.lead.list")[1]["time"]["operating"] == 12


def test_a_batch_can_be_billed_as_such(client: Client, portal: Portal) -> None:
    portal.limits = Limits(drain=1e9, operating_limit=10, operating_seconds_per_page=6, bill_batch=True)
    answer = client.batch({"a": "crm.lead.list", "b": "crm.lead.list", "c": "crm.lead.list"})
    assert list(answer["result"]) == ["a", "b"]
    assert answer["result_error"]["c"]["error"] == "OPERATION_TIME_LIMIT"
    assert client.post("batch", {"cmd": {"a": "server.time"}})[0] == 429
    assert client.post("crm.lead.list")[0] == 200


def test_latency(client: Client, portal: Portal) -> None:
    portal.latency = 0.05
    client.result("server.time")
    assert portal.busy_seconds < 0.05
