"""Serving an account: from a thread for tests and the demo, or until a signal for a command line."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadhouse.sandbox.clock import Clock
from leadhouse.sandbox.serve import serve_forever, serving

from . import oauth
from .account import Account
from .app import AccountApp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadhouse.sandbox.serve import Address

    from .throttle import Limits


@dataclass(frozen=True)
class Sandbox:
    """Where a served account listens: base URL, token endpoint, control URL, port, PEM file to trust with TLS."""

    url: str
    token_url: str
    control: str
    port: int
    certificate: Path | None


def _place(account: Account, address: Address) -> Sandbox:
    account.origin = address.origin
    return Sandbox(
        url=address.origin,
        token_url=f"{address.origin}{oauth.PATH}",
        control=f"{address.origin}/sandbox/{account.token}/",
        port=address.port,
        certificate=address.certificate,
    )


@contextmanager
def serve(account: Account, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> Iterator[Sandbox]:
    """Serve an account from a background thread for the length of the block; port 0 takes a free one."""
    with serving(AccountApp(account), host, port, tls=tls, dated=False) as address:
        yield _place(account, address)


def run(
    host: str = "127.0.0.1",
    port: int = 0,
    leads: int = 5_000,
    seed: int = 1,
    tls: bool = False,
    *,
    timezone: str = "Europe/London",
    subdomain: str = "acme-demo",
    token: str = "sandbox-long-lived-token",  # noqa: S107 - of an invented account
    limits: Limits | None = None,
    latency: float = 0.0,
    frozen_at: str | None = None,
) -> None:
    """Serve a new account until SIGINT or SIGTERM.

    The first line on stdout is the base URL, printed once connections are accepted, the second one the access token;
    with TLS the third one is the path of the certificate to trust. ``Limits()`` throttles as the vendor does.
    """
    clock = Clock.frozen(frozen_at) if frozen_at else Clock()
    account = Account(leads, seed, timezone, subdomain, token, clock=clock, limits=limits, latency=latency)
    gc.freeze()

    def announce(address: Address) -> None:
        sandbox = _place(account, address)
        lines = [sandbox.url, token, *([str(sandbox.certificate)] if sandbox.certificate else [])]
        print("\n".join(lines), flush=True)  # noqa: T201 - the lines that starters wait for

    serve_forever(AccountApp(account), announce, host, port, tls=tls, dated=False)
