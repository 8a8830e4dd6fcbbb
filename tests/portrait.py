"""What a Bitrix24 portal's own data says in words, computed a second time for the tests of views."""

from collections import defaultdict
from typing import Any

import oracle
from contents import Row
from leadhouse.sandbox.bitrix24 import Portal

_KINDS = {"P": "open", "S": "won", "F": "lost"}


class Portrait:
    """A portal as it is at this moment.

    Attributes:
        portal: the portal.
        tables: what the warehouse must hold, by the oracle.
        leads: the rows of its table `leads`, by id.
        raw: the portal's own answers, by id.
        stages: names of stages by code.
        sources: names of sources by code.
    """

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.tables = oracle.expected(portal)
        self.leads = {number: row for (number,), row in self.tables["leads"].items()}
        self.raw = {int(lead["ID"]): lead for lead in portal.leads()}
        self.stages = self._names("STATUS")
        self.sources = self._names("SOURCE")
        self._users = {int(user["ID"]): f"{user['NAME']} {user['LAST_NAME']}".strip() for user in portal.users()}

    def _names(self, dictionary: str) -> dict[str, str]:
        return {row["STATUS_ID"]: row["NAME"] for row in self.portal.statuses() if row["ENTITY_ID"] == dictionary}

    def user(self, number: int | None) -> str | None:
        """Return a user's name as views have it."""
        return None if number is None else self._users.get(number) or f"user {number}"

    def kind(self, number: int) -> str:
        """Return whether a lead is open, won or lost."""
        return _KINDS[self.leads[number]["status_semantic_id"]]

    def history(self) -> dict[int, list[Row]]:
        """Return each lead's entries into stages, in their order."""
        found = defaultdict(list)
        for row in self.tables["lead_stage_history"].values():
            found[row["lead_id"]].append(row)
        return {lead: sorted(rows, key=lambda row: (row["created_time"], row["id"])) for lead, rows in found.items()}

    def values(self, table: str, lead: int) -> list[Row]:
        """Return a lead's rows of a child table in the portal's order."""
        rows = [row for row in self.tables[table].values() if row["lead_id"] == lead]
        return sorted(rows, key=lambda row: row["position"])

    def options(self, field: str) -> dict[int, str]:
        """Return the variants of a list field."""
        (found,) = [row for row in self.portal.userfields() if row["FIELD_NAME"] == field]
        return {int(option["ID"]): option["VALUE"] for option in found["LIST"]}

    def chosen(self, lead: int, field: str) -> Any:
        """Return the text of the variant that a lead has of a list field, or of each that it has."""
        value, options = self.raw[lead][field], self.options(field)
        if isinstance(value, list):
            return [options[int(one)] for one in value]
        return options[int(value)] if value else None
