"""Traps beside the twelve: packages of killed runs, slow formats, errors and pages that look like an end."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pytest

from leadhouse.errors import TransientError
from leadhouse.sandbox.bitrix24 import Portal
from scene import Crash, Scene, crash_at, leftovers


@pytest.mark.parametrize(("step", "after"), [("extract", True), ("normalize", True), ("load", False)])
def test_a_killed_runs_packages_are_dropped_and_read_again(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """A dlt pipeline alone would load the old package, return without reading, and bring back an older version."""
    scene.synced()
    lead_id = scene.with_phone()
    scene.later().portal.update_lead(lead_id, {"TITLE": "old"})
    with monkeypatch.context() as patch:
        patch.setattr("leadhouse.pipeline._wipe", lambda _: None)
        crash_at(patch, dlt.Pipeline, step, 1, after=after)
        with pytest.raises(Crash):
            scene.sync()
    assert leftovers(tmp_path / "dlt")
    scene.portal.update_lead(lead_id, {"TITLE": "new"})
    scene.drop_phones(lead_id)
    summary = scene.sync()
    assert summary.leads_read == 1
    assert scene.lead(lead_id)["title"] == "new"
    assert leftovers(tmp_path / "dlt") == []
    scene.check()


def test_rows_reach_the_databases_as_parquet(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The own choice of dlt for DuckDB is INSERT statements: forty times slower."""
    formats: dict[str, set[str]] = {}
    load = dlt.Pipeline.load

    def watched(pipeline: dlt.Pipeline, *options: Any, **named: Any) -> Any:
        info = load(pipeline, *options, **named)
        for package in info.load_packages:
            for job in package.jobs["completed_jobs"]:
                formats.setdefault(job.job_file_info.table_name, set()).add(job.job_file_info.file_format)
        return info

    monkeypatch.setattr(dlt.Pipeline, "load", watched)
    scene.sync()
    for table in ("leads", "lead_phones", "lead_custom_values", "lead_stage_history", "users"):
        assert "parquet" in formats[table]
        assert "insert_values" not in formats[table]


@pytest.mark.usefixtures("_impatient")
def test_an_error_in_an_answer_with_status_200_is_not_an_empty_page(scene: Scene) -> None:
    fault = scene.portal.faults.add("error", times=2, match="batch", status=200, code="QUERY_LIMIT_EXCEEDED")
    summary = scene.sync()
    assert (fault.fired, summary.retries) == (2, 2)
    scene.check(ignoring_deleted=False)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", ["short_page", "command_missing", "command_error", "batch_cut"])
def test_a_page_that_is_short_or_missing_is_not_the_end(family_scene: Scene, fault: str) -> None:
    match = "batch" if fault == "batch_cut" else f"crm.{family_scene.api}.list"
    details: dict[str, dict[str, Any]] = {
        "command_error": {"code": "INTERNAL_SERVER_ERROR"},
        "batch_cut": {"keep": 16},
    }
    after = 0 if fault == "batch_cut" else 1
    struck = family_scene.portal.faults.add(fault, times=2, match=match, after=after, **details.get(fault, {}))
    family_scene.sync()
    assert struck.fired
    family_scene.check(ignoring_deleted=False)


@pytest.mark.usefixtures("_impatient")
def test_a_portal_that_stays_out_of_order_moves_no_cursor(scene: Scene) -> None:
    scene.synced()
    cursor = scene.state()["cursor"]
    scene.later().portal.live(edit=3)
    scene.portal.faults.add("error_500", times=None)
    with pytest.raises(TransientError):
        scene.sync()
    assert scene.state()["cursor"] == cursor
    scene.portal.faults.clear()
    assert scene.sync().leads_read == 3
    scene.check()


def test_a_money_field_takes_no_column_from_an_older_text_field(scene: Scene) -> None:
    portal = scene.portal
    lead_id = int(portal.leads()[0]["ID"])
    portal.add_userfield("UF_CRM_A_CURRENCY", "string")
    portal.update_lead(lead_id, {"UF_CRM_A_CURRENCY": "a text of its own"})
    scene.sync()
    portal.add_userfield("UF_CRM_A", "money")
    for amount in ("12.30", "45.60"):
        scene.later().portal.update_lead(lead_id, {"UF_CRM_A": f"{amount}|EUR"})
        scene.sync()
        row = scene.lead(lead_id)
        assert row["uf_crm_a_currency"] == "a text of its own"
        assert (row["uf_crm_a_2"], row["uf_crm_a_2_currency"]) == (Decimal(amount), "EUR")
        assert "uf_crm_a" not in row


def test_hooks_see_every_command(duckdb_scene: Scene) -> None:
    """What the tests of life during a run rely on."""
    seen: list[str] = []

    def note(method: str, _: object, portal: Portal) -> None:
        assert portal is duckdb_scene.portal
        seen.append(method)

    duckdb_scene.portal.before_command.append(note)
    duckdb_scene.sync()
    assert {"server.time", "crm.lead.list", "crm.stagehistory.list", "user.get"} <= set(seen)
