"""Clocks that disagree, jump or change their offset: the portal's own clock rules, and no edit is lost."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from leadhouse import state
from leadhouse.errors import StateError
from leadhouse.sandbox.bitrix24 import Portal
from leadhouse.times import parse_time
from scene import NOON_UTC, Scene

_DAY_S = 86_400


def _lives(portal: Portal, seed: int) -> None:
    portal.live(create=2, edit=4, phone_add=2, phone_remove=2, stage=1, seed=seed)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_portal_whose_clock_is_a_day_off_ours_is_followed_by_its_own_clock(scene: Scene, days: int) -> None:
    scene.portal.clock.set(datetime.now(UTC) + timedelta(days=days))
    for seed in (1, 2):
        _lives(scene.portal, seed)
        scene.sync()
        told = parse_time(scene.state()["cursor"])
        assert told == scene.portal.clock.now().replace(microsecond=0)
        scene.portal.clock.advance(600)
    scene.check()


def test_a_clock_that_was_ahead_for_a_while_is_said_with_the_cure_and_nothing_is_lost(scene: Scene) -> None:
    scene.synced().later()
    scene.portal.clock.advance(_DAY_S)
    _lives(scene.portal, 1)
    scene.sync()
    ahead = scene.state()["cursor"]
    scene.portal.clock.advance(-_DAY_S)
    _lives(scene.portal, 2)
    with pytest.raises(StateError, match=r"lies in the portal's future .* run `leadhouse state rewind") as refused:
        scene.sync()
    assert refused.value.exit_code == 2
    assert scene.state()["cursor"] == ahead
    noon = parse_time(NOON_UTC)
    assert noon is not None
    state.rewind_to(scene.warehouse(), "bitrix24", noon, lock_timeout=5.0)
    scene.sync()
    scene.later()
    _lives(scene.portal, 3)
    scene.sync()
    scene.check()


@pytest.mark.parametrize("seconds", [-240, 40 * _DAY_S])
def test_a_clock_that_jumps_while_a_window_is_read_loses_no_edit(scene: Scene, seconds: int) -> None:
    scene.synced().later()
    _lives(scene.portal, 1)

    def jump(method: str, _: object, portal: Portal) -> None:
        if method == "crm.lead.list":
            portal.before_command.clear()
            portal.clock.advance(seconds)
            _lives(portal, 2)

    scene.portal.before_command.append(jump)
    scene.sync()
    assert not scene.portal.before_command
    _lives(scene.portal, 3)
    scene.portal.clock.advance(600)
    scene.sync()
    scene.check()


def test_a_portal_that_moves_to_another_time_zone_is_read_on(scene: Scene) -> None:
    """Every time is shown otherwise from then on, and each still means the same."""
    scene.synced()
    for zone in ("America/St_Johns", "Pacific/Auckland"):
        scene.portal.set_timezone(zone)
        scene.later(0.1)
        _lives(scene.portal, len(zone))
        assert scene.sync().leads_read < len(scene.portal) / 2
    scene.check()


@pytest.mark.parametrize(
    ("before", "offset"),
    [("2026-10-25T02:50:00+02:00", "+01:00"), ("2027-03-28T01:50:00+01:00", "+02:00")],
    ids=["an hour comes twice", "an hour is left out"],
)
def test_the_night_on_which_clocks_change_loses_no_edit(scene: Scene, before: str, offset: str) -> None:
    portal = scene.portal
    portal.set_timezone("Europe/Berlin")
    portal.clock.set(before)
    scene.sync()
    for seed in (1, 2):
        portal.clock.advance(30 * 60)
        _lives(portal, seed)
        scene.sync()
    asked = [str(params.get("filter", {}).get(">=DATE_MODIFY", "")) for _, params in portal.log]
    windows = [text for text in asked if text]
    assert all(re.search(r"[+-]\d\d:\d\d$", text) for text in windows)
    assert windows[-1].endswith(offset)
    assert portal.iso(portal.clock.second()).endswith(offset)
    scene.check()
