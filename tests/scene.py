"""The scene of most tests: one Bitrix24 portal, one warehouse, and syncs between them."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import pytest

import contents
import oracle
from any_scene import AnyScene, Crash, crash_at, keeping, leftovers, lose_disk
from leadhouse.bitrix24.walk import Walk
from leadhouse.sandbox.bitrix24 import Clock, Portal
from leadhouse.sandbox.faults import Faults

__all__ = [
    "NOON",
    "NOON_UTC",
    "Crash",
    "Scene",
    "crash_at",
    "in_small_packages",
    "leftovers",
    "lose_disk",
    "small_portal",
]

NOON = "2026-11-21T12:00:00+03:00"
NOON_UTC = "2026-11-21T09:00:00Z"
OLD = "2019-05-05T10:00:00+03:00"


def small_portal(leads: int = 150, seed: int = 3, timezone: str = "Europe/Moscow") -> Portal:
    """Return a portal whose clock stands at noon."""
    return Portal(leads=leads, seed=seed, timezone=timezone, clock=Clock.frozen(NOON))


@dataclass
class Scene(AnyScene):
    """A portal, its webhook URL, and the warehouse that follows it.

    `api` is the family of methods, `renamed` has the columns of user fields that had another type before.
    """

    portal: Portal
    api: str = "lead"
    renamed: dict[str, str] = field(default_factory=dict)

    source: ClassVar[str] = "bitrix24"
    title_column: ClassVar[str] = "title"
    amount_column: ClassVar[str] = "opportunity"
    modified_column: ClassVar[str] = "date_modify"
    created_column: ClassVar[str] = "date_create"
    phones_table: ClassVar[str] = "lead_phones"
    phones_parent: ClassVar[str] = "lead_id"
    emails_table: ClassVar[str] = "lead_emails"
    child_tables: ClassVar[tuple[str, ...]] = ("lead_custom_values", *oracle.MULTIFIELD_TABLES.values())
    read_again: ClassVar[int] = 0
    brings_edits_back: ClassVar[bool] = False

    def way_in(self) -> dict[str, Any]:
        """Return how to reach the portal."""
        return {"api": self.api, "webhook_url": self.url, "burst": 10_000}

    def environment(self) -> dict[str, str]:
        """Return the same as variables of the environment."""
        return {"SOURCES__BITRIX24__WEBHOOK_URL": self.url}

    def custom_columns(self) -> dict[str, str]:
        """Return the columns of `leads` that user fields make, with their types in the contract's words."""
        return oracle.custom_columns(self.portal)

    def content(self) -> Any:
        """Return all that a first sync depends on."""
        portal = self.portal
        return self.api, portal.leads(), portal.stage_history(), portal.userfields(), portal.quirks

    def expected(self) -> contents.Tables:
        """Return what the warehouse must hold."""
        return oracle.expected(self.portal, addresses=self.api == "lead", renamed=self.renamed)

    def differences(self, *, ignoring_deleted: bool = True, addresses: bool | None = None) -> list[str]:
        """Return in what the warehouse differs from the portal; `addresses` where the family does not tell."""
        shown = self.api == "lead" if addresses is None else addresses
        wanted = oracle.expected(self.portal, addresses=shown, renamed=self.renamed)
        return oracle.differences(wanted, self.held(), ignoring_deleted=ignoring_deleted)

    def before_page(self, number: int, happens: Callable[[], object]) -> list[int]:
        """Let something happen once, before the portal answers page `number` (0 is the first) of its leads."""
        pages, happened = [0], list[int]()

        def hook(method: str, params: dict[str, Any], _: Portal) -> None:
            if method != f"crm.{self.api}.list" or "DESC" in str(params.get("order")).upper():
                return
            if pages[0] == number and not happened:
                happened.append(number)
                happens()
            pages[0] += 1

        self.portal.before_command.append(hook)
        return happened

    def before_each_request(self, happens: Callable[[], object]) -> None:
        """Let something happen before the portal answers any command."""

        def hook(*_: object) -> None:
            happens()

        self.portal.before_command.append(hook)

    def quiet(self) -> Self:
        """Let nothing happen any more."""
        self.portal.before_command.clear()
        return self

    def unnoticed(self) -> AbstractContextManager[None]:
        """Let the portal be asked without hooks, faults and limits; its counters and its log stay as they were."""
        counted = {"commands": Counter[str](), "log": deque[Any](), "http_requests": self.portal.http_requests}
        return keeping(self.portal, before_command=[], faults=Faults(), limits=None, latency=0.0, **counted)

    def in_small_packages(self, monkeypatch: pytest.MonkeyPatch, leads: int = 100, pages: int = 2) -> None:
        """Cut reading so small that a small portal takes many requests and many load packages."""
        in_small_packages(monkeypatch, leads, pages)

    def refuse(self) -> None:
        """Let the portal refuse its webhook."""
        self.portal.quirks.webhook_expired = True

    def ids(self) -> list[int]:
        """Return the ids of the leads that can be read, ascending."""
        return [int(lead["ID"]) for lead in self.portal.leads()]

    def in_reading_order(self) -> list[int]:
        """Return the same in the order in which a run reads them."""
        return self.ids()

    def add(self, title: str) -> int:
        """Create a lead."""
        return self.portal.add_lead({"TITLE": title})

    def edit(self, lead_id: int, title: str) -> None:
        """Edit a lead."""
        self.portal.update_lead(lead_id, {"TITLE": title})

    def edit_quietly(self, lead_id: int, title: str, at: str | None = None) -> None:
        """Edit a lead without moving its modification time, or moving it to `at`."""
        self.portal.update_lead(lead_id, {"TITLE": title}, touch=at is not None, at=at)

    def title_of(self, lead_id: int) -> str:
        """Return a lead's title on the portal."""
        return str(self.portal.lead(lead_id)["TITLE"])

    def storm(self, ids: Sequence[int], title: str) -> None:
        """Edit many leads in the same second."""
        self.portal.storm(ids, {"TITLE": title})

    def import_old(self, count: int) -> list[int]:
        """Import leads with an old time of modification."""
        return self.portal.import_leads(count, OLD)

    def life(self, seed: int | None = None, **counts: int) -> set[int]:
        """Let a random piece of life happen; return the leads that were touched."""
        told = counts if seed is None else {**counts, "seed": seed}
        return {lead for leads in vars(self.portal.live(**told)).values() for lead in leads}

    def with_phone(self) -> int:
        """Return the id of a lead with exactly one phone."""
        return next(int(lead["ID"]) for lead in self.portal.leads() if len(lead.get("PHONE", ())) == 1)

    def without_phone(self) -> int:
        """Return the id of a lead without phones."""
        return next(int(lead["ID"]) for lead in self.portal.leads() if not lead.get("PHONE"))

    def add_phone(self, owner: int, number: str) -> None:
        """Add a phone to a lead on the portal."""
        self.portal.update_lead(owner, {"PHONE": [{"VALUE": number, "VALUE_TYPE": "MOBILE"}]})

    def drop_phones(self, owner: int, count: int | None = None) -> None:
        """Remove a lead's phones on the portal, the first `count` or all."""
        phones = self.portal.lead(owner)["PHONE"][:count]
        self.portal.update_lead(owner, {"PHONE": [{"ID": phone["ID"], "DELETE": "Y"} for phone in phones]})


def in_small_packages(monkeypatch: pytest.MonkeyPatch, leads: int = 100, pages: int = 2) -> None:
    """Cut reading so small that a small portal takes many requests and many load packages."""
    commands = Walk.commands

    def few(walk: Walk, *, probe: bool) -> Any:
        walk.chain = min(walk.chain, pages)
        return commands(walk, probe=probe)

    monkeypatch.setattr(Walk, "commands", few)
    monkeypatch.setattr("leadhouse.session.PACKAGE_LEADS", leads)
