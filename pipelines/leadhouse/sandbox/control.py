"""What the control surfaces of sandboxes share: ``/sandbox/{secret}/…``, JSON in and out.

- ``POST life`` with counts of what is to happen, and a ``seed``, returns the ids it touched.
- ``POST faults`` with ``{"kind": "rate_limited", "times": 3, "match": "…"}`` adds a fault (see ``Faults.add``);
  ``{"clear": true}`` removes all.
- ``POST clock`` with ``{"set": "2026-11-21T12:00:00+03:00"}``, ``{"advance": 3600}`` or ``{"freeze": true}`` returns
  the portal's time.
- ``POST oauth`` with ``{"authorise": true}`` returns what an application renews its tokens with;
  ``{"expire": true}`` ends all access tokens, ``{"revoke": true}`` all refresh tokens.
- ``GET stats``: HTTP requests, what was executed, seconds the portal was busy, CPU seconds of its process.
- ``GET truth``: all that the portal holds.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clock import Clock
    from .faults import Faults

_READ = frozenset({"stats", "truth"})
_encode = msgspec.json.Encoder().encode


class Authority(Protocol):
    """Gives tokens of an application."""

    renewals: int

    def authorise(self) -> dict[str, str]: ...  # noqa: D102
    def expire(self) -> None: ...  # noqa: D102
    def revoke(self) -> None: ...  # noqa: D102


class Controlled(Protocol):
    """A portal with a control surface."""

    clock: Clock
    faults: Faults
    http_requests: int
    busy_seconds: float

    @property
    def oauth(self) -> Authority: ...  # noqa: D102
    @property
    def live(self) -> Callable[..., Any]: ...  # noqa: D102
    def iso(self, second: int) -> str: ...  # noqa: D102
    def __len__(self) -> int: ...


class ControlSurface(ABC):
    """Answers requests to the control surface of a portal; ``actions`` by name take and return JSON."""

    def __init__(self, portal: Controlled, secret: str) -> None:
        self._controlled = portal
        self._secret = secret
        self.actions: dict[str, Callable[[dict[str, Any]], Any]] = {
            "life": lambda wanted: dataclasses.asdict(portal.live(**wanted)),
            "faults": self._faults,
            "clock": self._clock,
            "oauth": self._oauth,
            "stats": self._stats,
            "truth": lambda _: self.truth(),
        }

    @abstractmethod
    def truth(self) -> dict[str, Any]:
        """Return all that the portal holds."""

    @abstractmethod
    def stats(self) -> dict[str, Any]:
        """Return what the portal counted besides requests and seconds."""

    def answer(self, verb: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and JSON for a request; ``stats`` and ``truth`` are read, the others are posted."""
        secret, _, action = path.removeprefix("/sandbox/").rstrip("/").partition("/")
        if secret != self._secret or action not in self.actions:
            return 404, _encode({"error": "No such sandbox action."})
        if (verb == "GET") != (action in _READ):
            return 405, _encode({"error": "stats and truth are read by GET, all else is posted."})
        try:
            wanted = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
            return 200, _encode(self.actions[action](wanted))
        except (ValueError, TypeError) as problem:
            return 400, _encode({"error": str(problem)})

    @staticmethod
    def set_switches(switches: Any, wanted: dict[str, Any], plural: str) -> dict[str, Any]:
        """Set switches of a dataclass by name and return all; ValueError names unknown ones by their plural."""
        known = {field.name for field in dataclasses.fields(switches)}
        if unknown := sorted(wanted.keys() - known):
            raise ValueError(f"Unknown {plural}: {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
        for name, value in wanted.items():
            setattr(switches, name, tuple(value) if isinstance(value, list) else value)
        return dataclasses.asdict(switches)

    def _faults(self, wanted: dict[str, Any]) -> Any:
        faults = self._controlled.faults
        if wanted.pop("clear", False):
            faults.clear()
        if wanted:
            faults.add(**wanted)
        return {"fired": faults.fired()}

    def _clock(self, wanted: dict[str, Any]) -> Any:
        clock = self._controlled.clock
        if "set" in wanted:
            clock.set(wanted["set"])
        if "advance" in wanted:
            clock.advance(float(wanted["advance"]))
        if wanted.get("freeze"):
            clock.freeze()
        return {"timestamp": clock.timestamp(), "time": self._controlled.iso(clock.second())}

    def _oauth(self, wanted: dict[str, Any]) -> Any:
        oauth = self._controlled.oauth
        if wanted.get("expire"):
            oauth.expire()
        if wanted.get("revoke"):
            oauth.revoke()
        if wanted.get("authorise"):
            return oauth.authorise()
        return {"renewals": oauth.renewals}

    def _stats(self, _: dict[str, Any]) -> Any:
        portal = self._controlled
        return {
            "http_requests": portal.http_requests,
            **self.stats(),
            "busy_seconds": portal.busy_seconds,
            "cpu_seconds": time.process_time(),
            "leads": len(portal),
        }
