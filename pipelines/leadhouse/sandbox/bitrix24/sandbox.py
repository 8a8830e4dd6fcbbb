"""Serving a portal: from a thread for tests and the demo, or until a signal for a command line."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadhouse.sandbox.clock import Clock
from leadhouse.sandbox.serve import serve_forever, serving

from .app import PortalApp
from .portal import Portal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadhouse.sandbox.serve import Address
    from leadhouse.sandbox.throttle import Limits


@dataclass(frozen=True)
class Sandbox:
    """Where a served portal listens: webhook URL, control URL, port, and the PEM file to trust when it speaks TLS.

    ``oauth_server`` is where an application renews its tokens.
    """

    url: str
    oauth_server: str
    control: str
    port: int
    certificate: Path | None


def _place(portal: Portal, address: Address) -> Sandbox:
    return Sandbox(
        url=f"{address.origin}/rest/{portal.user_id}/{portal.code}/",
        oauth_server=f"{address.origin}/oauth/token/",
        control=f"{address.origin}/sandbox/{portal.code}/",
        port=address.port,
        certificate=address.certificate,
    )


@contextmanager
def serve(portal: Portal, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> Iterator[Sandbox]:
    """Serve a portal from a background thread for the length of the block; port 0 takes a free one."""
    with serving(PortalApp(portal), host, port, tls=tls) as address:
        yield _place(portal, address)


def run(
    host: str = "127.0.0.1",
    port: int = 0,
    leads: int = 5_000,
    seed: int = 1,
    tls: bool = False,
    *,
    timezone: str = "Europe/Moscow",
    code: str = "sandbox-secret-code",
    limits: Limits | None = None,
    latency: float = 0.0,
    frozen_at: str | None = None,
) -> None:
    """Serve a new portal until SIGINT or SIGTERM.

    The first line on stdout is the webhook URL, printed once connections are accepted; with TLS the second one is
    the path of the certificate to trust. ``Limits()`` throttles as the vendor's ordinary plans do.
    """
    clock = Clock.frozen(frozen_at) if frozen_at else Clock()
    portal = Portal(leads, seed, timezone, code, clock=clock, limits=limits, latency=latency)
    gc.freeze()

    def announce(address: Address) -> None:
        sandbox = _place(portal, address)
        print(sandbox.url, flush=True)  # noqa: T201 - the line that starters wait for
        if sandbox.certificate:
            print(sandbox.certificate, flush=True)  # noqa: T201

    serve_forever(PortalApp(portal), announce, host, port, tls=tls)
