"""A Kommo account's address and its long-lived token, in the forms that people paste."""

import pytest

from leadhouse import redact as redacting
from leadhouse.errors import ConfigurationError
from leadhouse.kommo.client import KommoClient
from leadhouse.redact import redact
from unit.played_account import played


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_secrets", set())


def test_a_long_lived_token_is_a_secret_from_the_first_moment() -> None:
    KommoClient("https://acme-demo.kommo.com", "eyJ0.long-lived").close()
    assert redact("a library says eyJ0.long-lived somewhere") == "a library says *** somewhere"


@pytest.mark.parametrize("token", ["", "  ", "eyJ0 long lived", "eyJ0\nlived", "Bearer eyJ0.lived", "eyJ0…lived"])
def test_what_is_no_token_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(ConfigurationError, match="access_token is no token; copy the long-lived token") as caught:
        KommoClient("https://acme-demo.kommo.com", token)
    assert "lived" not in str(caught.value).replace("long-lived token", "")


def test_a_token_is_taken_without_the_blanks_around_it() -> None:
    with played() as account:
        client = KommoClient(f" {account.url}/\n", " eyJ0.long-lived\n")
        assert client.get("account").status == 200
        client.close()
    assert account.asked[0].headers["Authorization"] == "Bearer eyJ0.long-lived"


@pytest.mark.parametrize(
    ("url", "portal"),
    [
        ("https://acme-demo.kommo.com", "acme-demo.kommo.com"),
        ("https://ACME-demo.kommo.com/", "acme-demo.kommo.com"),
        ("https://acme-demo.amocrm.ru", "acme-demo.amocrm.ru"),
        ("https://crm.example.com:8443", "crm.example.com:8443"),
        ("http://127.0.0.1:8899", "127.0.0.1:8899"),
        ("http://localhost:8899/", "localhost:8899"),
        ("http://[::1]:8899", "[::1]:8899"),
    ],
)
def test_an_account_is_named_by_its_host(url: str, portal: str) -> None:
    client = KommoClient(url, "eyJ0.long-lived")
    assert client.portal == portal
    client.close()


@pytest.mark.parametrize(
    "url",
    ["", "acme-demo.kommo.com", "https://", "ftp://acme-demo.kommo.com", "https://acme-demo.kommo.com/leads/list/",
     "https://acme-demo.kommo.com/api/v4", "https://acme-demo.kommo.com/?a=1", "https://acme-demo.kommo.com/#x",
     "https://user:secret1@acme-demo.kommo.com", "https://www.kommo.com", "https://kommo.com", "https://www.amocrm.ru/",
     "https://[acme", "https://acme-demo.kommo.com:port"],
)  # fmt: skip
def test_what_is_no_accounts_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"it looks like https://your-account\.kommo\.com") as caught:
        KommoClient(url, "eyJ0.long-lived")
    assert "secret1" not in f"{caught.value!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("host", ["acme-demo.kommo.com", "127.0.0.1.example.com", "10.0.0.5"])
def test_plain_http_is_for_loopback(host: str) -> None:
    with pytest.raises(ConfigurationError, match="use https in base_url"):
        KommoClient(f"http://{host}", "eyJ0.long-lived")
