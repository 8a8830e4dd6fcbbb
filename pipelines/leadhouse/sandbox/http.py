"""What the HTTP surfaces of sandboxes share: answers, broken answers on demand, requests that are left waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .serve import reset_connection

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from .faults import Fault
    from .serve import Receive, Send

    Scope = MutableMapping[str, Any]

JSON = b"application/json; charset=utf-8"
HTML = b"text/html; charset=utf-8"
_PAGE = b"<html><head><title>%s</title></head><body><h1>%s</h1></body></html>"


class Reply:
    """Status, body and headers of an answer; one with ``sent`` is cut by a connection reset after as many bytes."""

    def __init__(self, status: int, body: bytes, kind: bytes = JSON, location: str | None = None) -> None:
        self.status = status
        self.body = body
        self.kind = kind
        self.location = location
        self.sent: int | None = None


def html(status: int, title: bytes, heading: bytes | None = None) -> Reply:
    """Return an answer as a web server or gateway makes it, a small HTML page."""
    return Reply(status, _PAGE % (title, heading or title), HTML)


async def send_reply(scope: Scope, send: Send, reply: Reply, extra: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Send an answer with its type, its length and extra headers, or tear the connection where it is to be torn."""
    headers = [(b"content-type", reply.kind), (b"content-length", b"%d" % len(reply.body)), *extra]
    if reply.location:
        headers.append((b"location", reply.location.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.sent is not None:
        await send({"type": "http.response.body", "body": reply.body[: reply.sent], "more_body": True})
        reset_connection(scope)
        return
    await send({"type": "http.response.body", "body": reply.body})


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def stall(receive: Receive, seconds: float) -> None:
    """Wait, or until the client has gone."""
    try:
        await asyncio.wait_for(receive(), seconds)
    except TimeoutError:
        return


def header(scope: Scope, name: bytes) -> bytes:
    """Return the value of a request's header (lower case name), empty when it is absent."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def origin(scope: Scope) -> str:
    """Return scheme, host and port as the client of a request names them."""
    return f"{scope['scheme']}://{header(scope, b'host').decode()}"


def moved(fault: Fault, scope: Scope, name: str) -> Reply:
    """Return a redirect to the URL ``to`` of a fault: to its path with a method's name, else to the same path."""
    to, query = str(fault.details["to"]), scope["query_string"].decode()
    target = to.rstrip("/") + (f"/{name}" if urlsplit(to).path.strip("/") else scope["path"])
    return Reply(302, b"", HTML, f"{target}?{query}" if query else target)


def spoil(reply: Reply, fault: Fault) -> None:
    """Spoil the answer of an executed call as a fault of the stage ``body`` asks for."""
    kept = int(len(reply.body) * float(fault.details.get("keep", 0.5)))
    if fault.kind == "html_200":
        page = html(200, b"Maintenance", b"Please come back later")
        reply.status, reply.kind, reply.body = page.status, page.kind, page.body
    elif fault.kind == "truncated_json":
        reply.body = reply.body[:kept]
    elif fault.kind == "empty_body":
        reply.body = b""
    elif fault.kind == "wrong_content_type":
        reply.kind = HTML
    elif fault.kind == "reset":
        reply.sent = kept
