"""The webhook's address in the forms that people paste, and commands as the portal decodes them."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadhouse import redact as redacting
from leadhouse.bitrix24.access import checked_webhook
from leadhouse.bitrix24.client import Bitrix24Client, Command
from leadhouse.errors import ConfigurationError
from leadhouse.redact import redact
from unit.fuzz import QUICK

CODE = "q7w8e9r0t1y2u3i4"
PLAIN = f"https://acme.bitrix24.com/rest/1/{CODE}/"


@pytest.mark.parametrize(
    "url",
    [
        PLAIN,
        PLAIN.rstrip("/"),
        f"  {PLAIN}\n",
        f"{PLAIN}profile.json",
        f"{PLAIN}crm.lead.list.json?start=0#top",
        f"https://acme.bitrix24.com//rest/1/{CODE}//",
        f"https://acme.bitrix24.com/rest/api/1/{CODE}/",
    ],
)
def test_a_webhook_is_understood_in_every_form_that_the_portal_shows(url: str) -> None:
    assert checked_webhook(url) == PLAIN


def test_a_portal_of_ones_own_may_have_a_port_and_a_folder() -> None:
    assert (
        checked_webhook(f"https://crm.example.com:8443/b24/rest/15/{CODE}")
        == f"https://crm.example.com:8443/b24/rest/15/{CODE}/"
    )


@pytest.mark.parametrize("host", ["127.0.0.1:8899", "localhost", "[::1]:8899"])
def test_plain_http_is_for_loopback(host: str) -> None:
    assert checked_webhook(f"http://{host}/rest/1/{CODE}/") == f"http://{host}/rest/1/{CODE}/"


@pytest.mark.parametrize("host", ["acme.bitrix24.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.5"])
def test_plain_http_elsewhere_is_refused_without_the_code(host: str) -> None:
    with pytest.raises(ConfigurationError, match="use https") as caught:
        checked_webhook(f"http://{host}/rest/1/{CODE}/")
    assert CODE not in str(caught.value)
    assert host in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "acme.bitrix24.com", f"acme.bitrix24.com/rest/1/{CODE}/", "https://acme.bitrix24.com/", "https://acme.bitrix24.com/rest/1/",
     f"https://acme.bitrix24.com/rest/{CODE}/", f"ftp://acme.bitrix24.com/rest/1/{CODE}/", f"https:///rest/1/{CODE}/",
     f"https://[acme/rest/1/{CODE}/", f"https://acme.bitrix24.com/rest/crm.lead.list.json?auth={CODE}",
     f"https://acme.bitrix24.com/rest/crm.lead.list/{CODE}/x"],
)  # fmt: skip
def test_what_is_no_webhook_is_refused_with_an_example_and_without_the_code(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"it looks like https://your-portal.bitrix24.com/rest/1/code/"
    ) as caught:
        checked_webhook(url)
    assert CODE not in f"{caught.value!r} {caught.value.__context__!r}"


def test_the_code_is_a_secret_from_the_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_secrets", set())
    checked_webhook("https://acme.bitrix24.com/rest/1/z9y8x7w6v5u4/")
    assert redact("a library says z9y8x7w6v5u4 somewhere") == "a library says *** somewhere"


def test_the_portal_is_named_by_its_host_alone() -> None:
    client = Bitrix24Client(f"https://user:pw@crm.example.com:8443/rest/1/{CODE}/")
    assert client.portal == "crm.example.com:8443"
    client.close()


def test_a_command_survives_the_portals_url_decoding() -> None:
    params = [
        ("filter[>=DATE_MODIFY]", "2026-11-21T12:00:00+03:00"),
        ("filter[TITLE]", "100% R&D #1 = «да»?"),
        ("select[]", "UF_*"),
    ]
    encoded = Command("crm.lead.list", params).encode()
    method, _, query = encoded.partition("?")
    assert method == "crm.lead.list"
    assert parse_qsl(query, strict_parsing=True) == params
    assert "+" not in query
    assert "%2B03:00" in query.replace("%3A", ":")
    assert encoded.isascii()


def test_a_command_without_parameters_is_its_method() -> None:
    assert Command("server.time").encode() == "server.time"


def test_a_reference_stays_readable_for_the_portal() -> None:
    assert Command("m", [("filter[>ID]", "$result[p0][49][ID]")]).encode() == "m?filter[%3EID]=$result[p0][49][ID]"


@QUICK
@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), min_size=1, max_size=4))
def test_every_parameter_arrives_as_it_was_meant(params: list[tuple[str, str]]) -> None:
    query = Command("m", params).encode().partition("?")[2]
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=9) == params
