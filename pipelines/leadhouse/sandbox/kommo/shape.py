"""Cards as an answer shows them: links, what was asked for by ``with``, and the account's switches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .custom_fields import DAYS, told
from .office import link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .cards import Cards
    from .store import Card, Row

LEAD_WITH = frozenset(
    {"contacts", "catalog_elements", "loss_reason", "is_price_modified_by_robot", "source_id", "source"}
)
CONTACT_WITH = frozenset({"leads", "catalog_elements", "customers"})
COMPANY_WITH = frozenset({"leads", "contacts", "catalog_elements", "customers"})
WITH = {"leads": LEAD_WITH, "contacts": CONTACT_WITH, "companies": COMPANY_WITH}
_TIMED = DAYS | {"date_time"}


class View:
    """Shows cards of an account; ``base`` begins links, ``query`` ends those of cards to themselves."""

    def __init__(self, cards: Cards, base: str, entity: str, wanted: Iterable[str], query: str = "") -> None:
        self._cards = cards
        self._base = f"{base}/api/v4"
        self._entity = entity
        self._with = WITH[entity].intersection(wanted)
        self._query = query
        switches = cards.switches
        self._plain = (switches.cfv_empty, switches.enum_key, switches.dates) == ("null", "enum_code", "unix")

    def show(self, row: Row) -> Card:
        """Return a card as it is answered."""
        card = row.card()
        if not self._plain:
            self._encode_values(card)
        if self._entity == "leads":
            self._lead(card)
        else:
            self._linked(card)
        card["_links"] = link(f"{self._base}/{self._entity}/{row.id}{self._query}")
        oddity = self._cards.oddities.get(row.id) if self._entity == "leads" else None
        return card | oddity if oddity else card

    def _lead(self, lead: Card) -> None:
        wanted, held, switches = self._with, lead["_embedded"], self._cards.switches
        if switches.price_with_minor_units == "absent":
            del lead["price_with_minor_units"]
        if "is_price_modified_by_robot" not in wanted:
            del lead["is_price_modified_by_robot"]
        source = lead["source_id"]
        if "source_id" not in wanted:
            del lead["source_id"]
        self._link_all(held, "companies")
        if "contacts" in wanted:
            self._link_all(held, "contacts")
        else:
            del held["contacts"]
        if "catalog_elements" not in wanted:
            del held["catalog_elements"]
        if "loss_reason" in wanted:
            held["loss_reason"] = self._loss_reason(lead["loss_reason_id"])
        if "source" in wanted:
            held["source"] = None if source is None else {"id": source, "name": self._cards.sources.get(source, "")}

    def _loss_reason(self, id_: int | None) -> Any:
        reason = None if id_ is None else self._cards.loss_reason(id_)
        if self._cards.switches.loss_reason == "object":
            return None if reason is None else {"id": reason["id"], "name": reason["name"]}
        return [] if reason is None else [{**reason, "_links": link(f"{self._base}/leads/loss_reasons/{reason['id']}")}]

    def _link_all(self, held: dict[str, Any], name: str) -> None:
        for item in held[name]:
            item["_links"] = link(f"{self._base}/{name}/{item['id']}")

    def _linked(self, card: Card) -> None:
        held = card["_embedded"]
        if self._entity == "contacts":
            self._link_all(held, "companies")
        for name in ("catalog_elements", "customers"):
            if name not in self._with:
                del held[name]
        for name in ("leads", "contacts"):
            if name in self._with:
                held[name] = [{"id": id_} for id_ in self._cards.linked_to(self._entity, card["id"], name)]
                self._link_all(held, name)

    def _encode_values(self, card: Card) -> None:
        switches, values = self._cards.switches, card["custom_fields_values"]
        if not values:
            card["custom_fields_values"] = [] if switches.cfv_empty == "list" else None
            return
        for entry in values:
            for item in entry["values"]:
                if entry["field_type"] in _TIMED:
                    item["value"] = told(entry["field_type"], item["value"], self._cards.zone, switches.dates)
                if switches.enum_key == "enum" and "enum_code" in item:
                    item["enum"] = item.pop("enum_code")

    def deleted(self, row: Row) -> Card:
        """Return a deleted lead that can be restored, as ``only_deleted`` shows it: hardly anything is left."""
        card = row.card()
        self._lead(card)
        kept = {"id": row.id, "updated_at": row.updated, "updated_by": card["updated_by"], "is_deleted": True}
        return {
            **dict.fromkeys(card),
            **kept,
            "_links": link(f"{self._base}/leads/{row.id}{self._query}"),
            "_embedded": {"tags": [], "companies": []},
        }
