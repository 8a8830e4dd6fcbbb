"""Who is refused: tokens, unpaid and blocked accounts, rights, unknown paths, too many requests."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from leadhouse.sandbox.kommo import Limits

if TYPE_CHECKING:
    import urllib3

    from leadhouse.sandbox.kommo import Account, Clock
    from sandbox.kommo.conftest import Client


def test_a_token_is_needed(client: Client, account: Account, http: urllib3.PoolManager) -> None:
    refusal = {
        "title": "Unauthorized", "type": "https://httpstatus.es/401", "status": 401,
        "detail": "Invalid user name or password",
    }  # fmt: skip
    for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": f"Basic {account.token}"}):
        answer = http.request("GET", f"{client.url}/api/v4/account", headers=headers)
        assert (answer.status, answer.json()) == (401, refusal)
        assert answer.headers["Content-Type"] == "application/problem+json"
    account.switches.token_expired = True
    assert client.raw("account").status == 401


def test_every_answer_is_dated_by_the_account_s_clock(client: Client, clock: Clock) -> None:
    clock.set("2030-02-03T04:05:06+00:00")
    for path, status in (("account", 200), ("leads/1", 204), ("nothing", 404)):
        answer = client.raw(path)
        assert answer.status == status
        assert answer.headers.getlist("Date") == ["Sun, 03 Feb 2030 04:05:06 GMT"]
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == clock.second()
        assert len(answer.headers["X-Request-Id"]) == 32


def test_an_unpaid_and_a_blocked_account_answer_nothing_else(client: Client, account: Account) -> None:
    account.switches.account_unpaid = True
    answer = client.raw("leads")
    assert (answer.status, answer.json()["detail"]) == (402, "Payment required")
    account.switches.blocked_403 = True
    for path in ("leads", "account", "nothing"):
        answer = client.raw(path)
        assert (answer.status, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
        assert b"403 Forbidden" in answer.data
    account.unblock()
    account.switches.account_unpaid = False
    assert client.raw("leads").status == 200


def test_a_token_of_no_administrator_sees_fewer_leads_and_no_users(client: Client, account: Account) -> None:
    account.switches.non_admin = True
    answer = client.raw("users")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert answer.json()["detail"] == "Client doesn't have the required scope"
    seen = client.ids("leads?limit=250&order[id]=asc")
    assert 0 < len(seen) < 180
    assert seen == [lead["id"] for lead in account.leads()]
    assert len(seen) == len(account)
    account.switches.non_admin = False
    hidden = next(lead["id"] for lead in account.leads() if lead["id"] not in seen)
    assert client.get(f"leads/{hidden}") is not None
    account.switches.non_admin = True
    assert client.get(f"leads/{hidden}") is None
    assert client.ids("leads?limit=250&order[id]=asc") == seen


@pytest.mark.parametrize("path", ["nothing", "leads/custom_fields/x", "leads/1/2", "leads/first"])
def test_unknown_paths(client: Client, path: str) -> None:
    answer = client.raw(f"{path}?a=1")
    assert (answer.status, answer.json()["detail"]) == (404, f"Cannot GET {client.url}/api/v4/{path}?a=1")


def test_wrong_verbs(client: Client) -> None:
    answers = [client.raw("leads", "DELETE"), client.raw("users", "POST"), client.raw("leads/5", "POST")]
    assert [answer.status for answer in answers] == [405] * 3
    assert answers[0].headers["Content-Type"] == "application/problem+json"


def test_the_eighth_request_of_a_second_is_told_to_wait(client: Client, account: Account) -> None:
    account.limits = Limits(retry_after=300)
    statuses = [client.raw("account").status for _ in range(7)]
    answer = client.raw("account")
    assert statuses == [200] * 7
    assert (answer.status, answer.headers["Content-Type"]) == (429, "application/problem+json")
    assert answer.json() == {
        "title": "Too Many Requests", "type": "https://httpstatus.es/429", "status": 429,
        "detail": "You have sent too many requests in a given amount of time. Please try again later.",
        "retry_after": 300,
    }  # fmt: skip
    assert "Retry-After" not in answer.headers
    account.unblock()
    assert client.raw("account").status == 200


def test_shapes_of_429(client: Client, account: Account) -> None:
    account.limits = Limits(requests_per_second=0, retry_after=12)
    account.switches.retry_after = "header"
    answer = client.raw("account")
    assert (answer.headers["Retry-After"], "retry_after" in answer.json()) == ("12", False)
    account.switches.body_429 = "html"
    answer = client.raw("account")
    assert (answer.status, answer.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert answer.headers["Retry-After"] == "12"
    account.switches.retry_after = "none"
    assert "Retry-After" not in client.raw("account").headers
    account.switches.body_429 = "json"
    assert "retry_after" not in client.raw("account").json()


def test_who_does_not_listen_is_blocked_until_support_helps(client: Client, account: Account) -> None:
    account.limits = Limits(requests_per_second=1, retry_after=300, block_after=3)
    statuses = [client.raw("account").status for _ in range(6)]
    assert statuses == [200, 429, 429, 429, 403, 403]
    account.limits = None
    assert client.raw("leads").status == 403
    assert client.raw(f"{client.url}/oauth2/access_token", "POST", json={}).status == 403
    account.unblock()
    assert client.raw("leads").status == 200


def test_requests_are_counted(client: Client, account: Account) -> None:
    first, second = (lead["id"] for lead in account.leads()[:2])
    for path in ("leads?page=1&filter[id][]=1&filter[id][]=2", f"leads/{first}", f"leads/{second}", "nothing"):
        client.raw(path)
    account.faults.add("error_500")
    client.raw("leads")
    assert account.http_requests == 5
    assert account.requests == {"/api/v4/leads": 1, "/api/v4/leads/{id}": 2}
    assert list(account.log) == [
        ("/api/v4/leads", {"page": "1", "filter[id][]": "2"}),
        (f"/api/v4/leads/{first}", {}),
        (f"/api/v4/leads/{second}", {}),
    ]
    assert account.busy_seconds > 0
