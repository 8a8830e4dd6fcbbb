"""The operators by themselves: which span they read, what they refuse, what they say of it."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

import oracle
from in_airflow.office import Office
from leadhouse.airflow.operators import LeadhouseReconcileOperator, LeadhouseSyncOperator
from leadhouse.errors import ConfigurationError, CredentialsError
from scene import in_small_packages

DAY = datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)


def context(run_type: str = "manual", interval: tuple[datetime | None, datetime | None] = (None, None)) -> Any:
    """Return what the operators look at of a task's context."""
    start, end = interval
    task = SimpleNamespace(try_number=1, map_index=None, get_previous_ti=lambda map_index: None)  # noqa: ARG005
    run = SimpleNamespace(run_type=run_type)
    return {"dag_run": run, "ti": task, "data_interval_start": start, "data_interval_end": end}


def acme(**told: Any) -> LeadhouseSyncOperator:
    """Return the operator of the office's Bitrix24."""
    return LeadhouseSyncOperator(task_id="sync", source="bitrix24", portal="acme", **told)


def test_a_scheduled_run_goes_by_the_cursor_whatever_its_interval(office: Office) -> None:
    told = acme().execute(context("scheduled", DAY))
    assert (told["leads_read"], told["cursor_to"]) == (60, "2026-11-21T09:00:00Z")
    office.portal.clock.advance(3600)
    assert acme().execute(context("scheduled", DAY))["cursor_from"] == "2026-11-21T09:00:00Z"


def test_a_backfill_reads_its_interval_again_and_leaves_the_cursor(office: Office) -> None:
    acme().execute(context())
    of_the_day = [
        lead for lead in office.portal.leads() if DAY[0] <= datetime.fromisoformat(lead["DATE_MODIFY"]) < DAY[1]
    ]
    told = acme().execute(context("backfill", DAY))
    assert told["leads_read"] == len(of_the_day) > 0
    assert told["cursor_to"] == told["cursor_from"] == "2026-11-21T09:00:00Z"
    oracle.assert_equal(office.portal, office.to, "acme")


@pytest.mark.parametrize("interval", [(None, None), (DAY[0], DAY[0])], ids=["none", "zero width"])
def test_a_backfill_without_an_interval_is_refused_before_anything_is_asked(
    office: Office, interval: tuple[datetime | None, datetime | None]
) -> None:
    with pytest.raises(
        ConfigurationError, match="the backfill's interval is empty, because the DAG's schedule is a cron"
    ):
        acme().execute(context("backfill", interval))
    assert office.portal.http_requests == 0


def test_since_and_until_win_over_a_backfills_interval(office: Office) -> None:
    told = acme(since="2019-01-01T00:00:00Z").execute(context("backfill", (DAY[0], DAY[0])))
    assert told["leads_read"] == office.portal.http_requests * 60


def test_a_backfill_of_reconcile_is_refused(office: Office) -> None:
    operator = LeadhouseReconcileOperator(task_id="reconcile", source="bitrix24", portal="acme")
    with pytest.raises(ConfigurationError, match="a backfill of it means nothing"):
        operator.execute(context("backfill", DAY))
    assert office.portal.http_requests == 0


def test_reconcile_finds_what_vanished(office: Office) -> None:
    acme().execute(context())
    office.portal.delete_lead(int(office.portal.leads()[3]["ID"]))
    operator = LeadhouseReconcileOperator(task_id="reconcile", source="bitrix24", portal="acme", deep="True")
    told = operator.execute(context())
    assert (told["command"], told["leads_deleted"]) == ("reconcile", 1)
    oracle.assert_equal(office.portal, office.to, "acme")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "name the portal by conn_id, or by source"),
        ({"source": "bitrix24", "conn_id": "acme"}, "one of the two"),
        ({"source": "salesforce"}, "'salesforce' is no source"),
        ({"source": "kommo", "to": "duckdb:leads.duckdb"}, "give an absolute path"),
        ({"source": "kommo", "to": "duckdb:/srv/a.duckdb", "to_conn_id": "warehouse"}, "both set"),
        ({"source": "kommo", "full": "perhaps"}, "'perhaps' is neither true nor false"),
        ({"source": "kommo", "full": True, "since": "2026-11-01T00:00:00Z"}, "neither goes with --full"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("office")
def test_what_an_operator_cannot_do_is_one_line(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        LeadhouseSyncOperator(task_id="sync", **told).execute(context())
    assert "\n" not in str(refused.value)


def test_nothing_is_written_to_the_folder_that_a_worker_happens_to_stand_in(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LEADHOUSE__TO")
    with pytest.raises(ConfigurationError, match="no destination is set; set LEADHOUSE__TO where tasks run"):
        acme().execute(context())
    assert not list(tmp_path.glob("*.duckdb"))
    assert office.portal.http_requests == 0


def test_a_portal_and_a_warehouse_may_be_connections(
    office: Office, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    office.configure(AIRFLOW_CONN_OFFICE=f'{{"conn_type": "bitrix24", "password": "{office.acme.url}"}}')
    place = postgres_url.split("?host=")[1]
    database = postgres_url.split("?", maxsplit=1)[0].rpartition("/")[2]
    office.configure(
        AIRFLOW_CONN_WAREHOUSE=f'{{"conn_type": "postgres", "host": "localhost", "login": "postgres", '
        f'"password": "unused", "schema": "{database}", "extra": {{"host": "{place}"}}}}'
    )
    monkeypatch.delenv("LEADHOUSE__TO")
    operator = LeadhouseSyncOperator(task_id="sync", conn_id="office", to_conn_id="warehouse")
    told = operator.execute(context())
    assert (operator.label, told["label"], told["dataset"]) == ("office", "office", "office")
    oracle.assert_equal(office.portal, postgres_url, "office")


def test_an_error_of_an_operator_comes_without_leadhouses_frames(office: Office) -> None:
    office.portal.quirks.webhook_expired = True
    with pytest.raises(CredentialsError) as refused:
        acme().execute(context())
    frames = []
    trace = refused.value.__traceback__
    while trace is not None:
        frames.append(Path(trace.tb_frame.f_code.co_filename).name)
        trace = trace.tb_next
    assert "session.py" not in frames
    assert refused.value.__cause__ is refused.value.__context__ is None


@pytest.mark.long
def test_a_task_that_is_killed_stops_and_the_next_run_goes_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_packages(monkeypatch, leads=100, pages=2)
    office.portal.invent_leads(400)
    operator, killed = acme(), list[bool]()

    def kill(*_: object) -> None:
        if office.portal.http_requests == 5 and not killed:
            killed.append(True)
            os.kill(os.getpid(), signal.SIGTERM)

    # As Airflow's task runner does it.
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    office.portal.before_command.append(kill)
    try:
        with pytest.raises(SystemExit):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGTERM, before)
    office.portal.before_command.clear()
    assert operator.summary is None
    with duckdb.connect(office.to.removeprefix("duckdb:")) as warehouse:
        (loaded,) = warehouse.execute("SELECT count(*) FROM acme.leads").fetchall()[0]
    assert 0 < loaded < 460
    acme().execute(context())
    oracle.assert_equal(office.portal, office.to, "acme")


def test_a_time_out_is_left_to_airflow() -> None:
    acme().on_kill()  # Airflow calls it once the task has been left, and then raises the time-out itself


def test_the_link_leads_to_the_portal_and_tells_nothing(office: Office) -> None:
    from leadhouse.airflow.links import PortalLink  # noqa: PLC0415

    operator = acme()
    key: Any = None
    assert PortalLink().get_link(operator, ti_key=key) == ""
    operator.execute(context())
    host = office.acme.url.split("/")[2]
    assert PortalLink().get_link(operator, ti_key=key) == f"https://{host}/crm/lead/list/"


def test_openlineage_is_told_what_went_where(office: Office, postgres_url: str) -> None:
    operator = acme()
    assert operator.get_openlineage_facets_on_complete(None) is None
    operator.execute(context())
    told = operator.get_openlineage_facets_on_complete(None)
    assert [(one.namespace, one.name) for one in told.inputs] == [
        (f"bitrix24://{office.acme.url.split('/')[2]}", "leads")
    ]
    assert [(one.namespace, one.name) for one in told.outputs] == [
        (office.to.replace("duckdb:", "duckdb://"), "acme.leads")
    ]
    operator = acme(to=postgres_url)
    operator.execute(context())
    (output,) = operator.get_openlineage_facets_on_complete(None).outputs
    database = postgres_url.split("?", maxsplit=1)[0].rpartition("/")[2]
    assert (output.namespace, output.name) == ("postgres://localhost:5432", f"{database}.acme.leads")
