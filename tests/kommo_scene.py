"""The scene of tests of Kommo: one account, one warehouse, and syncs between them."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pytest

import contents
import kommo_oracle
from any_scene import AnyScene, keeping
from leadhouse.sandbox.faults import Faults
from leadhouse.sandbox.kommo import KINDS, Account, Clock

NOON = "2026-11-21T09:00:00+00:00"
OLD = "2019-05-05T10:00:00+00:00"


def small_account(leads: int = 150, seed: int = 3, timezone: str = "Europe/London") -> Account:
    """Return an account whose clock stands at the same moment as the one of `scene.small_portal`."""
    return Account(leads=leads, seed=seed, timezone=timezone, clock=Clock.frozen(NOON))


@dataclass
class KommoScene(AnyScene):
    """An account, its base URL, and the warehouse that follows it; phones belong to contacts."""

    portal: Account

    source: ClassVar[str] = "kommo"
    title_column: ClassVar[str] = "name"
    amount_column: ClassVar[str] = "price"
    modified_column: ClassVar[str] = "updated_at"
    created_column: ClassVar[str] = "created_at"
    phones_table: ClassVar[str] = "contact_phones"
    phones_parent: ClassVar[str] = "contact_id"
    emails_table: ClassVar[str] = "contact_emails"
    child_tables: ClassVar[tuple[str, ...]] = kommo_oracle.LEADS.children
    read_again: ClassVar[int] = 5
    brings_edits_back: ClassVar[bool] = True

    @property
    def account(self) -> Account:
        """The portal, by its own name."""
        return self.portal

    def way_in(self) -> dict[str, Any]:
        """Return how to reach the account."""
        return {"base_url": self.url, "access_token": self.portal.token}

    def environment(self) -> dict[str, str]:
        """Return the same as variables of the environment."""
        return {"SOURCES__KOMMO__BASE_URL": self.url, "SOURCES__KOMMO__ACCESS_TOKEN": self.portal.token}

    def custom_columns(self) -> dict[str, str]:
        """Custom fields make no columns."""
        return {}

    def content(self) -> Any:
        """Return all that a first sync depends on."""
        tables = kommo_oracle.expected(self.portal), kommo_oracle.dictionaries(self.portal)
        return *tables, self.portal.switches

    def expected(self) -> contents.Tables:
        """Return what the warehouse must hold."""
        return kommo_oracle.expected(self.portal) | kommo_oracle.dictionaries(self.portal)

    def differences(self, *, ignoring_deleted: bool = True) -> list[str]:
        """Return in what the warehouse differs from the account."""
        return kommo_oracle.differences(self.expected(), self.held(), ignoring_deleted=ignoring_deleted)

    def before_request(self, path: str, number: int, happens: Callable[[], object]) -> list[int]:
        """Let something happen once, before the account answers request `number` (0 is the first) to a path."""
        asked, happened = [0], list[int]()

        def hook(told: str, params: Mapping[str, str], _: Account) -> None:
            if told != path or params.get("with") == "only_deleted":
                return
            if asked[0] == number and not happened:
                happened.append(number)
                happens()
            asked[0] += 1

        self.portal.before_request.append(hook)
        return happened

    def before_page(self, number: int, happens: Callable[[], object]) -> list[int]:
        """Let something happen once, before the account answers page `number` (0 is the first) of its leads."""
        return self.before_request("/api/v4/leads", number, happens)

    def before_each_request(self, happens: Callable[[], object]) -> None:
        """Let something happen before the account answers anything."""

        def hook(*_: object) -> None:
            happens()

        self.portal.before_request.append(hook)

    def quiet(self) -> Self:
        """Let nothing happen any more."""
        self.portal.before_request.clear()
        return self

    def unnoticed(self) -> AbstractContextManager[None]:
        """Let the account be asked without hooks, faults and limits; its counters and its log stay as they were."""
        counted = {"requests": Counter[str](), "log": deque[Any](), "http_requests": self.portal.http_requests}
        return keeping(self.portal, before_request=[], faults=Faults(KINDS), limits=None, latency=0.0, **counted)

    def in_small_packages(self, monkeypatch: pytest.MonkeyPatch, leads: int = 100, pages: int = 2) -> None:
        """Cut reading so small that a small account takes many requests and many load packages."""
        monkeypatch.setattr("leadhouse.kommo.walk.PAGE_ROWS", 50)
        monkeypatch.setattr("leadhouse.kommo.entities.PAGE_ROWS", 50)
        monkeypatch.setattr("leadhouse.kommo.reader.LOT_ROWS", 50 * pages)
        monkeypatch.setattr("leadhouse.session.PACKAGE_LEADS", leads)

    def refuse(self) -> None:
        """Let the account refuse its token."""
        self.portal.switches.token_expired = True

    def ids(self) -> list[int]:
        """Return the ids of the leads that can be read, ascending."""
        return [lead["id"] for lead in self.portal.leads()]

    def in_reading_order(self) -> list[int]:
        """Return the same by modification time."""
        return [lead["id"] for lead in sorted(self.portal.leads(), key=lambda lead: (lead["updated_at"], lead["id"]))]

    def add(self, title: str) -> int:
        """Create a lead."""
        return self.portal.add_lead({"name": title})

    def edit(self, lead_id: int, title: str) -> None:
        """Edit a lead."""
        self.portal.update_lead(lead_id, {"name": title})

    def edit_quietly(self, lead_id: int, title: str, at: str | None = None) -> None:
        """Edit a lead without moving its modification time, or moving it to `at`."""
        lead = self.portal.lead(lead_id)
        self.portal.update_lead(lead_id, {"name": title}, by=lead["updated_by"], at=at or lead["updated_at"])

    def title_of(self, lead_id: int) -> str:
        """Return a lead's name on the account."""
        return str(self.portal.lead(lead_id)["name"])

    def storm(self, ids: Sequence[int], title: str) -> None:
        """Edit many leads in the same second."""
        self.portal.storm(ids, {"name": title})

    def import_old(self, count: int) -> list[int]:
        """Import leads, and their contacts, with an old time of modification."""
        return self.portal.import_leads(count, OLD)

    def life(self, seed: int | None = None, **counts: int) -> set[int]:
        """Let a random piece of life happen; return the leads that were touched: an edit of a phone touches none."""
        changes = vars(self.portal.live(seed=seed, **counts))
        return {lead for kind in ("created", "edited", "stage_moved", "deleted") for lead in changes[kind]}

    def phones_of(self, owner: int) -> list[dict[str, Any]]:
        """Return a contact's phones on the account, as its API has them."""
        fields = self.portal.contact(owner)["custom_fields_values"] or ()
        return [item for field in fields if field["field_code"] == "PHONE" for item in field["values"]]

    def with_phone(self) -> int:
        """Return the id of a contact with exactly one phone."""
        return next(int(one["id"]) for one in self.portal.contacts() if len(self.phones_of(one["id"])) == 1)

    def without_phone(self) -> int:
        """Return the id of a contact without phones."""
        return next(int(one["id"]) for one in self.portal.contacts() if not self.phones_of(one["id"]))

    def add_phone(self, owner: int, number: str) -> None:
        """Add a phone to a contact."""
        self._set_phones(owner, [*self.phones_of(owner), {"value": number, "enum_code": "MOB"}])

    def drop_phones(self, owner: int, count: int | None = None) -> None:
        """Remove a contact's phones, the first `count` or all."""
        phones = self.phones_of(owner)
        self._set_phones(owner, phones[len(phones) if count is None else count :])

    def _set_phones(self, owner: int, phones: list[dict[str, Any]]) -> None:
        values = [{"field_code": "PHONE", "values": phones or None}]
        self.portal.update_contact(owner, {"custom_fields_values": values})
