"""Tasks that the DAGs of `dags/` are wired from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from leadhouse.airflow.assets import ALL_LEADS
from leadhouse.airflow.notifiers import FailureNotifier
from leadhouse.airflow.portals import PortalKeywords, chosen_portals
from leadhouse.airflow.retries import LeadhouseRetryPolicy

# Two tries more, soon: the next scheduled run is a better try than a late one, which would hold back all portals.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "leadhouse",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": LeadhouseRetryPolicy(),
    "execution_timeout": timedelta(hours=6),
    "on_failure_callback": [FailureNotifier()],
}


DAG_ARGS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": DEFAULT_ARGS,
    "render_template_as_native_obj": True,
    "tags": ["leadhouse", "crm"],
}


@task
def list_portals() -> list[PortalKeywords]:
    """Return the portals that the run works on."""
    return chosen_portals(get_current_context()["params"].get("portals"))


@task(outlets=[ALL_LEADS], trigger_rule="all_done_min_one_success")
def publish(results: Any) -> dict[str, Any]:
    """Tell DAGs that are scheduled on ALL_LEADS what is new; skipped where nothing is."""
    # A mapped task group with one result hands over that result and no list of it (Airflow issue 69036).
    runs: list[Mapping[str, Any]] = [results] if isinstance(results, Mapping) else list(results)
    told = {
        run["label"]: {
            "dataset": run["dataset"],
            "rows": run["rows_written"],
            "marked": run["leads_deleted"] + run["leads_out_of_sight"] + run["leads_recovered"],
            "cursor": run["cursor_to"],
        }
        for run in runs
    }
    late = any(run.get("after_failure") for run in runs)
    if not late and not any(run["rows"] or run["marked"] for run in told.values()):
        raise AirflowSkipException("nothing is new: no asset event")
    extra = {"rows": sum(run["rows"] for run in told.values()), "portals": told}
    get_current_context()["outlet_events"][ALL_LEADS].extra = extra
    return extra


@task(trigger_rule="one_failed", retries=0, on_failure_callback=None)
def watcher() -> None:
    """Turn the run red where a portal failed; the others have been published."""
    raise AirflowFailException("a portal could not be read: see its task; the others are up to date")
