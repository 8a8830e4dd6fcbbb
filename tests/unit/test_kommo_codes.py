"""The vendor's refusals: every row of the table is reached by the answer it is for, in words of ours, with a cure."""

from typing import Any

import pytest

from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    LeadNotFoundError,
    OperatorError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
    TransientError,
)
from leadhouse.kommo.codes import CASES, Case, error_for

# The vendor's answers, documented or seen live: status, detail (None: a gateway's page), method, what a run must do.
SEEN: list[tuple[int, str | None, str, type[LeadhouseError]]] = [
    (400, "Request validation failed", "leads", PortalMethodError),
    (400, "Request data can not be empty", "leads", PortalMethodError),
    (401, "Invalid user name or password", "leads", CredentialsError),
    (401, None, "leads", CredentialsError),
    (402, "Payment required", "account", PortalBlockedError),
    (402, None, "leads", PortalBlockedError),
    (403, "Client doesn't have the required scope", "events", PermissionDeniedError),
    (403, "Insufficient rights", "users", PermissionDeniedError),
    (403, "", "users", PermissionDeniedError),
    (403, "Account blocked", "leads", PortalBlockedError),
    (403, None, "leads", PortalBlockedError),
    (404, "Cannot GET https://acme-demo.kommo.com/api/v4/nonsense?name=not found", "nonsense", PortalMethodError),
    (404, "Loss reason not found", "leads/loss_reasons/1", LeadNotFoundError),
    (404, "", "leads", PortalMethodError),
    (404, None, "leads", ConfigurationError),
    (404, None, "account", ConfigurationError),
    (404, "Account not found", "account", ConfigurationError),
    (404, "Cannot GET https://acme-demo.kommo.com/api/v4/account", "account", ConfigurationError),
    (405, "Method not allowed", "leads", PortalMethodError),
    (405, None, "leads", ConfigurationError),
    (408, None, "leads", PortalFaultError),
    (422, "Limit 250 per page", "leads", PortalMethodError),
    (425, None, "leads", PortalFaultError),
    (429, "You have sent too many requests in a given amount of time.", "leads", PortalBusyError),
    (429, None, "leads", PortalBusyError),
    (500, "Internal error", "leads", PortalFaultError),
    (502, None, "leads", PortalFaultError),
    (504, None, "leads", PortalFaultError),
]


def told(status: int, detail: Any, method: str = "leads", *, application: bool = False) -> LeadhouseError:
    body = None if detail is None else {"title": "A title", "status": status, "detail": detail}
    return error_for(status, body, portal="acme-demo.kommo.com", method=method, application=application)


@pytest.mark.parametrize(("status", "detail", "method", "cls"), SEEN)
def test_every_answer_of_the_vendor_means_what_a_run_must_do(
    status: int, detail: str | None, method: str, cls: type[LeadhouseError]
) -> None:
    error = told(status, detail, method)
    assert type(error) is cls
    assert (error.portal, error.method, error.code) == ("acme-demo.kommo.com", method, str(status))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.words} {case.api} {case.method}")
def test_every_row_of_the_table_decides_about_the_answer_it_is_for(case: Case) -> None:
    detail = None if case.api is False or (case.api is None and not case.words) else f"Something{case.words} of Olga"
    error = told(case.status, detail, case.method or "leads")
    assert type(error) is case.rule.error
    assert error.args[0] == case.rule.text
    assert isinstance(error, TransientError | OperatorError)
    assert "Olga" not in str(error)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.words} {case.api} {case.method}")
def test_an_operator_of_an_integration_is_told_nothing_of_long_lived_tokens(case: Case) -> None:
    detail = None if case.api is False or (case.api is None and not case.words) else f"Something{case.words}"
    error = told(case.status, detail, case.method or "leads", application=True)
    assert type(error) is case.rule.error
    assert "long-lived" not in str(error)
    assert "access_token" not in str(error)


@pytest.mark.parametrize("detail", [None, "", "anything", 5, {"a": 1}, ["x"]])
@pytest.mark.parametrize(("status", "cls"), [(500, PortalFaultError), (503, PortalFaultError), (599, PortalFaultError)])
def test_every_server_fault_may_pass(status: int, cls: type[LeadhouseError], detail: Any) -> None:
    assert type(told(status, detail)) is cls


@pytest.mark.parametrize("status", [406, 409, 410, 415, 418, 451])
def test_what_nobody_documented_is_for_a_person(status: int) -> None:
    assert type(told(status, "Something new")) is PortalMethodError
    assert f"HTTP {status}" in str(told(status, "Something new"))
    assert type(told(status, None)) is ConfigurationError
