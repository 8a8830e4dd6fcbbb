"""What a run remembers, shown and changed by an operator. It lies in the warehouse, in dlt's pipeline state."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadhouse.cursor import Cursor, rewind
from leadhouse.pipeline import existing
from leadhouse.warehouse import Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.errors import LeadhouseError

SLOT = "leadhouse"


def stored(pipeline: "Pipeline", source: str) -> dict[str, Any] | None:
    """Return the source's slot of the pipeline's state, None before the first run."""
    slot = pipeline.state.get("sources", {}).get(source, {}).get(SLOT)
    return slot if isinstance(slot, dict) else None


def show(warehouse: Warehouse, source: str, *, lock_timeout: float) -> dict[str, Any]:
    """Return the stored cursor as JSON, with the pipeline's name; `cursor` is None before the first run."""
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        slot = stored(pipeline, source)
        cursor = slot.get("cursor") if slot else None
        return {"pipeline": pipeline.pipeline_name, "dataset": warehouse.dataset, **(cursor or {"cursor": None})}


def rewind_to(warehouse: Warehouse, source: str, to: datetime, *, lock_timeout: float) -> Cursor:
    """Set the cursor back to `to` (UTC); the next run reads again all that was modified since.

    Raises:
        StateError: `to` lies after the cursor.
    """
    return _change(warehouse, source, lambda cursor: rewind(cursor, to), lock_timeout)


def reset(warehouse: Warehouse, source: str, *, lock_timeout: float) -> None:
    """Forget the cursor: the next run reads everything again into place."""
    _change(warehouse, source, None, lock_timeout)


def _change(
    warehouse: Warehouse, source: str, change: Callable[[Cursor], Cursor] | None, lock_timeout: float
) -> Cursor:
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        slot = stored(pipeline, source) or {}
        cursor = change(Cursor.from_dict(slot.get("cursor"))) if change else Cursor()
        problem: LeadhouseError
        try:
            with warehouse.held():
                with pipeline.managed_state(extract_state=True) as state:
                    told = state.setdefault("sources", {}).setdefault(source, {})
                    told[SLOT] = {"cursor": cursor.to_dict()} if change else {}
                pipeline.normalize()
                pipeline.load()
        except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
            problem = explain(error, warehouse.target)
        else:
            return cursor
        raise problem
