"""An integration's access to a Kommo account that is played over sockets: renewed, rotated, lost, refused."""

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from leadhouse import redact as redacting
from leadhouse import token_file
from leadhouse.errors import (
    CredentialsError,
    LeadhouseError,
    RunLockedError,
    StateError,
)
from leadhouse.kommo.access import Application
from leadhouse.kommo.client import KommoClient, Limits
from leadhouse.pace import Pause
from leadhouse.redact import redact
from leadhouse.token_file import TokenFile, Tokens
from unit.played_account import (
    APPLICATION,
    DAY_S,
    UNAUTHORISED,
    Asked,
    Issuer,
    PlayedAccount,
    Told,
    page,
    played,
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


def test_the_first_request_waits_for_a_pair_and_carries_its_token(account: PlayedAccount, opened: Opened) -> None:
    client = opened()
    assert client.get("account").status == 200
    first, second = account.asked
    assert (first.verb, first.target, first.headers["Content-Type"]) == (
        "POST",
        "/oauth2/access_token",
        "application/json",
    )
    assert first.body == {
        "client_id": "5f0c-the-integration",
        "client_secret": "key-of-the-integration",
        "grant_type": "refresh_token",
        "refresh_token": "def50200-of-the-person",
        "redirect_uri": "https://etl.example.org/cb",
    }
    assert "Authorization" not in first.headers
    assert (second.target, second.headers["Authorization"]) == ("/api/v4/account", "Bearer eyJ0.access-1.of-a-day")
    assert (client.portal, client.traffic.requests, client.traffic.retries) == (account.host, 1, 0)


def test_a_refused_token_is_renewed_and_the_request_repeated_once(
    account: PlayedAccount, issuer: Issuer, clock: Clock, opened: Opened
) -> None:
    client = opened()
    client.get("account")
    issuer.expire()
    assert client.get("account").status == 200
    assert spent(account) == ["def50200-of-the-person", "def50201-of-the-person"]
    assert (client.traffic.requests, client.traffic.retries) == (3, 1)
    assert sum(clock.slept) == pytest.approx(0, abs=1e-6)


def test_a_token_that_is_refused_right_after_its_renewal_ends_the_run(account: PlayedAccount, opened: Opened) -> None:
    account.api = [UNAUTHORISED]
    error = failure(opened())
    assert type(error) is CredentialsError
    assert str(error).endswith("set its new refresh_token")
    assert (len(account.fetched), len(account.forms)) == (2, 2)


def test_each_request_may_renew_once(account: PlayedAccount, issuer: Issuer, opened: Opened) -> None:
    client = opened()
    for _ in range(3):
        assert client.get("account").status == 200
        issuer.expire()
    assert (len(account.forms), client.traffic.retries) == (3, 2)


def test_the_next_run_goes_on_with_the_stored_pair(account: PlayedAccount, issuer: Issuer, opened: Opened) -> None:
    opened().get("account")
    client = opened()
    client.get("account")
    assert len(account.forms) == 1
    issuer.expire()
    client.get("account")
    assert spent(account)[1:] == ["def50201-of-the-person"]


@pytest.mark.parametrize(
    ("expires_in", "still_good_s", "ended_s"),
    [(DAY_S, DAY_S - 310, DAY_S - 290), (600, 530, 550), (10, 8, 9.5), (None, DAY_S - 310, DAY_S), ("soon", 60, DAY_S)],
)
def test_a_token_is_renewed_shortly_before_it_ends(
    account: PlayedAccount,
    issuer: Issuer,
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    *,
    expires_in: Any,
    still_good_s: float,
    ended_s: float,
) -> None:
    issuer.expires_in = expires_in
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    client = opened()
    client.get("account")
    monkeypatch.setattr(time, "time", lambda: now + still_good_s)
    client.get("account")
    assert len(account.forms) == 1
    monkeypatch.setattr(time, "time", lambda: now + ended_s)
    client.get("account")
    assert spent(account) == ["def50200-of-the-person", "def50201-of-the-person"]
    assert len(account.fetched) == 3


def test_a_pair_that_another_run_stored_is_taken_and_none_is_asked_for(
    account: PlayedAccount, issuer: Issuer, opened: Opened
) -> None:
    first, second = opened(), opened()
    first.get("account")
    issuer.expire()
    second.get("account")
    issuer.expire()
    second.get("account")
    asked = len(account.forms)
    first.get("account")
    assert len(account.forms) == asked


def test_many_that_find_the_token_ended_at_once_renew_it_once(
    account: PlayedAccount, issuer: Issuer, opened: Opened
) -> None:
    opened().get("account")
    issuer.strict = True
    issuer.expire()
    clients, together = [opened(pause=Pause()) for _ in range(6)], threading.Barrier(6)

    def read(client: KommoClient) -> int:
        together.wait(30)
        return client.get("account").status

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(read, clients)) == [200] * 6
    assert spent(account) == ["def50200-of-the-person", "def50201-of-the-person"]


def test_the_file_is_its_owners_alone_and_nothing_lies_beside_it(tmp_path: Path, opened: Opened) -> None:
    opened().get("account")
    path = the_file(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {other.suffix for other in path.parent.iterdir()} <= {".json", ".lock"}


def test_a_pair_is_on_the_disk_before_it_is_used(
    account: PlayedAccount, issuer: Issuer, tmp_path: Path, opened: Opened
) -> None:
    seen = []

    def look(asked: Asked) -> Told:
        seen.append(asked.headers["Authorization"] == f"Bearer {stored(tmp_path)['access_token']}")
        return issuer.api(asked)

    account.api = [look]
    client = opened()
    client.get("account")
    issuer.expire()
    client.get("account")
    assert seen == [True, True, True]


def test_a_newly_configured_refresh_token_begins_anew(account: PlayedAccount, issuer: Issuer, opened: Opened) -> None:
    opened().get("account")
    issuer.good.append("def502ff-of-the-person")
    client = opened(
        Application("5f0c-the-integration", "key-of-the-integration", "def502ff-of-the-person", "https://x")
    )
    client.get("account")
    assert spent(account) == ["def50200-of-the-person", "def502ff-of-the-person"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"access_token":"a'])
def test_a_damaged_file_is_said_with_the_cure(tmp_path: Path, opened: Opened, content: bytes) -> None:
    opened().get("account")
    the_file(tmp_path).write_bytes(content)
    with pytest.raises(StateError, match=r"tokens/\w+\.json is damaged; remove it, authorise .* set .* refresh_token"):
        opened()


def test_no_refresh_token_is_spent_when_the_new_one_could_not_be_stored(
    account: PlayedAccount, issuer: Issuer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened().get("account")
    issuer.expire()
    client = opened()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as on_a_full_disk:
        on_a_full_disk.setattr(os, "fsync", full)
        assert "No space left on device" in str(failure(client))
    assert len(account.forms) == 1
    assert client.get("account").status == 200


def test_a_long_pair_fits_the_room_that_was_made_for_it(account: PlayedAccount, tmp_path: Path, opened: Opened) -> None:
    pair = {"access_token": "e" * 2000, "refresh_token": "d" * 2000}
    account.api, account.tokens = [page()], [page({"expires_in": DAY_S, **pair})]
    opened().get("account")
    assert {name: stored(tmp_path)[name] for name in pair} == pair
    assert the_file(tmp_path).stat().st_size == 16384


def test_a_renewal_that_somebody_else_never_ends_is_not_waited_for_without_end(
    account: PlayedAccount, issuer: Issuer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_file, "LOCK_S", 0.05)
    inner = opened()

    def meanwhile(asked: Asked) -> Told:
        with pytest.raises(RunLockedError, match="renewing the application's tokens"):
            inner.get("account")
        return issuer.tokens(asked)

    account.tokens = [meanwhile]
    assert opened().get("account").status == 200
    assert len(account.forms) == 1


def test_a_file_of_the_first_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(
        '{"access_token":"access-1","refresh_token":"refresh-1","client_endpoint":"https://acme.bitrix24.com/rest/",'
        '"server_endpoint":"https://oauth.bitrix24.tech/rest/","expires_at":1795219200.5}'.ljust(4096)
    )
    assert TokenFile(path).read() == Tokens(
        access_token="access-1",
        refresh_token="refresh-1",
        expires_at=1795219200.5,
        client_endpoint="https://acme.bitrix24.com/rest/",
        server_endpoint="https://oauth.bitrix24.tech/rest/",
    )


def test_every_secret_is_one_from_the_first_moment(issuer: Issuer, opened: Opened) -> None:
    client = opened()
    client.get("account")
    issuer.expire()
    client.get("account")
    tokens = [f"def5020{number}-of-the-person" for number in range(3)]
    tokens += [f"eyJ0.access-{number}.of-a-day" for number in (1, 2)]
    for secret in ("key-of-the-integration", *tokens):
        assert redact(f"a library says {secret} somewhere") == "a library says *** somewhere"
    assert "of-the" not in repr(APPLICATION).replace("5f0c-the-integration", "")
