"""leadhouse keeps a company's CRM leads in its own warehouse, complete and current.

import leadhouse

summary = leadhouse.sync("bitrix24", to="duckdb:leads.duckdb")          # the whole service in one call
dlt.pipeline("crm", destination="duckdb").run(leadhouse.bitrix24())     # or as a source in your own dlt pipeline
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from leadhouse.all_portals import Overview, sync_all
    from leadhouse.bitrix24.source import bitrix24
    from leadhouse.chosen import lead
    from leadhouse.configured_portals import ConfiguredPortal, portals
    from leadhouse.forgetting import forget
    from leadhouse.kommo.source import kommo
    from leadhouse.reconciliation import reconcile
    from leadhouse.service import sync
    from leadhouse.summary import SyncSummary
    from leadhouse.verification import verify

__all__ = [
    "ConfiguredPortal",
    "Overview",
    "SyncSummary",
    "__version__",
    "bitrix24",
    "forget",
    "kommo",
    "lead",
    "portals",
    "reconcile",
    "sync",
    "sync_all",
    "verify",
]

# Loaded at first use: `leadhouse --help` must not wait for dlt.
_LAZY = {
    "ConfiguredPortal": "leadhouse.configured_portals",
    "forget": "leadhouse.forgetting",
    "lead": "leadhouse.chosen",
    "Overview": "leadhouse.all_portals",
    "portals": "leadhouse.configured_portals",
    "reconcile": "leadhouse.reconciliation",
    "sync": "leadhouse.service",
    "sync_all": "leadhouse.all_portals",
    "SyncSummary": "leadhouse.summary",
    "verify": "leadhouse.verification",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415

    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    from leadhouse.settings import sources  # noqa: PLC0415

    if name in sources():
        return import_module(f"leadhouse.{name}")
    raise AttributeError(f"module 'leadhouse' has no attribute {name!r}")
