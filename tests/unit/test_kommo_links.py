"""Links and redirects of a Kommo account that is played over sockets: the token goes nowhere else."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from leadhouse.errors import ConfigurationError, LeadhouseError, PortalFaultError, PortalMethodError
from leadhouse.kommo.client import KommoClient, Limits
from leadhouse.transport import Transport
from unit.played_account import PlayedAccount, Told, page, played
from unit.scripted import Clock

TOKEN = "eyJ0eXAiOiJKV1Qi.long-lived.of-an-administrator"


@pytest.fixture
def account() -> Iterator[PlayedAccount]:
    with played() as account:
        yield account


@pytest.fixture
def client(account: PlayedAccount) -> Iterator[KommoClient]:
    client = KommoClient(account.url, TOKEN, limits=Limits(1e9, attempts=1), pause=Clock().pause())
    yield client
    client.close()


def failure(client: KommoClient) -> LeadhouseError:
    with pytest.raises(LeadhouseError) as caught:
        client.get("leads")
    assert TOKEN not in f"{caught.value} {caught.value!r}"
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("query", ["?page=2&limit=250&order[updated_at]=asc", "", "?name=Пример%20x&with=a%2Cb"])
def test_a_link_of_the_accounts_own_is_followed(account: PlayedAccount, client: KommoClient, query: str) -> None:
    assert client.follow(f"{account.url}/api/v4/leads{query}").status == 200
    path, _, sent = account.asked[0].target.partition("?")
    assert path == "/api/v4/leads"
    assert parse_qsl(sent) == parse_qsl(query[1:])
    assert account.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.com/api/v4/leads?page=2",
        "http://evil.example.com/api/v4/leads?page=2",
        "https://{host}/api/v4/leads?page=2",
        "http://127.0.0.1:1/api/v4/leads?page=2",
        "http://{host}@evil.example.com/api/v4/leads",
        "http://{host}.evil.example.com/api/v4/leads",
        "//evil.example.com/api/v4/leads",
        "/api/v4/leads?page=2",
        "http://[evil/api/v4/leads",
        "http://127.0.0.1:port/api/v4/leads",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_link_to_another_host_is_not_followed_and_not_named(
    account: PlayedAccount, client: KommoClient, link: str
) -> None:
    with pytest.raises(PortalFaultError, match="the portal sent a link to another host") as caught:
        client.follow(link.format(host=account.host))
    assert account.asked == []
    assert "evil" not in f"{caught.value!r}{caught.value}"
    assert "api" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/oauth2/access_token", "/api/v2/leads", "/api/v4"])
def test_a_link_out_of_the_api_is_not_followed(account: PlayedAccount, client: KommoClient, path: str) -> None:
    with pytest.raises(PortalFaultError, match="leads out of the API"):
        client.follow(account.url + path)
    assert account.asked == []


def test_a_default_port_in_a_link_is_the_same_host() -> None:
    client = KommoClient("https://acme-demo.kommo.com", TOKEN, transport=_Refusing())
    with pytest.raises(PortalMethodError, match=r"asked https://acme-demo.kommo.com/api/v4/leads"):
        client.follow("https://ACME-demo.kommo.com:443/api/v4/leads")


class _Refusing(Transport):
    def get(self, url: str, *_: Any, **__: Any) -> Any:
        raise PortalMethodError(f"asked {url}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/api/v4/leads/?page=1", "{url}/api/v4/leads/?page=1"])
def test_a_redirect_on_the_same_host_is_followed_with_the_token(
    account: PlayedAccount, client: KommoClient, status: int, location: str
) -> None:
    account.api = [Told(status, headers={"Location": location.format(url=account.url)}), page()]
    assert client.get("leads").status == 200
    assert [asked.target for asked in account.asked] == ["/api/v4/leads", "/api/v4/leads/?page=1"]
    assert {asked.headers["Authorization"] for asked in account.asked} == {f"Bearer {TOKEN}"}
    assert (client.traffic.requests, client.traffic.retries) == (2, 0)


def test_redirects_without_end_are_given_up(account: PlayedAccount, client: KommoClient) -> None:
    account.api = [Told(302, headers={"Location": "/api/v4/leads"})]
    assert "too many redirects" in str(failure(client))
    assert len(account.asked) == 4 == client.traffic.requests


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://acme-group.kommo.com/api/v4/leads", "renamed; set base_url to https://acme-group.kommo.com"),
        ("https://acme-group.amocrm.ru/", "renamed; set base_url to https://acme-group.amocrm.ru"),
        ("//ACME-group.amocrm.com/x", "renamed; set base_url to https://acme-group.amocrm.com"),
        ("https://www.kommo.com/", "leads to another site; check base_url"),
        ("https://evil.example.com/", "leads to another site; check base_url"),
        ("https://evil.example.com/acme.kommo.com", "leads to another site; check base_url"),
        ("https://acme.kommo.com.evil.example.com/", "leads to another site; check base_url"),
        ("https://acme.kommo.com@evil.example.com/", "leads to another site; check base_url"),
        ("http://127.0.0.1:1/api/v4/leads", "leads to another site; check base_url"),
    ],
)
def test_a_redirect_elsewhere_is_for_a_person_and_the_token_stays_here(
    account: PlayedAccount, client: KommoClient, location: str, words: str
) -> None:
    account.api = [Told(302, headers={"Location": location})]
    error = failure(client)
    assert isinstance(error, ConfigurationError)
    assert words in str(error)
    assert "evil" not in str(error)
    assert len(account.asked) == 1


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "http://[x/"}], ids=["none", "empty", "odd"])
def test_a_redirect_that_leads_nowhere_is_a_fault(
    account: PlayedAccount, client: KommoClient, headers: dict[str, str]
) -> None:
    account.api = [Told(302, headers=headers)]
    assert isinstance(failure(client), PortalFaultError)
