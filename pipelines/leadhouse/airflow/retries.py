"""When a failed task is tried again: leadhouse's errors know whether time heals them."""

from datetime import timedelta
from typing import Any, Self

from airflow.sdk import Context, RetryDecision, RetryPolicy

from leadhouse.errors import LeadhouseError, OperatorError, PortalBusyError
from leadhouse.redact import redact


class LeadhouseRetryPolicy(RetryPolicy):
    """Fails at once where a person must act, waits as long as the portal asked for, else lets the task's settings rule.

    dlt and Airflow wrap what happened, so the whole chain of causes is looked at.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Return what to do about an exception."""
        problem = cause(exception)
        if isinstance(problem, OperatorError):
            return RetryDecision.fail(reason=redact(str(problem)))
        if isinstance(problem, PortalBusyError) and problem.retry_after is not None:
            delay = timedelta(seconds=problem.retry_after)
            return RetryDecision.retry(delay=delay, reason=redact(str(problem)))
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return nothing: there is nothing to set."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:  # noqa: ARG003 - Airflow's signature
        """Return a policy."""
        return cls()


def cause(exception: BaseException | None) -> LeadhouseError | None:
    """Return the error of leadhouse in a chain of causes."""
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        if isinstance(exception, LeadhouseError):
            return exception
        seen.add(id(exception))
        exception = exception.__cause__ or exception.__context__
    return None
