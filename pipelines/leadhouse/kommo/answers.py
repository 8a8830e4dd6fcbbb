"""What the client and the token endpoint read off an answer, before anyone asks what is in it."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import msgspec

from leadhouse.address import host_of, split_url
from leadhouse.errors import ConfigurationError, LeadhouseError, PortalBusyError, PortalFaultError
from leadhouse.kommo.codes import error_for
from leadhouse.transport import Answer

REDIRECTS = (301, 302, 303, 307, 308)
_ACCOUNT = re.compile(r"(?!www\.)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.(?:kommo\.com|amocrm\.[a-z]{2,3})")


def problem_of(answer: Answer) -> dict[str, Any] | None:
    """Return the JSON object in `answer`, None where it holds none."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    return None


def refusal(answer: Answer, *, portal: str, method: str, application: bool) -> LeadhouseError:
    """Return the error that `answer` stands for; one of the rate tells how long to wait, where the vendor does."""
    told = problem_of(answer)
    error = error_for(answer.status, told, portal=portal, method=method, application=application)
    if isinstance(error, PortalBusyError):
        error.retry_after = _retry_after(told or {}, answer.headers)
    return error


def clock_of(answer: Answer) -> datetime | None:
    """Return the time (UTC, whole seconds) of the server that answered, None where it tells none."""
    return _http_time(answer.headers.get("Date"))


def shape_of(answer: Answer) -> str:
    """Return what can be said of an answer that cannot be read."""
    kind = answer.headers.get("Content-Type", "no content type").split(";")[0]
    return f"HTTP {answer.status}, {kind}, {len(answer.body)} bytes"


def same_place(url: str, base: str) -> bool:
    """True where both have the same scheme, host and port."""
    one, other = split_url(url), split_url(base)
    default = {"http": 80, "https": 443}.get(other.scheme)
    return (one.scheme, one.hostname, one.port or default) == (other.scheme, other.hostname, other.port or default)


def redirected(answer: Answer, url: str, *, portal: str, method: str) -> str:
    """Return where `answer` to `url` leads, on the same host.

    Raises:
        ConfigurationError: it leads elsewhere.
        PortalFaultError: it leads nowhere.
    """
    location = split_url(answer.headers.get("Location", "")).geturl()
    if not location:
        raise PortalFaultError("a redirect leads nowhere", portal=portal, method=method)
    to = urljoin(url, location)
    if same_place(to, url):
        return to
    host = host_of(to).lower()
    if _ACCOUNT.fullmatch(host) and host != portal:
        raise ConfigurationError(
            f"the account was renamed; set base_url to https://{host}", portal=portal, method=method
        )
    raise ConfigurationError("the address leads to another site; check base_url", portal=portal, method=method)


def _retry_after(told: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, of the body, else of the header."""
    seconds = told.get("retry_after")
    if not isinstance(seconds, int | float | str) or isinstance(seconds, bool):
        seconds = None
    for hint in (seconds, headers.get("Retry-After")):
        with suppress(TypeError, ValueError):
            number = float(hint)  # type: ignore[arg-type]
            if number >= 0:
                return max(1.0, number)
    until, now = _http_time(headers.get("Retry-After")), _http_time(headers.get("Date"))
    return max(1.0, (until - now).total_seconds()) if until and now else None


def _http_time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
