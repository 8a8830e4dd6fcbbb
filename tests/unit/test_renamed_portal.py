"""Redirects: a renamed portal is followed, anything else is a wrong address."""

import pytest

from leadhouse.bitrix24.client import Limits
from leadhouse.errors import ConfigurationError, CredentialsError, PortalFaultError
from leadhouse.transport import Answer
from unit.scripted import URL, result, scripted

CODE = URL.split("/")[-2]
MOVED = "https://acme-group.bitrix24.com/"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_renamed_portal_is_followed_with_the_same_post(status: int) -> None:
    client, transport, _ = scripted(Answer(status, {"Location": MOVED}, b""), result("ok"))
    assert bytes(client.call("crm.lead.list", {"start": -1})) == b'"ok"'
    assert transport.urls == [f"{URL}crm.lead.list.json", f"{MOVED}rest/1/{CODE}/crm.lead.list.json"]
    assert transport.sent == [{"start": -1}] * 2
    assert client.portal == "acme-group.bitrix24.com"
    client.call("server.time")
    assert transport.urls[-1] == f"{MOVED}rest/1/{CODE}/server.time.json"


@pytest.mark.parametrize("location", ["", "/auth/", "https://acme.bitrix24.com/auth/?backurl=x", "https://[acme/"])
def test_a_redirect_to_a_page_of_the_portal_is_a_wrong_webhook(location: str) -> None:
    client, _, _ = scripted(Answer(302, {"Location": location}, b""))
    with pytest.raises(CredentialsError, match="check webhook_url"):
        client.call("x")


def test_a_redirect_to_plain_http_is_not_followed() -> None:
    client, transport, _ = scripted(Answer(302, {"Location": "http://acme-group.bitrix24.com/"}, b""))
    with pytest.raises(ConfigurationError, match="plain http"):
        client.call("x")
    assert len(transport.urls) == 1


def test_redirects_without_end_are_given_up() -> None:
    hosts = [Answer(302, {"Location": f"https://p{number}.bitrix24.com/"}, b"") for number in range(50)]
    client, _, _ = scripted(*hosts, limits=Limits(attempts=1))
    with pytest.raises(PortalFaultError, match="too many redirects"):
        client.call("x")
