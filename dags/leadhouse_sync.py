"""Leads of every configured portal into the warehouse, every ten minutes: what was modified since the last run.

One portal that fails holds back no other, and turns the run red. A manual run has params: portals, since and until,
full, reconcile. A backfill reads its intervals again and leaves the cursor alone.
"""

import os
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, chain, dag, task_group

from leadhouse.airflow.assets import PORTAL_LEADS
from leadhouse.airflow.operators import LeadhouseSyncOperator
from leadhouse.airflow.params import SYNC_PARAMS
from leadhouse.airflow.tasks import DAG_ARGS, list_portals, publish, watcher

# A timetable with data intervals: a bare cron string would give a backfill's runs none.
SCHEDULE = CronDataIntervalTimetable(os.environ.get("LEADHOUSE_SCHEDULE", "*/10 * * * *"), timezone="UTC")


@dag(schedule=SCHEDULE, params=SYNC_PARAMS, doc_md=__doc__, **DAG_ARGS)
def leadhouse_sync() -> None:
    """Wire the tasks."""

    @task_group
    def portal(source: str | None, portal: str | None, conn_id: str | None) -> Any:
        """What each portal needs; tasks of your own for each portal belong here, too."""
        return LeadhouseSyncOperator(
            task_id="sync",
            source=source,
            portal=portal,
            conn_id=conn_id,
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
    chain([listed, synced, publish(synced)], watcher())


leadhouse_sync()
