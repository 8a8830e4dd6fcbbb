"""Speaks Kommo's (amoCRM's) API v4: one request at a time, paced to the vendor's limit, retried by the error table.

It knows no tables. Answers stay raw bytes until somebody decodes them with a type.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import uniform
from urllib.parse import quote, urlencode

import msgspec

from leadhouse import logs
from leadhouse.address import split_url
from leadhouse.errors import CredentialsError, LeadhouseError, PortalBusyError, PortalFaultError
from leadhouse.kommo.access import Application, LongLivedToken, checked_base
from leadhouse.kommo.answers import REDIRECTS, clock_of, redirected, refusal, same_place, shape_of
from leadhouse.kommo.oauth import Grant
from leadhouse.kommo.shared_pace import SharedDistance, vendor_of
from leadhouse.pace import Pause
from leadhouse.retry import RetryingClient, Trouble
from leadhouse.settings import data_dir
from leadhouse.surrogates import mended
from leadhouse.transport import Answer, Transport

MAX_REDIRECTS = 3
_API = "/api/v4/"
_LONGEST_BACKOFF_S = 300.0
_SHORTEST_BACKOFF_S = 10.0

log = logs.get_logger("leadhouse.kommo")


@dataclass(frozen=True, slots=True)
class Limits:
    """The vendor's limit and our patience.

    Attributes:
        requests_per_second: sent at a steady distance (vendor's limits page: 7/s an IP address).
        attempts: how often a request that meets a fault is sent in all.
        patience_s: how long refusals for rate are waited out in one request.
    """

    requests_per_second: float = 6.0
    attempts: int = 7
    patience_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API.

    Attributes:
        status: 200, or 204: nothing there.
        body: a JSON object; nothing at 204.
        at: the account's clock (UTC, whole seconds) when it answered, None where it did not tell.
        took: seconds from the request to its answer.
    """

    status: int
    body: bytes
    at: datetime | None
    took: float


class KommoClient(RetryingClient):
    """An account behind a long-lived token or an application's access.

    Args:
        base_url: the account's address, `https://{subdomain}.kommo.com`.
        access: a long-lived token, which is a secret; or an application.
        limits: the vendor's limit; the pace is one for all accounts and processes of this machine.
        pause: where waiting happens; tests bring their own.
        transport: the HTTP client.

    Raises:
        ConfigurationError: the URL is not an account's, would send tokens in the open, or the token is none.
        StateError: the application's token file is damaged.
    """

    def __init__(
        self,
        base_url: str,
        access: str | Application,
        *,
        limits: Limits | None = None,
        pause: Pause | None = None,
        transport: Transport | None = None,
    ) -> None:
        limits, pause, transport = limits or Limits(), pause or Pause(), transport or Transport()
        self._base = checked_base(base_url)
        way_in = LongLivedToken(access) if isinstance(access, str) else Grant(access, self._base, transport, pause)
        super().__init__(way_in, transport, pause, attempts=limits.attempts, patience_s=limits.patience_s)
        self._interval = 1 / limits.requests_per_second
        self._distance = SharedDistance(data_dir() / "pace" / vendor_of(self.portal), pause.monotonic)

    @property
    def portal(self) -> str:
        """The account's host."""
        return self._base.partition("://")[2]

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Reply:
        """Fetch `path` ("leads", "leads/17") of the API with `params`.

        Raises:
            LeadhouseError: by the table in `codes`.
        """
        query = urlencode(params, quote_via=quote)
        return self._read(path, f"{self._base}{_API}{quote(path)}{'?' if query else ''}{query}")

    def follow(self, link: str) -> Reply:
        """Fetch what a link of an answer (`_links.next`) leads to.

        Raises:
            PortalFaultError: it leads to another host, or out of the API.
            LeadhouseError: by the table in `codes`.
        """
        parts = split_url(link)
        method = parts.path.removeprefix(_API)
        if not same_place(link, self._base):
            raise PortalFaultError("the portal sent a link to another host", portal=self.portal)
        if method == parts.path:
            raise PortalFaultError("the portal sent a link that leads out of the API", portal=self.portal)
        return self._read(method, f"{self._base}{parts.path}{'?' if parts.query else ''}{parts.query}")

    def _read(self, method: str, url: str) -> Reply:
        return self._until_answered(method, lambda ticket: self._attempt(method, url, ticket))

    def _attempt(self, method: str, url: str, ticket: dict[str, str]) -> Reply:
        for redirects in range(MAX_REDIRECTS + 1):
            if redirects:
                self._pace()
                self.traffic.requests += 1
            started = self.pause.monotonic()
            answer = self._transport.get(url, ticket, portal=self.portal, method=method)
            took = self.pause.monotonic() - started
            log.debug(
                "answered", method=method, status=answer.status, request_id=answer.headers.get("X-Request-Id", "")
            )
            if answer.status not in REDIRECTS:
                return self._reply(answer, method, took)
            url = redirected(answer, url, portal=self.portal, method=method)
        raise PortalFaultError("too many redirects", portal=self.portal, method=method)

    def _reply(self, answer: Answer, method: str, took: float) -> Reply:
        if answer.status == 204:
            return Reply(204, b"", clock_of(answer), took)
        if answer.status >= 300:
            raise refusal(answer, portal=self.portal, method=method, application=self._access.application)
        if answer.status == 200:
            body = _object(answer.body) or _object(mended(answer.body))
            if body:
                return Reply(200, body, clock_of(answer), took)
        raise PortalFaultError(f"the answer is not the API's ({shape_of(answer)})", portal=self.portal, method=method)

    def _pace(self) -> None:
        self.pause.for_limit(self._distance.take(self._interval))

    def _busy_s(self, problem: PortalBusyError, trouble: Trouble) -> float:
        if problem.retry_after is not None:
            # Who is refused again and again is blocked (vendor's limits page), so waiting grows in any case.
            return max(problem.retry_after, min(_LONGEST_BACKOFF_S, trouble.waited_s))
        longer = max(_SHORTEST_BACKOFF_S, trouble.waited_s) * uniform(1.0, 1.5)  # noqa: S311 - spreads retries
        return min(_LONGEST_BACKOFF_S, longer)

    def _expired(self, problem: LeadhouseError) -> bool:
        return isinstance(problem, CredentialsError)


def _object(body: bytes) -> bytes:
    """Return `body` where it is a JSON object, else nothing."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        return body
    return b""
