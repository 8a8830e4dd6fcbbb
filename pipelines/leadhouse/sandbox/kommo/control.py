"""The control surface of a sandbox in another process: ``/sandbox/{token}/…``, JSON in and out.

- ``POST life`` with ``{"create": 3, "edit": 5, "delete": 1, "phone_add": 1, "phone_remove": 1, "stage": 2, "seed": 7}``
  returns the ids it touched, as ``Changes`` names them.
- ``POST switches`` with ``{"bounds": "exclusive"}`` sets switches (see ``Switches``) and returns all.
- ``POST unblock`` lets blocked addresses in again.
- ``POST faults``, ``clock`` and ``oauth``, ``GET stats`` and ``truth`` (see ``leadhouse.sandbox.control``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.control import ControlSurface

if TYPE_CHECKING:
    from .account import Account


class Control(ControlSurface):
    """Answers requests to the control surface of an account."""

    def __init__(self, account: Account) -> None:
        super().__init__(account, account.token)
        self._account = account
        self.actions["unblock"] = self._unblock
        self.actions["switches"] = lambda wanted: self.set_switches(account.switches, wanted, "switches")

    def _unblock(self, _: dict[str, Any]) -> dict[str, Any]:
        self._account.unblock()
        return {"blocked": False}

    def truth(self) -> dict[str, Any]:
        """Return all that the account holds, as its own methods do."""
        account = self._account
        return {
            "leads": account.leads(),
            "deleted": account.deleted(),
            "contacts": account.contacts(),
            "companies": account.companies(),
            "pipelines": account.pipelines(),
            "users": account.users(),
            "loss_reasons": account.loss_reasons(),
            "custom_fields": {entity: account.custom_fields(entity) for entity in account.fields},
            "events": account.events(),
        }

    def stats(self) -> dict[str, Any]:
        """Return executed requests by path and what 429s came to."""
        account = self._account
        return {"requests": dict(account.requests), "blocked": bool(account.gate.blocked)}
