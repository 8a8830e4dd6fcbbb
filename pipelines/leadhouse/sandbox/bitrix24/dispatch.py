"""Running one command: access, budgets, hooks, faults, and the ``time`` it is answered with."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from . import errors, item_methods, lead_methods, office_methods
from .answers import Answer, Page
from .batch import run_batch
from .errors import Refusal

if TYPE_CHECKING:
    from leadhouse.sandbox import php
    from leadhouse.sandbox.faults import Fault

    from .portal import Portal

METHODS = {**lead_methods.METHODS, **item_methods.METHODS, **office_methods.METHODS}
_UNSCOPED = frozenset({"batch", "server.time", "scope", "profile", "method.get"})
_USER_SCOPES = frozenset({"user", "user_basic", "user_brief"})


def method_name(text: str) -> str:
    """Return the canonical name of a method in a URL: lower case, without ``.json`` and slashes."""
    return text.strip("/").lower().removesuffix(".json").removesuffix(".xml")


class Dispatcher:
    """Executes the methods of one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._last_pages: dict[str, Page] = {}

    def call(self, method: str, params: php.Params) -> dict[str, Any]:
        """Execute the method of a request and return the members of its answer; raise Refusal."""
        answer, timing = self.execute(method, params, batched=False)
        members: dict[str, Any] = {"result": answer.encoded()}
        if answer.next is not None:
            members["next"] = answer.next
        if answer.total is not None:
            members["total"] = answer.total
        return members | {"time": timing}

    def execute(self, method: str, params: php.Params, batched: bool) -> tuple[Answer, dict[str, Any]]:
        """Execute one command; return its answer and ``time``."""
        portal = self._portal
        name = method_name(method)
        started, began = portal.clock.timestamp(), time.perf_counter()
        self._admit(name, batched)
        account = "batch" if batched and portal.limits and portal.limits.bill_batch else name
        if portal.limits and portal.budget.used(account, started) > portal.limits.operating_limit:
            raise errors.operating_blocked()
        fault = portal.faults.take(("command", "batched") if batched else ("command",), name)
        params = _twisted(params, fault)
        for hook in list(portal.before_command):
            hook(name, params, portal)
        portal.commands[name] += 1
        portal.log.append((name, params))
        if name == "batch":
            answer = run_batch(portal, params, self.execute)
        else:
            with portal.lock:
                answer = self._run(name, params)
        if isinstance(answer.result, Page):
            answer = self._distorted(name, answer, fault)
        took = time.perf_counter() - began
        if portal.limits:
            took = max(took, 0.0 if name == "batch" else portal.limits.operating_seconds_per_page)
            if name != "batch":
                portal.budget.bill(account, took, started)
        return answer, self._time(account, started, took)

    def _admit(self, name: str, batched: bool) -> None:
        quirks = self._portal.quirks
        if batched and name == "batch":
            raise Refusal(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
        if not self.exists(name):
            raise errors.method_not_found()
        if name in _UNSCOPED:
            return
        granted = set(quirks.scopes)
        if not granted & (_USER_SCOPES if name.startswith("user.") else {"crm"}):
            text = "The request requires higher privileges than provided by the webhook token"
            raise Refusal(quirks.insufficient_scope_status, "insufficient_scope", text)

    def exists(self, name: str) -> bool:
        """Tell whether the portal knows a method."""
        if name.startswith("crm.lead.") and self._portal.quirks.lead_methods_removed:
            return False
        return name in METHODS or name in {"batch", "method.get"}

    def _run(self, name: str, params: php.Params) -> Answer:
        if name == "method.get":
            known = self.exists(method_name(str(params.get("name", ""))))
            return Answer({"isExisting": known, "isAvailable": known})
        return METHODS[name](self._portal, params)

    def _distorted(self, name: str, answer: Answer, fault: Fault | None) -> Answer:
        page: Page = answer.result
        previous = self._last_pages.get(name)
        self._last_pages[name] = page
        if fault is None:
            return answer
        if fault.kind == "short_page":
            page = dataclasses.replace(page, rows=page.rows[: int(fault.details.get("keep", 20))])
        elif fault.kind == "unordered_page":
            page = dataclasses.replace(page, rows=page.rows[::-1])
        elif fault.kind == "repeated_page" and previous is not None:
            page = self._last_pages[name] = dataclasses.replace(page, rows=previous.rows)
        total = int(fault.details.get("total", 7)) if fault.kind == "wrong_total" else answer.total
        return Answer(page, total, answer.next)

    def _time(self, account: str, started: float, took: float) -> dict[str, Any]:
        portal = self._portal
        finish = started + took
        timing: dict[str, Any] = {
            "start": started,
            "finish": finish,
            "duration": took,
            "processing": took,
            "date_start": portal.iso(int(started)),
            "date_finish": portal.iso(int(finish)),
        }
        if portal.quirks.integer_times:
            timing |= {"start": int(started), "finish": int(finish), "processing": 0}
        if portal.quirks.operating:
            timing["operating_reset_at"] = portal.budget.reset_at(account, started)
            timing["operating"] = portal.budget.used(account, started)
        return timing


def _twisted(params: php.Params, fault: Fault | None) -> php.Params:
    if fault is None:
        return params
    if fault.kind == "operating_blocked":
        raise errors.operating_blocked()
    if fault.kind in {"error", "command_error"}:
        raise errors.told_by(fault)
    dropped = {"start_ignored": {"start"}, "filter_ignored": {"filter", "arfilter"}}.get(fault.kind, set())
    return {key: value for key, value in params.items() if key.lower() not in dropped}
