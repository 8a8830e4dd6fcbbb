"""Every error that leadhouse raises on purpose; the second level says what happens next.

    LeadhouseError
    ├── TransientError              retried inside the run, then exit 1: the next run may heal it
    │   ├── PortalUnreachableError      no connection, DNS, reset, time-out
    │   ├── PortalBusyError             the vendor's rate or operating-time limit
    │   ├── PortalFaultError            5xx, HTML, truncated or empty answers
    │   ├── PagingError                 ids of a page do not advance, repeat, or are out of order
    │   ├── RunLockedError              another run of the same pipeline is at work
    │   ├── WarehouseLockedError        another process has the DuckDB file open
    │   ├── WarehouseUnavailableError   server gone, disk full, load failed
    │   └── CopyNotWrittenError         the rows are in the warehouse, its copy for readers was not written
    ├── OperatorError               exit 2: a person must act; the message ends with the cure
    │   ├── ConfigurationError          a setting is missing or wrong
    │   ├── CredentialsError            webhook, password or token refused
    │   ├── PermissionDeniedError       rights or scope missing
    │   ├── PortalBlockedError          the vendor blocked the account or the plan has no REST
    │   ├── PortalFilterError           the portal ignores filters, so what changed cannot be told
    │   ├── PortalMethodError           the portal does not know a method, or refuses its parameters
    │   ├── LeadNotFoundError           the portal has no such lead
    │   ├── LeadIdError                 the portal does not take an id as one of a lead
    │   ├── GuardError                  more leads vanished than can be believed; nothing was changed
    │   ├── SightLostError              leads went out of sight while a window was read; it will be read again
    │   ├── StateError                  the stored state is damaged, from the future, or impossible
    │   │   └── UnreadableStateError        dlt cannot read it at all
    │   └── WarehouseRefusedError       the destination refuses us: password, rights, damaged file
    ├── InternalError               a fault of leadhouse itself, exit 1
    └── DataError                   a value that no column can hold; quarantined and counted

Messages name a portal by its host, the method and the vendor's code; never a URL's path, never a body.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from leadhouse.summary import SyncSummary


class LeadhouseError(Exception):
    """The root; `exit_code` is the command's exit status."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, portal: str = "", method: str = "", code: str = "") -> None:
        super().__init__(message)
        self.portal = portal
        self.method = method
        self.code = code

    def __str__(self) -> str:
        where = " ".join(part for part in (self.portal, self.method, self.code) if part)
        return f"{where}: {self.args[0]}" if where else str(self.args[0])


class TransientError(LeadhouseError):
    """The next run may heal it."""


class PortalUnreachableError(TransientError):
    """No answer came: DNS, connection, TLS handshake, reset or time-out."""


class PortalBusyError(TransientError):
    """The vendor's rate or operating-time limit; `retry_after` is in seconds, None where the vendor named none."""

    def __init__(
        self,
        message: str,
        *,
        portal: str = "",
        method: str = "",
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, portal=portal, method=method, code=code)
        self.retry_after = retry_after


class PortalFaultError(TransientError):
    """The portal answered with a server fault or with something that is not its API."""


class PagingError(TransientError):
    """A page did not continue where the last one ended."""


class RunLockedError(TransientError):
    """Another run of the same pipeline is at work."""


class WarehouseLockedError(TransientError):
    """Another process has the DuckDB file open."""


class WarehouseUnavailableError(TransientError):
    """The warehouse cannot take the rows now."""


class CopyNotWrittenError(TransientError):
    """The run is done, but its copy for readers was not written; the next run writes it.

    Attributes:
        summary: of the run, None where there were several.
    """

    summary: "SyncSummary | None" = None


class OperatorError(LeadhouseError):
    """A person must act; the message ends with the cure."""

    exit_code = 2


class ConfigurationError(OperatorError):
    """A setting is missing or wrong."""


class CredentialsError(OperatorError):
    """Webhook, token or password refused."""


class PermissionDeniedError(OperatorError):
    """Rights or scope are missing."""


class PortalBlockedError(OperatorError):
    """The vendor blocked the account, or its plan has no REST."""


class PortalMethodError(OperatorError):
    """The portal does not know a method or refuses its parameters."""


class PortalFilterError(OperatorError):
    """The portal ignores filters: what changed since the last run cannot be told from the rest."""


class LeadNotFoundError(OperatorError):
    """The portal has no such lead."""


class LeadIdError(OperatorError):
    """The portal does not take an id as one of a lead."""


class GuardError(OperatorError):
    """More leads vanished than can be believed; nothing was changed."""


class SightLostError(OperatorError):
    """Leads went out of sight while a window was read: what was read of it proves nothing, it is to be read again."""


class StateError(OperatorError):
    """The stored state is damaged, from a newer release, or impossible."""


class UnreadableStateError(StateError):
    """The stored state is damaged so that dlt cannot read it at all; resetting it is all that can be done."""


class WarehouseRefusedError(OperatorError):
    """The destination refuses us: password, rights, damaged file."""


class InternalError(LeadhouseError):
    """A fault of leadhouse itself; the state is as before, the next run continues from the last checkpoint."""


class DataError(LeadhouseError):
    """A value that no column can hold."""
