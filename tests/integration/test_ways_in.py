"""Other ways in: a dlt user's own pipeline, several portals and several warehouses from one machine."""

from collections.abc import Iterator
from pathlib import Path

import dlt
import pytest

import leadhouse
import oracle
from leadhouse.sandbox.bitrix24 import serve
from scene import Scene, small_portal


@pytest.fixture
def plain(duckdb_scene: Scene, tmp_path: Path) -> Iterator[tuple[Scene, dlt.Pipeline]]:
    """A dlt user's pipeline, and the scene that looks at where it loads."""
    scene = Scene(
        duckdb_scene.portal, duckdb_scene.url, f"duckdb:{tmp_path / 'mine.duckdb'}", dataset="crm", verifiable=False
    )
    pipeline = dlt.pipeline(
        "mine",
        pipelines_dir=str(tmp_path / "pipelines"),
        destination=dlt.destinations.duckdb(str(tmp_path / "mine.duckdb")),
        dataset_name="crm",
    )
    yield scene, pipeline
    pipeline.deactivate()


@pytest.mark.parametrize("api", ["lead", "item"])
def test_a_dlt_user_runs_the_source_in_a_pipeline_of_their_own(plain: tuple[Scene, dlt.Pipeline], api: str) -> None:
    scene, pipeline = plain
    scene.api = api
    pipeline.run(leadhouse.bitrix24(scene.url, api=api))
    scene.check(ignoring_deleted=False)

    lead_id = scene.with_phone()
    scene.later().drop_phones(lead_id)
    scene.portal.live(create=3, edit=4, phone_add=2, stage=2)
    scene.portal.add_userfield("UF_CRM_REGION", "string")
    pipeline.run(leadhouse.bitrix24(scene.url, api=api))
    scene.check()
    assert "uf_crm_region" in oracle.columns(scene.to, "crm")["leads"]


def test_a_dlt_users_pipeline_reads_on_from_its_own_cursor(plain: tuple[Scene, dlt.Pipeline]) -> None:
    scene, pipeline = plain
    pipeline.run(leadhouse.bitrix24(scene.url))
    scene.later().portal.update_lead(int(scene.portal.leads()[0]["ID"]), {"TITLE": "changed"})
    pipeline.run(leadhouse.bitrix24(scene.url))
    assert scene.one("SELECT count(DISTINCT synced_at) FROM {leads}") == 2
    assert scene.one("SELECT count(*) FROM {leads} WHERE title = 'changed'") == 1
    scene.check()


@pytest.mark.parametrize("portal", [small_portal(0)], ids=["empty"])
def test_an_empty_portal_makes_a_dlt_users_tables(plain: tuple[Scene, dlt.Pipeline]) -> None:
    scene, pipeline = plain
    pipeline.run(leadhouse.bitrix24(scene.url))
    assert oracle.columns(scene.to, "crm").keys() == oracle.contract().keys() - {"sync_runs", "lead_versions"}
    scene.portal.add_userfield("UF_CRM_REGION", "string")
    pipeline.run(leadhouse.bitrix24(scene.url))
    held = oracle.columns(scene.to, "crm")["leads"].keys()
    assert held == {*oracle.contract()["leads"]["columns"], *oracle.custom_columns(scene.portal)}


def test_a_lead_that_lost_its_last_phone_has_none_in_a_package_without_any_phone(
    plain: tuple[Scene, dlt.Pipeline],
) -> None:
    scene, pipeline = plain
    pipeline.run(leadhouse.bitrix24(scene.url))
    scene.later().drop_phones(scene.with_phone())
    pipeline.run(leadhouse.bitrix24(scene.url))
    scene.check()


def test_the_source_is_made_without_asking_the_portal(duckdb_scene: Scene) -> None:
    leadhouse.bitrix24(duckdb_scene.url)
    assert duckdb_scene.portal.http_requests == 0


def test_settings_come_from_the_environment(plain: tuple[Scene, dlt.Pipeline], monkeypatch: pytest.MonkeyPatch) -> None:
    scene, pipeline = plain
    monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", scene.url)
    pipeline.run(leadhouse.bitrix24())
    scene.check()


def test_two_portals_and_two_warehouses_do_not_mix_their_cursors(
    postgres_url: str, duckdb_scene: Scene, tmp_path: Path
) -> None:
    """One machine, one working directory: portal A to three places, portal B beside it, by turns."""
    other_portal = small_portal(90, seed=8)
    with serve(other_portal) as other:
        portal, url = duckdb_scene.portal, duckdb_scene.url
        scenes = [
            duckdb_scene,
            Scene(other_portal, other.url, duckdb_scene.to, dataset="acme"),
            Scene(portal, url, postgres_url),
            Scene(portal, url, f"duckdb:{tmp_path / 'second.duckdb'}"),
        ]
        for scene in scenes[:3]:
            scene.sync()
        portal.clock.advance(7200)
        other_portal.clock.advance(1800)
        portal.live(create=2, edit=3)
        other_portal.live(edit=2, phone_add=1)
        counts = [scene.sync().leads_read for scene in scenes]
        assert counts == [5, 3, 5, len(portal)]
        for scene in scenes:
            scene.check()
        assert [scene.state()["cursor"][11:16] for scene in scenes] == ["11:00", "09:30", "11:00", "11:00"]


def test_a_server_that_wants_no_password_needs_none_in_its_url(postgres_url: str, duckdb_scene: Scene) -> None:
    without = postgres_url.replace(":unused@localhost/", "@/")
    assert without != postgres_url
    scene = Scene(duckdb_scene.portal, duckdb_scene.url, without)
    scene.sync()
    scene.check()


def test_named_portals_have_their_own_secrets_and_datasets(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__WEBHOOK_URL", duckdb_scene.url)
    leadhouse.sync("bitrix24", to=duckdb_scene.to, portal="acme", requests_per_second=1000, burst=10_000)
    oracle.assert_equal(duckdb_scene.portal, duckdb_scene.to, "acme")
