"""The walk over modification times loses nothing, whatever happens to the rows between its requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.errors import LeadhouseError, PagingError, PortalFilterError
from leadhouse.kommo import walk as walking
from leadhouse.kommo.client import Reply
from leadhouse.kommo.entity import LEADS
from leadhouse.kommo.pages import Pages
from leadhouse.kommo.walk import Walk
from leadhouse.retry import Trouble
from unit.fuzz import QUICK

PAGE = 5
BEGIN = 1_000


@dataclass(frozen=True)
class Ways:
    """How an account answers: what the vendor's pages leave open."""

    inclusive: bool
    next_on_exact_multiple: bool
    page: int


class Account:
    """Rows in memory behind the client's interface; before each request the next of `happenings` takes place."""

    portal = "acme.example.com"

    def __init__(self, rows: dict[int, int], ways: Ways, happenings: Sequence[Any] = ()) -> None:
        self.rows = dict(rows)
        self.ways = ways
        self.now = max([*rows.values(), BEGIN]) + 5
        self.happenings = list(happenings)
        self.requests = 0
        self.ignores_filters = False

    def get(self, path: str, params: Sequence[tuple[str, str]]) -> Reply:
        """Answer as the account would."""
        assert path == "leads"
        return self._answer(dict(params))

    def follow(self, link: str) -> Reply:
        """Answer for a link of an answer."""
        return self._answer({name: values[0] for name, values in parse_qs(link).items()})

    def stalled(self, problem: LeadhouseError, trouble: Trouble) -> None:
        """Give up at the third fault."""
        trouble.faults += 1
        if trouble.faults > 2:
            raise problem

    def _answer(self, params: dict[str, str]) -> Reply:
        self.requests += 1
        assert self.requests < 2_000, "the walk does not end"
        if self.happenings:
            self._happen(self.happenings.pop(0))
        found = [(number, at) for number, at in self.rows.items() if self._fits(at, params)]
        found.sort(key=lambda row: row if "order[id]" in params else (row[1], row[0]))
        page, size = int(params["page"]), min(int(params["limit"]), self.ways.page)
        rows = found[(page - 1) * size : page * size]
        if not rows:
            return Reply(204, b"", datetime.now(UTC), 0.0)
        more = len(found) > page * size or (self.ways.next_on_exact_multiple and len(rows) == size)
        links = {"next": {"href": urlencode(params | {"page": str(page + 1)})}} if more else {}
        leads = [{"id": number, "updated_at": at} for number, at in rows]
        body = msgspec.json.encode({"_page": page, "_links": links, "_embedded": {"leads": leads}})
        return Reply(200, body, datetime.now(UTC), 0.0)

    def _fits(self, at: int, params: dict[str, str]) -> bool:
        if self.ignores_filters:
            return True
        since = int(params.get("filter[updated_at][from]", -1))
        until = int(params.get("filter[updated_at][to]", 2**62))
        return since <= at <= until if self.ways.inclusive else since < at < until

    def _happen(self, happening: Any) -> None:
        kind, pick, count = happening
        self.now += kind == "later"
        chosen = sorted(self.rows)[pick % max(1, len(self.rows)) :][:count]
        for number in chosen:
            if kind == "edit":
                self.rows[number] = self.now
            elif kind == "delete":
                del self.rows[number]
        if kind == "add":
            first = max(self.rows, default=0) + 1
            self.rows |= dict.fromkeys(range(first, first + count), self.now)


def walked(account: Account, position: int = 0) -> tuple[dict[int, set[int]], Walk]:
    """Walk to the end; return the times at which each row was seen. From its upper bound on the next window reads."""
    pages = Pages(LEADS, account.portal, zone=UTC, region=None, stored={})
    walk = Walk(account, lambda: pages, position, None)  # type: ignore[arg-type]  # the client's interface, in memory
    upper = account.now
    walk.begin(lambda _: {})
    seen: dict[int, set[int]] = {}
    for step in walk.steps(upper):
        for row in step.rows:
            seen.setdefault(row.w_id, set()).add(row.w_updated_at)
    pages.close()
    missing = {
        number: at for number, at in account.rows.items() if position <= at < upper and at not in seen.get(number, ())
    }
    assert missing == {}
    return seen, walk


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "PAGE_ROWS", PAGE)


WAYS = st.builds(Ways, inclusive=st.booleans(), next_on_exact_multiple=st.booleans(), page=st.sampled_from([PAGE, 3]))


def _rows(counts: Sequence[int]) -> dict[int, int]:
    """Return rows with ids in the order of their seconds, so many in each."""
    times = [BEGIN + 2 * second for second, count in enumerate(counts) for _ in range(count)]
    return dict(enumerate(times, start=1))


# Few seconds and many rows: seconds that fill several pages are the rule here.
ROWS = st.lists(st.integers(0, 18), min_size=1, max_size=4).map(_rows)
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "edit", "delete", "add", "later", "nothing"]), st.integers(0, 15), st.integers(1, 3)
    ),
    max_size=30,
)


@settings(QUICK, max_examples=400)
@given(ROWS, WAYS, HAPPENINGS)
def test_every_row_that_rests_is_seen_whatever_happens_to_the_others(
    rows: dict[int, int], ways: Ways, happenings: list[Any]
) -> None:
    walked(Account(rows, ways, happenings))


@settings(QUICK, max_examples=150)
@given(ROWS, WAYS, HAPPENINGS, st.integers(BEGIN, BEGIN + 6))
def test_a_walk_that_begins_at_a_second_sees_every_row_from_there(
    rows: dict[int, int], ways: Ways, happenings: list[Any], position: int
) -> None:
    _, walk = walked(Account(rows, ways, happenings), position)
    assert walk.position >= position


@settings(QUICK, max_examples=150)
@given(ROWS, WAYS, HAPPENINGS, st.integers(1, 12))
def test_a_walk_that_is_cut_goes_on_from_its_position(
    rows: dict[int, int], ways: Ways, happenings: list[Any], steps: int
) -> None:
    account = Account(rows, ways, happenings)
    pages = Pages(LEADS, account.portal, zone=UTC, region=None, stored={})
    walk = Walk(account, lambda: pages, 0, None)  # type: ignore[arg-type]
    upper = account.now
    walk.begin(lambda _: {})
    seen: set[tuple[int, int]] = set()
    position = 0
    for number, step in enumerate(walk.steps(upper)):
        seen |= {(row.w_id, row.w_updated_at) for row in step.rows}
        position = step.position
        if number == steps:
            break
    pages.close()
    resting = {(number, at) for number, at in account.rows.items() if at < min(position, upper)}
    assert resting <= seen


@pytest.mark.parametrize("kind", ["edit", "delete"])
@pytest.mark.parametrize("before", range(8))
def test_a_row_that_steps_into_a_page_already_read_is_seen_all_the_same(kind: str, before: int) -> None:
    happenings = [("nothing", 0, 1)] * before + [(kind, 0, 1)]
    for inclusive in (True, False):
        walked(Account(_rows([12]), Ways(inclusive, next_on_exact_multiple=False, page=PAGE), happenings))


def test_a_page_of_one_second_is_drained_by_id_and_the_walk_goes_on() -> None:
    rows = {number: BEGIN + (number > 23) for number in range(1, 40)}
    for inclusive in (True, False):
        seen, _ = walked(Account(rows, Ways(inclusive, next_on_exact_multiple=False, page=PAGE)))
        assert seen == {number: {at} for number, at in rows.items()}


def test_an_account_that_ignores_filters_is_found_out_by_its_older_rows() -> None:
    account = Account({1: BEGIN, 2: BEGIN + 90}, Ways(inclusive=True, next_on_exact_multiple=False, page=PAGE))
    account.ignores_filters = True
    with pytest.raises(PortalFilterError, match="ignores filters; nothing was committed"):
        walked(account, BEGIN + 50)
    with pytest.raises(PortalFilterError):
        walked(account)


def test_a_page_in_another_order_is_refused() -> None:
    class Shuffled(Account):
        def _answer(self, params: dict[str, str]) -> Reply:
            return super()._answer(params | {"order[id]": "asc"})

    with pytest.raises(PagingError, match="out of order"):
        walked(Shuffled({1: BEGIN + 2, 2: BEGIN}, Ways(inclusive=True, next_on_exact_multiple=False, page=PAGE)))


def test_an_end_without_news_is_not_asked_about_again() -> None:
    account = Account({1: BEGIN, 2: BEGIN + 1}, Ways(inclusive=True, next_on_exact_multiple=False, page=PAGE))
    pages = Pages(LEADS, account.portal, zone=UTC, region=None, stored={})
    walk = Walk(account, lambda: pages, BEGIN, None)  # type: ignore[arg-type]
    _, news = walk.begin(lambda _: {1: BEGIN, 2: BEGIN + 1})
    assert not news
    assert [len(step.rows) for step in walk.steps(account.now)] == [2]
    assert account.requests == 1
    pages.close()
