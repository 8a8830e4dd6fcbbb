"""What the doctor looks at in the warehouse: whether a run could write it, and what it remembers."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadhouse.cursor import Cursor
from leadhouse.datasets import filled, looking
from leadhouse.errors import WarehouseRefusedError
from leadhouse.findings import Findings
from leadhouse.pii import outlook
from leadhouse.pipeline import looked_at
from leadhouse.settings import PortalSettings
from leadhouse.state import stored
from leadhouse.times import in_words
from leadhouse.warehouse import Warehouse

_POSTGRES = """
    SELECT current_setting('server_version'), pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
        has_database_privilege(current_database(), 'CREATE'),
        (SELECT count(*) FROM pg_namespace WHERE nspname IN (%(dataset)s, %(staging)s)),
        (SELECT bool_and(has_schema_privilege(oid, 'CREATE')) FROM pg_namespace
            WHERE nspname IN (%(dataset)s, %(staging)s))"""


def access(found: Findings, warehouse: Warehouse, lock_timeout: float) -> bool:
    """Look whether a run could write the warehouse; return True where it could.

    Raises:
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: it could not.
    """
    target = warehouse.target
    if target.kind == "duckdb":
        text = _duckdb(warehouse, lock_timeout)
    elif target.kind == "postgres":
        text = _postgres(warehouse, lock_timeout)
    else:
        with looked_at(warehouse) as pipeline:
            text = f"answers ({pipeline.destination.destination_name}); whether it can be written is not looked at"
    found.ok("warehouse", f"{target.label}: {text}")
    return True


def state(found: Findings, warehouse: Warehouse, source: str, settings: PortalSettings | None) -> None:
    """Look at what is remembered.

    Args:
        found: what is told.
        warehouse: where.
        source: the CRM.
        settings: of the portal, None where they are not complete.

    Raises:
        StateError: it is damaged.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the warehouse cannot be read.
    """
    nothing = "nothing was synced yet; the first run reads everything"
    slot: dict[str, Any] = {}
    if not warehouse.target.connects or warehouse.dataset in filled(warehouse.target, lock_timeout=5):
        with looked_at(warehouse) as pipeline:
            slot = (stored(pipeline, source) or {}) if pipeline.schemas else {}
    if settings is None:
        found.unknown("personal data", why="the settings are not complete")
    else:
        found.check("personal data", lambda: found.ok("personal data", outlook(slot, warehouse, source, settings)))
    cursor = Cursor.from_dict(slot.get("cursor"))
    if cursor.cursor is None:
        found.ok("state", nothing if cursor.window is None else "the first window is open; the next run goes on in it")
        return
    behind = in_words((datetime.now(UTC) - cursor.cursor).total_seconds())
    rest = ", a window is open; the next run goes on in it" if cursor.window else ""
    found.ok("state", f"the cursor is {cursor.cursor:%Y-%m-%dT%H:%M:%SZ}, {behind} ago{rest}")


def _duckdb(warehouse: Warehouse, lock_timeout: float) -> str:
    file = Path(warehouse.target.url)
    if not file.parent.is_dir():
        raise WarehouseRefusedError(f"{warehouse.target.label}: the folder is not there; make it, or correct --to")
    if not os.access(file.parent, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise WarehouseRefusedError(f"{warehouse.target.label} cannot be written by this user; give it the rights")
    if not file.exists():
        return "the first run makes the file"
    with looking(warehouse.target, lock_timeout=lock_timeout) as cursor:
        version = cursor.execute("SELECT version()").fetchone()[0]
    return f"can be written, nobody has it open; DuckDB {version}"


def _postgres(warehouse: Warehouse, lock_timeout: float) -> str:
    label, dataset = warehouse.target.label, warehouse.dataset
    with looking(warehouse.target, lock_timeout=lock_timeout) as cursor:
        cursor.execute(_POSTGRES, {"dataset": dataset, "staging": f"{dataset}_staging"})
        version, read_only, may_create, schemas, may_write = cursor.fetchone()
    if read_only:
        raise WarehouseRefusedError(f"{label} is read-only, a standby maybe; give the address of the primary")
    if schemas and not may_write:
        raise WarehouseRefusedError(f"{label}: the role may not write the schema {dataset}; let its owner be the role")
    if schemas < 2 and not may_create:
        raise WarehouseRefusedError(
            f"{label}: the role may not make schemas; GRANT CREATE ON DATABASE to it, it makes {dataset} and "
            f"{dataset}_staging"
        )
    return f"can be written; PostgreSQL {version}"
