"""The control surface of a sandbox in another process: ``/sandbox/{code}/…``, JSON in and out.

- ``POST life`` with ``{"create": 3, "edit": 5, "delete": 1, "phone_add": 1, "phone_remove": 1, "stage": 2, "seed": 7}``
  returns the ids it touched, as ``Changes`` names them.
- ``POST faults`` with ``{"kind": "rate_limited", "times": 3, "match": "batch"}`` adds a fault (see ``Faults.add``);
  ``{"clear": true}`` removes all.
- ``POST clock`` with ``{"set": "2026-11-21T12:00:00+03:00"}``, ``{"advance": 3600}`` or ``{"freeze": true}`` returns
  the portal's time.
- ``POST quirks`` with ``{"total_cap": 5000}`` sets switches (see ``Quirks``) and returns all.
- ``POST oauth`` with ``{"authorise": true}`` returns ``client_id``, ``client_secret`` and a new ``refresh_token``;
  ``{"expire": true}`` ends all access tokens, ``{"revoke": true}`` all refresh tokens.
- ``GET stats``: HTTP requests, commands by method, seconds the portal was busy, CPU seconds of its process.
- ``GET truth``: all readable leads, stage history and dictionaries.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import msgspec

from .store import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from .portal import Portal


class Control:
    """Answers requests to the control surface of a portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._actions: dict[str, Callable[[dict[str, Any]], Any]] = {
            "life": self._life,
            "faults": self._faults,
            "clock": self._clock,
            "quirks": self._quirks,
            "oauth": self._oauth,
            "stats": self._stats,
            "truth": self._truth,
        }

    def answer(self, verb: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and JSON for a request; ``stats`` and ``truth`` are read, the others are posted."""
        code, _, action = path.removeprefix("/sandbox/").rstrip("/").partition("/")
        if code != self._portal.code or action not in self._actions:
            return 404, encode({"error": "No such sandbox action."})
        if (verb == "GET") != (action in {"stats", "truth"}):
            return 405, encode({"error": "stats and truth are read by GET, all else is posted."})
        try:
            wanted = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
            return 200, encode(self._actions[action](wanted))
        except (ValueError, TypeError) as problem:
            return 400, encode({"error": str(problem)})

    def _life(self, wanted: dict[str, Any]) -> Any:
        return dataclasses.asdict(self._portal.live(**wanted))

    def _faults(self, wanted: dict[str, Any]) -> Any:
        if wanted.pop("clear", False):
            self._portal.faults.clear()
        if wanted:
            self._portal.faults.add(**wanted)
        return {"fired": self._portal.faults.fired()}

    def _clock(self, wanted: dict[str, Any]) -> Any:
        clock = self._portal.clock
        if "set" in wanted:
            clock.set(wanted["set"])
        if "advance" in wanted:
            clock.advance(float(wanted["advance"]))
        if wanted.get("freeze"):
            clock.freeze()
        return {"timestamp": clock.timestamp(), "time": self._portal.iso(clock.second())}

    def _quirks(self, wanted: dict[str, Any]) -> Any:
        known = {field.name for field in dataclasses.fields(self._portal.quirks)}
        if unknown := sorted(wanted.keys() - known):
            raise ValueError(f"Unknown quirks: {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
        for name, value in wanted.items():
            setattr(self._portal.quirks, name, tuple(value) if isinstance(value, list) else value)
        return dataclasses.asdict(self._portal.quirks)

    def _oauth(self, wanted: dict[str, Any]) -> Any:
        oauth = self._portal.oauth
        if wanted.get("expire"):
            oauth.expire()
        if wanted.get("revoke"):
            oauth.revoke()
        if wanted.get("authorise"):
            return oauth.authorise()
        return {"renewals": oauth.renewals}

    def _stats(self, _: dict[str, Any]) -> Any:
        portal = self._portal
        return {
            "http_requests": portal.http_requests,
            "commands": dict(portal.commands),
            "busy_seconds": portal.busy_seconds,
            "cpu_seconds": time.process_time(),
            "leads": len(portal),
        }

    def _truth(self, _: dict[str, Any]) -> Any:
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
