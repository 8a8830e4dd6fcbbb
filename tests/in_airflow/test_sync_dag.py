"""The DAG leadhouse_sync, run against sandbox portals as `airflow dags test` runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from in_airflow.office import Office, Runs
from leadhouse import publish

ALL = "leadhouse://crm/leads"


def events(uri: str) -> list[dict[str, Any]]:
    """Return the extras of an asset's events, the oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        found = session.scalars(
            select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id).where(AssetModel.uri == uri)
        )
        return [event.extra for event in sorted(found, key=lambda event: event.id)]


@pytest.fixture(params=["duckdb", "postgres"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """The office with each warehouse."""
    postgres = request.param == "postgres"
    to = request.getfixturevalue("postgres_url") if postgres else f"duckdb:{tmp_path / 'warehouse.duckdb'}"
    with Office(monkeypatch, to) as made:
        yield made


def test_the_warehouse_equals_the_portals(runs: Runs, anywhere: Office) -> None:
    done = runs("leadhouse_sync")
    assert done.state == "success"
    assert done.states == {
        "list_portals": "success",
        "portal.sync[bitrix24.acme]": "success",
        "portal.sync[kommo]": "success",
        "publish": "success",
        "watcher": "skipped",
    }
    anywhere.assert_equal()
    assert done.result("portal.sync[kommo]")["leads_read"] == 40


def test_an_idle_run_costs_two_requests_a_portal_and_wakes_nobody(runs: Runs, office: Office) -> None:
    runs("leadhouse_sync")
    office.portal.clock.advance(3600)
    office.account.clock.advance(3600)
    runs("leadhouse_sync")
    before = len(events(ALL)), len(events("leadhouse://acme/leads"))
    asked = office.portal.http_requests, office.account.http_requests
    done = runs("leadhouse_sync")
    assert done.state == "success"
    assert done.states["publish"] == "skipped"
    for name, count in (
        ("bitrix24.acme", office.portal.http_requests - asked[0]),
        ("kommo", office.account.http_requests - asked[1]),
    ):
        summary = done.result(f"portal.sync[{name}]")
        assert summary["rows_written"] == 0
        assert summary["requests"] == count <= 2
    assert (len(events(ALL)), len(events("leadhouse://acme/leads"))) == before


def test_assets_tell_rows_and_cursor(runs: Runs, office: Office) -> None:
    done = runs("leadhouse_sync")
    acme, shop = done.result("portal.sync[bitrix24.acme]"), done.result("portal.sync[kommo]")
    assert events("leadhouse://acme/leads")[-1] == {
        "label": "bitrix24.acme",
        "portal": acme["portal"],
        "dataset": "acme",
        "rows": acme["rows_written"],
        "marked": 0,
        "cursor": "2026-11-21T09:00:00Z",
        "run_id": acme["run_id"],
    }
    assert acme["rows_written"] >= 60
    assert events(ALL)[-1] == {
        "rows": acme["rows_written"] + shop["rows_written"],
        "portals": {
            "bitrix24.acme": {
                "dataset": "acme",
                "rows": acme["rows_written"],
                "marked": 0,
                "cursor": acme["cursor_to"],
            },
            "kommo": {"dataset": "kommo", "rows": shop["rows_written"], "marked": 0, "cursor": shop["cursor_to"]},
        },
    }
    assert office.portal.http_requests


def test_what_a_failed_run_wrote_is_told_by_the_next_one_and_once(runs: Runs, office: Office) -> None:
    runs("leadhouse_sync", portals=["bitrix24.acme"])
    before = len(events(ALL)), len(events("leadhouse://acme/leads"))
    edited, *gone = (int(lead["ID"]) for lead in office.portal.leads())
    office.portal.clock.advance(3600)
    office.portal.update_lead(edited, {"TITLE": "newer"})
    for lead in gone:
        office.portal.delete_lead(lead)
    failed = runs("leadhouse_sync", portals=["bitrix24.acme"], reconcile=True, max_deletions="1")
    assert failed.state == "failed"
    assert office.rows(f"SELECT title FROM acme.leads WHERE id = {edited}") == [("newer",)]  # noqa: S608 - a number
    assert (len(events(ALL)), len(events("leadhouse://acme/leads"))) == before
    for told in ("success", "skipped"):
        done = runs("leadhouse_sync", portals=["bitrix24.acme"])
        assert done.result("portal.sync[bitrix24.acme]")["rows_written"] == 0
        assert done.states["publish"] == told
        assert (len(events(ALL)), len(events("leadhouse://acme/leads"))) == (before[0] + 1, before[1] + 1)


def test_what_a_failed_try_wrote_is_told_by_the_next_one(
    runs: Runs, office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs.retries = 2
    office.configure(LEADHOUSE__PUBLISH=str(tmp_path / "read.duckdb"))
    before, make_views, refused = len(events("leadhouse://acme/leads")), publish._make_views, list[OSError]()

    def full_disk_once(*told: Any) -> None:
        if not refused:
            refused.append(OSError(28, "No space left on device"))
            raise refused[0]
        make_views(*told)

    monkeypatch.setattr(publish, "_make_views", full_disk_once)
    done = runs("leadhouse_sync", portals=["bitrix24.acme"])
    assert done.task("portal.sync[bitrix24.acme]").try_number == 2
    assert done.result("portal.sync[bitrix24.acme]")["rows_written"] == 0
    assert done.states["publish"] == "success"
    assert len(events("leadhouse://acme/leads")) == before + 1


@pytest.mark.parametrize("label", ["bitrix24.acme", "kommo"])
def test_exactly_one_portal(runs: Runs, office: Office, label: str) -> None:
    done = runs("leadhouse_sync", portals=[label])
    assert done.state == "success"
    assert done.states["publish"] == "success"
    assert [name for name in done.states if name.startswith("portal.")] == [f"portal.sync[{label}]"]
    office.assert_equal(label.removeprefix("bitrix24."))


def test_a_portal_that_is_down_holds_back_no_other_and_turns_the_run_red(
    runs: Runs, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadhouse.retry.backoff", lambda _attempt: 0.0)
    office.portal.faults.add(times=None, match="batch", kind="html_502")
    done = runs("leadhouse_sync")
    assert done.state == "failed"
    assert done.states == {
        "list_portals": "success",
        "portal.sync[bitrix24.acme]": "failed",
        "portal.sync[kommo]": "success",
        "publish": "success",
        "watcher": "failed",
    }
    office.assert_equal("kommo")


def test_a_failure_that_may_heal_is_tried_again(runs: Runs, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.retries = 2
    monkeypatch.setattr("leadhouse.retry.backoff", lambda _attempt: 0.0)
    office.portal.faults.add(times=7, match="batch", kind="html_502")
    done = runs("leadhouse_sync", portals=["bitrix24.acme"])
    assert done.state == "success"
    assert done.task("portal.sync[bitrix24.acme]").try_number == 2
    office.assert_equal("acme")


@pytest.mark.parametrize(("faults", "told"), [(7, 0), (None, 1)], ids=["a try that heals", "tries that all fail"])
def test_people_hear_of_a_task_that_failed_for_good_and_once(
    runs: Runs,
    office: Office,
    slack: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    faults: int | None,
    told: int,
) -> None:
    runs.retries = 2
    office.configure(RUNTIME__SLACK_INCOMING_HOOK=slack[0])
    monkeypatch.setattr("leadhouse.retry.backoff", lambda _attempt: 0.0)
    office.portal.faults.add(times=faults, match="batch", kind="html_502")
    for _ in range(2):
        runs("leadhouse_sync", portals=["bitrix24.acme"])
    assert len(slack[1]) == told
    assert all(message["text"].startswith("leadhouse_sync: bitrix24.acme failed") for message in slack[1])


def test_params_reach_leadhouse(runs: Runs, office: Office) -> None:
    runs("leadhouse_sync")
    gone = int(office.portal.leads()[0]["ID"])
    office.portal.delete_lead(gone)
    done = runs("leadhouse_sync", portals=["bitrix24.acme"], full=True, reconcile=True, max_deletions="5%")
    told = done.result("portal.sync[bitrix24.acme]")
    assert (told["leads_read"], told["leads_deleted"], told["reconciled"]) == (59, 1, "listing")
    office.assert_equal("acme")


def test_since_and_until_read_a_span_again_and_leave_the_cursor(runs: Runs, office: Office) -> None:
    first = runs("leadhouse_sync", portals=["bitrix24.acme"]).result("portal.sync[bitrix24.acme]")
    office.portal.clock.advance(3600)
    done = runs(
        "leadhouse_sync", portals=["bitrix24.acme"], since="2019-01-01T00:00:00Z", until="2026-11-21T09:00:01+00:00"
    )
    told = done.result("portal.sync[bitrix24.acme]")
    assert told["leads_read"] == 60
    assert told["cursor_from"] == told["cursor_to"] == first["cursor_to"]


def test_a_wanted_portal_that_is_not_configured_is_named(runs: Runs, office: Office) -> None:
    done = runs("leadhouse_sync", portals=["bitrix24.amce"])
    assert done.state == "failed"
    assert done.states["list_portals"] == "failed"
    assert office.portal.http_requests == 0
