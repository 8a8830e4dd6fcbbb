"""Dictionaries read by offset: to their end, over page borders, and refused ones do not hinder."""

import json
from typing import Any

import msgspec
import pytest

from leadhouse.bitrix24.client import Batch
from leadhouse.bitrix24.dictionaries import Dictionaries, table_of
from leadhouse.bitrix24.listing import Listing, read_on
from leadhouse.errors import LeadhouseError, OperatorError, PermissionDeniedError, PortalBusyError, PortalFaultError
from unit.scripted import batch_result, scripted


def users(pages: int = 1) -> Listing:
    return Listing("users", "user.get", (("sort", "ID"),), ("ID",), pages)


def batch(nexts: dict[str, Any] | None = None, errors: dict[str, LeadhouseError] | None = None, **pages: Any) -> Batch:
    """Return a batch's answer; a range stands for rows with these ids."""
    results = {key: [{"ID": str(n)} for n in told] if isinstance(told, range) else told for key, told in pages.items()}
    raw = {key: msgspec.Raw(json.dumps(told).encode()) for key, told in results.items()}
    return Batch(raw, errors or {}, nexts or {}, None)


def starts(listing: Listing) -> list[str]:
    return [dict(command.params)["start"] for command in listing.commands().values()]


def test_pages_are_asked_for_by_offset_and_go_on_where_they_ended() -> None:
    listing = users(pages=2)
    assert starts(listing) == ["0", "50"]
    assert (
        listing.take(batch(users0=range(50), users1=range(50, 100), nexts={"users0": 50, "users1": 100}), "p") is None
    )
    assert (listing.complete, len(listing.rows)) == (False, 100)
    assert starts(listing)[:2] == ["100", "150"]
    assert len(starts(listing)) == 50


def test_the_last_page_has_no_next() -> None:
    listing = users(pages=3)
    listing.take(batch(users0=range(50), users1=range(50, 70), users2=range(50), nexts={"users0": 50}), "p")
    assert (listing.complete, len(listing.rows)) == (True, 70)


def test_a_full_page_without_next_is_not_the_end_until_one_brings_nothing_new() -> None:
    """Some dictionaries come whole and without `next`; past the end a portal may send the first page again."""
    listing = users(pages=1)
    listing.take(batch(users0=range(50)), "p")
    assert not listing.complete
    listing.take(batch(users0=range(50)), "p")
    assert (listing.complete, len(listing.rows)) == (True, 50)


@pytest.mark.parametrize("rows", [100, 150, 300])
def test_users_end_where_the_portal_sends_the_first_page_again_as_if_more_were_to_come(rows: int) -> None:
    """Full pages to the last row, and past the end the first page with its `next`."""
    listing = users(pages=6)
    for _ in range(2):
        told: dict[str, Any] = {}
        nexts: dict[str, Any] = {}
        for key, start in zip(listing.commands(), map(int, starts(listing)), strict=True):
            begin = start if start < rows else 0
            told[key] = range(begin, begin + 50)
            if begin + 50 < rows:
                nexts[key] = begin + 50
        if not listing.complete:
            assert listing.take(batch(nexts=nexts, **told), "p") is None
    assert (listing.complete, len(listing.rows)) == (True, rows)


@pytest.mark.parametrize("told", [[], {"items": []}, {}], ids=repr)
def test_an_empty_dictionary_is_complete(told: Any) -> None:
    listing = users()
    assert listing.take(batch(users0=told), "p") is None
    assert (listing.complete, listing.rows) == (True, {})


def test_rows_that_pages_share_are_one() -> None:
    listing = users(pages=2)
    listing.take(batch(users0=range(50), users1=range(40, 60), nexts={"users0": 50}), "p")
    assert len(listing.rows) == 60


def test_rows_come_as_list_object_or_items() -> None:
    row = {"ID": "1"}
    for told in ([row], {"7": row}, {"items": [row]}):
        listing = users()
        listing.take(batch(users0=told), "p")
        assert list(listing.rows.values()) == [row]


def test_a_dictionary_that_the_portal_refuses_is_missing_and_does_not_hinder() -> None:
    listing = users()
    refused = PermissionDeniedError("no scope", code="insufficient_scope")
    assert listing.take(batch(errors={"users0": refused}), "p") is None
    assert (listing.complete, listing.missing) == (True, "insufficient_scope")


@pytest.mark.parametrize("told", ["x", 5, [1], {"items": [1]}], ids=repr)
def test_rows_of_another_shape_are_a_fault(told: Any) -> None:
    listing = users()
    assert isinstance(listing.take(batch(users0=told), "p"), PortalFaultError)
    assert not listing.complete


def test_what_is_wrong_for_now_is_handed_back() -> None:
    busy = PortalBusyError("the limit", code="OPERATION_TIME_LIMIT")
    assert users().take(batch(errors={"users0": busy}), "p") is busy
    assert isinstance(users().take(batch(), "p"), PortalFaultError)


def test_a_dictionary_is_read_on_through_faults_to_its_end() -> None:
    rows = [{"ID": str(number)} for number in range(70)]
    first = batch_result({"users0": rows[:50]}, nexts={"users0": 50})
    client, transport, clock = scripted(batch_result({}), first, batch_result({"users0": rows[50:]}))
    listing = users()
    read_on(client, [listing])
    assert (listing.complete, len(listing.rows), len(transport.sent)) == (True, 70, 3)
    assert len(clock.slept) == 1


def test_a_dictionary_that_never_comes_is_given_up() -> None:
    client, transport, _ = scripted(batch_result({}))
    with pytest.raises(PortalFaultError):
        read_on(client, [users()])
    assert len(transport.sent) > 3


def test_the_opening_asks_for_every_dictionary() -> None:
    client, _, _ = scripted(batch_result({}))
    methods = {command.method for command in Dictionaries(client).commands().values()}
    assert methods == {"crm.lead.userfield.list", "crm.status.list", "crm.currency.list", "user.get"}


def test_a_users_row_is_typed_and_odd_empties_are_null() -> None:
    told = {"ID": "7", "ACTIVE": True, "NAME": "Ira", "LAST_NAME": "", "EMAIL": {}, "UF_DEPARTMENT": [1, 3]}
    (row,) = table_of("users", [told]).to_pylist()
    assert (row["id"], row["is_active"], row["name"], row["last_name"], row["email"]) == (7, True, "Ira", None, None)
    assert row["department_ids"] == "[1, 3]"


def test_stage_history_comes_as_numbers_or_as_text() -> None:
    told = {"ID": 35, "TYPE_ID": 1, "OWNER_ID": 21, "CREATED_TIME": "2026-04-25T14:59:11+03:00", "STATUS_ID": "NEW"}
    texts = {name: str(value) for name, value in told.items()}
    assert table_of("lead_stage_history", [told]) == table_of("lead_stage_history", [texts])


def test_a_row_without_its_key_is_told_and_not_loaded() -> None:
    with pytest.raises(OperatorError, match="rows of users without id"):
        table_of("users", [{"ID": "7"}, {"NAME": "Ira"}])
