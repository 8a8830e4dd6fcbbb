"""What is said when a task failed: one structured line, and a Slack message where dlt's configuration has a hook."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.log import mask_secret

from leadhouse.airflow.retries import cause
from leadhouse.logs import get_logger
from leadhouse.redact import redact, register_secrets, share_secrets
from leadhouse.settings import configure_dlt

if TYPE_CHECKING:
    from airflow.sdk import Context

log = get_logger("leadhouse.airflow")


class FailureNotifier(BaseNotifier):
    """Tells of a failed task, for `on_failure_callback`: what failed, why in one line, and where its log is.

    Slack gets it where RUNTIME__SLACK_INCOMING_HOOK, dlt's own setting, has an incoming webhook: the first failure of a
    row, since a portal that is down all night is no news every ten minutes.
    """

    def notify(self, context: "Context") -> None:
        """Log one line and send it."""
        share_secrets(mask_secret)
        task = context["ti"]
        exception = context.get("exception")
        problem = cause(exception) if isinstance(exception, BaseException) else None
        told = {
            "dag": task.dag_id,
            "task": task.task_id,
            "run": context["run_id"],
            "portal": getattr(context["task"], "label", None),
            "why": redact(str(problem or exception or "").split("\n", 1)[0]),
            "act": "a person must act"
            if problem is not None and problem.exit_code == 2
            else "the next run may heal it",
            "log_url": getattr(task, "log_url", None),
        }
        log.error("task failed", **{name: value for name, value in told.items() if value})
        previous = task.get_previous_ti(map_index=-1 if task.map_index is None else task.map_index)
        if previous is None or previous.state != "failed":
            _send(told)


def _send(told: dict[str, Any]) -> None:
    """Send it to Slack; that it cannot be sent is a line in the log."""
    configure_dlt()
    import dlt  # noqa: PLC0415 - costs half a second

    hook: Any = dlt.secrets.get("runtime.slack_incoming_hook")
    if not hook:
        return
    register_secrets([str(hook), str(hook).rpartition("/")[2]])
    from dlt.common.runtime.slack import send_slack_message  # noqa: PLC0415

    name = told["portal"] or told["task"]
    lines = [f"*{told['dag']}: {name} failed* ({told['act']})", told["why"], told["log_url"] or ""]
    try:
        send_slack_message(str(hook), "\n".join(line for line in lines if line))
    except Exception as error:  # noqa: BLE001 - whatever requests raises, the failure itself was logged
        log.warning("the message could not be sent to Slack", why=type(error).__name__)
