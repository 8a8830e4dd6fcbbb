"""What a portal knows besides leads: its people, stages, sources and currencies."""

from __future__ import annotations

import threading
from typing import Any

from . import dictionaries


class Office:
    """Dictionaries of a portal; ``semantics`` maps each stage of leads to P, S or F. Thread-safe by ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._statuses = dictionaries.default_statuses()
        self._users = dictionaries.default_users()
        self._currencies = dictionaries.default_currencies()
        self.semantics: dict[str, str] = {}
        self._read_stages()

    def _read_stages(self) -> None:
        stages = {row["STATUS_ID"]: row["SEMANTICS"] or "P" for row in self._statuses if row["ENTITY_ID"] == "STATUS"}
        self.semantics.clear()
        self.semantics.update(stages)

    def users(self) -> list[dict[str, Any]]:
        """Return the rows of ``user.get``."""
        return [dict(row) for row in self._users]

    def statuses(self) -> list[dict[str, Any]]:
        """Return the rows of ``crm.status.list``."""
        return [dict(row) for row in self._statuses]

    def currencies(self) -> list[dict[str, Any]]:
        """Return the rows of ``crm.currency.list``."""
        return [dict(row) for row in self._currencies]

    def add_user(self, name: str, last_name: str = "", *, active: bool = True) -> int:
        """Add a user and return the id."""
        with self.lock:
            id_ = 1 + max((int(row["ID"]) for row in self._users), default=0)
            self._users.append(dictionaries.user_row(id_, name, last_name, active=active))
            return id_

    def add_stage(self, status_id: str, name: str, semantics: str | None = None) -> None:
        """Add a stage of leads; semantics None, "S" or "F"."""
        with self.lock:
            self._statuses.append(dictionaries.stage_row(len(self._statuses), status_id, name, semantics))
            self._read_stages()

    def rename_status(self, entity_id: str, status_id: str, name: str) -> None:
        """Rename a stage, source or the like; no lead changes."""
        with self.lock:
            for row in self._statuses:
                if (row["ENTITY_ID"], row["STATUS_ID"]) == (entity_id, status_id):
                    row["NAME"] = name


def product_row(lead: int, position: int, name: str, price: float, quantity: float) -> dict[str, Any]:
    """Return a row of ``crm.lead.productrows.get`` (reference: bitrix24 6.7)."""
    return {
        "ID": str(100_000 + lead * 10 + position),
        "OWNER_ID": str(lead),
        "OWNER_TYPE": "L",
        "PRODUCT_ID": 0,
        "PRODUCT_NAME": name,
        "PRICE": price,
        "PRICE_ACCOUNT": f"{price:.8f}",
        "QUANTITY": quantity,
        "DISCOUNT_TYPE_ID": 2,
        "DISCOUNT_RATE": 0,
        "DISCOUNT_SUM": 0,
        "TAX_RATE": None,
        "TAX_INCLUDED": "N",
        "MEASURE_CODE": 796,
        "TYPE": 1,
    }
