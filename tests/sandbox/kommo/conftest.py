"""A served account and a plain HTTP client, for the tests of the Kommo sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from leadhouse.sandbox.kommo import Account, Clock, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3

NOON = "2026-11-21T12:00:00+00:00"
EVERYTHING = "contacts,catalog_elements,loss_reason,is_price_modified_by_robot,source_id,source"


@dataclass
class Client:
    """Asks an account over a real socket."""

    url: str
    http: urllib3.PoolManager
    token: str

    def raw(self, path: str, verb: str = "GET", **options: Any) -> urllib3.BaseHTTPResponse:
        """Send a request to a path under ``/api/v4``, or to a whole URL."""
        url = path if path.startswith("http") else f"{self.url}/api/v4/{path}"
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.http.request(verb, url, headers=headers, redirect=False, retries=False, **options)

    def get(self, path: str, **params: Any) -> Any:
        """Return the decoded answer of a request that must succeed; None for 204."""
        answer = self.raw(f"{path}?{urlencode(params)}" if params else path)
        assert answer.status in {200, 204}, answer.data
        if answer.status == 204:
            assert answer.data == b""
            return None
        assert answer.headers["Content-Type"] == "application/hal+json"
        return answer.json()

    def ids(self, path: str) -> list[int]:
        """Return the ids of a page, [] for 204."""
        page = self.get(path)
        return [row["id"] for rows in page["_embedded"].values() for row in rows] if page else []

    def walk(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield pages, following next links."""
        while path:
            page = self.get(path)
            if page is None:
                return
            yield page
            path = page["_links"].get("next", {}).get("href", "")

    def all(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of all pages."""
        return [row for page in self.walk(path) for rows in page["_embedded"].values() for row in rows]


@pytest.fixture
def clock() -> Clock:
    return Clock.frozen(NOON)


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(leads=180, seed=3, clock=clock)


@pytest.fixture
def client(account: Account, http: urllib3.PoolManager) -> Iterator[Client]:
    with serve(account) as sandbox:
        yield Client(sandbox.url, http, account.token)
        http.clear()
