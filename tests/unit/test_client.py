"""The client against a portal that is played: envelopes, errors, and what is retried."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from leadhouse.bitrix24.client import Command, Limits, is_unknown_method, portal_time
from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    PermissionDeniedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
    PortalUnreachableError,
    TransientError,
)
from leadhouse.transport import Answer
from unit.scripted import JSON_TYPE, TIME, URL, answer, batch_result, refusal, result, scripted

HTML = {"Content-Type": "text/html; charset=utf-8"}
CODE = URL.split("/")[-2]
TRANSIENT = {
    "HTML at 200": Answer(200, HTML, b"<html>We are busy</html>"),
    "HTML at 502": Answer(502, HTML, b"<html>Bad Gateway</html>"),
    "HTML at 429": Answer(429, HTML, b"<html>Slow down</html>"),
    "nothing": Answer(200, JSON_TYPE, b""),
    "nothing at 500": Answer(500, {}, b""),
    "cut off": Answer(200, JSON_TYPE, b'{"result":{"result":{"p0":[{"ID":"1'),
    "a list": Answer(200, JSON_TYPE, b"[]"),
    "null": Answer(200, JSON_TYPE, b"null"),
    "neither result nor error": answer({"time": TIME}),
    "a server fault": refusal("INTERNAL_SERVER_ERROR", status=500),
    "an unknown fault": refusal("", "whatever", status=503),
    "no connection": PortalUnreachableError("connection refused"),
}


def test_a_call_posts_json_to_the_method_and_returns_the_result() -> None:
    client, transport, clock = scripted(result([{"ID": "1"}]))
    assert bytes(client.call("crm.lead.list", {"select": ["ID"], "start": -1})) == b'[{"ID": "1"}]'
    assert transport.urls == [f"{URL}crm.lead.list.json"]
    assert transport.sent == [{"select": ["ID"], "start": -1}]
    assert (client.traffic.requests, client.traffic.retries, clock.slept) == (1, 0, [])


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}], ids=repr)
def test_an_empty_result_is_a_result(value: Any) -> None:
    client, _, _ = scripted(result(value))
    assert json.loads(bytes(client.call("server.time"))) == value


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_in_haste_nothing_is_tried_again(trouble: Any) -> None:
    client, _, clock = scripted(trouble)
    client.pause.hasty = True
    with pytest.raises(TransientError):
        client.call("server.time")
    assert (client.traffic.requests, clock.slept) == (1, [])


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_what_may_pass_is_tried_again(trouble: Any) -> None:
    client, transport, clock = scripted(trouble, trouble, result("ok"))
    assert bytes(client.call("server.time")) == b'"ok"'
    assert (client.traffic.requests, client.traffic.retries) == (3, 2)
    assert len(clock.slept) == 2
    assert client.pause.throttled_s == 0.0
    assert transport.sent == [{}, {}, {}]


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_what_does_not_pass_is_raised_after_the_last_attempt(trouble: Any) -> None:
    client, transport, clock = scripted(trouble, limits=Limits(attempts=4))
    with pytest.raises(TransientError) as caught:
        client.call("server.time")
    assert len(transport.sent) == 4
    assert clock.slept == sorted(clock.slept)
    assert CODE not in f"{caught.value} {caught.value!r}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("code", "text", "status", "cls"),
    [
        ("INVALID_CREDENTIALS", "Invalid request credentials", 401, CredentialsError),
        ("insufficient_scope", "", 403, PermissionDeniedError),
        ("", "Access denied.", 400, PermissionDeniedError),
        (0, "Access denied", 400, PermissionDeniedError),
        (100, "Could not find value for parameter {entityTypeId}", 400, PortalMethodError),
        ("", "", 400, PortalMethodError),
        ("ERROR_METHOD_NOT_FOUND", "Method not found!", 404, PortalMethodError),
    ],
)
def test_an_error_for_a_person_is_raised_at_once(code: Any, text: str, status: int, cls: type[LeadhouseError]) -> None:
    client, transport, _ = scripted(refusal(code, text, status))
    with pytest.raises(cls) as caught:
        client.call("crm.lead.list")
    assert len(transport.sent) == 1
    assert (caught.value.portal, caught.value.method, caught.value.code) == (
        "acme.bitrix24.com",
        "crm.lead.list",
        str(code),
    )


@pytest.mark.parametrize("code", ["INVALID_CREDENTIALS", "", 0], ids=repr)
def test_the_error_key_decides_and_not_the_status_nor_a_result_beside_it(code: Any) -> None:
    client, _, _ = scripted(answer({"error": code, "error_description": "Access denied", "result": []}, 200))
    with pytest.raises((CredentialsError, PermissionDeniedError)):
        client.call("crm.lead.list")


def test_a_result_with_a_bad_status_is_a_result() -> None:
    client, _, _ = scripted(answer({"result": 5}, 500))
    assert bytes(client.call("x")) == b"5"


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_web_page_instead_of_the_api_is_a_wrong_address(status: int) -> None:
    client, _, _ = scripted(Answer(status, HTML, b"<html>Olga Kim</html>"))
    with pytest.raises(ConfigurationError, match=rf"HTTP {status}, text/html, 21 bytes.*check webhook_url") as caught:
        client.call("server.time")
    assert "Olga" not in str(caught.value)


def test_a_refusal_for_rate_is_waited_out_however_often_and_counted_as_throttled() -> None:
    busy = refusal("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
    client, transport, clock = scripted(*[busy] * 20, result("ok"))
    assert bytes(client.call("x")) == b'"ok"'
    assert len(transport.sent) == 21
    assert client.pause.throttled_s == pytest.approx(sum(clock.slept))
    assert client.traffic.retries == 20


def test_patience_with_refusals_has_an_end() -> None:
    client, transport, clock = scripted(refusal("QUERY_LIMIT_EXCEEDED", status=503), limits=Limits(patience_s=60.0))
    with pytest.raises(PortalBusyError):
        client.call("x")
    assert 60.0 >= sum(clock.slept) > 0
    assert len(transport.sent) > 5


def test_a_blocked_method_waits_as_long_as_the_answer_says() -> None:
    blocked = answer({"error": "OPERATION_TIME_LIMIT", "time": {**TIME, "operating_reset_at": 1763715690}}, 429)
    client, _, clock = scripted(blocked, result("ok"))
    client.call("x")
    now = datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()
    assert clock.slept == [min(600.0, max(1.0, 1763715690 - now))]


def test_a_blocked_method_whose_answer_tells_no_time_waits_a_minute() -> None:
    client, _, clock = scripted(refusal("OPERATION_TIME_LIMIT", status=429), result("ok"))
    client.call("x")
    assert clock.slept == [60.0]


def test_a_budget_nearly_used_up_pauses_before_the_next_request() -> None:
    start = datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()
    client, _, clock = scripted(
        result("ok", operating=400.0, operating_reset_at=start + 200), result("ok", operating=0.1)
    )
    client.call("x")
    assert clock.slept == []
    client.call("x")
    assert [round(seconds) for seconds in clock.slept] in ([200], [201])
    client.call("x")
    assert len(clock.slept) == 1


def test_the_operating_time_of_each_command_of_a_batch_counts() -> None:
    start = datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()
    times = {"p0": {"operating": 470.0, "operating_reset_at": start + 100}}
    client, _, clock = scripted(batch_result({"p0": []}, times=times))
    client.batch({"p0": Command("crm.lead.list")}, halt=True)
    client.call("server.time")
    assert [round(seconds) for seconds in clock.slept] in ([100], [101])


def test_requests_are_paced_to_the_vendors_bucket() -> None:
    client, _, clock = scripted(result("ok"), limits=Limits(drain=2.0, burst=10.0))
    for _ in range(20):
        client.call("x")
    assert sum(clock.slept) == pytest.approx((20 - 8) / 2.0)
    assert client.pause.throttled_s == pytest.approx(6.0)


def test_a_cancelled_run_sends_nothing_more() -> None:
    client, transport, _ = scripted(result("ok"))
    client.pause.cancel()
    with pytest.raises(TransientError, match="cancelled"):
        client.call("x")
    assert transport.sent == []


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ({"date_start": "2026-11-21T12:00:00+03:00", "start": 1.0}, datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ({"date_start": "2026-11-21T12:00:00.9+03:00"}, datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ({"start": 1763715600.9}, datetime(2025, 11, 21, 9, tzinfo=UTC)),
        ({"start": 1763715600}, datetime(2025, 11, 21, 9, tzinfo=UTC)),
        ({"date_start": "soon", "start": 1763715600}, datetime(2025, 11, 21, 9, tzinfo=UTC)),
        ({"date_start": "2026-11-21T12:00:00"}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_portals_clock_is_read_in_whole_seconds(told: Any, at: datetime | None) -> None:
    assert portal_time(told) == at


def test_a_method_that_the_portal_does_not_know_is_recognised() -> None:
    assert is_unknown_method(PortalMethodError("x", code="error_method_not_found"))
    assert not is_unknown_method(PortalMethodError("x", code="NOT_FOUND"))
    assert not is_unknown_method(PortalFaultError("x", code="ERROR_METHOD_NOT_FOUND"))
    assert not is_unknown_method(None)
