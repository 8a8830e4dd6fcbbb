"""Which span of modification time a run of a DAG reads: the stored cursor's, its own, or a backfill's interval."""

from datetime import datetime
from typing import TYPE_CHECKING

from leadhouse.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context

Time = str | datetime | None


def is_backfill(context: "Context") -> bool:
    """Tell whether the run was made by `airflow backfill create`."""
    return bool(context["dag_run"].run_type == "backfill")


def span(context: "Context", since: Time, until: Time) -> tuple[Time, Time]:
    """Return since and until; both None: the stored cursor tells.

    Args:
        context: of the task.
        since: as the task was told; empty where it was not.
        until: likewise.

    Raises:
        ConfigurationError: a backfill whose interval is empty: it would read nothing and be green.
    """
    if since or until:
        return since or None, until or None
    if not is_backfill(context):
        return None, None
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None or start >= end:
        raise ConfigurationError(
            "the backfill's interval is empty, because the DAG's schedule is a cron string, which gives its runs no "
            "interval in Airflow 3; schedule the DAG with CronDataIntervalTimetable(…, timezone='UTC'), or trigger one "
            "run with since and until"
        )
    return start, end
