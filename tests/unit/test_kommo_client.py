"""The client of Kommo against an account that is played over sockets: replies, faults, limits."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from structlog.testing import capture_logs

from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    LeadNotFoundError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
    PortalUnreachableError,
    TransientError,
)
from leadhouse.kommo.client import KommoClient, Limits
from leadhouse.pace import Pause
from leadhouse.retry import Trouble
from leadhouse.transport import Transport
from unit.played_account import (
    CUT,
    DATE,
    HTML,
    RESET,
    UNAUTHORISED,
    PlayedAccount,
    Scene,
    Told,
    html,
    page,
    played,
    problem,
)
from unit.scripted import Clock

TOKEN = "eyJ0eXAiOiJKV1Qi.long-lived.of-an-administrator"
TRANSIENT: dict[str, Told] = {
    "HTML at 200": html(200, "Maintenance"),
    "nothing at 200": Told(200),
    "cut JSON at 200": Told(200, b'{"_embedded":{"leads":[{"id":1'),
    "a list": Told(200, b"[]"),
    "null": Told(200, b"null"),
    "JSON and more": Told(200, b'{"_page":1}<br>'),
    "accepted": Told(202, b"{}"),
    "a server fault": problem(500, "Olga Kim", trace_id="x"),
    "a gateway's fault": html(502),
    "no service": html(503),
    "a gateway's time-out": html(504),
    "a request time-out": html(408),
    "too early": problem(425),
    "a reset": RESET,
    "an answer that breaks off": CUT,
}


@pytest.fixture
def account() -> Iterator[PlayedAccount]:
    with played() as account:
        yield account


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(account: PlayedAccount, clock: Clock) -> Iterator[Callable[..., KommoClient]]:
    """Opens a client of an account that plays scenes."""
    clients = []

    def open_it(*scenes: Scene, limits: Limits | None = None) -> KommoClient:
        account.api = list(scenes)
        clients.append(KommoClient(account.url, TOKEN, limits=limits or Limits(1e9), pause=clock.pause()))
        return clients[-1]

    yield open_it
    for client in clients:
        client.close()


Opened = Callable[..., KommoClient]


def failure(client: KommoClient, path: str = "leads") -> LeadhouseError:
    with pytest.raises(LeadhouseError) as caught:
        client.get(path)
    assert TOKEN not in f"{caught.value} {caught.value!r}"
    assert caught.value.__context__ is None
    return caught.value


def test_a_page_comes_with_its_bytes_the_accounts_clock_and_how_long_it_took(
    account: PlayedAccount, clock: Clock, opened: Opened
) -> None:
    def slowly(_: Any) -> Told:
        clock.sleep(1.5)
        return page({"_page": 1, "_embedded": {"leads": []}})

    client = opened(slowly)
    reply = client.get("leads", [("with", "contacts,loss_reason"), ("filter[updated_at][from]", "1795132800")])
    assert (reply.status, json.loads(reply.body)) == (200, {"_page": 1, "_embedded": {"leads": []}})
    assert (reply.at, reply.took) == (datetime(2026, 11, 21, 9, tzinfo=UTC), 1.5)
    (asked,) = account.asked
    assert asked.target.startswith("/api/v4/leads?")
    assert parse_qsl(urlsplit(asked.target).query) == [
        ("with", "contacts,loss_reason"),
        ("filter[updated_at][from]", "1795132800"),
    ]
    assert "filter%5Bupdated_at%5D%5Bfrom%5D" in asked.target
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (client.portal, client.traffic.requests, client.traffic.retries) == (account.host, 1, 0)


def test_a_path_without_parameters_is_fetched_as_it_is(account: PlayedAccount, opened: Opened) -> None:
    opened(page()).get("leads/17")
    assert account.asked[0].target == "/api/v4/leads/17"


@pytest.mark.parametrize("headers", [{}, {"Date": DATE}], ids=["no clock", "a clock"])
def test_nothing_there_is_a_reply_and_no_fault(opened: Opened, headers: dict[str, str]) -> None:
    client = opened(Told(204, headers=headers))
    reply = client.get("leads")
    assert (reply.status, reply.body, reply.at is not None) == (204, b"", bool(headers))
    assert client.traffic.requests == 1


def test_what_comes_behind_a_204_does_not_spoil_the_next_answer(account: PlayedAccount, opened: Opened) -> None:
    client = opened(Told(204, b'{"title":"nothing"}'), page({"_page": 7}))
    assert client.get("leads").body == b""
    assert json.loads(client.get("leads").body) == {"_page": 7}
    assert len(account.asked) >= 2


@pytest.mark.parametrize("told", ["soon", "", "Sat, 99 Nov 2026 09:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -0300"])
def test_a_clock_that_cannot_be_read_is_none(opened: Opened, told: str) -> None:
    assert opened(page(Date=told)).get("account").at is None


@pytest.mark.parametrize("told", ["Sat, 21 Nov 2026 12:00:00 +0300", "Sat, 21 Nov 2026 09:00:00 -0000"])
def test_a_clock_of_another_zone_is_told_in_utc(opened: Opened, told: str) -> None:
    assert opened(page(Date=told)).get("account").at == datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_half_an_emoji_is_mended_and_whole_ones_stay(opened: Opened) -> None:
    client = opened(Told(200, rb'{"name":"\ud83d","whole":"\ud83d\ude00"}'))
    assert json.loads(client.get("leads").body) == {"name": "�", "whole": "😀"}
    assert client.traffic.requests == 1


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_what_may_pass_is_tried_again(clock: Clock, opened: Opened, trouble: Told) -> None:
    client = opened(trouble, trouble, page())
    assert client.get("leads").status == 200
    assert (client.traffic.requests, client.traffic.retries) == (3, 2)
    assert client.pause.throttled_s == pytest.approx(0, abs=1e-6)
    assert len([seconds for seconds in clock.slept if seconds > 0.01]) == 2


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_what_does_not_pass_is_raised_after_the_last_attempt(
    account: PlayedAccount, opened: Opened, trouble: Told
) -> None:
    error = failure(opened(trouble, limits=Limits(1e9, attempts=3)))
    assert isinstance(error, PortalFaultError | PortalUnreachableError)
    assert (error.exit_code, error.portal, error.method, len(account.asked)) == (1, account.host, "leads", 3)
    assert "Olga" not in str(error)


def test_silence_is_tried_again_and_then_told(account: PlayedAccount, clock: Clock) -> None:
    over = threading.Event()

    def silent(_: Any) -> Told:
        over.wait(30)
        return RESET

    account.api = [silent]
    client = KommoClient(
        account.url, TOKEN, limits=Limits(attempts=2), pause=clock.pause(), transport=Transport(read_s=0.05)
    )
    error = failure(client)
    over.set()
    client.close()
    assert "the answer timed out" in str(error)
    assert client.traffic.requests == 2


@pytest.mark.parametrize(
    ("path", "told", "cls", "cure"),
    [
        ("leads", UNAUTHORISED, CredentialsError, "make a new long-lived token"),
        ("leads", html(401), CredentialsError, "make a new long-lived token"),
        ("account", problem(402, "Payment required"), PortalBlockedError, "renew it in the account"),
        ("leads", problem(403, "Client doesn't have the required scope"), PermissionDeniedError, "lacks a scope"),
        ("users", problem(403, "Forbidden"), PermissionDeniedError, "let an administrator make the token"),
        ("leads", html(403), PortalBlockedError, "write to its support with this machine's IP address"),
        ("leads", Told(403, b"403 Forbidden", "text/plain"), PortalBlockedError, "the account's subdomain"),
        ("leads", Told(403), PortalBlockedError, "write to its support"),
        ("nonsense", problem(404, "Cannot GET https://x/api/v4/nonsense"), PortalMethodError, "does not know"),
        ("leads/17", problem(404, "Lead not found"), LeadNotFoundError, "not found"),
        ("account", problem(404, "Account not found"), ConfigurationError, "check base_url"),
        ("leads", html(404), ConfigurationError, "not the API of a Kommo or amoCRM account; check base_url"),
        ("leads", problem(400, "Request validation failed"), PortalMethodError, "report this"),
        ("leads", problem(405), PortalMethodError, "does not know"),
        ("leads", problem(422, "Limit 250 per page"), PortalMethodError, "report this"),
        ("leads", problem(418), PortalMethodError, "HTTP 418"),
        ("leads", html(400), ConfigurationError, "check base_url"),
    ],
)
def test_an_error_for_a_person_is_raised_at_once(  # noqa: PLR0917 - a row of the table
    account: PlayedAccount, opened: Opened, path: str, told: Told, cls: type[LeadhouseError], cure: str
) -> None:
    error = failure(opened(told), path)
    assert type(error) is cls
    assert cure in str(error)
    assert (error.exit_code, error.portal, error.method) == (2, account.host, path)
    assert (error.code, len(account.asked)) == (str(told.status), 1)


@pytest.mark.parametrize("make", [lambda **how: problem(429, **how), lambda **how: html(429, **how.get("reply", {}))])
def test_a_refusal_for_rate_is_waited_out_with_growing_pauses_and_counted_as_throttled(
    account: PlayedAccount, clock: Clock, opened: Opened, make: Callable[..., Told]
) -> None:
    client = opened(*[make()] * 6, page())
    assert client.get("leads").status == 200
    waits = [seconds for seconds in clock.slept if seconds > 1]
    assert len(waits) == 6 == client.traffic.retries
    assert waits == sorted(waits)
    assert 10.0 <= waits[0] <= 15.0
    assert waits[-1] <= 300.0
    assert client.pause.throttled_s == pytest.approx(sum(waits))
    assert len(account.asked) == 7


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (problem(429, retry_after=300), 300.0),
        (problem(429, retry_after=42.5), 42.5),
        (problem(429, retry_after="7"), 7.0),
        (problem(429, retry_after=0), 1.0),
        (problem(429, retry_after=20, reply={"Retry-After": "90"}), 20.0),
        (problem(429, reply={"Retry-After": "90"}), 90.0),
        (problem(429, retry_after=None, reply={"Retry-After": "90"}), 90.0),
        (problem(429, retry_after=-5, reply={"Retry-After": "90"}), 90.0),
        (problem(429, retry_after=True, reply={"Retry-After": "90"}), 90.0),
        (problem(429, retry_after="nan", reply={"Retry-After": "90"}), 90.0),
        (html(429, **{"Retry-After": "33"}), 33.0),
        (html(429, **{"Retry-After": "Sat, 21 Nov 2026 09:00:50 GMT", "Date": DATE}), 50.0),
        (html(429, **{"Retry-After": "Sat, 21 Nov 2026 08:00:00 GMT", "Date": DATE}), 1.0),
    ],
)
def test_a_refusal_for_rate_is_waited_out_as_long_as_the_vendor_says(
    clock: Clock, opened: Opened, told: Told, seconds: float
) -> None:
    client = opened(told, page())
    assert client.get("leads").status == 200
    assert [wait for wait in clock.slept if wait > 0.5] == [seconds]


@pytest.mark.parametrize(
    "told", [problem(429, retry_after="soon"), html(429, **{"Retry-After": "soon"}), problem(429, retry_after=[5])]
)
def test_a_hint_that_cannot_be_read_is_none(clock: Clock, opened: Opened, told: Told) -> None:
    opened(told, page()).get("leads")
    (wait,) = [seconds for seconds in clock.slept if seconds > 0.5]
    assert 10.0 <= wait <= 15.0


def test_patience_with_refusals_has_an_end(clock: Clock, opened: Opened) -> None:
    client = opened(problem(429, retry_after=300), limits=Limits(1e9, patience_s=1000.0))
    error = failure(client)
    assert isinstance(error, PortalBusyError)
    assert (error.exit_code, client.traffic.requests) == (1, 4)
    assert sum(clock.slept) == pytest.approx(900.0)


def test_a_wait_longer_than_patience_is_not_begun(clock: Clock, opened: Opened) -> None:
    error = failure(opened(problem(429, retry_after=1e12)))
    assert isinstance(error, PortalBusyError)
    assert sum(clock.slept) == pytest.approx(0, abs=1e-6)


def test_what_a_reader_finds_wrong_is_waited_for_like_a_fault(opened: Opened) -> None:
    client, trouble = opened(page(), limits=Limits(1e9, attempts=2)), Trouble()
    client.stalled(PortalFaultError("an early 204"), trouble)
    with pytest.raises(PortalFaultError):
        client.stalled(PortalFaultError("an early 204"), trouble)
    assert client.traffic.retries == 1


def test_requests_go_at_a_steady_distance(account: PlayedAccount, clock: Clock, opened: Opened) -> None:
    client = opened(page(), limits=Limits())
    for _ in range(13):
        client.get("leads")
    assert clock.slept == pytest.approx([1 / 6] * 12)
    assert client.pause.throttled_s == pytest.approx(2.0)
    assert len(account.asked) == 13


def test_clients_of_one_host_share_its_pace_and_others_have_their_own(account: PlayedAccount) -> None:
    slept: list[float] = []

    def now() -> float:
        return 50.0

    def client(url: str) -> KommoClient:
        return KommoClient(url, TOKEN, limits=Limits(4.0), pause=Pause(now, slept.append))

    with played() as other:
        clients = [client(account.url), client(account.url + "/"), client(other.url)]
        for one in clients:
            one.get("account")
            one.close()
    assert slept == [0.25]


def test_a_repeated_request_keeps_its_distance_too(clock: Clock, opened: Opened) -> None:
    opened(html(502), page(), limits=Limits(0.01)).get("leads")
    assert clock.now == pytest.approx(100.0)


def test_a_cancelled_run_sends_nothing_more(account: PlayedAccount, opened: Opened) -> None:
    client = opened(page())
    client.pause.cancel()
    with pytest.raises(TransientError, match="cancelled"):
        client.get("leads")
    assert account.asked == []


def test_the_log_names_the_vendors_request_and_no_token(opened: Opened) -> None:
    client = opened(html(502), page(**{"X-Request-Id": "01hx7k2m9q4t"}))
    with capture_logs() as logs:
        client.get("leads", [("query", "Olga Kim")])
    assert [line for line in logs if line.get("request_id") == "01hx7k2m9q4t"]
    assert TOKEN not in str(logs)
    assert "Olga" not in str(logs)


def test_an_answer_that_is_not_the_apis_is_told_by_its_shape(opened: Opened) -> None:
    error = failure(opened(Told(200, b"<p>", HTML), limits=Limits(1e9, attempts=1)))
    assert "HTTP 200, text/html, 3 bytes" in str(error)
