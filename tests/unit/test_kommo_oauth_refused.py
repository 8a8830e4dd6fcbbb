"""An integration's access to a Kommo account that is played over sockets: answers lost, renewals refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leadhouse import redact as redacting
from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    PortalBlockedError,
    PortalBusyError,
    PortalFaultError,
    PortalUnreachableError,
    TransientError,
)
from leadhouse.kommo.access import Application
from leadhouse.kommo.client import KommoClient, Limits
from leadhouse.kommo.oauth import HINTS, OTHER
from leadhouse.pace import Pause
from leadhouse.token_chain import ATTEMPTS
from unit.played_account import (
    APPLICATION,
    CUT,
    RESET,
    UNAUTHORISED,
    Asked,
    Issuer,
    PlayedAccount,
    Told,
    html,
    page,
    played,
    problem,
)
from unit.scripted import Clock


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_secrets", set())


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def account(issuer: Issuer) -> Iterator[PlayedAccount]:
    with played() as account:
        account.api, account.tokens = [issuer.api], [issuer.tokens]
        yield account


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(account: PlayedAccount, clock: Clock) -> Iterator[Callable[..., KommoClient]]:
    """Opens clients of the integration."""
    clients = []

    def open_it(application: Application = APPLICATION, pause: Pause | None = None) -> KommoClient:
        clients.append(KommoClient(account.url, application, limits=Limits(1e9), pause=pause or clock.pause()))
        return clients[-1]

    yield open_it
    for client in clients:
        client.close()


Opened = Callable[..., KommoClient]


def the_file(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "dlt" / "tokens").glob("*.json")
    return found


def stored(tmp_path: Path) -> Any:
    return json.loads(the_file(tmp_path).read_text())


def spent(account: PlayedAccount) -> list[str]:
    return [form["refresh_token"] for form in account.forms]


def failure(client: KommoClient) -> LeadhouseError:
    with pytest.raises(LeadhouseError) as caught:
        client.get("account")
    assert caught.value.__context__ is None
    for secret in ("of-the-person", "of-a-day", "key-of"):
        assert secret not in f"{caught.value} {caught.value!r}"
    return caught.value


PASSING: dict[str, Told] = {
    "a reset": RESET,
    "an answer that breaks off": CUT,
    "HTML": html(200, "Maintenance"),
    "nothing": Told(200),
    "no content": Told(204),
    "502": html(502),
    "500": problem(500, "ErrInternalServer"),
    "408": html(408),
    "half a pair": page({"access_token": "eyJ0", "expires_in": 5}),
    "a token that no header can carry": page({"access_token": "eyJ0\r\nHost: x", "refresh_token": "def5"}),
    "a token that is no text": page({"access_token": 5, "refresh_token": "def5"}),
    "no object": page([]),
    "a redirect to itself": Told(302, headers={"Location": "/oauth2/access_token"}),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_at_the_token_endpoint_is_tried_again_with_the_same_refresh_token(
    account: PlayedAccount, issuer: Issuer, opened: Opened, trouble: Told
) -> None:
    account.tokens = [trouble, trouble, issuer.tokens]
    assert opened().get("account").status == 200
    assert spent(account) == ["def50200-of-the-person"] * 3


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_ends_the_run_which_the_next_may_heal(
    account: PlayedAccount, issuer: Issuer, opened: Opened, trouble: Told
) -> None:
    account.tokens = [trouble]
    error = failure(opened())
    assert isinstance(error, PortalUnreachableError | PortalFaultError)
    assert (error.exit_code, len(account.forms), account.fetched) == (1, ATTEMPTS, [])
    account.tokens = [issuer.tokens]
    assert opened().get("account").status == 200


def test_an_answer_that_was_lost_on_the_way_costs_nothing(
    account: PlayedAccount, issuer: Issuer, tmp_path: Path, opened: Opened
) -> None:
    def lose(asked: Asked) -> Told:
        issuer.tokens(asked)
        return RESET

    opened().get("account")
    issuer.expire()
    account.tokens = [lose, issuer.tokens]
    assert opened().get("account").status == 200
    assert spent(account) == ["def50200-of-the-person", "def50201-of-the-person", "def50201-of-the-person"]
    assert stored(tmp_path)["refresh_token"] == "def50203-of-the-person"


def test_where_a_lost_answer_killed_the_refresh_token_a_person_is_told(
    account: PlayedAccount, issuer: Issuer, opened: Opened
) -> None:
    issuer.strict = True

    def lose(asked: Asked) -> Told:
        issuer.tokens(asked)
        return RESET

    account.tokens = [lose, issuer.tokens]
    error = failure(opened())
    assert type(error) is CredentialsError
    assert "spent or revoked; authorise the integration in the account again" in str(error)
    assert len(account.forms) == 2


@pytest.mark.parametrize(
    ("told", "seconds"), [(problem(429, retry_after=60), 60.0), (html(429), 10.0), (problem(429), 10.0)]
)
def test_a_refusal_for_rate_is_waited_out_at_the_token_endpoint_too(
    account: PlayedAccount, issuer: Issuer, clock: Clock, opened: Opened, *, told: Told, seconds: float
) -> None:
    account.tokens = [told, issuer.tokens]
    client = opened()
    assert client.get("account").status == 200
    assert client.pause.throttled_s == pytest.approx(seconds) == sum(clock.slept)


def test_a_refusal_for_rate_without_end_is_given_up(account: PlayedAccount, opened: Opened) -> None:
    account.tokens = [problem(429, retry_after=60)]
    assert type(failure(opened())) is PortalBusyError
    assert len(account.forms) == ATTEMPTS


@pytest.mark.parametrize("hint", [*HINTS, ""])
@pytest.mark.parametrize("member", ["hint", "detail"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refused_renewal_is_not_repeated_and_its_hint_decides_about_the_cure(
    account: PlayedAccount, tmp_path: Path, opened: Opened, *, hint: str, member: str, status: int
) -> None:
    opened().get("account")
    before = the_file(tmp_path).read_bytes()
    words = f"Check the `{hint}` parameter" if "_" in hint else f"Token {hint.capitalize()}: def50201-of-the-person"
    refusal = problem(status, words) if member == "detail" else problem(status, hint=words)
    account.api, account.tokens = [UNAUTHORISED], [refusal]
    error = failure(opened())
    assert type(error) is CredentialsError
    assert error.args[0] == HINTS.get(hint, OTHER)
    assert (error.exit_code, error.code, len(account.forms)) == (2, str(status), 2)
    assert str(error).startswith(f"{account.host} oauth2/access_token {status}: ")
    assert the_file(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    ("told", "cls", "cure"),
    [
        (problem(402, "Payment required"), PortalBlockedError, "renew it in the account"),
        (html(403), PortalBlockedError, "write to its support"),
        (html(404), ConfigurationError, "check base_url"),
        (html(400), ConfigurationError, "check base_url"),
        (html(401), CredentialsError, "authorise the integration"),
        (
            Told(301, headers={"Location": "https://acme-group.kommo.com/oauth2/access_token"}),
            ConfigurationError,
            "set base_url to https://acme-group.kommo.com",
        ),
        (Told(302, headers={"Location": "https://evil.example.com/"}), ConfigurationError, "check base_url"),
    ],
)
def test_other_refusals_are_for_a_person_at_once(
    account: PlayedAccount, opened: Opened, told: Told, *, cls: type[LeadhouseError], cure: str
) -> None:
    account.tokens = [told]
    error = failure(opened())
    assert type(error) is cls
    assert cure in str(error)
    assert (error.exit_code, len(account.forms)) == (2, 1)
    assert "evil" not in str(error)


def test_a_cancelled_run_stops_asking(account: PlayedAccount, opened: Opened) -> None:
    client = opened()

    def cancelling(_: Asked) -> Told:
        client.pause.cancel()
        return RESET

    account.tokens = [cancelling]
    assert isinstance(failure(client), TransientError)
    assert len(account.forms) == 1
