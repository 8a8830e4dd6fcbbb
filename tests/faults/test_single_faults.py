"""Each fault that a portal can show, alone: complete tables, or an error of ours and complete tables after it."""

import pytest

from faults.conftest import Waits
from leadhouse.errors import PagingError, PortalMethodError, TransientError
from leadhouse.sandbox.bitrix24 import KINDS, Portal
from scene import Scene, in_small_packages

# A stall lasts as long as the time-out, a redirect needs a second portal.
_ELSEWHERE = {"stall", "redirect"}
_ONCE = sorted(set(KINDS) - _ELSEWHERE - {"error", "command_error"})
_PAGING = {"repeated_page", "unordered_page"}
_HARMLESS = {"wrong_total", "wrong_content_type", "start_ignored"}
_REQUEST_WIDE = ("rate_limited", "error_500", "html_502", "html_200", "truncated_json", "empty_body", "reset")


def _strikes(kind: str) -> str | None:
    """Return the method that a fault is to meet: pages of leads, or any request."""
    return None if KINDS[kind] in ("request", "body", "cut") else "crm.lead.list"


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("kind", _ONCE)
def test_a_fault_that_comes_at_first_and_once_more_later_is_overcome_in_the_same_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    in_small_packages(monkeypatch, leads=1000, pages=1)
    faults = [scene.portal.faults.add(kind, match=_strikes(kind), after=after) for after in (0, 3)]
    summary = scene.sync()
    assert [fault.fired for fault in faults] == [1, 1]
    assert summary.outcome == "done"
    assert bool(summary.retries) or kind not in _REQUEST_WIDE
    scene.check()


@pytest.mark.parametrize("kind", sorted({*_REQUEST_WIDE, *_PAGING, "command_missing", "operating_blocked"}))
def test_a_fault_that_stays_ends_the_run_in_time_and_the_next_run_completes_it(
    scene: Scene, waits: Waits, kind: str
) -> None:
    scene.synced().later()
    scene.portal.live(create=60, edit=30, phone_add=5, phone_remove=5, seed=3)
    scene.later(0.01)
    asked = scene.portal.http_requests
    scene.portal.faults.add(kind, match=_strikes(kind), times=None, after=1)
    with pytest.MonkeyPatch.context() as patch:
        in_small_packages(patch, leads=50, pages=1)
        with pytest.raises(TransientError) as failed:
            scene.sync()
    assert failed.value.exit_code == 1
    assert scene.portal.http_requests - asked < 120
    assert sum(waits.limits + waits.retries) < 3600
    scene.portal.faults.clear()
    scene.later()
    assert scene.sync().outcome == "done"
    scene.check()


@pytest.mark.parametrize("kind", sorted(_HARMLESS))
def test_what_a_portal_says_beside_the_rows_does_not_matter(scene: Scene, waits: Waits, kind: str) -> None:
    scene.portal.faults.add(kind, match=_strikes(kind), times=None)
    assert scene.sync().retries == 0
    assert waits.retries == []
    scene.check()


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("error", "crm.lead.list"),
        ("error", "server.time"),
        ("error", "user.get"),
        ("command_error", "crm.lead.fields"),
        ("command_error", "crm.lead.list"),
        ("command_error", "crm.status.list"),
    ],
)
def test_an_unknown_error_of_one_command_stops_the_run_at_once_or_leaves_out_a_dictionary(
    scene: Scene, waits: Waits, kind: str, match: str
) -> None:
    scene.portal.faults.add(kind, match=match, times=None, code="ERROR_NOBODY_KNOWS", status=400)
    # Every answer tells the time, so nobody needs server.time.
    without = {"user.get": ["users"], "crm.status.list": ["statuses"], "server.time": []}
    if match in without:
        assert scene.sync().unavailable == without[match]
    else:
        with pytest.raises(PortalMethodError, match="ERROR_NOBODY_KNOWS"):
            scene.sync()
        assert scene.portal.http_requests == 1
    assert waits.retries == []
    scene.portal.faults.clear()
    assert scene.sync().outcome == "done"
    scene.check()


def test_a_page_that_never_advances_raises_after_bounded_tries(
    scene: Scene, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_packages(monkeypatch)
    fault = scene.portal.faults.add("repeated_page", match="crm.lead.list", times=None, after=4)
    with pytest.raises(PagingError, match="repeats ids or is out of order"):
        scene.sync()
    assert 1 < len(waits.retries) < 10
    assert fault.fired > 1
    assert scene.portal.http_requests < 20
    held = scene.one("SELECT count(*) FROM {leads}")
    assert held % 50 == 0, "a page that repeats was taken in part"
    scene.portal.faults.clear()
    scene.sync()
    scene.check()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("keep", [1, 49])
def test_short_pages_in_the_middle_of_a_chain_lose_nothing(scene: Scene, keep: int) -> None:
    fault = scene.portal.faults.add("short_page", match="crm.lead.list", times=1, after=2, keep=keep)
    stage = scene.portal.faults.add("short_page", match="crm.stagehistory.list", times=1, after=1, keep=keep)
    scene.sync()
    assert (fault.fired, stage.fired) == (1, 1)
    scene.check()


@pytest.mark.usefixtures("waits")
def test_pages_that_are_all_short_are_read_to_the_end(scene: Scene) -> None:
    scene.portal.faults.add("short_page", match="crm.lead.list", times=None, keep=7)
    scene.sync()
    assert scene.one("SELECT count(*) FROM {leads}") == len(scene.portal)
    scene.check()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_all_faults_that_pass_ends_in_equal_tables(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    in_small_packages(monkeypatch)
    scene.portal.faults.mix(seed, 0.15, _ONCE)
    outcomes = [_try(scene) for _ in range(4)]
    scene.portal.faults.clear()
    scene.later()
    outcomes.append(_try(scene))
    assert outcomes[-1] == "done", outcomes
    scene.check()


def _try(scene: Scene) -> str:
    try:
        return scene.sync().outcome
    except TransientError as problem:
        return type(problem).__name__


@pytest.mark.usefixtures("waits")
def test_life_under_faults_is_not_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_packages(monkeypatch)
    portal: Portal = scene.portal
    portal.faults.mix(9, 0.1, [*_REQUEST_WIDE, "batch_cut", "command_missing", "repeated_page"])
    for turn in range(4):
        portal.live(create=20, edit=30, phone_add=5, phone_remove=10, stage=5, seed=turn)
        _try(scene)
        scene.later(0.5)
    portal.faults.clear()
    scene.sync()
    scene.check()
