"""How a warehouse fares: freshness, runs and row counts, read from `sync_runs`."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leadhouse.configured_portals import portals
from leadhouse.datasets import filled, looking
from leadhouse.errors import ConfigurationError, LeadhouseError
from leadhouse.pipeline import existing
from leadhouse.state import stored
from leadhouse.tables import tables
from leadhouse.times import in_words, utc_text
from leadhouse.warehouse import Target, Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline

_COLUMNS = (
    "run_id",
    "command",
    "portal",
    "started_at",
    "finished_at",
    "outcome",
    "cursor_from",
    "cursor_to",
    "leads_read",
    "rows_written",
    "requests",
    "retries",
    "throttled_s",
    "error",
)
# Further in the future a sync would count as fresh until the clock passes it.
_CLOCKS_APART_S = 300
# Postgres sums to decimals.
_SUMS = {"leads_read": int, "rows_written": int, "requests": int, "retries": int, "throttled_s": float}


def status(warehouse: Warehouse, source: str, *, lock_timeout: float, limit: int = 5) -> dict[str, Any]:
    """Return what an operator wants to know, as JSON values; times are UTC.

    Keys: destination, dataset, source, portal (its host), cursor, behind_s (seconds since the cursor), last_success
    (end of the last sync that moved the cursor), age_s (seconds since then), failing_since (start of the first of the
    runs that failed since one was done), runs (the last `limit`, newest first), totals (of all runs), rows (by table).

    Raises:
        StateError: nothing was synced there yet.
    """
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        slot = stored(pipeline, source) or {}
        cursor = (slot.get("cursor") or {}).get("cursor")
        problem: LeadhouseError
        try:
            with warehouse.held():
                told = _read(pipeline, source, limit)
        except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
            problem = explain(error, warehouse.target)
        else:
            return {
                "destination": warehouse.target.label,
                "dataset": warehouse.dataset,
                "source": source,
                "portal": told.pop("portal"),
                "cursor": cursor,
                "behind_s": _seconds_since(cursor),
                "last_success": told["last_success"],
                "age_s": _seconds_since(told["last_success"]),
                **told,
            }
        raise problem


def every_status(target: Target, *, lock_timeout: float, limit: int = 5) -> list[dict[str, Any]]:
    """Return the status of every dataset, the stalest first; one that cannot be read has `problem` instead.

    Where we open no connections of our own, those are the datasets of the configured portals.

    Raises:
        ConfigurationError: those are asked for, and no portal is configured.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the warehouse cannot be read.
    """
    datasets = filled(target, lock_timeout=lock_timeout) if target.connects else _configured(target)
    if not datasets:
        return []
    # A DuckDB file that is open already opens in no time.
    with looking(target, lock_timeout=lock_timeout) if target.connects else nullcontext():
        told = [_status_or_problem(target, *one, lock_timeout=lock_timeout, limit=limit) for one in datasets.items()]
    return sorted(told, key=lambda one: -one["age_s"] if one.get("age_s") is not None else float("-inf"))


def _configured(target: Target) -> dict[str, str]:
    """Return the source of each configured portal's dataset, by its name."""
    found = {portal.dataset: portal.source for portal in portals(required=False)}
    if not found:
        raise ConfigurationError(
            f"which datasets {target.label} holds is known from the configured portals, and none is configured; "
            "describe each under [sources.bitrix24.acme] in .dlt/, or name SOURCE or --dataset instead of --all"
        )
    return found


def _status_or_problem(target: Target, dataset: str, source: str, *, lock_timeout: float, limit: int) -> dict[str, Any]:
    try:
        warehouse = Warehouse(target, dataset, lock_timeout=lock_timeout, read_only=True)
        return status(warehouse, source, lock_timeout=lock_timeout, limit=limit)
    except LeadhouseError as error:
        known = {"destination": target.label, "dataset": dataset, "source": source}
        return {**known, "problem": str(error), "exit_status": error.exit_code}


def stale(told: dict[str, Any], limit: timedelta) -> str | None:
    """Return why a dataset is too old, None where the last successful sync is not longer ago than `limit`.

    By clocks that disagree it may have ended in the future: nobody knows how old that is.
    """
    if "problem" in told:
        return f"dataset {told['dataset']} cannot be read: {told['problem']}"
    if told["age_s"] is None:
        return f"dataset {told['dataset']}: no sync was ever successful"
    if told["age_s"] < -_CLOCKS_APART_S:
        return (
            f"dataset {told['dataset']}: the last successful sync ended at {told['last_success']}, in the future; "
            "this machine's clock and that of the one that ran it disagree; set them right"
        )
    if told["age_s"] > limit.total_seconds():
        return (
            f"dataset {told['dataset']}: the last successful sync ended {in_words(told['age_s'])} ago, at "
            f"{told['last_success']}"
        )
    return None


def _read(pipeline: "Pipeline", source: str, limit: int) -> dict[str, Any]:
    known = pipeline.default_schema.tables
    have = known["sync_runs"]["columns"]
    with pipeline.sql_client() as client:

        def ask(columns: str, rest: str = "", *values: Any, table: str = "sync_runs") -> list[Any]:
            sql = f"SELECT {columns} FROM {client.make_qualified_table_name(table)} {rest}"  # noqa: S608 - our own names
            return list(client.execute_sql(sql, *values) or ())

        columns = [name for name in _COLUMNS if name in have]  # older releases had fewer
        command = "coalesce(command, 'sync')" if "command" in have else "'sync'"
        rows = ask(", ".join(columns), f"ORDER BY started_at DESC LIMIT {limit:d}")
        portals = ask("portal", "WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1") if "portal" in have else []
        synced = f"WHERE {command} = 'sync' AND outcome = 'done'"
        # A backfill leaves the cursor where it is, so it makes nothing fresher.
        ((newest,),) = ask("max(cursor_to)", synced)
        ((last,),) = ask("min(finished_at)", f"{synced} AND cursor_to = %s", newest) if newest else [(None,)]
        ((good,),) = ask("max(started_at)", f"WHERE {command} <> 'lead' AND outcome = 'done'")
        failed = f"WHERE {command} <> 'lead' AND outcome = 'failed'"
        ((failing,),) = ask("min(started_at)", *((f"{failed} AND started_at > %s", good) if good else (failed,)))
        sums = ", ".join(f"sum({name})" for name in _SUMS)
        return {
            "portal": portals[0][0] if portals else None,
            "last_success": _plain(last),
            "failing_since": _plain(failing),
            "runs": [_run(dict.fromkeys(_COLUMNS) | dict(zip(columns, row, strict=True))) for row in rows],
            "totals": _totals(ask(f"outcome, count(*), min(started_at), {sums}", "GROUP BY outcome")),
            "rows": {name: ask("count(*)", table=name)[0][0] for name in tables(source) if name in known},
        }


def _run(row: dict[str, Any]) -> dict[str, Any]:
    began, ended = row["started_at"], row["finished_at"]
    took = round((ended - began).total_seconds(), 3) if began and ended else None
    return {name: _plain(value) for name, value in row.items()} | {"duration_s": took}


def _totals(rows: list[Any]) -> dict[str, Any]:
    """Return the sums over all runs; `since` is the start of the first."""
    runs = {row[0]: row[1] for row in rows}
    return {
        "runs": sum(runs.values()),
        "done": runs.get("done", 0),
        "failed": runs.get("failed", 0),
        **{name: sum(kind(row[at] or 0) for row in rows) for at, (name, kind) in enumerate(_SUMS.items(), 3)},
        "since": _plain(min((row[2] for row in rows), default=None)),
    }


def _seconds_since(at: str | None) -> int | None:
    return int((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()) if at else None


def _plain(value: Any) -> Any:
    return utc_text(value) if isinstance(value, datetime) else value
