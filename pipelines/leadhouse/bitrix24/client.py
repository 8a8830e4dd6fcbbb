"""Speaks Bitrix24's REST: single calls and batches, paced to the vendor's limits, retried by the error table.

It knows no tables. Answers stay raw bytes (`msgspec.Raw`) until somebody decodes them with a type.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from leadhouse import logs
from leadhouse.bitrix24.access import Access, Webhook
from leadhouse.bitrix24.codes import error_for
from leadhouse.bitrix24.oauth import Grant
from leadhouse.bitrix24.settings import Application
from leadhouse.errors import (
    ConfigurationError,
    LeadhouseError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
)
from leadhouse.pace import LeakyBucket, OperatingBudget, Pause
from leadhouse.retry import RetryingClient, Trouble, jitter
from leadhouse.surrogates import mended
from leadhouse.transport import Answer, Transport

MAX_COMMANDS = 50
PAGE_ROWS = 50
MAX_REDIRECTS = 3
_EXPIRED = ("EXPIRED_TOKEN", "INVALID_TOKEN")

T = TypeVar("T")

log = logs.get_logger("leadhouse.bitrix24")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a batch: a method and its parameters, flat, in PHP's bracket names."""

    method: str
    params: Sequence[tuple[str, str]] = ()

    def encode(self) -> str:
        """Return the form `method?query`; the portal URL-decodes the query, so a raw `+` would become a space."""
        query = "&".join(f"{quote(name, safe='[]')}={quote(value, safe='[]$')}" for name, value in self.params)
        return f"{self.method}?{query}" if query else self.method


@dataclass(slots=True)
class Batch:
    """A batch's answer, by command key. A command in neither of the first two was not executed."""

    results: dict[str, msgspec.Raw]
    errors: dict[str, LeadhouseError]
    nexts: dict[str, Any]
    started_at: datetime | None
    totals: dict[str, int] = field(default_factory=dict)


class _Envelope(msgspec.Struct):
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Any = msgspec.UNSET
    error_description: Any = None
    time: Any = None


class _BatchResult(msgspec.Struct):
    result: dict[str, msgspec.Raw] | list[msgspec.Raw] = msgspec.field(default_factory=dict)
    result_error: dict[str, Any] | list[Any] = msgspec.field(default_factory=dict)
    result_next: dict[str, Any] | list[Any] = msgspec.field(default_factory=dict)
    result_total: dict[str, Any] | list[Any] = msgspec.field(default_factory=dict)
    result_time: dict[str, Any] | list[Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """The vendor's limits and our patience.

    Attributes:
        drain, burst: the leaky bucket (vendor's limits page: 2/s and 50; Enterprise 5/s and 250).
        operating_s: working seconds a method in ten minutes before the vendor blocks it.
        attempts: how often a request that meets a fault is sent in all.
        patience_s: how long refusals for rate or operating time are waited out in one request.
    """

    drain: float = 2.0
    burst: float = 50.0
    operating_s: float = 480.0
    attempts: int = 7
    patience_s: float = 1800.0


class Bitrix24Client(RetryingClient):
    """A portal behind an inbound webhook or an application's access.

    Args:
        access: a webhook's URL, `https://{portal}/rest/{user}/{code}/`, which is a secret; or an application.
        limits: the vendor's limits.
        pause: where waiting happens; tests bring their own.
        transport: the HTTP client.

    Raises:
        ConfigurationError: the URL is not a webhook's, or would send secrets in the open.
        StateError: the application's token file is damaged.
    """

    _access: Access

    def __init__(
        self,
        access: str | Application,
        *,
        limits: Limits | None = None,
        pause: Pause | None = None,
        transport: Transport | None = None,
    ) -> None:
        limits, pause, transport = limits or Limits(), pause or Pause(), transport or Transport()
        way_in = Webhook(access) if isinstance(access, str) else Grant(access, transport, pause)
        super().__init__(way_in, transport, pause, attempts=limits.attempts, patience_s=limits.patience_s)
        self._bucket = LeakyBucket(limits.drain, limits.burst, pause.monotonic)
        self._budget = OperatingBudget(limits.operating_s)
        self._clock_ahead = 0.0

    @property
    def portal(self) -> str:
        """The portal's host."""
        return self._access.portal

    @property
    def operating(self) -> dict[str, float]:
        """Working seconds that each method has used in ten minutes, as the portal's answers told last."""
        return self._budget.used

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> msgspec.Raw:
        """Call one method with JSON parameters and return its `result`.

        Raises:
            LeadhouseError: by the table in `codes`.
        """
        result, _ = self._send(method, params or {})
        return result

    def batch(self, commands: Mapping[str, Command], *, halt: bool, once: bool = False) -> Batch:
        """Run up to 50 commands in one request, one after another.

        Args:
            commands: by key; a later one may refer to an earlier one's answer by `$result[key]…`.
            halt: stop at the first command that fails.
            once: do not try again: for what may take longer than a request has.

        Raises:
            LeadhouseError: the request as a whole failed.
        """
        if len(commands) > MAX_COMMANDS:
            raise ValueError(f"{len(commands)} commands in a batch, the vendor allows {MAX_COMMANDS}")
        keys = list(commands)
        payload = {"halt": int(halt), "cmd": {key: command.encode() for key, command in commands.items()}}
        result, told_time = self._send("batch", payload, once=once)
        body: _BatchResult | None = None
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            body = msgspec.json.decode(result, type=_BatchResult)
        if body is None:
            raise PortalFaultError("the batch's answer has another shape", portal=self.portal, method="batch")
        errors: dict[str, LeadhouseError] = {}
        for key, told in _by_key(body.result_error, keys).items():
            code, text = (told.get("error"), told.get("error_description")) if isinstance(told, dict) else ("", told)
            method = commands[key].method if key in commands else "batch"
            errors[key] = self._error(code, text, 200, method)
        for key, told in _by_key(body.result_time, keys).items():
            if key in commands:
                self._note_operating(commands[key].method, told)
        return Batch(
            results=_by_key(body.result, keys),
            errors=errors,
            nexts=_by_key(body.result_next, keys),
            started_at=portal_time(told_time),
            totals={k: int(told) for k, told in _by_key(body.result_total, keys).items() if str(told).isdecimal()},
        )

    def _send(self, method: str, payload: Mapping[str, Any], *, once: bool = False) -> tuple[msgspec.Raw, Any]:
        """Return `result` and `time` of the answer."""
        return self._until_answered(
            method, lambda ticket: self._attempt(method, msgspec.json.encode({**payload, **ticket})), once=once
        )

    def _pace(self) -> None:
        self.pause.for_limit(self._budget.wait(self._portal_now()))
        self.pause.for_limit(self._bucket.take())

    def _busy_s(self, problem: PortalBusyError, trouble: Trouble) -> float:
        if problem.code.upper() == "OPERATION_TIME_LIMIT":
            return problem.retry_after or self._budget.wait(self._portal_now()) or 60.0
        self._bucket.overflowed()
        return jitter(min(30.0, 1.0 + trouble.waited_s / 4))

    def _expired(self, problem: LeadhouseError) -> bool:
        return problem.code.upper() in _EXPIRED

    def _attempt(self, method: str, body: bytes) -> tuple[msgspec.Raw, Any]:
        answer = self._post(method, body)
        envelope = _envelope(answer.body) or _envelope(mended(answer.body))
        if envelope is None:
            raise self._unreadable(method, answer)
        if envelope.error is not msgspec.UNSET:
            error = self._error(envelope.error, envelope.error_description, answer.status, method)
            if isinstance(error, PortalBusyError):
                error.retry_after = _retry_after(envelope.time)
            raise error
        if isinstance(envelope.result, msgspec.UnsetType):
            raise PortalFaultError("the answer has neither result nor error", portal=self.portal, method=method)
        self._note_operating(method, envelope.time)
        now = portal_time(envelope.time)
        if now is not None:
            self._clock_ahead = now.timestamp() - time.time()
        return envelope.result, envelope.time

    def _error(self, code: Any, description: Any, status: int, method: str) -> LeadhouseError:
        application = self._access.application
        return error_for(code, description, status, portal=self.portal, method=method, application=application)

    def _unreadable(self, method: str, answer: Answer) -> LeadhouseError:
        kind = answer.headers.get("Content-Type", "no content type").split(";")[0]
        shape = f"HTTP {answer.status}, {kind}, {len(answer.body)} bytes"
        if 400 <= answer.status < 500 and answer.status not in (408, 425, 429):
            return ConfigurationError(
                f"this is not a Bitrix24 REST address ({shape}); {self._access.cure}",
                portal=self.portal,
                method=method,
            )
        return PortalFaultError(f"the answer is not the API's ({shape})", portal=self.portal, method=method)

    def _post(self, method: str, body: bytes) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._transport.post_json(
                f"{self._access.base}{method}.json", body, portal=self.portal, method=method
            )
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            self._access.follow(answer.headers.get("Location", ""), method)
        raise PortalFaultError("too many redirects", portal=self.portal, method=method)

    def _note_operating(self, method: str, told: Any) -> None:
        if isinstance(told, dict) and isinstance(told.get("operating"), int | float):
            reset_at = told.get("operating_reset_at")
            reset = float(reset_at) if isinstance(reset_at, int | float) else None
            self._budget.note(method, float(told["operating"]), reset)

    def _portal_now(self) -> float:
        return time.time() + self._clock_ahead


def _envelope(body: bytes) -> _Envelope | None:
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def portal_time(told: Any) -> datetime | None:
    """Return the portal's clock (UTC, whole seconds) from an answer's `time` object, None where it tells none."""
    if not isinstance(told, dict):
        return None
    stamp = told.get("date_start")
    if isinstance(stamp, str):
        try:
            at = datetime.fromisoformat(stamp)
        except ValueError:
            at = None
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC).replace(microsecond=0)
    start = told.get("start")
    if isinstance(start, int | float):
        return datetime.fromtimestamp(int(start), UTC)
    return None


def is_unknown_method(error: LeadhouseError | None) -> bool:
    """True when the portal does not know the method called."""
    return isinstance(error, PortalMethodError) and error.code.upper() == "ERROR_METHOD_NOT_FOUND"


def _by_key(member: dict[str, T] | list[T], keys: Sequence[str]) -> dict[str, T]:
    """PHP encodes an array with keys 0..n-1 as a list, an empty one as `[]`, any other as an object."""
    if isinstance(member, dict):
        return member
    return dict(zip(keys, member, strict=False))


def _retry_after(told: Any) -> float | None:
    now = portal_time(told)
    reset_at = told.get("operating_reset_at") if isinstance(told, dict) else None
    if now is None or not isinstance(reset_at, int | float):
        return None
    return min(600.0, max(1.0, float(reset_at) - now.timestamp()))
