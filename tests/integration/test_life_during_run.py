"""Life on the portal while a run reads: between two pages, between two packages. One more sync, and all is equal."""

import pytest

import oracle
from any_scene import AnyScene
from leadhouse.progress import Lines
from scene import Scene, in_small_packages, small_portal


@pytest.fixture
def busy(file_scene: AnyScene, monkeypatch: pytest.MonkeyPatch) -> AnyScene:
    """A portal of each source, read in requests of two pages and packages of two pages."""
    file_scene.in_small_packages(monkeypatch, leads=100, pages=2)
    return file_scene


@pytest.fixture
def busy_way(way_scene: AnyScene, monkeypatch: pytest.MonkeyPatch) -> AnyScene:
    """The same over each family of methods."""
    way_scene.in_small_packages(monkeypatch, leads=100, pages=2)
    return way_scene


@pytest.fixture(params=["lead", "item"])
def busy_family(duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Scene:
    """The same, of Bitrix24 alone."""
    in_small_packages(monkeypatch, leads=100, pages=2)
    duckdb_scene.api = request.param
    return duckdb_scene


def quiesce(scene: AnyScene) -> None:
    """Nothing happens any more, one more sync, and the tables are the portal's."""
    scene.quiet().sync()
    scene.check()


@pytest.mark.parametrize(("page", "seconds"), [(1, 0), (2, 1)], ids=["same second", "a second later"])
def test_edits_behind_and_ahead_of_the_reading_position(busy_way: AnyScene, page: int, seconds: int) -> None:
    order = busy_way.in_reading_order()
    behind, ahead, owner = order[10], order[-10], busy_way.with_phone()

    def edit() -> None:
        busy_way.portal.clock.advance(seconds)
        for lead_id in (behind, ahead):
            busy_way.edit(lead_id, "edited between two pages")
        busy_way.add_phone(owner, "+44 7700 900111")

    happened = busy_way.before_page(page, edit)
    busy_way.sync()
    assert happened
    assert busy_way.title(ahead) == "edited between two pages"
    assert (busy_way.title(behind) == "edited between two pages") == busy_way.brings_edits_back
    quiesce(busy_way)
    assert busy_way.title(behind) == "edited between two pages"


def test_a_last_phone_that_goes_during_the_run(busy_way: AnyScene) -> None:
    """Behind the reading position, where phones come with the leads."""
    owner = busy_way.with_phone()
    happened = busy_way.before_page(2, lambda: busy_way.drop_phones(owner))
    busy_way.sync()
    assert happened
    assert len(busy_way.phones(owner)) == (0 if busy_way.brings_edits_back else 1)
    quiesce(busy_way)
    assert busy_way.phones(owner) == []


def test_a_lead_edited_before_every_page_does_not_starve(busy: AnyScene) -> None:
    hot = busy.ids()[-1]

    def edit() -> None:
        busy.portal.clock.advance(7)
        busy.edit(hot, f"edited at {busy.portal.clock.second()}")

    busy.before_each_request(edit)
    for _ in range(2):
        summary = busy.sync()
        assert busy.title(hot) is not None
        assert summary.outcome == "done"
    quiesce(busy)


@pytest.mark.parametrize("portal", [small_portal(2100)], ids=["2100 leads"])
def test_two_thousand_leads_edited_in_one_second_across_page_borders(duckdb_scene: Scene) -> None:
    """First while all leads are read, then while the storm itself is read: half of it again in the same second."""
    scene = duckdb_scene
    stormed = scene.ids()[50:2050]
    scene.before_page(3, lambda: scene.storm(stormed, "campaign"))
    scene.sync()
    summary = scene.sync()
    assert summary.leads_read == 2000
    scene.check()

    scene.later().storm(stormed, "second campaign")
    scene.quiet().before_page(20, lambda: scene.portal.storm(stormed[::2], {"POST": "buyer"}))
    assert scene.sync().leads_read == 2000
    quiesce(scene)


def test_a_custom_field_that_is_made_during_the_run(busy_family: Scene) -> None:
    """Its column is there in the run that first sees it, with the values of the leads read after."""
    portal = busy_family.portal
    behind, ahead = busy_family.ids()[3], busy_family.ids()[-3]

    def make() -> None:
        portal.add_userfield("UF_CRM_REGION", "string")
        portal.add_userfield("UF_CRM_DOORS", "integer")
        portal.add_userfield("UF_CRM_COLOURS", "string", multiple=True)
        for lead_id in (behind, ahead):
            portal.update_lead(
                lead_id, {"UF_CRM_REGION": "West", "UF_CRM_DOORS": "4", "UF_CRM_COLOURS": ["red", "blue"]}
            )

    busy_family.before_page(2, make)
    busy_family.sync()
    held = oracle.columns(busy_family.to)["leads"]
    assert (held["uf_crm_region"], held["uf_crm_doors"]) == ("varchar", "bigint")
    assert busy_family.lead(ahead)["uf_crm_doors"] == 4
    spread = f"SELECT value FROM {{lead_custom_values}} WHERE lead_id = {ahead} AND field = 'uf_crm_colours'"  # noqa: S608
    colours = busy_family.rows(spread)
    assert [row["value"] for row in colours] == ["red", "blue"]
    quiesce(busy_family)


def test_a_custom_field_that_is_removed_during_the_run(busy_family: Scene) -> None:
    busy_family.before_page(2, lambda: busy_family.portal.remove_userfield("UF_CRM_SEATS"))
    busy_family.sync()
    quiesce(busy_family)


def test_leads_that_come_and_go_during_the_run(busy_family: Scene) -> None:
    """The last lead of a page that was read, the first of the next one, and one ahead go; new ones come at the end."""
    before = busy_family.ids()
    born: list[int] = []

    def happen() -> None:
        for lead_id in (before[99], before[100], before[120]):
            busy_family.delete(lead_id)
        born.extend(busy_family.invent(60))

    busy_family.before_page(2, happen)
    summary = busy_family.sync()
    held = {row["id"] for row in busy_family.rows("SELECT id FROM {leads}")}
    assert held == {*before, *born} - {before[100], before[120]}
    assert summary.leads_read == len(held)
    quiesce(busy_family)


def test_leads_that_come_and_go_during_a_run_of_any_source(busy: AnyScene) -> None:
    """Some that were read, some that were not; none of the others is lost."""
    order = busy.in_reading_order()
    gone, born = [*order[20:24], *order[110:114]], list[int]()

    def happen() -> None:
        for lead_id in gone:
            busy.delete(lead_id)
        born.extend(busy.invent(60))

    busy.before_page(2, happen)
    busy.sync()
    held = busy.written_at().keys()
    assert held >= {*order, *born} - set(gone)
    assert held.isdisjoint(order[110:114])
    quiesce(busy)


def test_the_whole_page_after_the_position_goes_during_the_run(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference of the next page then points behind the end; nothing restarts at the first lead."""
    in_small_packages(monkeypatch, leads=100, pages=2)
    scene, before = duckdb_scene, duckdb_scene.ids()

    def happen() -> None:
        for lead_id in before[100:]:
            scene.delete(lead_id)

    scene.before_page(2, happen)
    assert scene.sync().leads_read == 100
    quiesce(scene)


def test_the_cursor_is_the_clock_from_before_the_first_page(busy: AnyScene) -> None:
    busy.before_each_request(lambda: busy.portal.clock.advance(30))
    summary = busy.sync()
    assert summary.cursor_to is not None
    assert summary.cursor_to.isoformat() <= "2026-11-21T09:01:00+00:00"
    assert busy.portal.clock.now() > summary.cursor_to
    quiesce(busy)


class _Life(Lines):
    """Edits the portal whenever the run reports a step: also while packages are loaded."""

    def __init__(self, scene: AnyScene) -> None:
        super().__init__()
        self._scene = scene
        self.steps = 0

    def step(self, doing: str, leads: int) -> None:
        super().step(doing, leads)
        self.steps += 1
        self._scene.portal.clock.advance(self.steps % 2)
        self._scene.life(seed=self.steps, create=1, edit=3, phone_add=1, phone_remove=1, stage=1)


def test_life_between_packages(busy: AnyScene) -> None:
    life = _Life(busy)
    for _ in range(2):
        busy.sync(progress=life)
    assert life.steps >= 4
    quiesce(busy)


def test_life_during_a_full_run_brings_no_older_version_back(busy: AnyScene) -> None:
    busy.synced()
    behind = busy.in_reading_order()[1]
    busy.before_page(2, lambda: busy.storm([behind], "newest"))
    busy.later().sync(full=True)
    quiesce(busy)
    assert busy.title(behind) == "newest"
