"""Faults of pages in the other API family, all kinds mixed at random, and operating time that runs short."""

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from faults.conftest import Waits
from leadhouse.chosen import lead
from leadhouse.errors import LeadhouseError, PagingError
from leadhouse.reconciliation import reconcile
from leadhouse.sandbox.bitrix24 import KINDS, Limits
from leadhouse.transport import Transport
from scene import Scene, in_small_packages

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGES = ("short_page", "repeated_page", "unordered_page", "start_ignored", "filter_ignored", "wrong_total")
_COMMANDS = ("command_missing", "operating_blocked")
# A redirect needs a second portal; errors by their codes are mixed in below.
_MIXED = sorted(set(KINDS) - {"redirect", "error", "command_error"})
_FATAL = ("INVALID_CREDENTIALS", "OVERLOAD_LIMIT", "insufficient_scope")


@pytest.mark.usefixtures("waits")
def test_the_other_family_overcomes_every_fault_of_its_pages_in_one_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.api = "item"
    in_small_packages(monkeypatch, leads=100, pages=1)
    faults = [
        scene.portal.faults.add(kind, match="crm.item.list", after=2 * at) for at, kind in enumerate(_PAGES + _COMMANDS)
    ]
    faults.append(scene.portal.faults.add("batch_cut", after=5, keep=1))
    faults.append(scene.portal.faults.add("command_error", match="crm.item.list", after=3, code="QUERY_LIMIT_EXCEEDED"))
    while any(not fault.fired for fault in faults):
        scene.sync(full=True)
    scene.check()


@pytest.mark.usefixtures("waits")
def test_the_other_family_never_takes_pages_out_of_order_for_the_truth(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.api = "item"
    in_small_packages(monkeypatch, leads=1000, pages=1)
    scene.synced().later()
    scene.portal.live(create=5, edit=10, phone_remove=5, seed=3)
    for kind in ("repeated_page", "unordered_page", "filter_ignored"):
        scene.portal.faults.add(kind, None, match="crm.item.list", after=3)
        with pytest.raises(PagingError) as failed:
            scene.sync(full=True)
        assert failed.value.exit_code == 1
        scene.portal.faults.clear()
    scene.sync()
    scene.check()


def _add_mix(scene: Scene, seed: int) -> None:
    faults = scene.portal.faults
    faults.mix(seed, 0.25, _MIXED)
    for at, code in enumerate(_FATAL):
        faults.add("error", 1, code=code, status=403, after=10, probability=0.05, seed=seed + at)
    for code in ("QUERY_LIMIT_EXCEEDED", "INTERNAL_SERVER_ERROR"):
        faults.add("command_error", None, code=code, probability=0.02, seed=seed)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(("seed", "api"), [(1, "lead"), (2, "item")])
def test_whatever_comes_in_whatever_order_all_is_equal_in_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, seed: int, api: str
) -> None:
    monkeypatch.setattr("leadhouse.bitrix24.client.Transport", partial(Transport, read_s=0.3))
    in_small_packages(monkeypatch, leads=100, pages=1)
    scene.api = api
    chance = random.Random(seed)  # noqa: S311 - picks what comes next, guards nothing
    portal = scene.portal
    known = [int(found["ID"]) for found in portal.leads()]
    commands: tuple[Callable[[], Any], ...] = (
        scene.sync,
        lambda: scene.sync(full=True),
        lambda: reconcile("bitrix24", **scene.given()),
        lambda: lead("bitrix24", chance.sample(known, 3), **scene.given()),
    )
    _add_mix(scene, seed)
    ended: list[str] = []
    for turn in range(4):
        try:
            chance.choice(commands)()
        except LeadhouseError as error:
            ended.append(type(error).__name__)
        else:
            ended.append("done")
        portal.live(create=10, edit=10, delete=1, phone_add=3, phone_remove=3, stage=3, seed=seed * 100 + turn)
        portal.clock.advance(chance.choice((1, 60, 900)))
    assert portal.faults.fired() > 0
    portal.faults.clear()
    scene.later()
    scene.sync()
    reconcile("bitrix24", **scene.given(), deep=True)
    scene.check(ignoring_deleted=False)


@pytest.mark.parametrize(("bill_batch", "page_s"), [(False, 100.0), (True, 35.0)])
def test_operating_time_that_runs_short_is_waited_for_before_the_portal_blocks(
    scene: Scene, waits: Waits, monkeypatch: pytest.MonkeyPatch, *, bill_batch: bool, page_s: float
) -> None:
    in_small_packages(monkeypatch, leads=1000, pages=1)
    scene.portal.limits = Limits(drain=1e6, burst=1_000_000, operating_seconds_per_page=page_s, bill_batch=bill_batch)
    summary = scene.sync()
    assert sum(waits.limits) > 60
    if not bill_batch:
        assert summary.retries == 0, "slowed down before the block"
    scene.portal.limits = None
    scene.check()
