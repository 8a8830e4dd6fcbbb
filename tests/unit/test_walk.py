"""Keyset walks over a portal that is played: short, missing, repeated and disordered pages."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from leadhouse.bitrix24.client import Batch, Command
from leadhouse.bitrix24.walk import Walk
from leadhouse.errors import (
    CredentialsError,
    LeadhouseError,
    PagingError,
    PortalBusyError,
    PortalFaultError,
    TransientError,
)

IDS = msgspec.json.Decoder(list[dict[str, int]])


def decoded(result: msgspec.Raw) -> list[dict[str, int]]:
    return IDS.decode(result)


def walk(after: int = 0, chain: int = 3) -> Walk:
    """Return a walk over rows that are ids."""
    return Walk(
        name="p",
        portal="acme.bitrix24.com",
        command=lambda position: Command("crm.lead.list", [("filter[>ID]", position)]),
        reference=lambda key: f"$result[{key}][49][ID]",
        rows=decoded,
        id_of=lambda row: int(row["ID"]),
        after=after,
        newest=Command("crm.lead.list", [("order[ID]", "DESC")]),
        newest_ids=lambda result: [row["ID"] for row in decoded(result)],
        chain=chain,
    )


def batch(errors: dict[str, LeadhouseError] | None = None, **pages: Any) -> Batch:
    """Return a batch's answer: ids by command key, or any other JSON in their place."""
    results = {
        key: [{"ID": number} for number in told] if isinstance(told, range | list) else told
        for key, told in pages.items()
    }
    return Batch({key: msgspec.Raw(json.dumps(told).encode()) for key, told in results.items()}, errors or {}, {}, None)


def take(walked: Walk, answer: Batch, *, probe: bool = False) -> tuple[list[int], TransientError | None]:
    walked.commands(probe=probe)
    rows, problem = walked.take(answer)
    return [row["ID"] for row in rows], problem


def test_each_page_follows_the_one_before() -> None:
    commands = walk(after=70).commands(probe=True)
    assert [command.params[0][1] for command in commands.values()] == [
        "70",
        "$result[p0][49][ID]",
        "$result[p1][49][ID]",
        "DESC",
    ]
    assert list(commands) == ["p0", "p1", "p2", "p_newest"]
    assert "p_newest" not in walk().commands(probe=False)


def test_full_pages_are_read_and_the_next_batch_is_as_long_as_can_be() -> None:
    walked = walk()
    ids, problem = take(walked, batch(p0=range(1, 51), p1=range(60, 110), p2=range(200, 250)))
    assert (len(ids), problem, walked.after, walked.done, walked.chain) == (150, None, 249, False, 50)


def test_an_empty_page_is_the_end() -> None:
    walked = walk()
    ids, problem = take(walked, batch(p0=range(1, 51), p1=[], p2=range(2, 52)))
    assert (ids, problem, walked.after, walked.done) == (list(range(1, 51)), None, 50, True)


def test_a_short_page_ends_the_chain_but_is_not_the_end() -> None:
    """What follows it restarts at id 1 on the portal and must be ignored."""
    walked = walk()
    ids, problem = take(walked, batch(p0=range(1, 51), p1=range(60, 70), p2=range(2, 52)))
    assert (len(ids), ids[-1], problem) == (60, 69, None)
    assert (walked.after, walked.done, walked.chain) == (69, False, 2)
    ids, problem = take(walked, batch(p0=[], p1=range(2, 52)))
    assert (ids, problem, walked.done) == ([], None, True)


def test_leads_behind_a_short_page_are_still_found() -> None:
    walked = walk()
    take(walked, batch(p0=range(1, 31)))
    ids, _ = take(walked, batch(p0=range(90, 140), p1=range(140, 145)))
    assert (ids[0], ids[-1], walked.done) == (90, 144, False)


@pytest.mark.parametrize(("newest", "done"), [(range(21, 31), True), (range(22, 32), False), ([], False)])
def test_a_short_page_is_the_end_where_the_newest_id_was_read(newest: Sequence[int], done: bool) -> None:
    walked = walk()
    take(walked, batch(p0=range(1, 31), p_newest=newest), probe=True)
    assert walked.done is done


@pytest.mark.parametrize("newest", ["no list", [{"NAME": 1}], None])
def test_a_probe_that_cannot_be_read_proves_nothing(newest: Any) -> None:
    walked = walk()
    answer = batch(p0=range(1, 31))
    answer.results["p_newest"] = msgspec.Raw(json.dumps(newest).encode())
    ids, problem = take(walked, answer, probe=True)
    assert (len(ids), problem, walked.done) == (30, None, False)


def test_full_pages_are_not_the_end_although_the_newest_id_was_read() -> None:
    walked = walk(chain=1)
    take(walked, batch(p0=range(1, 51), p_newest=range(1, 51)), probe=True)
    assert not walked.done


def test_a_missing_command_stops_there_and_keeps_what_came_before() -> None:
    walked = walk()
    ids, problem = take(walked, batch(p0=range(1, 51), p2=range(101, 151)))
    assert (len(ids), walked.after, walked.done) == (50, 50, False)
    assert isinstance(problem, PortalFaultError)
    assert "not executed" in str(problem)


def test_a_transient_error_of_a_page_is_handed_back_with_the_rows_before_it() -> None:
    busy = PortalBusyError("the limit", code="OPERATION_TIME_LIMIT")
    walked = walk()
    ids, problem = take(walked, batch({"p1": busy}, p0=range(1, 51)))
    assert (len(ids), walked.after) == (50, 50)
    assert problem is busy
    assert next(iter(walked.commands(probe=False).values())).params[0][1] == "50"


def test_an_error_for_a_person_is_raised() -> None:
    refused = CredentialsError("refused", code="INVALID_CREDENTIALS")
    walked = walk()
    walked.commands(probe=False)
    with pytest.raises(CredentialsError):
        walked.take(batch({"p0": refused}))


@pytest.mark.parametrize(
    "page",
    [
        [1, 2, 2, 3],
        [5, 4],
        [50, 51],
        [*range(51, 101), 60],
    ],
    ids=["a repeated id", "out of order", "an id that was read", "the order broken at the end"],
)
def test_a_page_that_does_not_advance_is_refused_and_nothing_of_it_kept(page: list[int]) -> None:
    walked = walk()
    ids, problem = take(walked, batch(p0=range(1, 51), p1=page))
    assert (ids[-1], walked.after, walked.done) == (50, 50, False)
    assert isinstance(problem, PagingError)
    assert (problem.portal, problem.method) == ("acme.bitrix24.com", "crm.lead.list")


def test_a_page_that_starts_again_is_refused() -> None:
    """A filter that the portal dropped in silence brings the first page for ever."""
    walked = walk(after=500)
    ids, problem = take(walked, batch(p0=range(1, 51)))
    assert (ids, walked.after) == ([], 500)
    assert isinstance(problem, PagingError)


def test_a_page_of_more_than_fifty_rows_is_refused() -> None:
    ids, problem = take(walk(), batch(p0=range(1, 52)))
    assert ids == []
    assert isinstance(problem, PagingError)
    assert "51 rows" in str(problem)


@pytest.mark.parametrize("shape", [None, "x", {"items": []}, [1], [{"ID": "five"}], [{"NAME": 1}]], ids=repr)
def test_a_page_of_another_shape_is_a_fault_that_is_tried_again(shape: Any) -> None:
    walked = walk()
    answer = batch(p0=range(1, 51))
    answer.results["p1"] = msgspec.Raw(json.dumps(shape).encode())
    ids, problem = take(walked, answer)
    assert (len(ids), walked.after, walked.done) == (50, 50, False)
    assert isinstance(problem, PortalFaultError)
    assert "another shape" in str(problem)
