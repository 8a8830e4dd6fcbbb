"""Statuses as `leadhouse.status` tells them, invented."""

from datetime import datetime, timedelta
from typing import Any

DESTINATION = "postgresql://db.example.com/crm"


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def told(
    name: str, now: datetime, runs: int, *, failed: int = 0, error: str = "broke", age_s: int = 300
) -> dict[str, Any]:
    """Return the status of a dataset.

    Args:
        name: of the dataset.
        now: when it is looked at (UTC).
        runs: runs, ten minutes apart.
        failed: of these, the last ones that failed.
        error: what they failed of.
        age_s: seconds since the last run began.
    """
    made: list[dict[str, Any]] = []
    for number in range(runs):
        began, bad = now - timedelta(seconds=age_s + 600 * number), number < failed
        reached = now - timedelta(seconds=age_s + 600 * max(number, failed))
        made.append({
            "run_id": f"run{number}", "command": "sync", "portal": "crm.example.com", "started_at": _iso(began),
            "finished_at": _iso(began + timedelta(seconds=5 + number % 7)), "outcome": "failed" if bad else "done",
            "cursor_from": _iso(reached - timedelta(seconds=600)), "cursor_to": _iso(reached), "leads_read": number % 5,
            "rows_written": 0 if bad else 40 * (number % 5), "requests": 3, "retries": 6 if bad else 0,
            "throttled_s": 1.5 * (number % 3), "error": error if bad else None, "duration_s": 5.0 + number % 7,
        })  # fmt: skip
    good = [run for run in made if run["outcome"] == "done"]
    last = good[0]["finished_at"] if good else None
    return {
        "destination": DESTINATION, "dataset": name, "source": "bitrix24", "portal": "crm.example.com",
        "cursor": good[0]["cursor_to"] if good else None, "behind_s": age_s if good else None, "last_success": last,
        "age_s": int((now - datetime.fromisoformat(last)).total_seconds()) if last else None,
        "failing_since": made[failed - 1]["started_at"] if failed else None, "runs": made[:100],
        "totals": {
            "runs": runs, "done": runs - failed, "failed": failed, "leads_read": 10, "rows_written": 20,
            "requests": 30, "retries": 1, "throttled_s": 61.5, "since": made[-1]["started_at"] if made else None,
        },
        "rows": {"leads": 1234, "sync_runs": runs},
    }  # fmt: skip


def unreadable(name: str) -> dict[str, Any]:
    """Return what is told of a dataset that cannot be read."""
    return {
        "destination": DESTINATION, "dataset": name, "source": "kommo", "problem": "its state is damaged",
        "exit_status": 2,
    }  # fmt: skip
