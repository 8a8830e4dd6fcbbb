"""What is said when a task failed for good: one structured line, and a message through the channels of leadhouse."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.log import mask_secret

from leadhouse.airflow.retries import cause
from leadhouse.logs import get_logger
from leadhouse.redact import redact, share_secrets

if TYPE_CHECKING:
    from airflow.sdk import Context

log = get_logger("leadhouse.airflow")


class FailureNotifier(BaseNotifier):
    """Tells of a failed task, for `on_failure_callback`: what failed, why in one line, and where its log is.

    The log gets it always; Slack (RUNTIME__SLACK_INCOMING_HOOK, dlt's own setting) and the addresses of Apprise in
    LEADHOUSE__NOTIFY get the first failure of a row: a portal that is down all night is no news every ten minutes.
    """

    def notify(self, context: "Context") -> None:
        """Log one line, and send a message where there are channels."""
        share_secrets(mask_secret)
        task, exception = context["ti"], context.get("exception")
        problem = cause(exception) if isinstance(exception, BaseException) else None
        told = {
            "dag": task.dag_id,
            "task": task.task_id,
            "run": context["run_id"],
            "label": getattr(context["task"], "label", None),
            "why": redact(str(problem or exception or "").split("\n", 1)[0]),
            "act": "a person must act" if problem and problem.exit_code == 2 else "the next run may heal it",
            "log_url": getattr(task, "log_url", None),
        }
        log.error("task failed", **{name: value for name, value in told.items() if value})
        previous = task.get_previous_ti(map_index=-1 if task.map_index is None else task.map_index)
        if previous is None or previous.state != "failed":
            _send(told)


def _send(told: dict[str, Any]) -> None:
    """Send it; what hinders is a line in the log, the task's own failure stands."""
    from leadhouse.notify import channels, send  # noqa: PLC0415 - loads dlt

    try:
        ways = channels()
        if ways:
            title = f"{told['dag']}: {told['label'] or told['task']} failed ({told['act']})"
            send(ways, title, "\n".join(line for line in (told["why"], told["log_url"]) if line))
    except Exception as error:  # noqa: BLE001 - an address that cannot be used, files that cannot be read
        log.warning("nobody was told", why=redact(str(error).split("\n", 1)[0]))
