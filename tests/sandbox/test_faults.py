"""Faults on demand: each kind shows on the wire as it should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import urllib3

from leadhouse.sandbox.bitrix24 import KINDS, Faults

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Portal
    from sandbox.conftest import Client

LIST = {"order": {"ID": "ASC"}, "select": ["ID"], "start": -1}


def test_refusals_before_anything_ran(client: Client, portal: Portal) -> None:
    portal.faults.add("rate_limited", times=2)
    portal.faults.add("error_500")
    portal.faults.add("html_502")
    statuses = [client.raw("crm.lead.list", json=LIST).status for _ in range(5)]
    assert statuses == [503, 503, 500, 502, 200]
    assert portal.commands["crm.lead.list"] == 1
    assert portal.faults.fired() == 4


def test_spoiled_answers(client: Client, portal: Portal) -> None:
    whole = client.raw("crm.lead.list", json=LIST).data
    for kind in ("html_200", "truncated_json", "empty_body", "wrong_content_type"):
        portal.faults.add(kind)
    html, cut, empty, mistyped = (client.raw("crm.lead.list", json=LIST) for _ in range(4))
    assert (html.status, html.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert html.data.startswith(b"<html>")
    assert len(cut.data) < len(whole)
    with pytest.raises(json.JSONDecodeError):
        cut.json()
    assert (empty.status, empty.data) == (200, b"")
    assert mistyped.headers["Content-Type"].startswith("text/html")
    assert len(mistyped.json()["result"]) == 50


def test_a_reset_in_the_middle_of_the_body(client: Client, portal: Portal) -> None:
    portal.faults.add("reset")
    with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionResetError)):
        client.raw("crm.lead.list", json=LIST)
    assert len(client.raw("crm.lead.list", json=LIST).json()["result"]) == 50


def test_a_stall_outlasts_the_caller(client: Client, portal: Portal) -> None:
    portal.faults.add("stall", seconds=60)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.raw("crm.lead.list", json=LIST, timeout=0.1)
    assert client.raw("crm.lead.list", json=LIST).status == 200


def test_a_redirect_to_another_portal(client: Client, portal: Portal) -> None:
    portal.faults.add("redirect", to="http://127.0.0.1:9/rest/1/new-code/")
    portal.faults.add("redirect", to="http://127.0.0.1:9")
    first, second = client.raw("crm.lead.list", json=LIST), client.raw("crm.lead.list?start=-1", json=LIST)
    assert (first.status, first.headers["Location"]) == (302, "http://127.0.0.1:9/rest/1/new-code/crm.lead.list")
    expected = "http://127.0.0.1:9/rest/1/sandbox-secret-code/crm.lead.list?start=-1"
    assert second.headers["Location"] == expected


def test_errors_of_one_s_own(client: Client, portal: Portal) -> None:
    portal.faults.add("error", code=0, status=400, description="Zero")
    portal.faults.add("error", code="", status=400)
    portal.faults.add("error", code="PORTAL_DELETED", status=403, description="Portal was deleted")
    assert client.post("crm.lead.list") == (400, {"error": 0, "error_description": "Zero"})
    assert client.post("crm.lead.list") == (400, {"error": "", "error_description": "Not found"})
    assert client.post("crm.lead.list")[0] == 403
    portal.faults.add("error", match="batch", code="expired_token", status=401)
    assert client.post("batch", {"cmd": {"a": "server.time"}})[0] == 401


def test_one_command_of_a_batch(client: Client, portal: Portal) -> None:
    commands = {f"c{number}": "crm.lead.list?start=-1&select[]=ID" for number in range(4)}
    portal.faults.add("command_error", match="crm.lead.list", after=1, code="ERROR_CORE", description="x")
    portal.faults.add("operating_blocked", match="crm.lead.list", after=2)
    answer = client.batch(commands)
    assert list(answer["result"]) == ["c0", "c3"]
    assert [error["error"] for error in answer["result_error"].values()] == ["ERROR_CORE", "OPERATION_TIME_LIMIT"]
    portal.faults.clear()
    portal.faults.add("command_missing", after=2)
    answer = client.batch(commands)
    assert list(answer["result"]) == ["c0", "c1", "c3"]
    assert answer["result_error"] == []
    portal.faults.add("batch_cut", keep=2)
    assert list(client.batch(commands)["result"]) == ["c0", "c1"]
    portal.faults.add("command_error")
    assert client.post("crm.lead.list")[0] == 200
    portal.faults.add("operating_blocked", match="batch")
    assert client.post("batch", {"cmd": commands})[0] == 429


def test_pages_that_lie(client: Client, portal: Portal) -> None:
    ids = [str(id_) for id_ in portal.store.ids]

    def page(**more: object) -> list[str]:
        return [row["ID"] for row in client.result("crm.lead.list", LIST | more)]

    portal.faults.add("short_page", keep=7)
    assert page() == ids[:7]
    portal.faults.add("unordered_page")
    assert page() == ids[49::-1]
    page()
    portal.faults.add("repeated_page")
    assert page(filter={">ID": ids[49]}) == ids[:50]
    portal.faults.add("filter_ignored")
    assert page(filter={">ID": ids[49]}) == ids[:50]
    portal.faults.add("start_ignored")
    assert page(start=50) == ids[:50]
    portal.faults.add("wrong_total", total=3)
    assert client.post("crm.lead.list", {"start": 0})[1]["total"] == 3


def test_faults_strike_when_they_are_told_to() -> None:
    faults = Faults()
    fault = faults.add("error_500", times=2, match="crm.lead.LIST", after=1, every=2)
    struck = [bool(faults.take(("request",), "crm.lead.list")) for _ in range(8)]
    assert struck == [False, False, True, False, True, False, False, False]
    assert faults.take(("request",), "batch") is None
    assert fault.fired == 2
    with pytest.raises(ValueError, match="Known: rate_limited"):
        faults.add("earthquake")


def test_mixes_repeat_by_seed() -> None:
    def run(seed: int) -> list[str | None]:
        faults = Faults()
        faults.mix(seed, 0.3, ["rate_limited", "error_500", "reset"])
        return [fault.kind if (fault := faults.take(("request", "body"), "batch")) else None for _ in range(300)]

    assert run(1) == run(1) != run(2)
    assert {None, "rate_limited", "error_500", "reset"} == set(run(1))
    assert 40 < sum(kind is not None for kind in run(1)) < 140


def test_every_kind_is_known_to_the_portal(client: Client, portal: Portal) -> None:
    for kind in KINDS:
        if kind in {"stall", "reset"}:
            continue
        portal.faults.clear()
        fault = portal.faults.add(kind, times=None, to="http://127.0.0.1:9/", match=None)
        client.raw("batch", json={"cmd": {"a": "crm.lead.list", "b": "crm.lead.list"}})
        assert fault.fired, kind
