"""The retry policy, on what dlt and Airflow really make of an error, and the notifier."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import dlt
import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowException

from leadhouse.airflow.notifiers import FailureNotifier
from leadhouse.airflow.retries import LeadhouseRetryPolicy
from leadhouse.errors import (
    CredentialsError,
    GuardError,
    InternalError,
    LeadhouseError,
    OperatorError,
    PortalBusyError,
    PortalUnreachableError,
    TransientError,
    WarehouseLockedError,
)

URL = "https://acme.bitrix24.com/rest/1/z9y8x7w6v5u4t3s2/"


def wrapped_by_dlt(error: LeadhouseError) -> BaseException:
    """Return what dlt raises where a source of ours fails in a pipeline of somebody else."""

    @dlt.resource
    def leads() -> Iterator[dict[str, int]]:
        yield {"id": 1}
        raise error

    with pytest.raises(Exception) as failed:  # noqa: PT011 - dlt's own classes
        dlt.pipeline("wrapped", destination=dlt.destinations.duckdb("wrapped.duckdb")).run(leads())
    assert type(failed.value).__name__ == "PipelineStepFailed"
    return failed.value


def wrapped_by_airflow(error: LeadhouseError) -> BaseException:
    """Return what a hook makes of an error that it catches."""
    try:
        try:
            raise error
        except LeadhouseError as cause:
            raise AirflowException("the task's own words") from cause
    except AirflowException as told:
        return told


WRAPPED = [lambda error: error, wrapped_by_dlt, wrapped_by_airflow]


@pytest.mark.parametrize("wrapped", WRAPPED, ids=["bare", "dlt", "Airflow"])
@pytest.mark.parametrize("kind", [CredentialsError, GuardError], ids=lambda kind: kind.__name__)
def test_what_a_person_must_mend_is_not_tried_again(kind: type[OperatorError], wrapped: Any) -> None:
    error = kind(f"make a new webhook instead of {URL}", portal="acme.bitrix24.com")
    decision = LeadhouseRetryPolicy().evaluate(wrapped(error), 1, 3)
    assert decision.action is RetryAction.FAIL
    assert decision.reason == "acme.bitrix24.com: make a new webhook instead of https://acme.bitrix24.com/rest/1/***/"


@pytest.mark.parametrize("wrapped", WRAPPED, ids=["bare", "dlt", "Airflow"])
def test_a_busy_portal_is_given_the_time_that_it_asks_for(wrapped: Any) -> None:
    error = PortalBusyError("the limit is used up", portal="acme.bitrix24.com", retry_after=90.0)
    decision = LeadhouseRetryPolicy().evaluate(wrapped(error), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=90))


@pytest.mark.parametrize(
    "error",
    [
        PortalBusyError("the limit is used up"),
        PortalUnreachableError("connection refused"),
        WarehouseLockedError("in use"),
        TransientError("later"),
        InternalError("a fault of ours"),
        ValueError("of somebody else"),
        SystemExit(1),
    ],
    ids=lambda error: type(error).__name__,
)
def test_for_anything_else_the_tasks_own_settings_rule(error: BaseException) -> None:
    assert LeadhouseRetryPolicy().evaluate(error, 1, 3).action is RetryAction.DEFAULT


def test_a_chain_that_leads_back_to_itself_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert LeadhouseRetryPolicy().evaluate(one, 1, 3).action is RetryAction.DEFAULT


def failed(error: BaseException, before: str = "success") -> Any:
    """Return what the notifier looks at of a failed task's context; `before` is how the run before ended."""
    task = SimpleNamespace(
        dag_id="leadhouse_sync",
        task_id="portal.sync",
        map_index=2,
        log_url="http://airflow.example.com/log",
        get_previous_ti=lambda map_index: SimpleNamespace(state=before) if map_index == 2 else None,
    )
    return {"ti": task, "task": SimpleNamespace(label="bitrix24.acme"), "run_id": "r1", "exception": error}


def test_a_failure_is_one_structured_line(capfd: pytest.CaptureFixture[str]) -> None:
    FailureNotifier().notify(failed(CredentialsError(f"make a new webhook, not {URL}", portal="acme.bitrix24.com")))
    out, err = capfd.readouterr()
    (line,) = [line for line in (out + err).splitlines() if "task failed" in line]
    for told in (
        "leadhouse_sync",
        "portal.sync",
        "bitrix24.acme",
        "a person must act",
        "http://airflow.example.com/log",
    ):
        assert told in line
    assert "z9y8x7w6v5u4t3s2" not in out + err


def test_slack_hears_of_it_where_it_is_configured(
    slack: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hook, messages = slack
    monkeypatch.setenv("RUNTIME__SLACK_INCOMING_HOOK", hook)
    FailureNotifier().notify(failed(PortalUnreachableError("connection refused", portal="acme.bitrix24.com")))
    assert messages[0]["text"].splitlines() == [
        "leadhouse_sync: bitrix24.acme failed (the next run may heal it)",
        "acme.bitrix24.com: connection refused",
        "http://airflow.example.com/log",
    ]
    FailureNotifier().notify(failed(PortalUnreachableError("connection refused"), before="failed"))
    assert len(messages) == 1, "a portal that stays down is no news"
    FailureNotifier().notify(failed(PortalUnreachableError("connection refused", portal="acme.bitrix24.com")))
    out, err = capfd.readouterr()
    assert "a message could not be sent" in out + err
    assert "an-invented-hook-secret" not in out + err
