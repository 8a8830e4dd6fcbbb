"""An application's access against servers that are played: what is sent, stored, renewed, refused."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from leadhouse import redact as redacting
from leadhouse import token_file
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.oauth import SERVER
from leadhouse.bitrix24.settings import Application
from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalFaultError,
    PortalUnreachableError,
    RunLockedError,
    StateError,
    TransientError,
)
from leadhouse.redact import redact
from leadhouse.token_chain import ATTEMPTS
from leadhouse.transport import Answer
from unit.scripted import JSON_TYPE, Clock, ScriptedTransport, answer, refusal, result

APPLICATION = Application("local.app", "key-of-the-application", "refresh-0-of-the-person")
PORTAL = "https://acme.bitrix24.com/rest/"
EXPIRED = refusal("expired_token", "The access token provided has expired.", 401)


def pair(number: int, **changes: Any) -> Answer:
    """Return the OAuth server's answer with the pair of this number."""
    told = {
        "access_token": f"access-{number}-of-an-hour",
        "refresh_token": f"refresh-{number}-of-the-person",
        "expires_in": 3600,
        "client_endpoint": PORTAL,
        "server_endpoint": "https://oauth.bitrix24.tech/rest/",
        "member_id": "a223c6b3",
    }
    return answer(
        {name: value for name, value in (told | changes).items() if value is not None or name == "expires_in"}
    )


class PlayedServers(ScriptedTransport):
    """A portal and an OAuth server; each plays its own scenes, the last one for ever."""

    def __init__(self, portal: list[Any], server: list[Any]) -> None:
        super().__init__(portal)
        self.server = server
        self.forms: list[dict[str, str]] = []
        self.form_urls: list[str] = []

    def post_form(self, url: str, fields: Any, *, portal: str, method: str) -> Answer:  # noqa: ARG002 - the real one's
        """Play the server's next scene."""
        self.form_urls.append(url)
        self.forms.append(dict(fields))
        scene = self.server.pop(0) if len(self.server) > 1 else self.server[0]
        if isinstance(scene, BaseException):
            raise scene
        told: Answer = scene() if callable(scene) else scene
        return told


def opened(
    portal: list[Any], server: list[Any], application: Application = APPLICATION
) -> tuple[Bitrix24Client, PlayedServers, Clock]:
    """Return a client of the application, with its transport and its clock."""
    transport, clock = PlayedServers(portal, server), Clock()
    return Bitrix24Client(application, pause=clock.pause(), transport=transport), transport, clock


def the_file(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "dlt" / "tokens").glob("*.json")
    return found


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_secrets", set())


def test_the_first_request_waits_for_a_pair_and_carries_its_token_in_the_body() -> None:
    client, transport, _ = opened([result("ok")], [pair(1)])
    assert client.portal == "oauth.bitrix24.tech"
    assert bytes(client.call("server.time", {"a": 1})) == b'"ok"'
    assert transport.forms == [
        {
            "grant_type": "refresh_token",
            "client_id": "local.app",
            "client_secret": "key-of-the-application",
            "refresh_token": "refresh-0-of-the-person",
        }
    ]
    assert transport.form_urls == [SERVER]
    assert transport.urls == [f"{PORTAL}server.time.json"]
    assert transport.sent == [{"a": 1, "auth": "access-1-of-an-hour"}]
    assert client.portal == "acme.bitrix24.com"


@pytest.mark.parametrize("code", ["expired_token", "EXPIRED_TOKEN", "invalid_token"])
def test_a_refused_token_is_renewed_and_the_request_repeated_once(code: str) -> None:
    client, transport, clock = opened([refusal(code, "", 401), result("ok")], [pair(1), pair(2)])
    assert bytes(client.call("server.time")) == b'"ok"'
    assert [form["refresh_token"] for form in transport.forms] == ["refresh-0-of-the-person", "refresh-1-of-the-person"]
    assert [sent["auth"] for sent in transport.sent] == ["access-1-of-an-hour", "access-2-of-an-hour"]
    assert (client.traffic.requests, client.traffic.retries, clock.slept) == (2, 1, [])


def test_a_token_that_is_refused_right_after_its_renewal_ends_the_run() -> None:
    client, transport, _ = opened([EXPIRED], [pair(1), pair(2), pair(3)])
    with pytest.raises(CredentialsError, match=r"authorise the application .* set its new refresh_token"):
        client.call("server.time")
    assert (len(transport.sent), len(transport.forms)) == (2, 2)


@pytest.mark.parametrize("code", ["NO_AUTH_FOUND", "INVALID_CREDENTIALS", "insufficient_scope", "user_access_error"])
def test_other_refusals_renew_nothing_and_speak_of_the_application(code: str) -> None:
    client, transport, _ = opened([refusal(code, "", 401)], [pair(1)])
    with pytest.raises(LeadhouseError, match="application") as caught:
        client.call("server.time")
    assert "webhook" not in str(caught.value)
    assert (caught.value.exit_code, len(transport.forms)) == (2, 1)


def test_the_next_run_goes_on_with_the_stored_pair(tmp_path: Path) -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    client, transport, _ = opened([result("ok"), EXPIRED, result("ok")], [pair(2)])
    assert client.portal == "acme.bitrix24.com"
    client.call("server.time")
    assert transport.forms == []
    client.call("server.time")
    assert [form["refresh_token"] for form in transport.forms] == ["refresh-1-of-the-person"]
    assert json.loads(the_file(tmp_path).read_text())["refresh_token"] == "refresh-2-of-the-person"


def test_the_file_is_its_owners_alone_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    client, _, _ = opened([result("ok"), EXPIRED, result("ok")], [pair(1), pair(2)])
    client.call("server.time")
    client.call("server.time")
    path = the_file(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {other.suffix for other in path.parent.iterdir()} <= {".json", ".lock"}
    assert "refresh-0" not in path.name + path.read_text()


def test_a_pair_is_on_the_disk_before_it_is_used(tmp_path: Path) -> None:
    seen = []

    def look(_: str, sent: Any) -> Answer:
        seen.append(json.loads(the_file(tmp_path).read_text())["access_token"] == sent["auth"])
        return result("ok") if len(seen) > 1 else EXPIRED

    opened([look], [pair(1), pair(2)])[0].call("server.time")
    assert seen == [True, True]


def test_a_pair_that_another_run_stored_is_taken_and_none_is_asked_for() -> None:
    first, _, _ = opened([result("ok"), EXPIRED, result("ok")], [pair(1)])
    first.call("server.time")
    second, _, _ = opened([EXPIRED, result("ok")], [pair(2)])
    second.call("server.time")
    first.call("server.time")
    assert first._transport.sent[-1]["auth"] == "access-2-of-an-hour"  # type: ignore[attr-defined]


def test_a_stored_pair_whose_hour_is_over_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    first, transport, _ = opened([result("ok"), EXPIRED, result("ok")], [pair(1), pair(3)])
    first.call("server.time")
    opened([EXPIRED, result("ok")], [pair(2)])[0].call("server.time")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    first.call("server.time")
    assert transport.forms[-1]["refresh_token"] == "refresh-2-of-the-person"
    assert transport.sent[-1]["auth"] == "access-3-of-an-hour"


def test_a_newly_configured_refresh_token_begins_anew_and_the_old_one_can_come_back() -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    other = Application("local.app", "key-of-the-application", "refresh-0-of-another")
    client, transport, _ = opened([result("ok")], [pair(7)], other)
    client.call("server.time")
    assert transport.forms[0]["refresh_token"] == "refresh-0-of-another"
    client, transport, _ = opened([result("ok")], [pair(9)])
    client.call("server.time")
    assert (transport.forms, transport.sent[0]["auth"]) == ([], "access-1-of-an-hour")


def test_a_renamed_portal_is_found_by_the_next_renewal(tmp_path: Path) -> None:
    client, transport, _ = opened(
        [EXPIRED, result("ok")], [pair(1), pair(2, client_endpoint="https://acme-group.bitrix24.com/rest/")]
    )
    client.call("server.time")
    assert transport.urls[-1] == "https://acme-group.bitrix24.com/rest/server.time.json"
    assert client.portal == "acme-group.bitrix24.com"
    assert "acme-group" in the_file(tmp_path).read_text()
    again, transport, _ = opened([result("ok")], [pair(3)])
    again.call("server.time")
    assert transport.urls == ["https://acme-group.bitrix24.com/rest/server.time.json"]


def test_a_redirect_of_a_renamed_portal_is_followed_with_the_token() -> None:
    moved = Answer(302, {"Location": "https://acme-group.bitrix24.com/"}, b"")
    client, transport, _ = opened([moved, result("ok")], [pair(1)])
    client.call("server.time")
    assert transport.urls[-1] == "https://acme-group.bitrix24.com/rest/server.time.json"
    assert transport.sent[-1] == {"auth": "access-1-of-an-hour"}


@pytest.mark.parametrize(
    ("setting", "told", "asked"),
    [
        (None, "https://oauth.bitrix.example/rest/", "https://oauth.bitrix.example/oauth/token/"),
        (None, None, SERVER),
        ("https://own.example.com", "https://oauth.bitrix.example/rest/", "https://own.example.com/oauth/token/"),
        ("http://127.0.0.1:8090/oauth/token/", None, "http://127.0.0.1:8090/oauth/token/"),
    ],
)
def test_renewals_go_where_the_setting_says_else_where_the_last_answer_did(
    setting: str | None, told: str | None, asked: str
) -> None:
    application = Application("local.app", "key-of-the-application", "refresh-0-of-the-person", setting)
    opened([result("ok")], [pair(1, server_endpoint=told)], application)[0].call("server.time")
    client, transport, _ = opened([EXPIRED, result("ok")], [pair(2)], application)
    client.call("server.time")
    assert transport.form_urls == [asked]


@pytest.mark.parametrize(
    "server", ["http://oauth.example.com/oauth/token/", "oauth.example.com", "https://", "ftp://x/"]
)
def test_a_server_that_secrets_cannot_be_sent_to_is_refused(server: str) -> None:
    with pytest.raises(ConfigurationError, match="oauth_server"):
        opened([result("ok")], [pair(1)], Application("a", "b" * 9, "c" * 9, server))


@pytest.mark.parametrize("endpoint", ["http://acme.bitrix24.com/rest/", "acme", None])
def test_a_portal_that_tokens_cannot_be_sent_to_is_refused_and_the_pair_is_kept(
    tmp_path: Path, endpoint: str | None
) -> None:
    client, transport, _ = opened([result("ok")], [pair(1, client_endpoint=endpoint)])
    with pytest.raises(ConfigurationError, match="address"):
        client.call("server.time")
    assert transport.urls == []
    assert json.loads(the_file(tmp_path).read_text())["refresh_token"] == "refresh-1-of-the-person"


@pytest.mark.parametrize(
    ("code", "status", "cls", "cure"),
    [
        ("invalid_grant", 400, CredentialsError, "set its new refresh_token"),
        ("invalid_client", 401, CredentialsError, "check client_id and client_secret"),
        ("PAYMENT_REQUIRED", 402, PortalBlockedError, "renew it in the portal"),
        ("PAYMENT_REQUIRED", 500, PortalBlockedError, "renew it in the portal"),
        ("invalid_scope", 400, PermissionDeniedError, "give it crm and user"),
        ("insufficient_scope", 403, PermissionDeniedError, "give it crm and user"),
        ("invalid_request", 400, CredentialsError, "check client_id"),
        ("something_new", 403, CredentialsError, "check client_id"),
    ],
)
def test_a_refused_renewal_is_not_repeated_and_keeps_the_old_pair(
    tmp_path: Path, code: str, status: int, cls: type[LeadhouseError], cure: str
) -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    before = the_file(tmp_path).read_bytes()
    client, transport, _ = opened([EXPIRED], [refusal(code, "refresh-1-of-the-person", status)])
    with pytest.raises(cls, match=cure) as caught:
        client.call("server.time")
    assert type(caught.value) is cls
    assert (caught.value.exit_code, caught.value.code, len(transport.forms)) == (2, code, 1)
    assert str(caught.value).startswith("oauth.bitrix24.tech oauth.token ")
    assert "of-the-person" not in str(caught.value)
    assert the_file(tmp_path).read_bytes() == before


HTML = {"Content-Type": "text/html"}
PASSING = {
    "no connection": PortalUnreachableError("connection refused"),
    "HTML": Answer(200, HTML, b"<html>busy</html>"),
    "502": Answer(502, HTML, b"<html>Bad Gateway</html>"),
    "500": refusal("server_error", "", 500),
    "503": refusal("QUERY_LIMIT_EXCEEDED", "", 503),
    "429": Answer(429, HTML, b""),
    "cut off": Answer(200, JSON_TYPE, b'{"access_token":"access-1'),
    "half a pair": pair(1, refresh_token=None),
    "no object": answer([]),
    "a redirect": Answer(302, {"Location": "https://elsewhere.example.com/"}, b""),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_at_the_oauth_server_is_tried_again(trouble: Any) -> None:
    client, transport, clock = opened([result("ok")], [trouble, trouble, pair(1)])
    assert bytes(client.call("server.time")) == b'"ok"'
    assert (len(transport.forms), len(clock.slept)) == (3, 2)


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_ends_the_run_which_the_next_may_heal(trouble: Any) -> None:
    client, transport, clock = opened([result("ok")], [trouble])
    with pytest.raises(TransientError) as caught:
        client.call("server.time")
    assert (caught.value.exit_code, caught.value.__context__) == (1, None)
    assert (len(transport.forms), len(clock.slept), transport.urls) == (ATTEMPTS, ATTEMPTS - 1, [])
    assert isinstance(caught.value, PortalUnreachableError | PortalFaultError)


def test_a_page_where_an_oauth_server_should_be_is_a_wrong_setting() -> None:
    client, transport, _ = opened([result("ok")], [Answer(404, HTML, b"<html>")])
    with pytest.raises(ConfigurationError, match="check oauth_server"):
        client.call("server.time")
    assert len(transport.forms) == 1


def test_a_cancelled_run_stops_asking() -> None:
    client, transport, _ = opened([result("ok")], [PortalUnreachableError("connection refused")])

    def cancelling() -> Answer:
        client.pause.cancel()
        raise PortalUnreachableError("connection refused")

    transport.server = [cancelling]
    with pytest.raises(TransientError):
        client.call("server.time")
    assert len(transport.forms) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"access_token":1}', b'{"access_token":"a'])
def test_a_damaged_file_is_said_with_the_cure(tmp_path: Path, content: bytes) -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    the_file(tmp_path).write_bytes(content)
    with pytest.raises(StateError, match=r"tokens/\w+\.json is damaged; remove it, authorise .* set .* refresh_token"):
        opened([result("ok")], [pair(2)])


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    path = the_file(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StateError, match="cannot be read"):
        opened([result("ok")], [pair(2)])


def test_no_refresh_token_is_spent_when_the_new_one_could_not_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    client, transport, _ = opened([EXPIRED, result("ok")], [pair(2)])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as on_a_full_disk:
        on_a_full_disk.setattr(os, "fsync", full)
        with pytest.raises(ConfigurationError, match="No space left on device"):
            client.call("server.time")
    assert transport.forms == []
    assert json.loads(the_file(tmp_path).read_text())["access_token"] == "access-1-of-an-hour"
    client.call("server.time")


def test_a_process_that_died_while_it_renewed_leaves_the_old_pair_usable(tmp_path: Path) -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    left = the_file(tmp_path).with_suffix(".new")
    left.write_bytes(b" " * 4096)
    client, transport, _ = opened([EXPIRED, result("ok")], [pair(2)])
    client.call("server.time")
    assert transport.forms[0]["refresh_token"] == "refresh-1-of-the-person"
    assert not left.exists()


def test_a_folder_that_cannot_be_made_spends_nothing(tmp_path: Path) -> None:
    client, transport, _ = opened([result("ok")], [pair(1)])
    (tmp_path / "dlt").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match="set DLT_DATA_DIR"):
        client.call("server.time")
    assert transport.forms == []


def test_a_renewal_that_somebody_else_never_ends_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_file, "LOCK_S", 0.05)
    client, _, _ = opened([result("ok")], [pair(1)])
    inner, transport, _ = opened([result("ok")], [pair(1)])

    def meanwhile() -> Answer:
        with pytest.raises(RunLockedError, match="renewing the application's tokens"):
            inner.call("server.time")
        return pair(1)

    client._transport.server = [meanwhile]  # type: ignore[attr-defined]
    client.call("server.time")
    assert transport.forms == []


def test_every_secret_is_one_from_the_first_moment() -> None:
    client, _, _ = opened([EXPIRED, result("ok")], [pair(1), pair(2)])
    client.call("server.time")
    tokens = [f"{kind}-of-the-person" for kind in ("refresh-0", "refresh-1", "refresh-2")]
    tokens += [f"{kind}-of-an-hour" for kind in ("access-1", "access-2")]
    for secret in ("key-of-the-application", *tokens):
        assert redact(f"a library says {secret} somewhere") == "a library says *** somewhere"
    assert "key-of" not in f"{APPLICATION!r}"


def test_what_was_stored_is_secret_before_it_is_used() -> None:
    opened([result("ok")], [pair(1)])[0].call("server.time")
    redacting._secrets.clear()
    opened([result("ok")], [pair(2)])
    assert redact("access-1-of-an-hour refresh-1-of-the-person") == "*** ***"
