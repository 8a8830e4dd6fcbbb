"""The account's HTTP surface, an ASGI application (reference: kommo sections 1 to 3)."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.http import JSON, Reply, header, html, moved, origin, read_body, send_reply, spoil, stall

from . import oauth
from .control import Control
from .problems import Problem, forbidden, unauthorized
from .request import Request
from .routes import LISTS, routed
from .store import encode

if TYPE_CHECKING:
    from leadhouse.sandbox.faults import Fault
    from leadhouse.sandbox.http import Scope
    from leadhouse.sandbox.serve import Receive, Send

    from .account import Account

HAL = b"application/hal+json"
PROBLEM = b"application/problem+json"
_BEARER = b"bearer "
_BARE = {
    "error_504": (504, b"504 Gateway Time-out"),
    "html_502": (502, b"502 Bad Gateway"),
    "bare_403": (403, b"403 Forbidden"),
}


class AccountApp:
    """Serves an account and its control surface."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._control = Control(account)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await read_body(receive)
        path: str = scope["path"]
        headers: list[tuple[bytes, bytes]] = []
        if path.startswith("/sandbox/"):
            reply = Reply(*self._control.answer(scope["method"], path, body))
        else:
            reply = await self._api(scope, body, receive, headers)
        # The answer's date is the account's clock, which may stand still or be another day.
        headers.append((b"date", formatdate(self._account.clock.timestamp(), usegmt=True).encode()))
        headers.append((b"x-request-id", b"%032x" % next(self._numbers)))
        await send_reply(scope, send, reply, headers)

    async def _api(self, scope: Scope, body: bytes, receive: Receive, headers: list[tuple[bytes, bytes]]) -> Reply:
        account = self._account
        request = Request(scope["method"], scope["path"], origin(scope), scope["query_string"].decode(), body)
        for_tokens = request.path == oauth.PATH
        if not for_tokens:
            account.http_requests += 1
        if account.latency:
            await asyncio.sleep(account.latency)
        fault = account.faults.take(("request",), request.name)
        if fault is not None and fault.kind == "stall":
            await stall(receive, float(fault.details.get("seconds", 90.0)))
        began = time.perf_counter()
        reply = self._struck(fault, scope, request, headers) if fault else None
        if reply is None:
            reply = self._tokens(scope, request) if for_tokens else self._answer(scope, request, headers)
            spoiled = account.faults.take(("body",), request.name)
            if spoiled is not None:
                spoil(reply, spoiled)
        account.busy_seconds += time.perf_counter() - began
        return reply

    def _blocked(self, scope: Scope) -> bool:
        return self._account.switches.blocked_403 or _address(scope) in self._account.gate.blocked

    def _tokens(self, scope: Scope, request: Request) -> Reply:
        if self._blocked(scope):
            return html(*_BARE["bare_403"])
        if request.verb != "POST":
            return _refused(Problem(405, f"Method {request.verb} is not allowed"))
        status, body = self._account.oauth.answer(header(scope, b"content-type"), request.body)
        return Reply(status, encode(body), JSON if status == 200 else PROBLEM)

    def _answer(self, scope: Scope, request: Request, headers: list[tuple[bytes, bytes]]) -> Reply:
        refused = self._admission(scope, headers)
        if refused is not None:
            return refused
        account = self._account
        try:
            self._authorise(scope)
            route = routed(request)
            for hook in account.before_request:
                hook(request.path, request.flat, account)
            account.requests[request.name] += 1
            account.log.append((request.path, request.flat))
            if request.name in LISTS:
                request.fault = account.faults.take(("command",), request.name)
            with account.lock:
                status, body = route(account, request)
        except Problem as problem:
            return _refused(problem)
        return Reply(status, b"" if body is None else encode(body), HAL)

    def _admission(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> Reply | None:
        account = self._account
        if self._blocked(scope):
            return html(*_BARE["bare_403"])
        if account.limits is None or account.gate.admits(_address(scope), account.limits):
            return None
        return self._rate_limited(account.limits.retry_after, headers)

    def _rate_limited(self, wait: float, headers: list[tuple[bytes, bytes]]) -> Reply:
        switches = self._account.switches
        told: float | int = int(wait) if wait == int(wait) else wait
        if switches.retry_after == "header":
            headers.append((b"retry-after", str(told).encode()))
        if switches.body_429 == "html":
            return html(429, b"429 Too Many Requests")
        extra: dict[str, Any] = {"retry_after": told} if switches.retry_after == "body" else {}
        detail = "You have sent too many requests in a given amount of time. Please try again later."
        return _refused(Problem(429, detail, **extra))

    def _authorise(self, scope: Scope) -> None:
        account, sent = self._account, header(scope, b"authorization")
        token = sent[len(_BEARER) :].decode(errors="replace") if sent.lower().startswith(_BEARER) else ""
        long_lived = token == account.token and not account.switches.token_expired
        if not long_lived and not account.oauth.admits(token):
            raise unauthorized()
        if account.switches.account_unpaid:
            raise Problem(402, "Payment required")

    def _struck(self, fault: Fault, scope: Scope, request: Request, headers: list[tuple[bytes, bytes]]) -> Reply | None:
        if fault.kind == "rate_limited":
            return self._rate_limited(float(fault.details.get("retry_after", 1)), headers)
        if fault.kind == "error_500":
            body = {"title": "ErrInternalServer", "status": 500, "detail": "Internal error", "trace_id": "0" * 32}
            return Reply(500, encode(body), PROBLEM)
        if fault.kind in _BARE:
            return html(*_BARE[fault.kind])
        if fault.kind == "forbidden":
            return _refused(forbidden())
        if fault.kind == "redirect":
            return moved(fault, scope, request.path.lstrip("/"))
        return None


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _refused(problem: Problem) -> Reply:
    return Reply(problem.status, encode(problem.body), PROBLEM)
