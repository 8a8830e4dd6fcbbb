"""The portal's HTTP surface, an ASGI application (reference: bitrix24 sections 1 and 2)."""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
import python_multipart

from leadhouse.sandbox import php
from leadhouse.sandbox.http import Reply, header, html, moved, origin, read_body, send_reply, spoil, stall

from . import errors
from .control import Control
from .dispatch import Dispatcher, method_name
from .errors import Refusal
from .oauth import METHOD as TOKEN_METHOD
from .store import encode

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from leadhouse.sandbox.faults import Fault
    from leadhouse.sandbox.serve import Receive, Send

    from .portal import Portal

    Scope = MutableMapping[str, Any]

_BEARER = b"bearer "
_WEBHOOK = re.compile(r"^/rest/(\d+)/([^/]+)/(.+)$")


class PortalApp:
    """Serves a portal and its control surface."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._dispatcher = Dispatcher(portal)
        self._control = Control(portal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await read_body(receive)
        path: str = scope["path"]
        if path.startswith("/sandbox/"):
            reply = Reply(*self._control.answer(scope["method"], path, body))
        else:
            reply = await self._rest(scope, body, receive)
        await send_reply(scope, send, reply)

    async def _rest(self, scope: Scope, body: bytes, receive: Receive) -> Reply:
        portal = self._portal
        path: str = scope["path"]
        webhook = _WEBHOOK.match(path)
        for_tokens = path.rstrip("/") == "/oauth/token"
        method = TOKEN_METHOD if for_tokens else method_name(webhook[3] if webhook else path.rpartition("/rest/")[2])
        if not for_tokens:
            portal.http_requests += 1
        if portal.latency:
            await asyncio.sleep(portal.latency)
        fault = portal.faults.take(("request",), method)
        if fault is not None and fault.kind == "stall":
            await stall(receive, float(fault.details.get("seconds", 90.0)))
        began = time.perf_counter()
        reply = _refused(fault, scope, method) if fault else None
        if reply is None:
            reply = self._tokens(scope, body) if for_tokens else self._answer(scope, webhook, method, body)
            spoiled = portal.faults.take(("body",), method)
            if spoiled is not None:
                spoil(reply, spoiled)
        portal.busy_seconds += time.perf_counter() - began
        return reply

    def _answer(self, scope: Scope, webhook: re.Match[str] | None, method: str, body: bytes) -> Reply:
        params = _parameters(scope, body)
        try:
            self._admit(scope, webhook, _token(scope, params))
            return Reply(200, encode(self._dispatcher.call(method, params)))
        except Refusal as refusal:
            return Reply(refusal.status, encode(refusal.body))

    def _tokens(self, scope: Scope, body: bytes) -> Reply:
        fault = self._portal.faults.take(("command",), TOKEN_METHOD)
        try:
            if fault is not None:
                raise errors.told_by(fault)
            return Reply(200, encode(self._portal.oauth.renewed(_parameters(scope, body), origin(scope))))
        except Refusal as refusal:
            return Reply(refusal.status, encode(refusal.body))

    def _admit(self, scope: Scope, webhook: re.Match[str] | None, token: str) -> None:
        portal = self._portal
        if portal.limits and not portal.bucket.admit(portal.limits):
            raise errors.rate_limited()
        if portal.quirks.https_required and scope["scheme"] != "https":
            raise Refusal(400, "INVALID_REQUEST", "Https required")
        if not webhook:
            portal.oauth.admit(token)
            return
        if (webhook[1], webhook[2]) != (str(portal.user_id), portal.code) or portal.quirks.webhook_expired:
            raise Refusal(401, "INVALID_CREDENTIALS", "Invalid request credentials")


def _token(scope: Scope, params: php.Params) -> str:
    """Take the access token of a request out of its parameters, or out of its headers."""
    sent = [params.pop(name, None) for name in ("auth", "access_token")]
    bearer = header(scope, b"authorization")
    if bearer.lower().startswith(_BEARER):
        sent.append(bearer[len(_BEARER) :].decode(errors="replace"))
    return next((token for token in sent if isinstance(token, str)), "")


def _parameters(scope: Scope, body: bytes) -> php.Params:
    params = php.nest(php.split_query(scope["query_string"].decode()))
    kind = header(scope, b"content-type").lower()
    if b"json" in kind:
        try:
            sent = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return params
        return php.merge(params, sent) if isinstance(sent, dict) else params
    if kind.startswith(b"multipart/form-data"):
        return php.merge(params, php.nest(_multipart(scope, body)))
    return php.merge(params, php.nest(php.split_query(body.decode(errors="replace"))))


def _multipart(scope: Scope, body: bytes) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    content_type = header(scope, b"content-type")

    def on_field(field: Any) -> None:
        pairs.append((field.field_name.decode(), (field.value or b"").decode(errors="replace")))

    headers = {"Content-Type": content_type, "Content-Length": str(len(body)).encode()}
    python_multipart.parse_form(headers, io.BytesIO(body), on_field, None)
    return pairs


def _refused(fault: Fault, scope: Scope, method: str) -> Reply | None:
    if fault.kind == "rate_limited":
        return Reply(503, encode(errors.rate_limited().body))
    if fault.kind == "error_500":
        body = {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}
        return Reply(500, encode(body))
    if fault.kind == "html_502":
        return html(502, b"502 Bad Gateway")
    if fault.kind == "redirect":
        return moved(fault, scope, method)
    return None
