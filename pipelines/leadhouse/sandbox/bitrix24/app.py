"""The portal's HTTP surface, an ASGI application (reference: bitrix24 sections 1 and 2)."""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import python_multipart

from leadhouse.sandbox.serve import reset_connection

from . import errors, php
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

JSON = b"application/json; charset=utf-8"
HTML = b"text/html; charset=utf-8"
_BEARER = b"bearer "
_WEBHOOK = re.compile(r"^/rest/(\d+)/([^/]+)/(.+)$")
_PAGE = b"<html><head><title>%s</title></head><body><h1>%s</h1></body></html>"


class Reply:
    """Status, body and headers of an answer; ``torn`` ones are cut by a connection reset after ``sent`` bytes."""

    def __init__(self, status: int, body: bytes, kind: bytes = JSON, location: str | None = None) -> None:
        self.status = status
        self.body = body
        self.kind = kind
        self.location = location
        self.sent: int | None = None


class PortalApp:
    """Serves a portal and its control surface."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._dispatcher = Dispatcher(portal)
        self._control = Control(portal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await _read(receive)
        path: str = scope["path"]
        if path.startswith("/sandbox/"):
            reply = Reply(*self._control.answer(scope["method"], path, body))
        else:
            reply = await self._rest(scope, body, receive)
        headers = [(b"content-type", reply.kind), (b"content-length", b"%d" % len(reply.body))]
        if reply.location:
            headers.append((b"location", reply.location.encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.sent is not None:
            await send({"type": "http.response.body", "body": reply.body[: reply.sent], "more_body": True})
            reset_connection(scope)
            return
        await send({"type": "http.response.body", "body": reply.body})

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
            await _stall(receive, float(fault.details.get("seconds", 90.0)))
        began = time.perf_counter()
        reply = _refused(fault, scope, method) if fault else None
        if reply is None:
            reply = self._tokens(scope, body) if for_tokens else self._answer(scope, webhook, method, body)
            spoiled = portal.faults.take(("body",), method)
            if spoiled is not None:
                _spoil(reply, spoiled)
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
            return Reply(200, encode(self._portal.oauth.renewed(_parameters(scope, body), _origin(scope))))
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
    bearer = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    if bearer.lower().startswith(_BEARER):
        sent.append(bearer[len(_BEARER) :].decode(errors="replace"))
    return next((token for token in sent if isinstance(token, str)), "")


def _origin(scope: Scope) -> str:
    host: bytes = next(value for name, value in scope["headers"] if name == b"host")
    return f"{scope['scheme']}://{host.decode()}"


async def _read(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _stall(receive: Receive, seconds: float) -> None:
    """Wait, or until the client has gone."""
    try:
        await asyncio.wait_for(receive(), seconds)
    except TimeoutError:
        return


def _parameters(scope: Scope, body: bytes) -> php.Params:
    params = php.nest(php.split_query(scope["query_string"].decode()))
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"").lower()
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
    content_type = next(value for name, value in scope["headers"] if name == b"content-type")

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
        return Reply(502, _PAGE % (b"502 Bad Gateway", b"502 Bad Gateway"), HTML)
    if fault.kind == "redirect":
        return Reply(302, b"", HTML, _moved(str(fault.details["to"]), scope, method))
    return None


def _moved(to: str, scope: Scope, method: str) -> str:
    query = scope["query_string"].decode()
    target = to.rstrip("/") + (f"/{method}" if urlsplit(to).path.strip("/") else scope["path"])
    return f"{target}?{query}" if query else target


def _spoil(reply: Reply, fault: Fault) -> None:
    kept = int(len(reply.body) * float(fault.details.get("keep", 0.5)))
    if fault.kind == "html_200":
        reply.status, reply.kind, reply.body = 200, HTML, _PAGE % (b"Maintenance", b"Please come back later")
    elif fault.kind == "truncated_json":
        reply.body = reply.body[:kept]
    elif fault.kind == "empty_body":
        reply.body = b""
    elif fault.kind == "wrong_content_type":
        reply.kind = HTML
    elif fault.kind == "reset":
        reply.sent = kept
