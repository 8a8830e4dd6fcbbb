"""Rights that are lost while a window is read look like its end: the run notices, and the cursor stays."""

from typing import Any

import pytest

from leadhouse import guard
from leadhouse.errors import SightLostError
from leadhouse.sandbox.bitrix24 import Portal
from scene import Scene, in_small_packages


def before_page(scene: Scene, number: int, happens: Any) -> None:
    """Let something happen once, before the portal answers page `number` (0 is the first) of its leads."""
    pages = [0]

    def hook(method: str, params: dict[str, Any], portal: Portal) -> None:
        listing = method == f"crm.{scene.api}.list" and str(params.get("start")) == "-1"
        if listing and "DESC" not in str(params.get("order")).upper():
            pages[0] += 1
            if pages[0] == number + 1:
                happens(portal)

    scene.portal.before_command.append(hook)


@pytest.fixture
def slow(family_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A portal read two pages a request."""
    in_small_packages(monkeypatch, leads=50, pages=1)
    monkeypatch.setattr("leadhouse.bitrix24.reader.MAX_COMMANDS", 18)
    return family_scene


def ids(portal: Portal) -> list[int]:
    return [int(lead["ID"]) for lead in portal.leads()]


@pytest.mark.parametrize("share", [1, 2, 3])
def test_leads_that_go_out_of_sight_end_the_run_and_leave_the_cursor(slow: Scene, share: int) -> None:
    all_ids = ids(slow.portal)
    before_page(slow, 2, lambda portal: portal.hide_lead(*all_ids[::share]))
    with pytest.raises(SightLostError, match="out of sight while they were read"):
        slow.sync()
    assert slow.state()["cursor"] is None
    slow.portal.before_command.clear()
    slow.portal.reveal_lead(*all_ids)
    slow.sync()
    slow.check()


def test_a_few_deletions_while_a_window_is_read_are_ordinary(slow: Scene) -> None:
    last = ids(slow.portal)[-7:-2]
    before_page(slow, 2, lambda portal: [portal.delete_lead(number) for number in last])
    slow.sync()
    assert slow.state()["cursor"] is not None
    slow.check()


def test_a_mass_deletion_while_a_window_is_read_is_refused_once(slow: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_SPARED", 20)
    last = ids(slow.portal)[-45:]
    before_page(slow, 2, lambda portal: [portal.delete_lead(number) for number in last])
    with pytest.raises(SightLostError, match="vanished while they were read"):
        slow.sync()
    assert slow.state()["cursor"] is None
    slow.portal.before_command.clear()
    slow.sync()
    slow.check()


def test_a_portal_that_does_not_count_is_read_all_the_same(slow: Scene) -> None:
    slow.portal.quirks.total_cap = 0
    slow.sync()
    slow.check()


def test_leads_that_lists_keep_back_though_they_can_be_read_end_the_run(slow: Scene) -> None:
    pages = [0]
    name = "ID" if slow.api == "lead" else "id"

    def keep_back(method: str, params: dict[str, Any], _portal: Portal) -> None:
        if method == f"crm.{slow.api}.list" and "DESC" not in str(params.get("order")).upper():
            pages[0] += 1
            if pages[0] > 2:
                params["filter"][f"<{name}"] = "1"

    slow.portal.before_command.append(keep_back)
    with pytest.raises(SightLostError):
        slow.sync()
    assert slow.state()["cursor"] is None
    slow.portal.before_command.clear()
    slow.sync()
    slow.check()
