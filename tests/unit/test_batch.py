"""Batches: commands by key, answers as list or object, and what one spoilt value does to the rest."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from leadhouse.bitrix24.client import MAX_COMMANDS, Command, Limits
from leadhouse.errors import LeadNotFoundError, PortalBusyError, PortalFaultError
from leadhouse.retry import Trouble
from leadhouse.transport import Answer
from unit.scripted import JSON_TYPE, URL, batch_result, result, scripted

COMMANDS = {"a": Command("crm.lead.list", [("start", "-1")]), "b": Command("server.time")}


@pytest.mark.parametrize("members", [{"a": [1], "b": "now"}, [[1], "now"]], ids=["object", "list"])
def test_a_batchs_answers_are_found_by_key_whether_object_or_list(members: Any) -> None:
    client, transport, _ = scripted(batch_result(members))
    found = client.batch(COMMANDS, halt=True)
    assert {key: json.loads(bytes(told)) for key, told in found.results.items()} == {"a": [1], "b": "now"}
    assert (found.errors, found.nexts) == ({}, {})
    assert found.started_at == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert transport.urls == [f"{URL}batch.json"]
    assert transport.sent == [{"halt": 1, "cmd": {"a": "crm.lead.list?start=-1", "b": "server.time"}}]


def test_an_empty_batch_answer_has_nothing() -> None:
    client, _, _ = scripted(batch_result([]))
    found = client.batch(COMMANDS, halt=False)
    assert (found.results, found.errors, found.nexts) == ({}, {}, {})


@pytest.mark.parametrize(
    "told",
    [
        {"error": "", "error_description": "Not found"},
        {"error": "NOT_FOUND"},
        "Not found",
        {"error": 0, "error_description": "Not found."},
    ],
    ids=repr,
)
@pytest.mark.parametrize("as_list", [True, False])
def test_an_error_of_a_command_is_one_of_its_method(told: Any, as_list: bool) -> None:
    client, _, _ = scripted(batch_result({"b": 1}, [told] if as_list else {"a": told}))
    found = client.batch(COMMANDS, halt=False)
    assert list(found.results) == ["b"]
    assert isinstance(found.errors["a"], LeadNotFoundError)
    assert found.errors["a"].method == "crm.lead.list"


def test_a_command_that_is_too_busy_is_an_error_of_its_own() -> None:
    client, _, _ = scripted(batch_result({}, {"a": {"error": "OPERATION_TIME_LIMIT", "error_description": "blocked"}}))
    assert isinstance(client.batch(COMMANDS, halt=True).errors["a"], PortalBusyError)


def test_the_next_pages_of_a_batch_are_told() -> None:
    client, _, _ = scripted(batch_result({"a": [], "b": 1}, nexts={"a": 50}))
    assert client.batch(COMMANDS, halt=False).nexts == {"a": 50}


@pytest.mark.parametrize("body", [[], "x", None, {"result": "x"}, {"result": {}, "result_error": 5}], ids=repr)
def test_a_batch_of_another_shape_is_a_fault(body: Any) -> None:
    client, _, _ = scripted(result(body))
    with pytest.raises(PortalFaultError, match="another shape"):
        client.batch(COMMANDS, halt=False)


def test_a_batch_has_fifty_commands_at_most() -> None:
    client, transport, _ = scripted(batch_result([]))
    client.batch({f"p{number}": Command("x") for number in range(MAX_COMMANDS)}, halt=False)
    with pytest.raises(ValueError, match="51 commands"):
        client.batch({f"p{number}": Command("x") for number in range(MAX_COMMANDS + 1)}, halt=False)
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\uDE00 cut", "\ufffd cut"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\ud83d\ude00\ud83dx", "\U0001f600\ufffdx"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (rb"\ud83d\\ude00\n\"", '\ufffd\\ude00\n"'),
    ],
)
def test_a_character_that_was_cut_through_does_not_spoil_the_batch_around_it(sent: bytes, read: str) -> None:
    body = (
        b'{"result":{"result":{"a":[{"TITLE":"%s"}],"b":1},"result_error":[],"result_next":[],"result_time":[]}}' % sent
    )
    client, transport, _ = scripted(Answer(200, JSON_TYPE, body))
    found = client.batch(COMMANDS, halt=False)
    assert json.loads(bytes(found.results["a"])) == [{"TITLE": read}]
    assert len(transport.sent) == 1


def test_bytes_that_are_no_text_do_not_spoil_the_batch_around_them() -> None:
    body = b'{"result":{"result":{"a":[{"TITLE":"\xff"}],"b":1},"result_error":[],"result_next":[],"result_time":[]}}'
    client, _, _ = scripted(Answer(200, JSON_TYPE, body))
    assert bytes(client.batch(COMMANDS, halt=False).results["a"]) == b'[{"TITLE":"\xff"}]'


def test_a_stalled_command_waits_like_a_request_and_gives_up_like_one() -> None:
    client, _, clock = scripted(result("ok"), limits=Limits(attempts=3))
    trouble = Trouble()
    fault = PortalFaultError("broken")
    client.stalled(fault, trouble)
    client.stalled(fault, trouble)
    with pytest.raises(PortalFaultError):
        client.stalled(fault, trouble)
    assert (len(clock.slept), client.traffic.retries) == (2, 2)
