"""One table decides what a vendor's error code means for the run (reference: vendor's system errors, limits page).

The code decides, not the HTTP status: live portals answer `INVALID_CREDENTIALS` with 401 and with 403.
"""

from typing import Any

from leadhouse.errors import (
    CredentialsError,
    LeadhouseError,
    LeadIdError,
    LeadNotFoundError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
)
from leadhouse.rule import Rule

_NEW_WEBHOOK = (
    "the portal refused the webhook; make a new one (Developer resources > Inbound webhook) and update webhook_url"
)
AUTHORISE = "authorise the application in the portal again and set its new refresh_token"
_REFUSED = f"the portal refused the application's token; {AUTHORISE}"
SCOPE = f"the application lacks a scope; give it crm and user, and {AUTHORISE}"
_ADMINISTRATOR = "the user who authorised the application may not read leads; let an administrator authorise it again"
_PLAN = "the portal's plan has no REST; switch the plan or subscribe to the Market, or ask the vendor's support"

CODES: dict[str, Rule] = {
    "QUERY_LIMIT_EXCEEDED": Rule(PortalBusyError, "the portal's request limit is used up"),
    "OPERATION_TIME_LIMIT": Rule(PortalBusyError, "the portal's operating-time limit is used up"),
    "INTERNAL_SERVER_ERROR": Rule(PortalFaultError, "the portal had an internal error"),
    "ERROR_UNEXPECTED_ANSWER": Rule(PortalFaultError, "the portal had an internal error"),
    "ERROR_CORE": Rule(PortalFaultError, "the portal had an internal error"),
    "CONNECTION_ERROR": Rule(PortalFaultError, "the portal could not reach its own service"),
    "INVALID_CREDENTIALS": Rule(CredentialsError, _NEW_WEBHOOK, _REFUSED),
    "NO_AUTH_FOUND": Rule(CredentialsError, _NEW_WEBHOOK, _REFUSED),
    "EXPIRED_TOKEN": Rule(CredentialsError, _NEW_WEBHOOK, _REFUSED),
    "INVALID_TOKEN": Rule(CredentialsError, _NEW_WEBHOOK, _REFUSED),
    "AUTHORIZATION_ERROR": Rule(CredentialsError, _NEW_WEBHOOK, _REFUSED),
    "APPLICATION_NOT_FOUND": Rule(CredentialsError, _NEW_WEBHOOK, _REFUSED),
    "WRONG_AUTH_TYPE": Rule(
        CredentialsError,
        "the method cannot be called through a webhook",
        "the method cannot be called by an application",
    ),
    "INSUFFICIENT_SCOPE": Rule(
        PermissionDeniedError, "the webhook lacks a scope; edit it and tick crm and user (Developer resources)", SCOPE
    ),
    "USER_ACCESS_ERROR": Rule(
        PermissionDeniedError, "the webhook's user has no access; use an administrator's webhook", _ADMINISTRATOR
    ),
    "ALLOWED_ONLY_INTRANET_USER": Rule(
        PermissionDeniedError,
        "the webhook belongs to an extranet user; use an administrator's webhook",
        _ADMINISTRATOR,
    ),
    "METHOD_CONFIRM_WAITING": Rule(PermissionDeniedError, "an administrator of the portal must confirm this access"),
    "ACCESS_DENIED": Rule(PortalBlockedError, _PLAN),
    "PAYMENT_REQUIRED": Rule(PortalBlockedError, _PLAN),
    "OVERLOAD_LIMIT": Rule(
        PortalBlockedError, "the vendor blocked this portal's REST by hand; only the vendor's support lifts it"
    ),
    "PORTAL_DELETED": Rule(PortalBlockedError, "the portal was deleted; remove it from the configuration"),
    "INVALID_REQUEST": Rule(
        PortalMethodError, "the portal insists on https; correct webhook_url", "the portal insists on https"
    ),
    "ERROR_METHOD_NOT_FOUND": Rule(PortalMethodError, "the portal does not know this method"),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": Rule(PortalMethodError, "the portal does not allow this method in a batch"),
    "ERROR_BATCH_LENGTH_EXCEEDED": Rule(PortalMethodError, "the batch was too long; report this to leadhouse"),
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": Rule(PortalMethodError, "the application's manifest is not available"),
    "ERROR_ARGUMENT": Rule(PortalMethodError, "the portal refused a parameter; report this to leadhouse"),
    "INVALID_ARG_VALUE": Rule(PortalMethodError, "the portal refused a parameter; report this to leadhouse"),
    "ENTITY_TYPE_NOT_SUPPORTED": Rule(PortalMethodError, "the portal has no leads (simple CRM mode); nothing to read"),
    "NOT_FOUND": Rule(LeadNotFoundError, "not found"),
    "WRONG_ENCODING": Rule(PortalMethodError, "the portal could not read the request; report this to leadhouse"),
    "100": Rule(PortalMethodError, "the portal missed a parameter; report this to leadhouse"),
}

_DESCRIPTIONS: dict[str, Rule] = {
    "access denied": Rule(
        PermissionDeniedError, "the webhook's user may not read leads; use an administrator's webhook", _ADMINISTRATOR
    ),
    "not found": Rule(LeadNotFoundError, "not found"),
    "lead is not found": Rule(LeadNotFoundError, "not found"),
    "id is not defined or invalid": Rule(LeadIdError, "the id is not one of a lead"),
    "too many requests": CODES["QUERY_LIMIT_EXCEEDED"],
}


def error_for(
    code: Any, description: Any, status: int, *, portal: str, method: str, application: bool = False
) -> LeadhouseError:
    """Return the error that a portal's answer stands for.

    Args:
        code: the value of `error`: a string, often empty, sometimes a number.
        description: `error_description`; only known texts of the vendor are looked at, none is repeated.
        status: the HTTP status, used only where code and description say nothing.
        portal: the portal's host.
        method: the method called.
        application: access is an application's, not a webhook's.
    """
    name = str(code).strip()
    text = str(description or "").strip().rstrip(".!").lower()
    rule = CODES.get(name.upper())
    if name.upper() == "ACCESS_DENIED" and "commercial" not in text and status != 403:
        rule = _DESCRIPTIONS["access denied"]  # crm.item.*: no right to this item; the plan's code is a 403
    if rule is None and name in ("", "0"):
        rule = _DESCRIPTIONS.get(text)
    if rule is None:
        transient = status >= 500 or status == 429
        rule = Rule(
            PortalFaultError if transient else PortalMethodError,
            f"the portal answered with an error that leadhouse does not know (HTTP {status})",
        )
    return rule.problem(portal=portal, method=method, code=name, application=application)
