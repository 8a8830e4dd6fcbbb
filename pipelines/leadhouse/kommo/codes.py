"""One table decides what a vendor's refusal means for the run (reference: the vendor's pages of HTTP codes and limits).

The status decides, then whether the answer is the API's own (a JSON object) or a gateway's page, then the words in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    LeadNotFoundError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
)
from leadhouse.rule import Rule

AUTHORISE = "authorise the integration in the account again and set its new refresh_token"
NO_ACCOUNT = "this is not the API of a Kommo or amoCRM account; check base_url"
_REFUSED = Rule(
    CredentialsError,
    "the account refused the token; make a new long-lived token (the private integration's keys and scopes) and set "
    "access_token",
    f"the account refused the integration's token; {AUTHORISE}",
)
_SCOPE = Rule(
    PermissionDeniedError,
    "the token lacks a scope; give the private integration access to the account's data and set a new access_token",
    f"the integration lacks a scope; give it access to the account's data, and {AUTHORISE}",
)
_RIGHTS = Rule(
    PermissionDeniedError,
    "the token's user lacks a right; let an administrator make the token",
    "the user who authorised the integration lacks a right; let an administrator authorise it again",
)
_BLOCKED = Rule(
    PortalBlockedError,
    "the vendor blocked this address after too many requests; stop the runs and write to its support with this "
    "machine's IP address and the account's subdomain",
)
_UNPAID = Rule(PortalBlockedError, "the account's subscription or trial has ended; renew it in the account")
_PARAMETER = Rule(PortalMethodError, "the account refused a parameter; report this to leadhouse")
_UNKNOWN = Rule(PortalMethodError, "the account does not know this method")
_FAULT = Rule(PortalFaultError, "the account had an internal error")
_ELSEWHERE = Rule(ConfigurationError, NO_ACCOUNT)


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of refusal, and what it means.

    Attributes:
        status: the HTTP status.
        rule: what it means.
        words: part of the title, detail or hint, in lower case; "" fits all.
        api: the answer is the API's own JSON; False: it is not; None: whatever it is.
        method: the method called; "" fits all.
    """

    status: int
    rule: Rule
    words: str = ""
    api: bool | None = None
    method: str = ""


# The first that fits decides.
CASES: tuple[Case, ...] = (
    Case(401, _REFUSED),
    Case(402, _UNPAID),
    Case(403, _SCOPE, words="scope"),
    Case(403, _BLOCKED, words="block"),
    Case(403, _RIGHTS, api=True),
    Case(403, _BLOCKED),
    Case(404, _ELSEWHERE, method="account"),
    Case(404, _UNKNOWN, words="cannot get"),
    Case(404, Rule(LeadNotFoundError, "not found"), words=" not found", api=True),
    Case(404, _UNKNOWN, api=True),
    Case(404, _ELSEWHERE),
    Case(400, _PARAMETER, api=True),
    Case(422, _PARAMETER, api=True),
    Case(405, _UNKNOWN, api=True),
    Case(405, _ELSEWHERE),
    Case(408, _FAULT),
    Case(425, _FAULT),
    Case(429, Rule(PortalBusyError, "the account's request limit is used up")),
)


def error_for(
    status: int, told: Mapping[str, Any] | None, *, portal: str, method: str, application: bool = False
) -> LeadhouseError:
    """Return the error that an answer stands for.

    Args:
        status: the HTTP status.
        told: the answer's JSON object, None where it is none; only known words are looked for, none is repeated.
        portal: the account's host.
        method: the method called.
        application: access is an application's, not a long-lived token's.
    """
    words = " ".join(str((told or {}).get(name, "")) for name in ("detail", "hint")).lower()
    for case in CASES:
        if (
            case.status == status
            and case.words in words
            and case.api in (None, told is not None)
            and case.method in ("", method)
        ):
            return case.rule.problem(portal=portal, method=method, code=str(status), application=application)
    rule = _FAULT
    if 400 <= status < 500:
        text = f"the account answered with an error that leadhouse does not know (HTTP {status})"
        rule = _ELSEWHERE if told is None else Rule(PortalMethodError, text)
    return rule.problem(portal=portal, method=method, code=str(status), application=application)
