"""The token endpoint: JSON only, pairs that rotate, what becomes of old tokens."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from leadhouse.sandbox.kommo import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3

    from leadhouse.sandbox.kommo import Account, Clock


@dataclass
class Application:
    """An integration that asks the token endpoint."""

    account: Account
    http: urllib3.PoolManager
    url: str
    token_url: str

    def renew(self, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask for tokens; return status and answer."""
        answer = self.http.request("POST", self.token_url, json={"grant_type": "refresh_token", **sent})
        return answer.status, answer.json()

    def status(self, token: str) -> int:
        """Ask for the account with an access token."""
        answer = self.http.request("GET", f"{self.url}/api/v4/account", headers={"Authorization": f"Bearer {token}"})
        return answer.status


@pytest.fixture
def application(account: Account, http: urllib3.PoolManager) -> Iterator[Application]:
    with serve(account) as sandbox:
        assert sandbox.token_url == f"{sandbox.url}/oauth2/access_token"
        yield Application(account, http, sandbox.url, sandbox.token_url)
        http.clear()


def test_a_refresh_token_buys_a_pair_for_a_day(application: Application, clock: Clock) -> None:
    sent = application.account.oauth.authorise()
    assert set(sent) == {"client_id", "client_secret", "refresh_token", "redirect_uri"}
    status, pair = application.renew(sent)
    assert (status, pair["token_type"], pair["expires_in"], pair["server_time"]) == (
        200, "Bearer", 86_400, clock.second(),
    )  # fmt: skip
    assert application.status(pair["access_token"]) == 200
    clock.advance(86_401)
    assert application.status(pair["access_token"]) == 401
    _, fresh = application.renew({**sent, "refresh_token": pair["refresh_token"]})
    assert application.status(fresh["access_token"]) == 200
    application.account.oauth.expire()
    assert application.status(fresh["access_token"]) == 401
    assert application.account.oauth.renewals == 2


def test_an_access_token_names_its_account(application: Application) -> None:
    _, pair = application.renew(application.account.oauth.authorise())
    claims = pair["access_token"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert told["account_id"] == application.account.account_id


def test_an_old_token_is_good_until_the_new_one_is_used(application: Application) -> None:
    old = application.account.oauth.authorise()
    _, lost = application.renew(old)
    status, pair = application.renew(old)
    assert status == 200
    assert application.renew({**old, "refresh_token": pair["refresh_token"]})[0] == 200
    assert application.renew(old)[0] == 400
    assert application.renew({**old, "refresh_token": lost["refresh_token"]})[0] == 200


def test_an_old_token_can_be_dead_at_once(application: Application) -> None:
    application.account.switches.old_refresh = "dead"
    old = application.account.oauth.authorise()
    _, pair = application.renew(old)
    status, refusal = application.renew(old)
    assert (status, refusal["hint"], refusal["status"]) == (400, "Token has been revoked", 400)
    assert refusal["type"] == "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"
    assert application.renew({**old, "refresh_token": pair["refresh_token"]})[0] == 200


def test_revoked_and_three_months_old_tokens_are_refused(application: Application, clock: Clock) -> None:
    sent = application.account.oauth.authorise()
    application.account.oauth.revoke()
    application.account.switches.oauth_error_status = 401
    assert application.renew(sent)[0] == 401
    sent = application.account.oauth.authorise()
    clock.advance(93 * 86_400)
    assert application.renew(sent)[0] == 401


@pytest.mark.parametrize("name", ["client_id", "client_secret", "redirect_uri", "refresh_token", "grant_type"])
def test_a_wrong_parameter_is_refused_and_spends_nothing(application: Application, name: str) -> None:
    sent = application.account.oauth.authorise()
    status, refusal = application.renew({**sent, name: "wrong"})
    assert (status, "access_token" in refusal) == (400, False)
    assert application.renew(sent)[0] == 200


def test_only_posted_json_is_taken(application: Application) -> None:
    sent = {**application.account.oauth.authorise(), "grant_type": "refresh_token"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    http, url = application.http, application.token_url
    assert http.request("POST", url, body=urlencode(sent), headers=form).status == 400
    assert http.request("POST", url, body="{", headers={"Content-Type": "application/json"}).status == 400
    assert http.request("GET", url).status == 405
    assert application.account.oauth.renewals == 0


def test_an_authorization_code_is_good_once_and_for_twenty_minutes(application: Application, clock: Clock) -> None:
    oauth = application.account.oauth
    known = {name: value for name, value in oauth.authorise().items() if name != "refresh_token"}
    sent = {**known, "grant_type": "authorization_code", "code": oauth.code()}
    _, pair = application.renew(sent)
    assert application.status(pair["access_token"]) == 200
    assert application.renew(sent)[1]["hint"] == "Authorization code has been revoked"
    late = oauth.code()
    clock.advance(1_201)
    assert application.renew({**sent, "code": late})[1]["hint"] == "Authorization code has expired"
