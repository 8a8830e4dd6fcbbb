"""The sandbox portals of each source as processes: how to reach them, what they were asked for, what they hold."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import kommo_oracle
import oracle
from crash.processes import PortalProcess, Served
from leadhouse.bitrix24 import client as bitrix24_pages
from leadhouse.flow import NARROW
from leadhouse.kommo import walk as kommo_pages

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Portal
    from leadhouse.sandbox.kommo import Account


@dataclass
class _Bitrix24Truth:
    """What a portal in another process holds; answers what the oracle asks a `Portal`."""

    told: dict[str, Any]

    def leads(self) -> list[dict[str, Any]]:
        """Return all readable leads."""
        return list(self.told["leads"])

    def stage_history(self) -> list[dict[str, Any]]:
        """Return the rows of stage history."""
        return list(self.told["stage_history"])

    def userfields(self) -> list[dict[str, Any]]:
        """Return the user fields of leads."""
        return list(self.told["userfields"])


class Bitrix24Process(PortalProcess):
    """A Bitrix24 portal."""

    source = "bitrix24"
    page_rows = bitrix24_pages.PAGE_ROWS
    weights = {"leads": 1, "lead_stage_history": 1 / NARROW}  # noqa: RUF012 - nobody changes it

    @property
    def control(self) -> str:
        """The URL of its control surface."""
        return self.url.replace("/rest/1/", "/sandbox/")

    def access(self) -> dict[str, str]:
        """Return how to reach it at once, unpaced, as environment."""
        rates = dict.fromkeys(("SOURCES__BITRIX24__REQUESTS_PER_SECOND", "SOURCES__BITRIX24__BURST"), "100000")
        return {"SOURCES__BITRIX24__WEBHOOK_URL": self.url, **rates}

    def served(self) -> Served:
        """Return what the portal was asked for so far."""
        told = self.told("stats")
        methods = {"leads": "crm.lead.list", "lead_stage_history": "crm.stagehistory.list"}
        return Served(told["http_requests"], {table: told["commands"].get(name, 0) for table, name in methods.items()})

    def assert_equal(self, to: str) -> None:
        """Fail unless a warehouse holds exactly what the portal has."""
        oracle.assert_equal(cast("Portal", _Bitrix24Truth(self.told("truth"))), to)


@dataclass
class _KommoTruth:
    """What an account in another process holds; answers what the oracle asks an `Account`, but its dictionaries."""

    told: dict[str, Any]
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/London"))

    def leads(self) -> list[dict[str, Any]]:
        """Return all readable leads."""
        return list(self.told["leads"])

    def contacts(self) -> list[dict[str, Any]]:
        """Return all contacts."""
        return list(self.told["contacts"])

    def companies(self) -> list[dict[str, Any]]:
        """Return all companies."""
        return list(self.told["companies"])


class KommoProcess(PortalProcess):
    """A Kommo account. A contact has about three rows in all, which weigh together."""

    source = "kommo"
    page_rows = kommo_pages.PAGE_ROWS
    weights = {"leads": 1, "contacts": 3 / NARROW}  # noqa: RUF012 - nobody changes it
    _lines = 2

    @property
    def control(self) -> str:
        """The URL of its control surface."""
        return f"{self.url}/sandbox/{self.said[1]}/"

    def access(self) -> dict[str, str]:
        """Return how to reach it at once, unpaced, as environment."""
        told = {"BASE_URL": self.url, "ACCESS_TOKEN": self.said[1], "REQUESTS_PER_SECOND": "100000"}
        return {f"SOURCES__KOMMO__{name}": value for name, value in told.items()}

    def served(self) -> Served:
        """Return what the account was asked for so far."""
        told = self.told("stats")
        return Served(
            told["http_requests"], {table: told["requests"].get(f"/api/v4/{table}", 0) for table in self.weights}
        )

    def repeated(self) -> float:
        """Return what draining the fullest second takes: two passes by id, behind two pages that begin with it."""
        truth = self.told("truth")
        fullest = {table: Counter(row["updated_at"] for row in truth[table]).most_common(1) for table in self.weights}
        pages = {table: 2 * math.ceil(rows / self.page_rows) + 2 for table, ((_, rows),) in fullest.items()}
        return sum(self.weights[table] * number * self.page_rows for table, number in pages.items())

    def assert_equal(self, to: str) -> None:
        """Fail unless a warehouse holds exactly what the account has."""
        kommo_oracle.assert_equal(cast("Account", _KommoTruth(self.told("truth"))), to, told=False)
