"""The cards of an account: leads, contacts and companies, and what happens to contacts and companies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from leadhouse.sandbox.clock import Clock, instant

from .edits import Edit, with_one_main
from .events import EventLog
from .invention import Inventor
from .office import Office
from .problems import not_a_choice
from .shape import WITH, View
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .store import Card
    from .switches import Switches

    Time = datetime | float | str

ENTITIES = ("leads", "contacts", "companies")
KINDS = {"leads": "lead", "contacts": "contact", "companies": "company"}


class Cards(Office):
    """Leads, contacts and companies of an account with their links and events."""

    def __init__(self, subdomain: str, timezone: str, seed: int, clock: Clock, switches: Switches) -> None:
        super().__init__(subdomain, switches)
        self.clock = clock
        self.zone = ZoneInfo(timezone)
        self.stores = {entity: Store() for entity in ENTITIES}
        self.log_of_events = EventLog()
        self.oddities: dict[int, dict[str, Any]] = {}
        self._links: dict[str, dict[int, set[int]]] = {"contacts": {}, "companies": {}}
        self._staff: dict[int, set[int]] = {}
        self._last = {"leads": 9_000_000, "contacts": 5_600_000, "companies": 5_500_000}
        self._random = random.Random(seed)

    def inventor(self) -> Inventor:
        """Return an inventor that knows the account's present settings."""
        return Inventor(self._random, self, self.zone)

    # Reading

    def view(self, entity: str) -> View:
        """Return the view of the truth: every ``with``, links as of ``origin``."""
        return View(self, self.origin, entity, WITH[entity])

    def _all(self, entity: str) -> list[Card]:
        with self.lock:
            view = self.view(entity)
            return [view.show(row) for row in self.stores[entity]]

    def _one(self, entity: str, id_: int) -> Card:
        with self.lock:
            return self.view(entity).show(self.stores[entity].rows[id_])

    def contacts(self) -> list[Card]:
        """Return all contacts by ascending id, as ``GET /contacts/{id}`` answers them with every ``with``."""
        return self._all("contacts")

    def contact(self, id_: int) -> Card:
        """Return a contact; KeyError when there is none."""
        return self._one("contacts", id_)

    def companies(self) -> list[Card]:
        """Return all companies by ascending id, as ``GET /companies/{id}`` answers them with every ``with``."""
        return self._all("companies")

    def company(self, id_: int) -> Card:
        """Return a company; KeyError when there is none."""
        return self._one("companies", id_)

    def events(self) -> list[dict[str, Any]]:
        """Return all events, oldest first."""
        with self.lock:
            return [event.row(self.account_id, self.origin) for event in self.log_of_events]

    def linked_to(self, entity: str, id_: int, kind: str) -> list[int]:
        """Return ids of the leads, or contacts, linked to a contact or company."""
        if kind == "leads":
            return sorted(self._links[entity].get(id_, ()))
        return sorted(self._staff.get(id_, ()))

    # Changing

    def moment(self, at: Time | None) -> int:
        """Return a time in whole Unix seconds: the account's now for None."""
        return self.clock.second() if at is None else int(instant(at))

    def _next_id(self, entity: str, wanted: int | None = None) -> int:
        if wanted is not None and (wanted in self.stores[entity].rows or wanted in self.stores[entity].bin):
            raise ValueError(f"{wanted} exists among the {entity}.")
        id_ = self._last[entity] + 1 if wanted is None else wanted
        self._last[entity] = max(self._last[entity], id_)
        return id_

    def _index_links(self, entity: str, card: Card) -> None:
        held = card["_embedded"]
        if entity == "leads":
            for kind, links in self._links.items():
                for item in held[kind]:
                    links.setdefault(item["id"], set()).add(card["id"])
        elif entity == "contacts":
            for item in held["companies"]:
                self._staff.setdefault(item["id"], set()).add(card["id"])

    def _forget_links(self, entity: str, id_: int) -> None:
        row = self.stores[entity].rows.get(id_)
        if row is None or entity == "companies":
            return
        held = row.card()["_embedded"]
        if entity == "leads":
            for kind, links in self._links.items():
                for item in held[kind]:
                    links.get(item["id"], set()).discard(id_)
        else:
            for item in held["companies"]:
                self._staff.get(item["id"], set()).discard(id_)

    def _save(self, entity: str, card: Card) -> None:
        self._forget_links(entity, card["id"])
        self.stores[entity].put(card)
        self._index_links(entity, card)

    def _blank(self, entity: str, id_: int, now: int) -> Card:
        card: Card = {
            "id": id_,
            "name": f"Lead #{id_}" if entity == "leads" else "",
            "responsible_user_id": self.user_id,
            "group_id": 0,
            "created_by": self.user_id,
            "updated_by": self.user_id,
            "created_at": now,
            "updated_at": now,
            "closest_task_at": None,
            "is_deleted": False,
            "custom_fields_values": None,
            "account_id": self.account_id,
        }
        if entity == "leads":
            pipeline = next(row["id"] for row in self._pipelines if row["is_main"])
            card |= {
                "price": 0,
                "price_with_minor_units": 0,
                "status_id": self.stages[pipeline][1],
                "pipeline_id": pipeline,
                "closed_at": None,
                "is_price_computed": False,
                "is_price_modified_by_robot": False,
                **dict.fromkeys(("loss_reason_id", "source_id", "score", "labor_cost")),
                "_embedded": {"tags": [], "companies": [], "contacts": [], "catalog_elements": []},
            }
        elif entity == "contacts":
            held: dict[str, Any] = {"tags": [], "companies": [], "catalog_elements": [], "customers": []}
            card |= {"first_name": "", "last_name": "", "is_unsorted": False, "_embedded": held}
        else:
            card["_embedded"] = {"tags": [], "catalog_elements": [], "customers": []}
        return card

    def _check_links(self, fields: Mapping[str, Any]) -> None:
        for kind in ("contacts", "companies"):
            for position, item in enumerate((fields.get("_embedded") or {}).get(kind) or ()):
                if item.get("id") not in self.stores[kind].rows:
                    raise not_a_choice(f"_embedded.{kind}.{position}.id")

    def _add(self, entity: str, fields: Mapping[str, Any], at: Time | None) -> int:
        with self.lock:
            now = self.moment(at)
            self._check_links(fields)
            card = self._blank(entity, self._next_id(entity, fields.get("id")), now)
            Edit(self, self.zone, entity, card, now).apply(fields)
            card["updated_at"] = int(fields.get("updated_at") or now)
            self._save(entity, card)
            kind = KINDS[entity]
            self.log_of_events.record(f"{kind}_added", kind, card["id"], at=now, by=card["created_by"])
            return int(card["id"])

    def _update(self, entity: str, id_: int, fields: Mapping[str, Any], by: int | None, at: Time | None) -> None:
        with self.lock:
            card = self.stores[entity].rows[id_].card()
            now = self.moment(at)
            self._check_links(fields)
            edit = Edit(self, self.zone, entity, card, now)
            edit.apply(fields)
            card["updated_at"] = int(fields.get("updated_at") or now)
            if "updated_by" not in fields:
                card["updated_by"] = self.user_id if by is None else by
            self._save(entity, card)
            for type_, before, after in edit.traces:
                self.log_of_events.record(
                    type_, KINDS[entity], id_, at=now, by=card["updated_by"], before=before, after=after
                )

    def add_contact(self, fields: Mapping[str, Any], at: Time | None = None) -> int:
        """Create a contact of fields as the API writes them and return its id."""
        return self._add("contacts", fields, at)

    def update_contact(
        self, id_: int, fields: Mapping[str, Any], by: int | None = None, at: Time | None = None
    ) -> None:
        """Edit a contact: its updated_at moves, the one of its leads does not."""
        self._update("contacts", id_, fields, by, at)

    def add_company(self, fields: Mapping[str, Any], at: Time | None = None) -> int:
        """Create a company and return its id."""
        return self._add("companies", fields, at)

    def update_company(
        self, id_: int, fields: Mapping[str, Any], by: int | None = None, at: Time | None = None
    ) -> None:
        """Edit a company."""
        self._update("companies", id_, fields, by, at)

    def delete_contact(self, id_: int) -> None:
        """Delete a contact; its leads lose it without being updated."""
        self._delete_linked("contacts", id_)

    def delete_company(self, id_: int) -> None:
        """Delete a company; its leads and contacts lose it without being updated."""
        self._delete_linked("companies", id_)

    def _delete_linked(self, entity: str, id_: int) -> None:
        with self.lock:
            for lead_id in self.linked_to(entity, id_, "leads"):
                self._unlink("leads", lead_id, entity, id_)
            for contact_id in self.linked_to(entity, id_, "contacts") if entity == "companies" else ():
                self._unlink("contacts", contact_id, entity, id_)
            self._forget_links(entity, id_)
            self.stores[entity].remove(id_)
            kind = KINDS[entity]
            self.log_of_events.record(f"{kind}_deleted", kind, id_, at=self.clock.second(), by=self.user_id)

    def _unlink(self, entity: str, id_: int, kind: str, gone: int) -> None:
        row = self.stores[entity].rows.get(id_)
        if row is None:
            return
        card = row.card()
        left = [item for item in card["_embedded"][kind] if item["id"] != gone]
        card["_embedded"][kind] = with_one_main(left) if kind == "contacts" else left
        self._save(entity, card)
