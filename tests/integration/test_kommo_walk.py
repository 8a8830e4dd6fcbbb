"""An account is read without losing a lead: page borders, dense seconds, lists that end too early, life in between."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kommo_scene import OLD, KommoScene, small_account
from leadhouse.errors import TransientError
from leadhouse.sandbox.kommo import serve

Happening = Callable[[KommoScene], object]


@pytest.fixture
def dense(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[KommoScene]:
    """An account of leads that were all modified in one old second, and a DuckDB file."""
    account = small_account(0)
    account.import_leads(request.param, OLD)
    with serve(account) as served:
        yield KommoScene(account, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}", verifiable=False)


def held(scene: KommoScene) -> set[int]:
    return {row["id"] for row in scene.rows("SELECT id FROM {leads}")}


@pytest.mark.parametrize(
    ("size", "bounds", "exact"),
    [
        *((size, "inclusive", False) for size in (0, 1, 249, 250, 251, 500)),
        *((size, "exclusive", True) for size in (1, 250, 500)),
    ],
)
def test_every_lead_around_a_page_border_comes(kommo_scene: KommoScene, size: int, bounds: str, exact: bool) -> None:
    scene = kommo_scene
    scene.verifiable = size == 251
    scene.account.switches.bounds = bounds  # type: ignore[assignment]  # one of the two
    scene.account.switches.next_on_exact_multiple = exact
    assert scene.sync().leads_read == size
    assert scene.differences(ignoring_deleted=False) == []
    scene.later().storm(scene.ids(), "all in one second")
    assert scene.sync().leads_read == size
    scene.check(ignoring_deleted=False)


@pytest.mark.parametrize("size", [500])
def test_pages_that_hold_fewer_leads_than_they_may_are_read_on(kommo_scene: KommoScene) -> None:
    kommo_scene.account.switches.short_pages = True
    kommo_scene.sync()
    kommo_scene.later().storm(kommo_scene.ids()[:400], "many in one second")
    kommo_scene.sync()
    kommo_scene.check(ignoring_deleted=False)


@pytest.mark.parametrize(("dense", "bounds"), [(600, "inclusive"), (1300, "exclusive")], indirect=["dense"])
def test_leads_of_one_second_all_come_and_are_not_remembered(dense: KommoScene, bounds: str) -> None:
    dense.account.switches.bounds = bounds  # type: ignore[assignment]  # one of the two
    count = len(dense.account)
    assert dense.sync().leads_read == count
    assert dense.differences(ignoring_deleted=False) == []
    size = len(json.dumps(dense.state()))
    dense.later().storm(dense.ids(), "in another second")
    assert dense.sync().leads_read == count
    assert dense.differences(ignoring_deleted=False) == []
    assert dense.sync().rows_written == 0
    assert len(json.dumps(dense.state())) == size


def _edit_in_the_second(scene: KommoScene) -> None:
    scene.account.storm(scene.ids()[::2], {"name": "edited in the same second"})


def _edit_a_second_later(scene: KommoScene) -> None:
    scene.account.clock.advance(1)
    scene.account.storm(scene.ids()[:300:7], {"name": "edited a second later"})


def _delete(scene: KommoScene) -> None:
    for lead_id in scene.ids()[:300:7]:
        scene.delete(lead_id)


def _all_at_once(scene: KommoScene) -> None:
    _delete(scene)
    _edit_a_second_later(scene)
    scene.invent(20)


HAPPENINGS: dict[str, Happening] = {
    "edited in the same second": _edit_in_the_second,
    "edited a second later": _edit_a_second_later,
    "deleted": _delete,
    "deleted, edited and created": _all_at_once,
}


@pytest.mark.parametrize("dense", [600], indirect=True)
@pytest.mark.parametrize("happening", HAPPENINGS)
@pytest.mark.parametrize("page", [3, 6])
def test_life_among_the_leads_of_one_second_loses_none_of_them(dense: KommoScene, happening: str, page: int) -> None:
    """The run itself loses no lead that lives on; the next one brings what was edited behind it."""
    scene = dense
    scene.storm(scene.ids(), "in this very second")
    happened = scene.before_page(page, lambda: HAPPENINGS[happening](scene))
    scene.sync()
    assert happened
    assert set(scene.ids()) <= held(scene)
    scene.quiet().later().sync()
    assert scene.differences() == []


@pytest.mark.parametrize("dense", [600], indirect=True)
def test_a_second_that_is_edited_before_every_page_comes_to_rest(dense: KommoScene) -> None:
    """One lead leaves it each time, as many as a run may have to look again for."""
    scene = dense
    edited: list[int] = []

    def edit() -> None:
        if len(edited) < 20:
            edited.append(scene.ids()[len(edited)])
            scene.account.clock.advance(1)
            scene.edit(edited[-1], "left its second")

    scene.before_each_request(edit)
    scene.sync()
    assert len(edited) == 20
    assert held(scene) == set(scene.ids())
    scene.quiet().later().sync()
    assert scene.differences() == []


@pytest.mark.parametrize("dense", [600], indirect=True)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_list_that_ends_too_early_once_is_read_to_its_end(dense: KommoScene, page: int) -> None:
    switches = dense.account.switches
    switches.early_204_at_page = page
    assert dense.sync().leads_read == 600
    assert vars(switches)["early_204_at_page"] is None, "it ended so"
    assert dense.differences(ignoring_deleted=False) == []


@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize("dense", [600], indirect=True)
def test_a_list_that_always_ends_too_early_loses_nothing_in_silence(dense: KommoScene, page: int) -> None:
    dense.account.switches.early_204 = "always"
    dense.account.switches.early_204_at_page = page
    try:
        dense.sync()
    except TransientError:
        assert dense.state()["cursor"] is None
    else:
        assert len(held(dense)) == 600
    dense.account.switches.early_204_at_page = None
    dense.sync()
    assert dense.differences(ignoring_deleted=False) == []


@pytest.mark.parametrize("dense", [600], indirect=True)
@pytest.mark.parametrize("fault", ["repeated_page", "wrong_order", "filter_ignored"])
@pytest.mark.usefixtures("_impatient")
def test_a_list_that_answers_wrongly_for_a_while_loses_nothing_in_silence(dense: KommoScene, fault: str) -> None:
    struck = dense.account.faults.add(fault, times=4, match="/api/v4/leads", after=2)
    dense.sync()
    assert struck.fired == 4
    assert dense.differences(ignoring_deleted=False) == []


@pytest.mark.parametrize("dense", [600], indirect=True)
@pytest.mark.usefixtures("_impatient")
def test_a_list_that_repeats_its_pages_for_ever_loses_nothing_in_silence(dense: KommoScene) -> None:
    dense.account.faults.add("repeated_page", times=None, match="/api/v4/leads")
    try:
        dense.sync()
    except TransientError:
        assert dense.state()["cursor"] is None
    else:
        assert len(held(dense)) == 600


@pytest.fixture
def busy(kommo_scene: KommoScene, monkeypatch: pytest.MonkeyPatch) -> KommoScene:
    """An account that is read in pages of fifty."""
    kommo_scene.in_small_packages(monkeypatch, leads=100, pages=1)
    return kommo_scene


@pytest.mark.parametrize("page", [1, 3])
def test_touching_a_lead_that_was_read_loses_none_behind_it(busy: KommoScene, page: int) -> None:
    """Each page number behind it would have moved by one."""
    first = busy.in_reading_order()[3]
    happened = busy.before_page(page, lambda: busy.edit(first, "touched"))
    busy.sync()
    assert happened
    assert held(busy) == set(busy.ids())
    busy.quiet().later().sync()
    busy.check(ignoring_deleted=False)


@pytest.mark.parametrize("page", [1, 3])
def test_deleting_leads_that_were_read_loses_none_behind_them(busy: KommoScene, page: int) -> None:
    gone = busy.in_reading_order()[:30]

    def delete() -> None:
        for lead_id in gone:
            busy.delete(lead_id)

    happened = busy.before_page(page, delete)
    busy.sync()
    assert happened
    assert set(busy.ids()) <= held(busy)
    busy.quiet().later().sync()
    busy.check(ignoring_deleted=False)
    assert busy.marks() == (set(gone), set())


def test_an_account_that_is_edited_before_every_page_is_read_to_its_end(busy: KommoScene) -> None:
    def edit() -> None:
        busy.account.clock.advance(1)
        busy.account.live(create=2, edit=10, phone_add=2, phone_remove=2, delete=1)

    busy.before_each_request(edit)
    for _ in range(2):
        busy.sync()
    busy.quiet().later().sync()
    busy.check(ignoring_deleted=False)
