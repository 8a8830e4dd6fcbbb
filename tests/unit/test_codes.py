"""The vendor's error codes: every documented one is in the table, and the table decides what happens next."""

from typing import Any

import pytest

from leadhouse.bitrix24.codes import CODES, error_for
from leadhouse.errors import (
    CredentialsError,
    LeadhouseError,
    LeadIdError,
    LeadNotFoundError,
    OperatorError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
    TransientError,
)

# The vendor's table of system errors: documented status, code, description, and what a run must do.
SYSTEM: list[tuple[int, str, str, type[LeadhouseError]]] = [
    (500, "INTERNAL_SERVER_ERROR", "Internal server error", PortalFaultError),
    (500, "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response", PortalFaultError),
    (503, "QUERY_LIMIT_EXCEEDED", "Too many requests", PortalBusyError),
    (429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit", PortalBusyError),
    (405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage", PortalMethodError),
    (400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", PortalMethodError),
    (401, "NO_AUTH_FOUND", "Wrong authorization data", CredentialsError),
    (400, "INVALID_REQUEST", "Https required", PortalMethodError),
    (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload", PortalBlockedError),
    (403, "ACCESS_DENIED", "REST API is available only on commercial plans", PortalBlockedError),
    (403, "INVALID_CREDENTIALS", "Invalid request credentials", CredentialsError),
    (404, "ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available", PortalMethodError),
    (403, "insufficient_scope", "The request requires higher privileges than provided", PermissionDeniedError),
    (401, "expired_token", "The access token provided has expired", CredentialsError),
    (403, "user_access_error", "The user does not have access to the application", PermissionDeniedError),
    (500, "PORTAL_DELETED", "Portal was deleted", PortalBlockedError),
    (404, "ERROR_METHOD_NOT_FOUND", "Method not found!", PortalMethodError),
    (400, "ERROR_CORE", "text of an internal error", PortalFaultError),
    (400, "ERROR_ARGUMENT", "Argument 'filter' is invalid", PortalMethodError),
    (403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method", CredentialsError),
    (401, "METHOD_CONFIRM_WAITING", "Waiting for confirmation", PermissionDeniedError),
    (400, "WRONG_ENCODING", "Wrong request encoding", PortalMethodError),
    (400, "INVALID_ARG_VALUE", "Invalid filter: field 'X' is not allowed in filter", PortalMethodError),
    (400, "NOT_FOUND", "Element not found", LeadNotFoundError),
    (400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported", PortalMethodError),
    (403, "allowed_only_intranet_user", "Only for intranet users", PermissionDeniedError),
    (401, "APPLICATION_NOT_FOUND", "Application not found", CredentialsError),
    (401, "CONNECTION_ERROR", "Error connecting to authorization server", PortalFaultError),
    (401, "authorization_error", "Unable to authorize user", CredentialsError),
]


def told(code: Any, text: Any, status: int) -> LeadhouseError:
    return error_for(code, text, status, portal="acme.bitrix24.com", method="crm.lead.list")


@pytest.mark.parametrize(("status", "code", "text", "cls"), SYSTEM, ids=[row[1] for row in SYSTEM])
def test_every_documented_code_is_in_the_table_and_decides(
    status: int, code: str, text: str, cls: type[LeadhouseError]
) -> None:
    assert code.upper() in CODES
    error = told(code, text, status)
    assert type(error) is cls
    assert (error.portal, error.method, error.code) == ("acme.bitrix24.com", "crm.lead.list", code)


@pytest.mark.parametrize(("status", "code", "text", "cls"), SYSTEM, ids=[row[1] for row in SYSTEM])
def test_the_code_decides_and_not_the_status(status: int, code: str, text: str, cls: type[LeadhouseError]) -> None:
    """Live portals answer the same code with 401 and 403, a batch has 200 for all."""
    for other in (200, 400, 401, 403, 500):
        assert type(told(code, text, other)) is cls, (other, status)
    assert type(told(code.lower(), text, status)) is cls


@pytest.mark.parametrize("code", CODES)
def test_every_row_of_the_table_is_told_to_the_operator_in_words_of_ours(code: str) -> None:
    error = told(code, "private words of the portal about Olga Kim", 403)
    assert isinstance(error, TransientError | OperatorError)
    assert error.args[0] == CODES[code].text
    assert code == code.upper()
    assert "Olga" not in str(error)


@pytest.mark.parametrize("code", [code for code in CODES if issubclass(CODES[code].error, OperatorError)])
def test_no_operators_error_is_retried(code: str) -> None:
    assert not isinstance(told(code, "", 503), TransientError)


def test_access_denied_to_an_item_is_a_matter_of_rights_not_of_the_plan() -> None:
    assert isinstance(told("ACCESS_DENIED", "Доступ запрещен", 400), PermissionDeniedError)
    assert isinstance(told("ACCESS_DENIED", "Access denied", 200), PermissionDeniedError)
    assert isinstance(told("ACCESS_DENIED", "REST API is available only on commercial plans", 200), PortalBlockedError)


@pytest.mark.parametrize("code", ["", "0", 0])
@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("Access denied.", PermissionDeniedError),
        ("Access denied", PermissionDeniedError),
        ("ACCESS DENIED!", PermissionDeniedError),
        ("Not found", LeadNotFoundError),
        ("Lead is not found.", LeadNotFoundError),
        ("ID is not defined or invalid.", LeadIdError),
        ("Too many requests", PortalBusyError),
    ],
)
def test_without_a_code_the_vendors_known_texts_decide(code: Any, text: str, cls: type[LeadhouseError]) -> None:
    assert type(told(code, text, 400)) is cls


@pytest.mark.parametrize("code", ["", 0, None, False, [], "NEW_CODE", 12345])
@pytest.mark.parametrize(
    ("status", "cls"),
    [(400, PortalMethodError), (403, PortalMethodError), (429, PortalFaultError), (500, PortalFaultError)],
)
@pytest.mark.parametrize("text", [None, "", "anything", 5, {"a": 1}])
def test_what_nobody_documented_is_told_by_its_status(
    code: Any, text: Any, status: int, cls: type[LeadhouseError]
) -> None:
    error = told(code, text, status)
    assert type(error) is cls
    assert f"HTTP {status}" in str(error)


def test_a_missing_parameter_has_a_number_for_a_code() -> None:
    assert type(told(100, "Could not find value for parameter {entityTypeId}", 400)) is PortalMethodError


@pytest.mark.parametrize("code", sorted(CODES))
def test_an_operator_of_an_application_is_told_nothing_of_webhooks(code: str) -> None:
    error = error_for(code, "", 403, portal="acme.bitrix24.com", method="crm.lead.list", application=True)
    assert type(error) is CODES[code].error
    assert "webhook" not in str(error)


def test_an_application_without_the_right_to_read_leads_is_told_by_description_too() -> None:
    error = error_for("", "Access denied.", 400, portal="acme.bitrix24.com", method="crm.lead.list", application=True)
    assert isinstance(error, PermissionDeniedError)
    assert str(error).endswith("let an administrator authorise it again")
