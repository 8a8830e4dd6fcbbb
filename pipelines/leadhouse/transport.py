"""One pooled HTTP client for every portal.

urllib3 is used directly: it pools, is typed, light at import, already there (dlt needs it through requests), and does
nothing behind our back: no redirects, no retries, no environment surprises. Its debug log shows paths, which hold the
webhook's secret, so a filter redacts it at the source.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import urllib3

from leadhouse import __version__
from leadhouse.errors import ConfigurationError, LeadhouseError, PortalUnreachableError
from leadhouse.redact import redact


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers and the body's bytes, decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _RedactPaths(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = None
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_RedactPaths())


class Transport:
    """A connection pool with strict time-outs.

    Args:
        connect_s: seconds to connect and shake hands.
        read_s: seconds of silence while an answer is awaited (Bitrix24 lets one request run for 60).
    """

    def __init__(self, *, connect_s: float = 10.0, read_s: float = 70.0) -> None:
        self._pool = urllib3.PoolManager(
            num_pools=4,
            maxsize=2,
            retries=False,
            timeout=urllib3.Timeout(connect=connect_s, read=read_s),
            headers={"User-Agent": f"leadhouse/{__version__}", "Accept-Encoding": "gzip"},
        )

    def get(self, url: str, headers: Mapping[str, str], *, portal: str, method: str) -> Answer:
        """Fetch `url`; redirects are returned, not followed; raises as `post_json` does."""
        return self._request("GET", url, None, headers, portal=portal, method=method)

    def post_json(self, url: str, body: bytes, *, portal: str, method: str) -> Answer:
        """Send `body` as JSON; redirects are returned, not followed.

        Raises:
            PortalUnreachableError: no whole answer came.
            ConfigurationError: the portal's TLS certificate cannot be trusted.
        """
        return self._request("POST", url, body, {"Content-Type": "application/json"}, portal=portal, method=method)

    def post_form(self, url: str, fields: Mapping[str, str], *, portal: str, method: str) -> Answer:
        """Send `fields` as a form, as OAuth servers want them; raises as `post_json` does."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._request("POST", url, urlencode(fields).encode(), kind, portal=portal, method=method)

    def _request(
        self, verb: str, url: str, body: bytes | None, headers: Mapping[str, str], *, portal: str, method: str
    ) -> Answer:
        headers = {**self._pool.headers, "Accept": "application/json", **headers}
        try:
            answer = self._pool.request(verb, url, body=body, headers=headers, redirect=False)
            return Answer(answer.status, answer.headers, answer.data)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            problem = _explain(error, portal, method)
        raise problem

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()


def _explain(error: BaseException, portal: str, method: str) -> LeadhouseError:
    """Return our error for urllib3's, whose text would name the URL."""
    names = {type(cause).__name__ for cause in _causes(error)}
    if "SSLCertVerificationError" in names:
        return ConfigurationError(
            "the TLS certificate cannot be verified; check the portal's address, or trust its authority "
            "through SSL_CERT_FILE",
            portal=portal,
            method=method,
        )
    for kind, words in (
        ("NameResolutionError", "the name does not resolve"),
        ("gaierror", "the name does not resolve"),
        ("ConnectTimeoutError", "connecting timed out"),
        ("ReadTimeoutError", "the answer timed out"),
        ("ConnectionRefusedError", "connection refused"),
        ("ConnectionResetError", "the connection was reset"),
        ("IncompleteRead", "the answer broke off"),
        ("SSLError", "the TLS handshake failed"),
    ):
        if kind in names:
            return PortalUnreachableError(words, portal=portal, method=method)
    return PortalUnreachableError(f"no answer ({type(error).__name__})", portal=portal, method=method)


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        reason = getattr(error, "reason", None)
        error = error.__cause__ or error.__context__ or (reason if isinstance(reason, BaseException) else None)
    return chain
