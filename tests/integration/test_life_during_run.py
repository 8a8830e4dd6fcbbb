"""Life on the portal while a run reads: between two pages, between two packages. One more sync, and all is equal."""

from collections.abc import Callable
from typing import Any

import pytest

import oracle
from leadhouse.progress import Lines
from leadhouse.sandbox.bitrix24 import Portal
from scene import Scene, in_small_packages, small_portal


@pytest.fixture
def busy(duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A portal read in requests of two pages and packages of two pages."""
    in_small_packages(monkeypatch, leads=100, pages=2)
    return duckdb_scene


@pytest.fixture(params=["lead", "item"])
def busy_family(busy: Scene, request: pytest.FixtureRequest) -> Scene:
    """The same over both API families."""
    busy.api = request.param
    return busy


def before_page(scene: Scene, number: int, happens: Callable[[Portal], None]) -> list[int]:
    """Let something happen once, before the portal answers page `number` (0 is the first) of its leads.

    Returns a list that holds the number once it happened.
    """
    pages, happened = [0], list[int]()

    def hook(method: str, params: dict[str, Any], portal: Portal) -> None:
        if method != f"crm.{scene.api}.list" or "DESC" in str(params.get("order")).upper():
            return
        if pages[0] == number and not happened:
            happened.append(number)
            happens(portal)
        pages[0] += 1

    scene.portal.before_command.append(hook)
    return happened


def quiesce(scene: Scene) -> None:
    """Nothing happens any more, one more sync, and the tables are the portal's."""
    scene.portal.before_command.clear()
    scene.sync()
    scene.check()


def ids(portal: Portal) -> list[int]:
    return list(portal.store.ids)


@pytest.mark.parametrize(("page", "seconds"), [(1, 0), (2, 1)], ids=["same second", "a second later"])
def test_edits_behind_and_ahead_of_the_reading_position(busy_family: Scene, page: int, seconds: int) -> None:
    behind, ahead = ids(busy_family.portal)[10], ids(busy_family.portal)[-10]

    def edit(portal: Portal) -> None:
        portal.clock.advance(seconds)
        for lead_id in (behind, ahead):
            portal.update_lead(lead_id, {"TITLE": "edited between two pages", "PHONE": [{"VALUE": "+44 7700 900111"}]})

    happened = before_page(busy_family, page, edit)
    busy_family.sync()
    assert happened
    assert busy_family.lead(ahead)["title"] == "edited between two pages"
    assert busy_family.lead(behind)["title"] != "edited between two pages"
    quiesce(busy_family)
    assert busy_family.lead(behind)["title"] == "edited between two pages"


def test_a_last_phone_that_goes_behind_the_reading_position(busy_family: Scene) -> None:
    lead_id = busy_family.with_phone()
    before_page(busy_family, 2, lambda _: busy_family.drop_phones(lead_id))
    busy_family.sync()
    assert busy_family.one(f"SELECT count(*) FROM {{lead_phones}} WHERE lead_id = {lead_id}") == 1  # noqa: S608
    quiesce(busy_family)


def test_a_lead_edited_before_every_page_does_not_starve(busy: Scene) -> None:
    hot = ids(busy.portal)[-1]

    def hook(_: str, __: object, portal: Portal) -> None:
        portal.clock.advance(7)
        portal.update_lead(hot, {"TITLE": f"edited at {portal.clock.second()}"})

    busy.portal.before_command.append(hook)
    for _ in range(2):
        summary = busy.sync()
        assert busy.lead(hot)["title"] is not None
        assert summary.outcome == "done"
    quiesce(busy)


@pytest.mark.parametrize("portal", [small_portal(2100)], ids=["2100 leads"])
def test_two_thousand_leads_edited_in_one_second_across_page_borders(duckdb_scene: Scene) -> None:
    """First while all leads are read, then while the storm itself is read: half of it again in the same second."""
    scene = duckdb_scene
    stormed = ids(scene.portal)[50:2050]
    before_page(scene, 3, lambda portal: portal.storm(stormed, {"SOURCE_DESCRIPTION": "campaign"}))
    scene.sync()
    summary = scene.sync()
    assert summary.leads_read == 2000
    scene.check()

    scene.later().portal.storm(stormed, {"SOURCE_DESCRIPTION": "second campaign"})
    scene.portal.before_command.clear()
    before_page(scene, 20, lambda portal: portal.storm(stormed[::2], {"POST": "buyer"}))
    assert scene.sync().leads_read == 2000
    quiesce(scene)


def test_a_custom_field_that_is_made_during_the_run(busy_family: Scene) -> None:
    """Its column is there in the run that first sees it, with the values of the leads read after."""
    behind, ahead = ids(busy_family.portal)[3], ids(busy_family.portal)[-3]

    def make(portal: Portal) -> None:
        portal.add_userfield("UF_CRM_REGION", "string")
        portal.add_userfield("UF_CRM_DOORS", "integer")
        portal.add_userfield("UF_CRM_COLOURS", "string", multiple=True)
        for lead_id in (behind, ahead):
            portal.update_lead(
                lead_id, {"UF_CRM_REGION": "West", "UF_CRM_DOORS": "4", "UF_CRM_COLOURS": ["red", "blue"]}
            )

    before_page(busy_family, 2, make)
    busy_family.sync()
    held = oracle.columns(busy_family.to)["leads"]
    assert (held["uf_crm_region"], held["uf_crm_doors"]) == ("varchar", "bigint")
    assert busy_family.lead(ahead)["uf_crm_doors"] == 4
    spread = f"SELECT value FROM {{lead_custom_values}} WHERE lead_id = {ahead} AND field = 'uf_crm_colours'"  # noqa: S608
    colours = busy_family.rows(spread)
    assert [row["value"] for row in colours] == ["red", "blue"]
    quiesce(busy_family)


def test_a_custom_field_that_is_removed_during_the_run(busy: Scene) -> None:
    before_page(busy, 2, lambda portal: portal.remove_userfield("UF_CRM_SEATS"))
    busy.sync()
    quiesce(busy)


def test_leads_that_come_and_go_during_the_run(busy_family: Scene) -> None:
    """The last lead of a page that was read, the first of the next one, and one ahead go; new ones come at the end."""
    before = ids(busy_family.portal)
    born: list[int] = []

    def happen(portal: Portal) -> None:
        for lead_id in (before[99], before[100], before[120]):
            portal.delete_lead(lead_id)
        born.extend(portal.invent_leads(60))

    before_page(busy_family, 2, happen)
    summary = busy_family.sync()
    held = {row["id"] for row in busy_family.rows("SELECT id FROM {leads}")}
    assert held == {*before, *born} - {before[100], before[120]}
    assert summary.leads_read == len(held)
    quiesce(busy_family)


def test_the_whole_page_after_the_position_goes_during_the_run(busy: Scene) -> None:
    """The reference of the next page then points behind the end; nothing restarts at the first lead."""
    before = ids(busy.portal)

    def happen(portal: Portal) -> None:
        for lead_id in before[100:]:
            portal.delete_lead(lead_id)

    before_page(busy, 2, happen)
    assert busy.sync().leads_read == 100
    quiesce(busy)


def test_the_cursor_is_the_clock_from_before_the_first_page(busy: Scene) -> None:
    def hook(_: str, __: object, portal: Portal) -> None:
        portal.clock.advance(30)

    busy.portal.before_command.append(hook)
    summary = busy.sync()
    assert summary.cursor_to is not None
    assert summary.cursor_to.isoformat() <= "2026-11-21T09:01:00+00:00"
    assert busy.portal.clock.now() > summary.cursor_to
    quiesce(busy)


class _Life(Lines):
    """Edits the portal whenever the run reports a step: also while packages are loaded."""

    def __init__(self, portal: Portal) -> None:
        super().__init__()
        self._portal = portal
        self.steps = 0

    def step(self, doing: str, leads: int) -> None:
        super().step(doing, leads)
        self.steps += 1
        self._portal.clock.advance(self.steps % 2)
        self._portal.live(create=1, edit=3, phone_add=1, phone_remove=1, stage=1, seed=self.steps)


def test_life_between_packages(busy: Scene) -> None:
    life = _Life(busy.portal)
    for _ in range(2):
        busy.sync(progress=life)
    assert life.steps >= 4
    quiesce(busy)


def test_life_during_a_full_run_brings_no_older_version_back(busy: Scene) -> None:
    busy.synced()
    behind = ids(busy.portal)[1]
    before_page(busy, 2, lambda portal: portal.storm([behind], {"TITLE": "newest"}))
    busy.later().sync(full=True)
    quiesce(busy)
    assert busy.lead(behind)["title"] == "newest"
