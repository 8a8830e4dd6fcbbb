"""Freshness, last runs and row counts of a warehouse."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leadhouse.pipeline import existing
from leadhouse.state import stored
from leadhouse.tables import tables
from leadhouse.warehouse import Warehouse, explain

if TYPE_CHECKING:
    from leadhouse.errors import LeadhouseError

_RUNS = ("started_at", "finished_at", "outcome", "leads_read", "rows_written", "requests", "error")


def status(warehouse: Warehouse, source: str, *, lock_timeout: float) -> dict[str, Any]:
    """Return what an operator wants to know, as JSON values; times are UTC.

    Keys: destination, dataset, cursor, behind_s (seconds since the cursor), runs (the last five), rows (by table).

    Raises:
        StateError: nothing was synced there yet.
    """
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        slot = stored(pipeline, source) or {}
        cursor = (slot.get("cursor") or {}).get("cursor")
        problem: LeadhouseError
        try:
            with warehouse.held(), pipeline.sql_client() as client:
                counts = {
                    name: client.execute_sql(f"SELECT count(*) FROM {client.make_qualified_table_name(name)}")[0][0]  # type: ignore[index]  # noqa: S608 - names of the contract
                    for name in tables(source)
                    if name in pipeline.default_schema.tables
                }
                runs = client.execute_sql(
                    f"SELECT {', '.join(_RUNS)} FROM {client.make_qualified_table_name('sync_runs')} "  # noqa: S608
                    "ORDER BY started_at DESC LIMIT 5"
                )
        except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
            problem = explain(error, warehouse.target)
        else:
            return {
                "destination": warehouse.target.label,
                "dataset": warehouse.dataset,
                "cursor": cursor,
                "behind_s": _behind(cursor),
                "runs": [dict(zip(_RUNS, map(_plain, row), strict=True)) for row in runs or ()],
                "rows": counts,
            }
        raise problem


def render(told: dict[str, Any]) -> str:
    """Return the same for a person."""
    lines = [
        f"{told['destination']} · {told['dataset']}",
        f"cursor {told['cursor'] or 'none yet'}" + (f" ({told['behind_s']:,} s ago)" if told["behind_s"] else ""),
        "",
        *(
            f"{run['started_at']}  {run['outcome']:<6}  {run['leads_read']:>9,} leads  {run['rows_written']:>9,} rows"
            f"  {run['requests']:>5} requests  {run['error'] or ''}".rstrip()
            for run in told["runs"]
        ),
        "",
        *(f"{count:>12,}  {name}" for name, count in told["rows"].items()),
    ]
    return "\n".join(lines)


def _behind(cursor: str | None) -> int | None:
    return int((datetime.now(UTC) - datetime.fromisoformat(cursor)).total_seconds()) if cursor else None


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
