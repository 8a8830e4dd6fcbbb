"""Faults on demand: each kind shows on the wire as it should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import urllib3

from leadhouse.sandbox.kommo import KINDS

if TYPE_CHECKING:
    from leadhouse.sandbox.kommo import Account
    from sandbox.kommo.conftest import Client


def test_refusals_before_anything_ran(client: Client, account: Account) -> None:
    expected = {
        "rate_limited": 429, "error_500": 500, "error_504": 504, "html_502": 502, "bare_403": 403, "forbidden": 403,
    }  # fmt: skip
    for kind in expected:
        account.faults.add(kind)
    answers = {kind: client.raw("leads") for kind in expected}
    assert {kind: answer.status for kind, answer in answers.items()} == expected
    assert client.raw("leads").status == 200
    assert account.requests["/api/v4/leads"] == 1
    assert answers["rate_limited"].json()["retry_after"] == 1
    assert answers["error_500"].json()["title"] == "ErrInternalServer"
    assert answers["forbidden"].json()["detail"] == "Client doesn't have the required scope"
    for kind in ("error_504", "html_502", "bare_403"):
        assert answers[kind].headers["Content-Type"].startswith("text/html")


def test_a_429_on_demand_has_the_shape_of_the_account_s(client: Client, account: Account) -> None:
    account.faults.add("rate_limited", retry_after=7)
    account.switches.body_429, account.switches.retry_after = "html", "header"
    answer = client.raw("leads")
    assert (answer.status, answer.headers["Retry-After"], answer.data[:6]) == (429, "7", b"<html>")


def test_faults_strike_by_path(client: Client, account: Account) -> None:
    lead = account.leads()[0]["id"]
    account.faults.add("error_500", match="/api/v4/leads/{id}")
    account.faults.add("error_504", match="/api/v4/contacts", after=1)
    statuses = [client.raw(path).status for path in ("leads", f"leads/{lead}", f"leads/{lead}", "contacts", "contacts")]
    assert statuses == [200, 500, 200, 200, 504]


def test_spoiled_answers(client: Client, account: Account) -> None:
    whole = client.raw("leads").data
    for kind in ("html_200", "truncated_json", "empty_body", "wrong_content_type"):
        account.faults.add(kind)
    html, cut, empty, mistyped = (client.raw("leads") for _ in range(4))
    assert (html.status, html.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert len(cut.data) < len(whole)
    with pytest.raises(json.JSONDecodeError):
        cut.json()
    assert (empty.status, empty.data) == (200, b"")
    assert mistyped.headers["Content-Type"].startswith("text/html")
    assert mistyped.data == whole


def test_a_reset_in_the_middle_of_the_body(client: Client, account: Account) -> None:
    account.faults.add("reset")
    with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionResetError)):
        client.raw("leads")
    assert client.raw("leads").status == 200


def test_a_stall_outlasts_the_caller(client: Client, account: Account) -> None:
    account.faults.add("stall", seconds=60)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.raw("leads", timeout=0.1)
    assert client.raw("leads").status == 200


def test_redirects_to_this_and_another_host(client: Client, account: Account) -> None:
    account.faults.add("redirect", to="http://127.0.0.1:9")
    account.faults.add("redirect", to=client.url)
    away, back = client.raw("leads?page=2"), client.raw("leads?page=2")
    assert (away.status, away.headers["Location"]) == (302, "http://127.0.0.1:9/api/v4/leads?page=2")
    assert client.raw(back.headers["Location"]).json()["_page"] == 2


def test_a_next_link_to_another_host(client: Client, account: Account) -> None:
    account.faults.add("foreign_next", match="/api/v4/leads")
    account.faults.add("foreign_next", to="http://127.0.0.1:9")
    first, second, third = (client.get("leads")["_links"]["next"]["href"] for _ in range(3))
    assert first == "https://elsewhere.example.net/api/v4/leads?page=2&limit=50"
    assert second == "http://127.0.0.1:9/api/v4/leads?page=2&limit=50"
    assert third == f"{client.url}/api/v4/leads?page=2&limit=50"


def test_lists_that_go_wrong(client: Client, account: Account) -> None:
    ids = client.ids("leads?limit=250")
    none = "leads?limit=250&filter[id]=1"
    account.faults.add("filter_ignored")
    assert [client.ids(none), client.ids(none)] == [ids, []]
    account.faults.add("repeated_page", after=1)
    pages = [client.get(f"leads?page={page}") for page in (1, 2, 2)]
    assert [page["_page"] for page in pages] == [1, 2, 2]
    found = [[row["id"] for row in page["_embedded"]["leads"]] for page in pages]
    assert found == [ids[:50], ids[:50], ids[50:100]]
    account.faults.add("wrong_order")
    assert client.ids("leads?limit=250&order[id]=asc") == sorted(ids, reverse=True)
    account.faults.add("filter_ignored", match="/api/v4/events")
    assert client.ids("events?filter[type]=nothing")


def test_faults_of_the_token_endpoint(client: Client, account: Account, http: urllib3.PoolManager) -> None:
    sent = {**account.oauth.authorise(), "grant_type": "refresh_token"}
    account.faults.add("reset", match="/oauth2/access_token", keep=0)
    with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionResetError)):
        http.request("POST", f"{client.url}/oauth2/access_token", json=sent, retries=False)
    assert account.oauth.renewals == 1
    account.faults.add("html_502", match="/oauth2/access_token")
    statuses = [http.request("POST", f"{client.url}/oauth2/access_token", json=sent).status for _ in range(2)]
    assert statuses == [502, 200]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"stall", "redirect"}))
def test_every_kind_strikes_and_passes(client: Client, account: Account, kind: str) -> None:
    fault = account.faults.add(kind, match="/api/v4/leads")
    ids = client.ids("leads?page=3&order[id]=asc") if kind in KINDS and KINDS[kind] == "command" else None
    if ids is None:
        try:
            client.raw("leads?page=3&order[id]=asc")
        except urllib3.exceptions.ProtocolError:
            assert kind == "reset"
    assert fault.fired == 1
    truth = [lead["id"] for lead in account.leads()]
    assert client.ids("leads?page=3&order[id]=asc") == truth[100:150]


def test_faults_of_other_sandboxes_are_unknown(account: Account) -> None:
    with pytest.raises(ValueError, match="Unknown fault 'batch_cut'"):
        account.faults.add("batch_cut")
