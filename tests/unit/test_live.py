"""Ids and times that a warehouse holds, and sequences cut into lots."""

from itertools import pairwise

import pytest

from leadhouse.live import NEVER, Live
from leadhouse.lots import lots

LIVE = Live.of([(2, 100), (3, None), (7, 300), (8, 400), (20, 500)])


def test_leads_are_counted_and_listed_between_two_ids_the_first_left_out() -> None:
    assert (len(LIVE), LIVE.count(0, None), LIVE.count(2, 8), LIVE.count(8, 19)) == (5, 5, 3, 0)
    assert list(LIVE.between(2, 8)) == [(3, NEVER), (7, 300), (8, 400)]
    assert list(LIVE.between(8, None)) == [(20, 500)]


@pytest.mark.parametrize("span", [(8, 2), (30, 10), (30, None), (0, 1)])
def test_a_span_without_leads_has_none(span: tuple[int, int | None]) -> None:
    assert (LIVE.count(*span), list(LIVE.between(*span))) == (0, [])


def test_ids_may_be_as_large_as_the_warehouse_takes() -> None:
    assert Live.of([(2**63 - 1, 1)]).count(2**63 - 2, 2**63 - 1) == 1


@pytest.mark.parametrize("parts", [1, 2, 7, 50])
@pytest.mark.parametrize("leads", [0, 1, 6, 1000])
def test_spans_cover_all_ids_once_and_hold_about_as_many_leads_each(leads: int, parts: int) -> None:
    live = Live.of((number * 3 + 1, None) for number in range(leads))
    spans = live.split(5000, parts)
    assert spans[0][0] == 0
    assert spans[-1][1] == 5000
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    counts = [live.count(*span) for span in spans]
    assert sum(counts) == leads
    assert max(counts) <= leads // parts + 2 or leads < parts


def test_no_ids_have_no_spans() -> None:
    assert Live((), ()).split(0, 50) == []


@pytest.mark.parametrize(
    ("items", "cut"), [([], []), ([1, 2], [[1, 2]]), ([1, 2, 3], [[1, 2, 3]]), ([1, 2, 3, 4], [[1, 2, 3], [4]])]
)
def test_lots_keep_order_and_the_last_is_the_rest(items: list[int], cut: list[list[int]]) -> None:
    assert list(lots(items, 3)) == cut
