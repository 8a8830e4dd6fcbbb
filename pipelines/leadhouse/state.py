"""What a run remembers, shown and changed by an operator. It lies in the warehouse, in dlt's pipeline state."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.cursor import Cursor, rewind
from leadhouse.errors import StateError, UnreadableStateError
from leadhouse.pipeline import discard_state, existing
from leadhouse.warehouse import Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.errors import LeadhouseError

log = logs.get_logger("leadhouse.state")

SLOT = "leadhouse"
# Parts of the slot that a reset of the cursor leaves alone.
PERSONAL = ("pii", "forgotten")


def stored(pipeline: "Pipeline", source: str) -> dict[str, Any] | None:
    """Return the source's slot of the pipeline's state, None before the first run.

    Raises:
        StateError: it is damaged.
    """
    told: Any = pipeline.state
    for name in ("sources", source, SLOT):
        told = told.get(name) if isinstance(told, dict) else "damaged"
        if told is None:
            return None
    names = ("cursor", "dictionaries", *PERSONAL)
    parts = [told, *(told.get(name, {}) for name in names)] if isinstance(told, dict) else [told]
    if not all(isinstance(part, dict) for part in parts):
        raise StateError("the stored state is damaged; run `leadhouse state reset`")
    slot: dict[str, Any] = told
    return slot


def show(warehouse: Warehouse, source: str, *, lock_timeout: float) -> dict[str, Any]:
    """Return the stored cursor as JSON, with the pipeline's name; `cursor` is None before the first run."""
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        slot = stored(pipeline, source) or {}
        personal = {name: slot[name] for name in PERSONAL if slot.get(name)}
        told = (slot.get("cursor") or {"cursor": None}) | personal
        return {"pipeline": pipeline.pipeline_name, "dataset": warehouse.dataset, **told}


def rewind_to(warehouse: Warehouse, source: str, to: datetime, *, lock_timeout: float) -> Cursor:
    """Set the cursor back to `to` (UTC); the next run reads again all that was modified since.

    Raises:
        StateError: `to` lies after the cursor.
    """
    return _change(warehouse, source, lambda cursor: rewind(cursor, to), lock_timeout)


def reset(warehouse: Warehouse, source: str, *, lock_timeout: float) -> None:
    """Forget the cursor: the next run reads everything again into place."""
    with suppress(UnreadableStateError):
        _change(warehouse, source, None, lock_timeout)
        return
    discard_state(warehouse, lock_timeout=lock_timeout)
    _tell_loss()


def _personal(slot: Any) -> dict[str, Any]:
    """Return what a slot remembers of personal data: another cursor changes nothing about that."""
    from leadhouse.pii import Memory  # noqa: PLC0415 - arrow's weight is loaded late

    told = {name: slot[name] for name in PERSONAL if name in slot} if isinstance(slot, dict) else {}
    with suppress(StateError):
        Memory.of(told)
        return told
    _tell_loss()
    return {}


def _tell_loss() -> None:
    log.warning("what was remembered of personal data is lost: give --pii again, and forget again who was forgotten")


def _change(
    warehouse: Warehouse, source: str, change: Callable[[Cursor], Cursor] | None, lock_timeout: float
) -> Cursor:
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        cursor = change(Cursor.from_dict((stored(pipeline, source) or {}).get("cursor"))) if change else Cursor()
        problem: LeadhouseError
        try:
            with warehouse.held():
                with pipeline.managed_state(extract_state=True) as state:
                    if not change and not isinstance(state.get("sources"), dict):
                        state["sources"] = {}
                    told = state.setdefault("sources", {}).setdefault(source, {})
                    told[SLOT] = _personal(told.get(SLOT)) | ({"cursor": cursor.to_dict()} if change else {})
                pipeline.normalize()
                pipeline.load()
        except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
            problem = explain(error, warehouse.target)
        else:
            return cursor
        raise problem
