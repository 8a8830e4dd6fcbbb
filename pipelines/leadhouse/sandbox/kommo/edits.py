"""What an edit makes of a card, and the events it leaves (reference: kommo sections 8 and 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .custom_fields import laid_over
from .office import LOST, WON
from .problems import Invalid, not_a_choice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from .custom_fields import CustomField
    from .office import Office
    from .store import Card

Trace = tuple[str, list[dict[str, Any]], list[dict[str, Any]]]
"""Type of an event, value before, value after."""

_PLAIN = frozenset(
    {"group_id", "created_by", "updated_by", "created_at", "closest_task_at", "is_price_computed", "score",
     "labor_cost", "source_id", "is_price_modified_by_robot", "first_name", "last_name", "is_unsorted", "visitor_uid"}
)  # fmt: skip
_TOGETHER = frozenset(
    {"price", "price_with_minor_units", "name", "responsible_user_id", "status_id", "pipeline_id", "loss_reason_id",
     "closed_at", "custom_fields_values", "tags_to_add", "tags_to_delete", "_embedded", "updated_at", "request_id",
     "id"}
)  # fmt: skip
_EMBEDDED = frozenset({"tags", "contacts", "companies", "catalog_elements", "source"})


class Edit:
    """One edit of a card in place; ``second`` is its time, Unix seconds."""

    def __init__(self, office: Office, zone: ZoneInfo, entity: str, card: Card, second: int) -> None:
        self._office = office
        self._zone = zone
        self._entity = entity
        self._card = card
        self._second = second
        self.traces: list[Trace] = []

    def apply(self, fields: Mapping[str, Any]) -> None:
        """Change the card; ValueError (Invalid) names a field or value that cannot be."""
        for name in fields:
            if name not in _PLAIN and name not in _TOGETHER:
                raise Invalid("FieldNotExpected", name, "This field was not expected.")
        card = self._card
        self._named(fields)
        self._priced(fields)
        if "responsible_user_id" in fields:
            self._change("entity_responsible_changed", "responsible_user_id", fields, "responsible_user", "id")
            card["group_id"] = self._office.group_of(card["responsible_user_id"])
        card.update({name: value for name, value in fields.items() if name in _PLAIN})
        if self._entity == "leads":
            self._staged(fields)
        if "custom_fields_values" in fields:
            self._customised(fields["custom_fields_values"])
        self._tagged(fields)
        embedded = fields.get("_embedded") or {}
        for name in embedded:
            if name not in _EMBEDDED:
                raise Invalid("FieldNotExpected", f"_embedded.{name}", "This field was not expected.")
        self._linked(embedded)

    def _change(self, type_: str, name: str, fields: Mapping[str, Any], holder: str, key: str) -> None:
        before, after = self._card.get(name), fields[name]
        if before != after:
            self._card[name] = after
            self.traces.append((type_, [{holder: {key: before}}], [{holder: {key: after}}]))

    def _named(self, fields: Mapping[str, Any]) -> None:
        if "name" in fields:
            if not isinstance(fields["name"], str):
                raise Invalid("InvalidType", "name", "This value should be of type string.")
            self._change("name_field_changed", "name", fields, "name_field_value", "name")

    def _priced(self, fields: Mapping[str, Any]) -> None:
        price = fields.get("price_with_minor_units", fields.get("price"))
        if price is None:
            return
        if not isinstance(price, int | float) or isinstance(price, bool):
            raise Invalid("InvalidType", "price", "This value should be of type int.")
        self._card["price_with_minor_units"] = price
        self._change("sale_field_changed", "price", {"price": int(price)}, "sale_field_value", "sale")

    def _staged(self, fields: Mapping[str, Any]) -> None:
        card, stages = self._card, self._office.stages
        was = {"id": card["status_id"], "pipeline_id": card["pipeline_id"]}
        pipeline = fields.get("pipeline_id") or card["pipeline_id"]
        if pipeline not in stages:
            raise not_a_choice("pipeline_id")
        stay = card["status_id"] if pipeline == card["pipeline_id"] else stages[pipeline][1]
        status = fields.get("status_id") or stay
        if not isinstance(status, int):
            raise Invalid("InvalidType", "status_id", "This value should be of type int.")
        if status not in stages[pipeline] and "pipeline_id" not in fields:
            pipeline = next((id_ for id_, known in stages.items() if status in known), pipeline)
        if status not in stages[pipeline]:
            raise not_a_choice("status_id")
        card["status_id"], card["pipeline_id"] = status, pipeline
        now = {"id": status, "pipeline_id": pipeline}
        if was != now:
            self.traces.append(("lead_status_changed", [{"lead_status": was}], [{"lead_status": now}]))
        self._close(fields, moved=was != now)

    def _close(self, fields: Mapping[str, Any], *, moved: bool) -> None:
        card = self._card
        if "loss_reason_id" in fields:
            reason = fields["loss_reason_id"]
            if reason is not None and self._office.loss_reason(reason) is None:
                raise not_a_choice("loss_reason_id")
            card["loss_reason_id"] = reason
        if card["status_id"] != LOST:
            card["loss_reason_id"] = None
        if card["status_id"] not in {WON, LOST}:
            card["closed_at"] = None
        elif "closed_at" in fields or card["closed_at"] is None or moved:
            card["closed_at"] = fields.get("closed_at") or self._second

    def _customised(self, given: Any) -> None:
        own = self._office.fields[self._entity].values()
        values, changed = laid_over(self._card["custom_fields_values"], given, own, self._zone)
        self._card["custom_fields_values"] = values
        for field, before, after in changed:
            self.traces.append((f"custom_field_{field.id}_value_changed", _shown(field, before), _shown(field, after)))

    def _tagged(self, fields: Mapping[str, Any]) -> None:
        held = self._card["_embedded"]["tags"]
        before = [tag["id"] for tag in held]
        if "tags" in (fields.get("_embedded") or {}):
            held = [self._tag(tag) for tag in fields["_embedded"]["tags"] or ()]
        gone = {self._tag(tag)["id"] for tag in fields.get("tags_to_delete") or ()}
        held = [tag for tag in held if tag["id"] not in gone]
        for tag in fields.get("tags_to_add") or ():
            if self._tag(tag)["id"] not in {old["id"] for old in held}:
                held.append(self._tag(tag))
        self._card["_embedded"]["tags"] = held
        added = [tag for tag in held if tag["id"] not in before]
        if added:
            self.traces.append(("entity_tag_added", [], [{"tag": {"name": tag["name"]}} for tag in added]))
        if lost := set(before) - {tag["id"] for tag in held}:
            names = [tag["name"] for tag in self._office.tags if tag["id"] in lost]
            self.traces.append(("entity_tag_deleted", [{"tag": {"name": name}} for name in names], []))

    def _tag(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        for tag in self._office.tags:
            if tag["id"] == wanted.get("id"):
                return dict(tag)
        if "name" not in wanted:
            raise not_a_choice("_embedded.tags")
        return dict(self._office.tag(wanted["name"]))

    def _linked(self, embedded: Mapping[str, Any]) -> None:
        held = self._card["_embedded"]
        if "contacts" in embedded:
            contacts = [{"id": item["id"], "is_main": bool(item.get("is_main"))} for item in embedded["contacts"] or ()]
            held["contacts"] = with_one_main(contacts)
        if "companies" in embedded:
            held["companies"] = [{"id": item["id"]} for item in embedded["companies"] or ()][:1]
        if "catalog_elements" in embedded:
            held["catalog_elements"] = [dict(item) for item in embedded["catalog_elements"] or ()]
        if "id" in (embedded.get("source") or {}):
            self._card["source_id"] = embedded["source"]["id"]


def with_one_main(contacts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return linked contacts with exactly one main among them: the first marked one, else the first."""
    main = next((item["id"] for item in contacts if item["is_main"]), contacts[0]["id"] if contacts else None)
    return [{"id": item["id"], "is_main": item["id"] == main} for item in contacts]


def _shown(field: CustomField, values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "custom_field_value": {
                "field_id": field.id,
                "field_type": field.type,
                "enum_id": item.get("enum_id"),
                "text": str(item.get("value", "")),
            }
        }
        for item in values
    ]
