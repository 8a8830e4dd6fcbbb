"""Which ids differ: by counts where that is cheap and can be believed, by listing otherwise."""

from collections.abc import Iterator
from typing import Any

import pytest

from leadhouse.bitrix24 import census
from leadhouse.bitrix24.census import Census
from leadhouse.bitrix24.client import Bitrix24Client, Limits
from leadhouse.bitrix24.opening import Opening
from leadhouse.crm import Difference
from leadhouse.live import Live
from leadhouse.pace import Pause
from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import small_portal

LEADS = 700
OLD = "2019-05-05T10:00:00+03:00"


@pytest.fixture
def portal() -> Portal:
    return small_portal(LEADS)


@pytest.fixture
def client(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bitrix24Client]:
    """Faults are repeated at once; a portal of 700 leads is not small."""
    monkeypatch.setattr(Pause, "for_retry", lambda *_: None)
    monkeypatch.setattr(census, "_SMALL_REQUESTS", 0)
    monkeypatch.setattr(census, "_MARGIN_IDS", 10)
    monkeypatch.setattr(census, "_requests_to_come", lambda *_: 0)
    with serve(portal) as served:
        made = Bitrix24Client(served.url, limits=Limits(drain=1000, burst=10_000))
        yield made
        made.close()


class Comparison:
    """A census of a portal against what it had when this was made."""

    def __init__(self, portal: Portal, client: Bitrix24Client) -> None:
        self.held = Live.of((row.id, row.modified) for row in portal.store)
        self._portal, self._client = portal, client

    def difference(self, *, every: bool = False, listed_through: int | None = None) -> Difference:
        """Compare; everything that was held was listed, unless told otherwise."""
        opening = Opening(self._client, family="lead", region=None, stored={})
        newest = opening.with_newest()
        asked = self._portal.http_requests
        through = self.held.ids[-1] if listed_through is None else listed_through
        try:
            return Census(self._client, opening, self.held, newest).difference(through, every=every)
        finally:
            opening.close()
            self.requests = self._portal.http_requests - asked


@pytest.fixture
def comparison(portal: Portal, client: Bitrix24Client) -> Comparison:
    return Comparison(portal, client)


def test_equal_ids_are_proven_by_one_count_and_one_look_at_the_end(comparison: Comparison) -> None:
    found = comparison.difference()
    assert (found.by, found.vanished, found.unknown, found.portal) == ("counts", [], [], LEADS)
    assert comparison.requests == 2


def test_vanished_and_new_leads_are_found_by_counts(comparison: Comparison, portal: Portal) -> None:
    gone = [comparison.held.ids[at] for at in (0, 300, 301, 699)]
    for number in gone:
        portal.delete_lead(number)
    new = portal.import_leads(3, OLD)
    found = comparison.difference()
    assert (found.by, found.vanished, found.unknown) == ("counts", gone, new)
    assert found.portal == LEADS - 1
    assert found.modified.keys() == set(new)


def test_hidden_leads_that_are_shown_again_are_found_by_counts(portal: Portal, client: Bitrix24Client) -> None:
    shown = [row.id for row in portal.store][100:600:100]
    portal.hide_lead(*shown)
    comparison = Comparison(portal, client)
    portal.reveal_lead(*shown)
    found = comparison.difference()
    assert (found.by, found.unknown, found.vanished) == ("counts", shown, [])


def test_spans_that_differ_are_cut_until_an_answer_lists_them(
    comparison: Comparison, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few commands in a batch, spans hold hundreds of leads at first."""
    monkeypatch.setattr(census, "MAX_COMMANDS", 3)
    gone = [comparison.held.ids[at] for at in (10, 350, 600)]
    for number in gone:
        portal.delete_lead(number)
    found = comparison.difference()
    assert (found.by, found.vanished, found.unknown, found.portal) == ("counts", gone, [], LEADS - 3)


def test_leads_that_came_after_the_beginning_are_out_of_reach(comparison: Comparison, portal: Portal) -> None:
    def come(method: str, params: dict[str, Any], there: Portal) -> None:
        if method == "crm.lead.list" and params.get("filter"):
            there.import_leads(1, OLD)

    portal.before_command.append(come)
    found = comparison.difference()
    assert (found.vanished, found.unknown, found.portal) == ([], [], LEADS)
    assert len(portal) > LEADS


@pytest.mark.parametrize("fault", ["wrong_total", "filter_ignored"])
def test_counts_that_lie_are_not_believed(comparison: Comparison, portal: Portal, fault: str) -> None:
    gone = comparison.held.ids[5]
    portal.delete_lead(gone)
    portal.faults.add(fault, times=2, match="crm.lead.list", after=1)
    found = comparison.difference()
    assert (found.vanished, found.unknown, found.portal) == ([gone], [], LEADS - 1)


def test_counts_that_are_capped_are_not_believed(
    comparison: Comparison, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "MAX_COMMANDS", 3)
    gone = comparison.held.ids[5]
    portal.delete_lead(gone)
    portal.quirks.total_cap = 60
    found = comparison.difference()
    assert (found.by, found.vanished, found.portal) == ("listing", [gone], LEADS - 1)


def test_where_counting_on_would_cost_more_every_id_is_listed(
    comparison: Comparison, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "MAX_COMMANDS", 3)
    monkeypatch.setattr(census, "_requests_to_come", lambda *_: 1000)
    gone = comparison.held.ids[5]
    portal.delete_lead(gone)
    found = comparison.difference()
    assert (found.by, found.vanished, found.portal) == ("listing", [gone], LEADS - 1)


@pytest.mark.parametrize("listed_through", [0, 10_000_000])
def test_without_an_earlier_listing_and_where_asked_for_every_id_is_listed_with_its_time(
    comparison: Comparison, portal: Portal, listed_through: int
) -> None:
    moved = comparison.held.ids[50]
    portal.clock.advance(60)
    portal.update_lead(moved, {"TITLE": "moved"})
    found = comparison.difference(every=listed_through > 0, listed_through=listed_through)
    assert (found.by, found.moved, found.portal) == ("listing", [moved], LEADS)
    assert found.modified == {moved: portal.clock.second()}
    assert found.listed_through == comparison.held.ids[-1]


def test_a_small_portal_is_listed(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_SMALL_REQUESTS", 4)
    assert comparison.difference().by == "listing"
    assert comparison.requests == 1
