"""Send a request until it is answered: faults are repeated, refusals for a limit are waited out, a token is renewed.

What all clients do alike stands here; a source's client says how it paces, and what its refusals ask for.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from leadhouse import logs
from leadhouse.errors import CredentialsError, LeadhouseError, PortalBusyError, TransientError
from leadhouse.pace import Pause
from leadhouse.transport import Transport

T = TypeVar("T")

log = logs.get_logger("leadhouse.retry")


class Access(Protocol):
    """A way into a portal.

    Attributes:
        application: access is an OAuth application's, which has a cure of its own.
    """

    application: ClassVar[bool]

    def ticket(self) -> dict[str, str]:
        """Return what lets a request in."""

    def renew(self, refused: dict[str, str]) -> bool:
        """Get another ticket in place of one that was refused; return whether there is one."""


@dataclass(slots=True)
class Traffic:
    """What the client did: HTTP requests sent, requests repeated."""

    requests: int = 0
    retries: int = 0


@dataclass(slots=True)
class Trouble:
    """Faults met while one request is tried."""

    faults: int = 0
    waited_s: float = 0.0


class RetryingClient(ABC):
    """A client of one portal.

    Args:
        access: the way in.
        transport: the HTTP client.
        pause: where waiting happens.
        attempts: how often a request that meets a fault is sent in all.
        patience_s: how many seconds refusals for a limit are waited out in one request.
    """

    def __init__(self, access: Access, transport: Transport, pause: Pause, *, attempts: int, patience_s: float) -> None:
        self._access = access
        self._transport = transport
        self._attempts = attempts
        self._patience_s = patience_s
        self.pause = pause
        self.traffic = Traffic()

    @property
    @abstractmethod
    def portal(self) -> str:
        """The portal's host."""

    @abstractmethod
    def _pace(self) -> None:
        """Wait until the vendor's limits allow a request."""

    @abstractmethod
    def _busy_s(self, problem: PortalBusyError, trouble: Trouble) -> float:
        """Return the seconds to wait after a refusal for a limit."""

    @abstractmethod
    def _expired(self, problem: LeadhouseError) -> bool:
        """True where another ticket may help."""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def stalled(self, problem: TransientError, trouble: Trouble) -> None:
        """What was answered shows `problem`: wait as a request that met it would, or raise it."""
        self._wait_out(problem, trouble)
        self.traffic.retries += 1

    def _until_answered(self, method: str, attempt: Callable[[dict[str, str]], T], *, once: bool = False) -> T:
        """Return what `attempt` makes of a ticket; `once`: what fails is not tried again."""
        trouble, renewed = Trouble(), False
        while True:
            self._pace()
            if self.pause.cancelled:
                raise TransientError("the run was cancelled", portal=self.portal, method=method)
            ticket = self._access.ticket()
            self.traffic.requests += 1
            problem: LeadhouseError
            try:
                return attempt(ticket)
            except (TransientError, CredentialsError) as error:
                problem = error
            if isinstance(problem, TransientError) and not once:
                self._wait_out(problem, trouble)
            elif not renewed and self._expired(problem) and self._access.renew(ticket):
                renewed = True
            else:
                raise problem
            self.traffic.retries += 1

    def _wait_out(self, problem: TransientError, trouble: Trouble) -> None:
        """Sleep as `problem` asks for, or raise it when patience is at its end."""
        if self.pause.hasty:
            raise problem
        if isinstance(problem, PortalBusyError):
            seconds = self._busy_s(problem, trouble)
            trouble.waited_s += seconds
            if trouble.waited_s > self._patience_s:
                raise problem
            self.pause.for_limit(seconds)
        else:
            trouble.faults += 1
            if trouble.faults >= self._attempts:
                raise problem
            self.pause.for_retry(backoff(trouble.faults))
        log.debug("request repeated", method=problem.method, code=problem.code, why=str(problem.args[0]))


def backoff(attempt: int) -> float:
    """Return the seconds before the attempt after the `attempt`th: doubling from one, spread, at most thirty."""
    return jitter(min(30.0, 0.5 * 2**attempt))


def jitter(seconds: float) -> float:
    """Return half of `seconds` to all of them, so that clients that failed together do not come back together."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
