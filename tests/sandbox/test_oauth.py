"""Access of an application to the sandbox portal: tokens, their renewal and their end."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from leadhouse.sandbox.bitrix24 import Portal, Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3

    from leadhouse.sandbox.bitrix24 import Clock

SELECT = ["*", "UF_*", "PHONE", "EMAIL", "WEB", "IM", "LINK"]


@pytest.fixture
def served(portal: Portal, http: urllib3.PoolManager) -> Iterator[Sandbox]:
    with serve(portal) as sandbox:
        yield sandbox
        http.clear()


def _renew(http: urllib3.PoolManager, served: Sandbox, verb: str = "POST", **form: str) -> tuple[int, Any]:
    fields = {"grant_type": "refresh_token", **form}
    if verb == "GET":
        answer = http.request("GET", f"{served.oauth_server}?{urlencode(fields)}")
    else:
        answer = http.request("POST", served.oauth_server, fields=fields, encode_multipart=False)
    return answer.status, answer.json()


def _endpoint(served: Sandbox) -> str:
    return served.url.partition("/rest/")[0] + "/rest/"


def _call(http: urllib3.PoolManager, told: dict[str, Any], method: str, **params: Any) -> tuple[int, Any]:
    body = {"auth": told["access_token"], **params}
    answer = http.request("POST", told["client_endpoint"] + method, json=body)
    return answer.status, answer.json()


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_refresh_token_gives_a_pair_once(
    portal: Portal, served: Sandbox, http: urllib3.PoolManager, verb: str
) -> None:
    first = portal.oauth.authorise()
    status, told = _renew(http, served, verb, **first)
    assert (status, told["expires_in"], portal.oauth.renewals) == (200, 3600, 1)
    assert told["client_endpoint"] == _endpoint(served)
    assert told["refresh_token"] != first["refresh_token"]
    assert _renew(http, served, verb, **first)[1]["error"] == "invalid_grant"
    assert _renew(http, served, verb, **first | {"refresh_token": told["refresh_token"]})[0] == 200


def test_a_token_lets_in_wherever_it_stands(portal: Portal, served: Sandbox, http: urllib3.PoolManager) -> None:
    _, told = _renew(http, served, **portal.oauth.authorise())
    token, method = told["access_token"], told["client_endpoint"] + "crm.lead.get?id=1"
    answers = [
        http.request("GET", f"{method}&auth={token}"),
        http.request("GET", f"{method}&access_token={token}"),
        http.request("POST", method, fields={"auth": token}, encode_multipart=False),
        http.request("POST", method, json={"auth": token}),
        http.request("GET", method, headers={"Authorization": f"Bearer {token}"}),
    ]
    assert [answer.json()["result"]["ID"] for answer in answers] == ["1"] * 5
    assert token not in str(list(portal.log))


@pytest.mark.parametrize("end", ["an hour", "at once"])
def test_an_access_token_ends(
    portal: Portal, served: Sandbox, http: urllib3.PoolManager, clock: Clock, end: str
) -> None:
    _, told = _renew(http, served, **portal.oauth.authorise())
    clock.advance(3599)
    assert _call(http, told, "server.time")[0] == 200
    clock.advance(1) if end == "an hour" else portal.oauth.expire()
    status, answer = _call(http, told, "server.time")
    assert (status, answer["error"]) == (401, "expired_token")


def test_an_unknown_token_and_none_are_no_authorisation(served: Sandbox, http: urllib3.PoolManager) -> None:
    endpoint = _endpoint(served)
    told = {"client_endpoint": endpoint, "access_token": "unknown"}
    assert _call(http, told, "server.time")[1]["error"] == "NO_AUTH_FOUND"
    assert http.request("POST", endpoint + "server.time").json()["error"] == "NO_AUTH_FOUND"


def test_renewals_are_refused_by_their_cause(portal: Portal, served: Sandbox, http: urllib3.PoolManager) -> None:
    first = portal.oauth.authorise()
    assert _renew(http, served, **first, grant_type="password")[1]["error"] == "invalid_request"
    assert _renew(http, served, **first | {"client_secret": "wrong"})[1]["error"] == "invalid_client"
    portal.oauth.unpaid = True
    assert _renew(http, served, **first)[1]["error"] == "PAYMENT_REQUIRED"
    portal.oauth.unpaid = False
    portal.faults.add("error_500", match="oauth.token")
    portal.faults.add("error", match="oauth.token", code="invalid_scope")
    assert _renew(http, served, **first)[0] == 500
    assert _renew(http, served, **first)[1]["error"] == "invalid_scope"
    portal.oauth.revoke()
    assert _renew(http, served, **first)[1]["error"] == "invalid_grant"


def test_another_process_authorises_and_expires(served: Sandbox, http: urllib3.PoolManager) -> None:
    first = http.request("POST", served.control + "oauth", json={"authorise": True}).json()
    _, told = _renew(http, served, **first)
    assert _call(http, told, "server.time")[0] == 200
    assert http.request("POST", served.control + "oauth", json={"expire": True}).json() == {"renewals": 1}
    assert _call(http, told, "server.time")[0] == 401


def test_the_vendors_sdk_renews_an_expired_token_and_reads_on(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    b24pysdk: Any = importlib.import_module("b24pysdk")  # untyped
    requester: Any = importlib.import_module("b24pysdk.api.requesters.bitrix_oauth_requester")
    portal = Portal(leads=120, seed=8, clock=clock)
    with serve(portal, tls=True) as served:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(served.certificate))
        monkeypatch.setattr(requester.BitrixOAuthRequester, "_OAUTH_TOKEN_URL", served.oauth_server)
        first = portal.oauth.authorise()
        app = b24pysdk.BitrixApp(client_id=first["client_id"], client_secret=first["client_secret"])
        told = app.refresh_oauth_token(first["refresh_token"])
        token = b24pysdk.BitrixToken(
            domain=f"127.0.0.1:{served.port}",
            auth_token=told.oauth_token.access_token,
            refresh_token=told.oauth_token.refresh_token,
            bitrix_app=app,
        )
        client = b24pysdk.Client(token)
        portal.oauth.expire()
        assert client.crm.lead.fields().result == portal.lead_fields()
        assert portal.oauth.renewals == 2
        assert list(client.crm.lead.list(select=SELECT).as_list().result) == portal.leads()
