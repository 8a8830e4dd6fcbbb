"""A button on the task: where a person looks the leads up."""

from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

_PAGES = {"bitrix24": "crm/lead/list/", "kommo": "leads/list/"}


class PortalLink(BaseOperatorLink):
    """Leads to the list of leads of the portal that the task read, for who may log in there."""

    name: ClassVar[str] = "Leads in the portal"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002
        """Return the page's address; empty where the portal was not reached."""
        summary = getattr(operator, "summary", None)
        return f"https://{summary.portal}/{_PAGES[summary.source]}" if summary and summary.portal else ""
