"""What an account knows besides cards: people, pipelines, loss reasons, tags, sources, custom fields."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from . import dictionaries
from .custom_fields import CustomField

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .switches import Switches

WON, LOST = 142, 143
Rows = list[dict[str, Any]]


def link(href: str) -> dict[str, Any]:
    """Return ``_links`` to a card or setting itself."""
    return {"self": {"href": href}}


class Office:
    """Settings of an account. Thread-safe by ``lock``.

    ``stages`` maps each pipeline to its statuses in order; ``origin`` is scheme, host and port in links of the truth,
    the address where the account is served, else the vendor's.
    """

    def __init__(self, subdomain: str, switches: Switches) -> None:
        self.lock = threading.RLock()
        self.subdomain = subdomain
        self.switches = switches
        self.account_id = 33_000_123
        self.user_id = dictionaries.FIRST_USER
        self.origin = f"https://{subdomain}.kommo.com"
        self._users = dictionaries.users()
        self._pipelines = dictionaries.pipelines()
        self._loss_reasons = dictionaries.loss_reasons()
        self.sources = dict(dictionaries.SOURCES)
        self.tags = dictionaries.tags()
        self.fields = dictionaries.custom_fields()
        self._field_ids = itertools.count(881_001)
        self._enum_ids = itertools.count(591_001)

    # Reading

    @property
    def stages(self) -> dict[int, list[int]]:
        """Statuses of each pipeline, in order."""
        return {row["id"]: [status["id"] for status in row["statuses"]] for row in self._pipelines}

    def pipelines(self, base: str | None = None) -> Rows:
        """Return the rows of ``GET /leads/pipelines``; ``base`` begins their links."""
        with self.lock:
            base = base or self.origin
            return [self._pipeline(row, base) for row in self._pipelines]

    def _pipeline(self, row: dict[str, Any], base: str) -> dict[str, Any]:
        here = f"{base}/api/v4/leads/pipelines/{row['id']}"
        shown = {key: value for key, value in row.items() if key != "statuses"}
        statuses = [
            {**status, "account_id": self.account_id, "_links": link(f"{here}/statuses/{status['id']}")}
            for status in row["statuses"]
        ]
        return {**shown, "account_id": self.account_id, "_links": link(here), "_embedded": {"statuses": statuses}}

    def users(self, base: str | None = None) -> Rows:
        """Return the rows of ``GET /users`` without any ``with``."""
        with self.lock:
            base = base or self.origin
            return [{**row, "_links": link(f"{base}/api/v4/users/{row['id']}")} for row in self._users]

    def loss_reasons(self, base: str | None = None) -> Rows:
        """Return the rows of ``GET /leads/loss_reasons``."""
        with self.lock:
            path = f"{base or self.origin}/api/v4/leads/loss_reasons"
            return [{**row, "_links": link(f"{path}/{row['id']}")} for row in self._loss_reasons]

    def custom_fields(self, entity: str, base: str | None = None) -> Rows:
        """Return the rows of ``GET /{entity}/custom_fields`` of leads, contacts or companies."""
        with self.lock:
            group = self.switches.field_group
            return [own.definition(self.account_id, base or self.origin, group) for own in self.fields[entity].values()]

    def group_of(self, user_id: int) -> int:
        """Return the group of a user, 0 of one who has left."""
        return next((row["rights"]["group_id"] for row in self._users if row["id"] == user_id), 0)

    def loss_reason(self, id_: int) -> dict[str, Any] | None:
        """Return a loss reason without links."""
        return next((row for row in self._loss_reasons if row["id"] == id_), None)

    def tag(self, name: str) -> dict[str, Any]:
        """Return the tag of a name, a new one when there is none."""
        for tag in self.tags:
            if tag["name"] == name:
                return tag
        tag = {"id": max((tag["id"] for tag in self.tags), default=70_000) + 1, "name": name, "color": None}
        self.tags.append(tag)
        return tag

    # Changing

    def add_custom_field(
        self,
        entity: str,
        name: str,
        type: str,  # noqa: A002 - the vendor's word
        code: str | None = None,
        enums: Iterable[str] = (),
    ) -> int:
        """Add a custom field to leads, contacts or companies and return its id; ``enums`` are texts of its choices.

        Values of a type that nobody knows yet are kept as they are given.
        """
        with self.lock:
            choices = [(next(self._enum_ids), text, None) for text in enums]
            own = CustomField(next(self._field_ids), entity, name, type, code, list(choices))
            self.fields[entity][own.id] = own
            return own.id

    def add_user(self, name: str, email: str) -> int:
        """Add a user of the main group and return the id."""
        with self.lock:
            id_: int = 1 + max(row["id"] for row in self._users)
            self._users.append(dictionaries.user(id_, name, email))
            return id_

    def remove_user(self, id_: int) -> None:
        """Dismiss a user: the id stays on cards, the user is listed no more."""
        with self.lock:
            self._users = [row for row in self._users if row["id"] != id_]

    def add_stage(self, pipeline_id: int, name: str, status_id: int | None = None) -> int:
        """Add a status before won and lost of a pipeline and return its id."""
        with self.lock:
            statuses = self._statuses(pipeline_id)
            known: list[int] = [status["id"] for row in self._pipelines for status in row["statuses"]]
            id_ = status_id or max(known) + 1
            sort = statuses[-3]["sort"] + 10
            statuses.insert(len(statuses) - 2, dictionaries.status(pipeline_id, id_, name, sort))
            return id_

    def rename_stage(self, pipeline_id: int, status_id: int, name: str) -> None:
        """Rename a status of a pipeline; no lead changes."""
        with self.lock:
            for status in self._statuses(pipeline_id):
                if status["id"] == status_id:
                    status["name"] = name

    def _statuses(self, pipeline_id: int) -> Rows:
        found: Rows = next(row["statuses"] for row in self._pipelines if row["id"] == pipeline_id)
        return found
