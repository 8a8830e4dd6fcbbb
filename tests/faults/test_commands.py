"""reconcile, lead and verify under faults: what they say is true, and what they write is complete, or they fail."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from leadhouse.chosen import Fate, lead
from leadhouse.errors import LeadhouseError, OperatorError, TransientError
from leadhouse.reconciliation import reconcile
from leadhouse.verdict import Verdict
from scene import Scene

OLD = "2019-05-05T10:00:00+03:00"
# Faults that last, by the method that they meet.
_LISTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("short_page", {"keep": 0}),
    ("short_page", {"keep": 2}),
    ("repeated_page", {}),
    ("unordered_page", {}),
    ("filter_ignored", {}),
    ("start_ignored", {}),
    ("wrong_total", {"total": 0}),
    ("wrong_total", {"total": 10_000}),
    ("command_missing", {}),
    ("command_error", {"code": "OPERATION_TIME_LIMIT"}),
)
_GETS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("command_missing", {}),
    ("command_error", {"code": "INTERNAL_SERVER_ERROR"}),
    ("operating_blocked", {}),
)
# Faults that pass: they come one after the other, each once.
_PASSING = (
    *("rate_limited", "html_200", "reset", "error_500", "truncated_json", "html_502", "empty_body"),
    *("wrong_content_type", "batch_cut"),
)


@pytest.fixture
def changed(scene: Scene, api: str) -> Scene:
    """A warehouse, and on its portal changes that no cursor sees."""
    scene.api = api
    scene.synced().later()
    _change(scene)
    return scene


def _change(scene: Scene) -> None:
    portal = scene.portal
    portal.import_leads(3, OLD)
    ids = [int(found["ID"]) for found in portal.leads()]
    portal.delete_lead(ids[5])
    portal.hide_lead(ids[9])
    portal.update_lead(ids[20], {"TITLE": f"edited without a date, {len(ids)} leads"}, touch=False)


def _truth(scene: Scene) -> dict[int, Any]:
    return {int(found["ID"]): found["TITLE"] for found in scene.portal.leads()}


def _living(scene: Scene) -> dict[int, Any]:
    rows = scene.rows("SELECT id, title FROM {leads} WHERE deleted_at IS NULL AND out_of_sight_at IS NULL")
    return {row["id"]: row["title"] for row in rows}


def _under_lasting_faults(scene: Scene, act: Callable[[], Any]) -> None:
    """Do something under each fault that lasts: it fails, or what it says is true."""
    for method, ways in (("list", _LISTS), ("get", _GETS)):
        for kind, details in ways:
            scene.portal.faults.clear()
            scene.portal.faults.add(kind, None, match=f"crm.{scene.api}.{method}", **details)
            with suppress(TransientError, OperatorError):
                act()
    scene.portal.faults.clear()


def _under_passing_faults(scene: Scene, act: Callable[[], Any]) -> None:
    """Do something until each fault that passes has struck, at most three in a row: it ends well each time."""
    for at, kind in enumerate(_PASSING):
        scene.portal.faults.add(kind, 1, after=at + at // 3)
    while scene.portal.faults.fired() < len(_PASSING):
        act()
    scene.portal.faults.clear()


def _reconcile(scene: Scene) -> None:
    reconcile("bitrix24", **scene.given(), every_lead=True)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("api", ["lead", "item"])
def test_a_reconcile_that_ends_well_under_a_fault_is_complete(changed: Scene) -> None:
    def act() -> None:
        _change(changed)
        _reconcile(changed)
        assert _living(changed) == _truth(changed)

    if changed.api == "lead":
        _under_lasting_faults(changed, act)
    _under_passing_faults(changed, act)
    _reconcile(changed)
    changed.check(ignoring_deleted=False)


def _told(verdict: Verdict) -> set[tuple[int, str]]:
    return {(difference.lead, difference.place) for difference in verdict.differences}


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("api", ["lead"])
def test_a_verdict_under_faults_is_never_equal_where_it_is_not_and_true_once_they_pass(changed: Scene) -> None:
    truth = _told(changed.verify())
    assert len(truth) > 5

    def act() -> None:
        assert _told(changed.verify()) == truth

    def never_equal() -> None:
        assert not changed.verify().equal

    _under_lasting_faults(changed, never_equal)
    _under_passing_faults(changed, act)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("api", ["item"])
def test_a_lead_that_is_refreshed_under_a_fault_is_the_portals(changed: Scene) -> None:
    wanted = int(changed.portal.leads()[20]["ID"])
    turns = iter(range(1000))

    def act() -> None:
        title = f"turn {next(turns)}"
        changed.portal.update_lead(wanted, {"TITLE": title})
        assert lead("bitrix24", [wanted], **changed.given()).fates == {wanted: Fate.REFRESHED}
        assert changed.lead(wanted)["title"] == title

    _under_passing_faults(changed, act)
    for kind, details in _GETS:
        changed.portal.faults.add(kind, None, match=f"crm.{changed.api}.get", **details)
        with pytest.raises(LeadhouseError) as failed:
            act()
        assert failed.value.exit_code == 1
        changed.portal.faults.clear()
    act()
