"""Params of the DAGs: what a person may choose for one run, each with a schema that refuses garbage."""

from airflow.sdk import Param

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$"
_LIMIT = r"^(\d{1,12}|\d{1,3}(\.\d+)?%)$"


def _time(title: str) -> Param:
    about = "Of modification, UTC where no zone is given. The span is read again; the cursor stays where it is"
    return Param(None, type=["null", "string"], format="date-time", pattern=_TIME, title=title, description=about)


def _flag(title: str, about: str) -> Param:
    return Param(False, type="boolean", title=title, description=about)


_PORTALS = Param(
    None,
    type=["null", "array"],
    items={"type": "string", "minLength": 1},
    title="Portals",
    description='Only these, like "bitrix24.acme" or a connection\'s id; empty: every one that is configured',
)
_DELETIONS = Param(
    None,
    type=["null", "string"],
    pattern=_LIMIT,
    title="Deletions believed",
    description="Leads that may have vanished before reconcile refuses, like 500 or 5%; empty: 10 % or 100",
)
SYNC_PARAMS = {
    "portals": _PORTALS,
    "since": _time("Since"),
    "until": _time("Until"),
    "full": _flag("Everything", "Read everything again into place"),
    "reconcile": _flag("Reconcile", "Then look for leads that vanished, or that no sync could see"),
    "max_deletions": _DELETIONS,
}
RECONCILE_PARAMS = {
    "portals": _PORTALS,
    "deep": _flag("Deep", "Compare the modification time of every lead"),
    "every_lead": _flag("Every lead", "Read every lead again, for edits that moved no date"),
    "max_deletions": _DELETIONS,
}
