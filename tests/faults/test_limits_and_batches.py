"""The vendor's limits, inside a batch and outside, and the shapes that batch answers come in."""

import pytest

from faults.conftest import Waits
from leadhouse.bitrix24.client import Bitrix24Client, Command
from leadhouse.bitrix24.client import Limits as Patience
from leadhouse.errors import PortalBusyError
from leadhouse.sandbox.bitrix24 import Limits, Portal
from scene import Scene, in_small_packages


def test_a_burst_of_503_is_waited_out(scene: Scene, waits: Waits) -> None:
    scene.portal.faults.add("rate_limited", times=40)
    summary = scene.sync()
    assert summary.retries == 40
    assert summary.throttled_s == pytest.approx(sum(waits.limits))
    assert len(waits.limits) >= 40
    assert waits.retries == []
    scene.check()


def test_503_for_ever_ends_when_patience_does(scene: Scene, waits: Waits) -> None:
    scene.portal.faults.add("rate_limited", times=None)
    with pytest.raises(PortalBusyError, match="QUERY_LIMIT_EXCEEDED"):
        scene.sync()
    assert 900 < sum(waits.limits) < 1830


# The fourth listing of leads is the count of what is to come, which is not waited for.
@pytest.mark.parametrize(("match", "after"), [("batch", 2), ("crm.lead.list", 4), ("crm.stagehistory.list", 2)])
def test_a_method_blocked_for_its_operating_time_is_waited_for(
    scene: Scene, waits: Waits, monkeypatch: pytest.MonkeyPatch, match: str, after: int
) -> None:
    in_small_packages(monkeypatch)
    fault = scene.portal.faults.add("operating_blocked", match=match, times=2, after=after)
    summary = scene.sync()
    assert (summary.outcome, summary.unavailable) == ("done", [])
    assert fault.fired == 2
    assert len(waits.limits) == summary.retries > 0
    scene.check()


def test_an_opening_that_is_blocked_is_waited_for(scene: Scene, waits: Waits) -> None:
    fault = scene.portal.faults.add("operating_blocked", match="crm.lead.fields", times=2)
    summary = scene.sync()
    assert (summary.outcome, fault.fired, summary.retries) == ("done", 2, 2)
    assert len(waits.limits) == 2
    scene.check()


@pytest.mark.usefixtures("waits")
def test_a_portal_that_enforces_operating_time_is_read_whole(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_packages(monkeypatch)
    scene.portal.limits = Limits(drain=1e6, burst=1_000_000, operating_limit=30.0, operating_seconds_per_page=10.0)
    summary = scene.sync()
    assert summary.outcome == "done"
    assert summary.throttled_s > 600, "the budget of ten minutes was used up at least once"
    scene.check()


@pytest.mark.parametrize("lists", [True, False])
def test_members_of_a_batch_come_as_lists_or_as_objects(scene: Scene, portal: Portal, lists: bool) -> None:
    portal.quirks.batch_lists = lists
    client = Bitrix24Client(scene.url, limits=Patience(drain=1000, burst=1000))
    page = Command("crm.lead.list", [("start", "-1"), ("order[ID]", "ASC")])
    numbered = client.batch({"0": page, "1": Command("server.time"), "2": Command("crm.no.such")}, halt=False)
    assert list(numbered.results) == ["0", "1"]
    assert list(numbered.errors) == ["2"]
    failed_first = client.batch({"0": Command("crm.no.such"), "1": Command("server.time")}, halt=True)
    assert failed_first.results == {}
    assert list(failed_first.errors) == ["0"]
    client.close()
    scene.sync()
    scene.check()


@pytest.mark.usefixtures("waits")
def test_a_portal_that_runs_one_command_of_each_batch_is_read_whole(scene: Scene) -> None:
    scene.portal.faults.add("batch_cut", times=None, keep=1, after=1)
    assert scene.sync().outcome == "done"
    scene.check()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("keep", [0, 1, 9])
def test_what_a_cut_batch_left_out_is_asked_again(scene: Scene, keep: int) -> None:
    fault = scene.portal.faults.add("batch_cut", times=2, keep=keep)
    scene.sync()
    assert fault.fired == 2
    scene.check()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    "method",
    ["crm.lead.list", "crm.stagehistory.list", "server.time", "crm.lead.fields", "crm.lead.userfield.list", "user.get"],
)
def test_a_command_that_is_missing_from_the_answer_is_asked_again(scene: Scene, method: str) -> None:
    """Missing at first, and once more when it is asked again or later."""
    faults = [scene.portal.faults.add("command_missing", match=method, times=1, after=after) for after in (0, 1)]
    summary = scene.sync()
    scene.check()
    assert faults[0].fired == 1
    assert summary.unavailable == []
    assert scene.one("SELECT count(*) FROM {users}") == len(scene.portal.users())
