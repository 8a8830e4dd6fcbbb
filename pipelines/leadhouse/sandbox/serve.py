"""Serving a sandbox portal, any ASGI application, over real HTTP or HTTPS on a local port."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

TRANSPORT = "leadhouse.transport"
_START_SECONDS = 30.0


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which lets the application tear its connection down (scope extension)."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class SandboxServer(uvicorn.Server):
    """uvicorn's server, which notices within 20 ms that it is to stop: tests start and stop hundreds."""

    async def main_loop(self) -> None:
        """Run until asked to stop."""
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            await asyncio.sleep(0.02)


def reset_connection(scope: MutableMapping[str, Any]) -> None:
    """Send a TCP reset to the client of a request."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@dataclass(frozen=True)
class Address:
    """Where a sandbox listens; ``certificate`` is the PEM file to trust when it speaks TLS."""

    host: str
    port: int
    certificate: Path | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{name}:{self.port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


def _issue(host: str, folder: Path) -> tuple[Path, Path]:
    authority = trustme.CA()
    names = {"localhost", "127.0.0.1", host}
    leaf = authority.issue_cert(*sorted(name for name in names if _certifiable(name)))
    certificate = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(certificate))
    chain = folder / "server.pem"
    leaf.private_key_and_cert_chain_pem.write_to_path(str(chain))
    return certificate, chain


def _certifiable(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return True


@contextmanager
def _prepare(
    app: App, host: str, port: int, tls: bool, dated: bool
) -> Iterator[tuple[uvicorn.Server, socket.socket, Address]]:
    with ExitStack() as stack:
        certificate = chain = None
        if tls:
            certificate, chain = _issue(host, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        listener = stack.enter_context(_listen(host, port))
        config = uvicorn.Config(
            app,
            http=SandboxProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=dated,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            ssl_certfile=chain,
        )
        # A deliberately broken answer is no news to whoever asked for it.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        yield SandboxServer(config), listener, Address(host, listener.getsockname()[1], certificate)


@contextmanager
def serving(
    app: App, host: str = "127.0.0.1", port: int = 0, *, tls: bool = False, dated: bool = True
) -> Iterator[Address]:
    """Serve an application from a background thread for the length of the block; port 0 takes a free one.

    Answers carry the ``Date`` of this machine unless not ``dated``: then the application tells its own.
    """
    with _prepare(app, host, port, tls, dated) as (server, listener, address):
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RuntimeError(f"The sandbox did not start on {address.origin}.")
                time.sleep(0.002)
            yield address
        finally:
            server.should_exit = True
            thread.join()


def serve_forever(
    app: App, announce: Callable[[Address], None], host: str, port: int, *, tls: bool = False, dated: bool = True
) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is called once connections are accepted. ``dated`` as in serving."""
    with _prepare(app, host, port, tls, dated) as (server, listener, address):

        async def run() -> None:
            serving_task = asyncio.create_task(server.serve([listener]))
            while not server.started and not serving_task.done():  # noqa: ASYNC110 - uvicorn offers a flag, no event
                await asyncio.sleep(0.002)
            if server.started:
                announce(address)
            await serving_task

        # uvicorn raises a caught signal again after its shutdown, for whoever had a handler before it.
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            asyncio.run(run())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
