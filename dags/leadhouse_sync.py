"""Leads of every configured portal into the warehouse, every ten minutes: what was modified since the last run.

One portal that fails holds back no other, and turns the run red. A manual run has params: portals, since and until,
full, reconcile. A backfill reads its intervals again and leaves the cursor alone.
"""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, chain, dag, task_group

from leadhouse.airflow.assets import PORTAL_LEADS
from leadhouse.airflow.operators import LeadhouseSyncOperator
from leadhouse.airflow.tasks import (
    DEFAULT_ARGS,
    flag_param,
    list_portals,
    max_deletions_param,
    portals_param,
    publish,
    time_param,
    watcher,
)


@dag(
    # A timetable with data intervals: a bare cron string would give a backfill's runs none.
    schedule=CronDataIntervalTimetable(os.environ.get("LEADHOUSE_SCHEDULE", "*/10 * * * *"), timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={
        "portals": portals_param(),
        "since": time_param("Since"),
        "until": time_param("Until"),
        "full": flag_param("Everything", "Read everything again into place"),
        "reconcile": flag_param("Reconcile", "Then look for leads that vanished"),
        "max_deletions": max_deletions_param(),
    },
    render_template_as_native_obj=True,
    tags=["leadhouse", "crm"],
    doc_md=__doc__,
)
def leadhouse_sync() -> None:
    """Wire the tasks."""

    @task_group
    def portal(source: str | None, portal: str | None, conn_id: str | None, requests_per_second: float | None) -> Any:
        """What each portal needs; tasks of your own for each portal belong here, too."""
        return LeadhouseSyncOperator(
            task_id="sync",
            source=source,
            portal=portal,
            conn_id=conn_id,
            requests_per_second=requests_per_second,
            since="{{ params.since }}",
            until="{{ params.until }}",
            full="{{ params.full }}",
            reconcile="{{ params.reconcile }}",
            max_deletions="{{ params.max_deletions }}",
            outlets=[PORTAL_LEADS],
            pool="leadhouse_api",
        ).output

    listed = list_portals()
    synced = portal.expand_kwargs(listed)
    published = publish(synced)
    chain([listed, synced, published], watcher())


leadhouse_sync()
