"""A served portal and a plain HTTP client, for the tests of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from leadhouse.sandbox.bitrix24 import Clock, Portal, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOON = "2026-11-21T12:00:00+03:00"


@dataclass
class Client:
    """Calls methods of a portal over a real socket."""

    url: str
    http: urllib3.PoolManager

    def post(self, method: str, params: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Send parameters as JSON; return the status and the decoded answer."""
        answer = self.http.request("POST", self.url + method, json=dict(params or {}), redirect=False)
        return answer.status, answer.json()

    def result(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the ``result`` of a call that must succeed."""
        status, answer = self.post(method, params)
        assert status == 200, answer
        return answer["result"]

    def batch(self, commands: Any, halt: int = 0) -> Any:
        """Return the ``result`` of a batch."""
        return self.result("batch", {"halt": halt, "cmd": commands})

    def raw(self, method: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send a request of the caller's own making."""
        verb = options.pop("verb", "POST")
        return self.http.request(verb, self.url + method, redirect=False, retries=False, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock.frozen(NOON)


@pytest.fixture
def portal(clock: Clock) -> Portal:
    return Portal(leads=180, seed=3, clock=clock)


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=20) as manager:
        yield manager


@pytest.fixture
def client(portal: Portal, http: urllib3.PoolManager) -> Iterator[Client]:
    with serve(portal) as sandbox:
        yield Client(sandbox.url, http)
        http.clear()
