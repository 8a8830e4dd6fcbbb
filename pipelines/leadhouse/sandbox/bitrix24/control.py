"""The control surface of a sandbox in another process: ``/sandbox/{code}/…``, JSON in and out.

- ``POST life`` with ``{"create": 3, "edit": 5, "delete": 1, "phone_add": 1, "phone_remove": 1, "stage": 2, "seed": 7}``
  returns the ids it touched, as ``Changes`` names them.
- ``POST quirks`` with ``{"total_cap": 5000}`` sets switches (see ``Quirks``) and returns all.
- ``POST faults``, ``clock`` and ``oauth``, ``GET stats`` and ``truth`` (see ``leadhouse.sandbox.control``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.control import ControlSurface

if TYPE_CHECKING:
    from .portal import Portal


class Control(ControlSurface):
    """Answers requests to the control surface of a portal."""

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal, portal.code)
        self._portal = portal
        self.actions["quirks"] = lambda wanted: self.set_switches(portal.quirks, wanted, "quirks")

    def stats(self) -> dict[str, Any]:
        """Return commands by method."""
        return {"commands": dict(self._portal.commands)}

    def truth(self) -> dict[str, Any]:
        """Return all readable leads, stage history and dictionaries."""
        portal = self._portal
        return {
            "leads": portal.leads(),
            "stage_history": portal.stage_history(),
            "users": portal.users(),
            "statuses": portal.statuses(),
            "currencies": portal.currencies(),
            "lead_fields": portal.lead_fields(),
            "userfields": portal.userfields(),
        }
