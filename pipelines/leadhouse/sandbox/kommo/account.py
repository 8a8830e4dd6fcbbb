"""The sandbox account: its state while it is served, and the life of its leads."""

from __future__ import annotations

import random
from collections import Counter, deque
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from leadhouse.sandbox.clock import Clock
from leadhouse.sandbox.collector import without_collector
from leadhouse.sandbox.faults import Faults

from .cards import ENTITIES, Cards
from .custom_fields import moved_days
from .edits import with_one_main
from .kinds import KINDS
from .life import Changes, live
from .oauth import OAuthServer
from .store import Row, encode
from .switches import Switches
from .throttle import Gate, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .cards import Time
    from .store import Card

    Hook = Callable[[str, dict[str, str], "Account"], None]

_DAY = 86_400
_LOG_LENGTH = 100_000
_COMPANY_SHARE = 0.3


class Account(Cards):
    """A Kommo account with invented leads. All operations are thread-safe, also while it is served.

    ``leads`` are invented by ``seed`` with their contacts and companies, updated over the two years before the clock's
    day; ``timezone`` (IANA name) is the account's own; ``token`` is its long-lived token. Without ``limits`` nothing
    is throttled. ``latency`` is seconds added to each HTTP request. Times given to operations are aware datetimes, ISO
    texts with offset or Unix seconds. ``before_request`` hooks are called with path, parameters as they were sent (the
    last one of a name) and account before each executed request, in the server's thread. ``requests`` counts executed
    requests by path, with ``{id}`` for ids; ``http_requests`` counts all.
    """

    def __init__(
        self,
        leads: int = 0,
        seed: int = 1,
        timezone: str = "Europe/London",
        subdomain: str = "acme-demo",
        token: str = "sandbox-long-lived-token",  # noqa: S107 - of an invented account
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        switches: Switches | None = None,
        latency: float = 0.0,
    ) -> None:
        super().__init__(subdomain, timezone, seed, clock or Clock(), switches or Switches())
        self.token = token
        self.limits = limits
        self.latency = latency
        self.gate = Gate()
        self.faults = Faults(KINDS)
        self.oauth = OAuthServer(self.clock, lambda: self.switches, self.account_id, self.user_id)
        self.before_request: list[Hook] = []
        self.http_requests = 0
        self.requests: Counter[str] = Counter()
        self.log: deque[tuple[str, dict[str, str]]] = deque(maxlen=_LOG_LENGTH)
        self.busy_seconds = 0.0
        with without_collector():
            self._populate(leads)

    def _populate(self, count: int) -> None:
        inventor = self.inventor()
        rows: dict[str, list[Row]] = {entity: [] for entity in ENTITIES}
        events = []
        companies: list[int] = []
        contacts: list[int] = []

        def enter(entity: str, card: Card) -> None:
            rows[entity].append(Row(card["id"], card["updated_at"], encode(card)))
            self._index_links(entity, card)

        for rise, created, updated in inventor.history(count, self.clock.second() // _DAY * _DAY):
            company = None
            if self._random.random() < _COMPANY_SHARE:
                if not companies or self._random.random() < 0.5:
                    companies.append(self._next_id("companies"))
                    enter("companies", inventor.company(companies[-1], created, updated))
                company = self._random.choice(companies)
            linked, new = inventor.linked(contacts)
            for _ in range(new):
                contacts.append(self._next_id("contacts"))
                linked.append(contacts[-1])
                enter("contacts", inventor.contact(contacts[-1], created, updated, company))
            id_ = self._next_id("leads", self._last["leads"] + rise)
            lead = inventor.lead(id_, created, updated, linked, company)
            enter("leads", lead)
            events.append((created, "lead_added", "lead", id_, lead["created_by"]))
        for entity, found in rows.items():
            self.stores[entity].add_all(found)
        self.log_of_events.record_all(events)

    # Reading

    def readable(self, row: Row) -> bool:
        """Tell whether the token's user may read a lead: anyone but an administrator sees those of one group."""
        return not self.switches.non_admin or row.facts().group_id == 0

    def leads(self) -> list[Card]:
        """Return all live leads that can be read, by ascending id, as ``GET /leads/{id}`` with every ``with`` does."""
        with self.lock:
            view = self.view("leads")
            return [view.show(row) for row in self.stores["leads"] if self.readable(row)]

    def lead(self, id_: int) -> Card:
        """Return a lead; KeyError when there is none."""
        return self._one("leads", id_)

    def __len__(self) -> int:
        return sum(map(self.readable, self.stores["leads"])) if self.switches.non_admin else len(self.stores["leads"])

    def deleted(self) -> list[Card]:
        """Return the deleted leads that can be restored, by ascending id, as ``only_deleted`` shows them."""
        with self.lock:
            view = self.view("leads")
            return [view.deleted(row) for _, row in sorted(self.stores["leads"].bin.items())]

    def iso(self, second: int) -> str:
        """Render Unix seconds in the account's offset."""
        return datetime.fromtimestamp(second, self.zone).isoformat()

    # Life on the account

    def add_lead(self, fields: Mapping[str, Any] | None = None, at: Time | None = None) -> int:
        """Create a lead of fields as the API writes them and return its id; ValueError names a wrong one.

        ``id`` may be given. Times are the account's now unless ``at`` or the fields say otherwise.
        """
        return self._add("leads", fields or {}, at)

    def update_lead(self, id_: int, fields: Mapping[str, Any], by: int | None = None, at: Time | None = None) -> None:
        """Edit a lead as the API writes them: updated_at becomes ``at``, the account's now for None."""
        self._update("leads", id_, fields, by, at)

    def storm(self, ids: Iterable[int], fields: Mapping[str, Any]) -> None:
        """Edit many leads in the same second."""
        with self.lock:
            now = self.clock.second()
            for id_ in ids:
                self.update_lead(id_, fields, at=now)

    def invent_leads(self, count: int, at: Time | None = None) -> list[int]:
        """Create leads with invented fields, most with a contact of their own; return their ids."""
        with self.lock:
            now = self.moment(at)
            inventor = self.inventor()
            ids = []
            for _ in range(count):
                linked, new = inventor.linked(self.stores["contacts"].ids)
                for _ in range(new):
                    linked.append(self._next_id("contacts"))
                    self._save("contacts", inventor.contact(linked[-1], now, now, None))
                id_ = self._next_id("leads")
                lead = inventor.lead(id_, now, now, linked, None)
                self._save("leads", lead)
                self.log_of_events.record("lead_added", "lead", id_, at=self.clock.second(), by=lead["created_by"])
                ids.append(id_)
            return ids

    def import_leads(self, count: int, at: Time) -> list[int]:
        """Import leads that carry a past time of creation and update; return their ids."""
        return self.invent_leads(count, at)

    def delete_lead(self, id_: int) -> None:
        """Delete a lead; it can be restored."""
        with self.lock:
            now = self.clock.second()
            self._forget_links("leads", id_)
            card = self.stores["leads"].remove(id_).card()
            card["updated_by"] = self.user_id
            self.stores["leads"].bin[id_] = Row(id_, now, encode(card))
            self.log_of_events.record("lead_deleted", "lead", id_, at=now, by=self.user_id)

    def restore_lead(self, id_: int) -> None:
        """Restore a deleted lead under its id; KeyError when it cannot be."""
        with self.lock:
            row = self.stores["leads"].bin.pop(id_)
            card, now = row.card(), self.clock.second()
            held = card["_embedded"]
            for kind in ("contacts", "companies"):
                held[kind] = [item for item in held[kind] if item["id"] in self.stores[kind].rows]
            held["contacts"] = with_one_main(held["contacts"])
            if self.switches.restore_touches:
                card["updated_at"] = now
            self._save("leads", card)
            self.log_of_events.record("lead_restored", "lead", id_, at=now, by=self.user_id)

    def purge_lead(self, id_: int) -> None:
        """Delete a lead, or a deleted one, beyond restoring."""
        with self.lock:
            if id_ not in self.stores["leads"].bin:
                self.delete_lead(id_)
            del self.stores["leads"].bin[id_]

    def merge_leads(self, winner: int, loser: int) -> None:
        """Merge two leads: the winner is updated and takes tags and contacts over, the loser is gone for good."""
        with self.lock:
            lost = self.stores["leads"].rows[loser].card()
            held, now = self.stores["leads"].rows[winner].card()["_embedded"], self.clock.second()
            contacts = {item["id"]: item for item in [*lost["_embedded"]["contacts"], *held["contacts"]]}
            main = held["contacts"] or lost["_embedded"]["contacts"]
            merged = [main[0], *(item for id_, item in contacts.items() if id_ != main[0]["id"])] if main else []
            self.update_lead(
                winner,
                {"tags_to_add": lost["_embedded"]["tags"], "_embedded": {"contacts": with_one_main(merged)}},
                at=now,
            )
            self._forget_links("leads", loser)
            self.stores["leads"].remove(loser)
            told = winner if self.switches.merge_event_on == "winner" else loser
            self.log_of_events.record("entity_merged", "lead", told, at=now, by=self.user_id)
            if self.switches.merge_emits_deleted:
                self.log_of_events.record("lead_deleted", "lead", loser, at=now, by=self.user_id)

    def hide_lead(self, *ids: int) -> None:
        """Take the token's right to read leads away: lists leave them out, by id they are not found."""
        with self.lock:
            for id_ in ids:
                self.stores["leads"].hide(id_)

    def reveal_lead(self, *ids: int) -> None:
        """Give the right to read leads back."""
        with self.lock:
            for id_ in ids:
                self.stores["leads"].reveal(id_)

    def distort_lead(self, id_: int, keys: Mapping[str, Any]) -> None:
        """Make answers carry other or further keys for a lead, also ones no account holds (raw JSON: msgspec.Raw)."""
        with self.lock:
            self.oddities.setdefault(id_, {}).update(keys)

    def link_contact(self, lead_id: int, contact_id: int, is_main: bool = False) -> None:
        """Link a contact to a lead; the first one becomes the main one in any case."""
        with self.lock:
            self._check_links({"_embedded": {"contacts": [{"id": contact_id}]}})
            card, now = self.stores["leads"].rows[lead_id].card(), self.clock.second()
            others = [item for item in card["_embedded"]["contacts"] if item["id"] != contact_id]
            if is_main:
                others = [{**item, "is_main": False} for item in others]
            card["_embedded"]["contacts"] = with_one_main([*others, {"id": contact_id, "is_main": is_main}])
            if self.switches.links_touch:
                card["updated_at"], card["updated_by"] = now, self.user_id
            self._save("leads", card)
            value = [{"link": {"entity": {"type": "contact", "id": contact_id}}}]
            self.log_of_events.record("entity_linked", "lead", lead_id, at=now, by=self.user_id, after=value)

    def live(
        self,
        *,
        create: int = 0,
        edit: int = 0,
        delete: int = 0,
        phone_add: int = 0,
        phone_remove: int = 0,
        stage: int = 0,
        seed: int | None = None,
    ) -> Changes:
        """Let a random piece of life happen, repeatable by seed; return the ids it touched (see ``life``)."""
        with self.lock:
            return live(
                self,
                self._random if seed is None else random.Random(seed),
                create=create,
                edit=edit,
                delete=delete,
                phone_add=phone_add,
                phone_remove=phone_remove,
                stage=stage,
            )

    # Settings

    def set_timezone(self, timezone: str) -> None:
        """Move the account to another time zone: days of custom fields stay the days they were."""
        with self.lock:
            old, self.zone = self.zone, ZoneInfo(timezone)
            for store in self.stores.values():
                for rows in (store.rows, store.bin):
                    for id_, row in rows.items():
                        card = row.card()
                        if moved_days(card["custom_fields_values"], old, self.zone):
                            rows[id_] = Row(id_, row.updated, encode(card))

    def unblock(self) -> None:
        """Let blocked addresses in again, as the vendor's support does."""
        self.gate.unblock()
        self.switches.blocked_403 = False
