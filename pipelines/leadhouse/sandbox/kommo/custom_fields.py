"""Custom fields of cards, and what an edit makes of their values (reference: kommo section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .problems import Invalid, not_a_choice

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

Values = list[dict[str, Any]]

DAYS = frozenset({"date", "birthday"})
CHOICES = frozenset({"select", "radiobutton", "multiselect", "category", "multitext"})
TEXTS = frozenset(
    {"text", "textarea", "url", "streetaddress", "tracking_data", "numeric", "price", "monetary"},
)
ADDRESS_PARTS = ("address_line_1", "address_line_2", "city", "state", "zip", "country")
_ENUM_KEYS = {"enum_id", "enum_code", "enum"}


@dataclass
class CustomField:
    """A custom field; ``enums`` are id, value and code of its choices."""

    id: int
    entity: str
    name: str
    type: str
    code: str | None = None
    enums: list[tuple[int, str, str | None]] = field(default_factory=list)
    sort: int = 500
    currency: str | None = None

    def value(self, values: Values) -> dict[str, Any]:
        """Return the field with values as cards carry it."""
        return {
            "field_id": self.id,
            "field_name": self.name,
            "field_code": self.code,
            "field_type": self.type,
            "values": values,
            "is_computed": False,
        }

    def choice(self, enum: tuple[int, str, str | None]) -> dict[str, Any]:
        """Return a value for one of the field's choices."""
        return {"value": enum[1], "enum_id": enum[0], "enum_code": enum[2]}

    def definition(self, account_id: int, base: str, group: str) -> dict[str, Any]:
        """Return the row of ``GET …/custom_fields``; ``group`` as the switch ``field_group`` names it."""
        group_id: str | int = f"{self.entity}_{17_660_000_000 + self.id}" if group == "text" else 17_660 + self.id
        enums = [
            {"id": id_, "value": value, "sort": 500 + position, **({"code": code} if code else {})}
            for position, (id_, value, code) in enumerate(self.enums)
        ]
        return {
            "id": self.id,
            "name": self.name,
            "code": self.code,
            "sort": self.sort,
            "type": self.type,
            "entity_type": self.entity,
            "account_id": account_id,
            "group_id": None if self.code is None else group_id,
            "is_predefined": self.code is not None,
            "is_deletable": self.code is None,
            "is_api_only": False,
            "is_computed": False,
            "enums": enums or None,
            "required_statuses": [{"status_id": 143, "pipeline_id": 7_100_901}] if self.sort == 501 else [],
            "hidden_statuses": [],
            "chained_lists": [{"title": "Catalogue", "catalog_id": 5_077, "parent_catalog_id": 0}]
            if self.type == "chained_list"
            else None,
            "currency": self.currency,
            "remind": "never" if self.type == "birthday" else None,
            "tracking_callback": None,
            "triggers": [],
            "settings": None,
            "_links": {"self": {"href": f"{base}/api/v4/{self.entity}/custom_fields/{self.id}"}},
        }


def midnight(second: float, zone: ZoneInfo) -> int:
    """Return the midnight that begins a moment's day in a zone, Unix seconds."""
    day = datetime.fromtimestamp(second, zone).date()
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _second(value: Any, zone: ZoneInfo, path: str) -> int:
    try:
        if isinstance(value, str) and not value.lstrip("-").isdigit():
            moment = datetime.fromisoformat(value)
            return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
        return int(value)
    except (TypeError, ValueError):
        raise Invalid("InvalidType", path, "This value should be a time.") from None


def _choose(own: CustomField, item: dict[str, Any], path: str) -> dict[str, Any]:
    code = item.get("enum_code", item.get("enum"))
    for enum in own.enums:
        if item.get("enum_id") == enum[0] or (code is not None and code == enum[2]):
            chosen = own.choice(enum)
            break
        if own.type != "multitext" and "enum_id" not in item and item.get("value") == enum[1]:
            return own.choice(enum)
    else:
        if own.type != "multitext" or _ENUM_KEYS & item.keys():
            raise not_a_choice(path)
        chosen = own.choice(own.enums[0]) if own.enums else {"enum_id": None, "enum_code": None}
    return chosen | {"value": str(item["value"])} if own.type == "multitext" else chosen


def normalise(own: CustomField, values: Any, zone: ZoneInfo, path: str) -> Values:
    """Return values as the account keeps them: days at the midnight of its zone, choices with id and code."""
    if not isinstance(values, list) or not all(isinstance(item, dict) for item in values):
        raise Invalid("InvalidType", f"{path}.values", "This value should be of type array.")
    kept: Values = []
    for position, item in enumerate(values):
        where = f"{path}.values.{position}.value"
        if own.type == "chained_list":
            kept.append({key: int(item[key]) for key in ("catalog_id", "catalog_element_id")})
        elif own.type in DAYS:
            kept.append({"value": midnight(_second(item.get("value"), zone, where), zone)})
        elif own.type == "date_time":
            kept.append({"value": _second(item.get("value"), zone, where)})
        elif own.type == "checkbox":
            kept.append({"value": bool(item.get("value"))})
        elif own.type == "smart_address":
            codes = dict(enumerate(ADDRESS_PARTS, start=1))
            part = item.get("enum_id") or {code: id_ for id_, code in codes.items()}[item["enum_code"]]
            kept.append({"value": item.get("value"), "enum_id": part, "enum_code": codes[part]})
        elif own.type in CHOICES:
            kept.append(_choose(own, item, where))
        elif own.type in TEXTS:
            kept.append({"value": str(item.get("value"))})
        else:
            kept.append(dict(item))
    return kept


def laid_over(
    card_values: list[dict[str, Any]] | None, given: Any, fields: Iterable[CustomField], zone: ZoneInfo
) -> tuple[list[dict[str, Any]] | None, list[tuple[CustomField, Values, Values]]]:
    """Return a card's custom fields with given ones laid over, and field, old and new values of what changed.

    A given field is replaced whole, one without values is emptied, others stay. ValueError names what is wrong.
    """
    by_id = {own.id: own for own in fields}
    by_code = {own.code: own for own in by_id.values() if own.code}
    held = {entry["field_id"]: entry for entry in card_values or ()}
    changed = []
    for position, entry in enumerate(given or ()):
        path = f"custom_fields_values.{position}"
        own = by_id.get(entry.get("field_id")) or by_code.get(entry.get("field_code"))
        if own is None:
            raise not_a_choice(f"{path}.field_id")
        before = held.get(own.id, {}).get("values", [])
        try:
            values = normalise(own, entry.get("values") or [], zone, path)
        except (KeyError, TypeError) as problem:
            raise Invalid(
                "InvalidType", f"{path}.values", f"This value is not what the field holds: {problem}"
            ) from None
        held.pop(own.id, None) if not values else held.__setitem__(own.id, own.value(values))
        if values != before:
            changed.append((own, before, values))
    order = {id_: position for position, id_ in enumerate(by_id)}
    return sorted(held.values(), key=lambda entry: order.get(entry["field_id"], 0)) or None, changed


def moved_days(card_values: list[dict[str, Any]] | None, old: ZoneInfo, new: ZoneInfo) -> bool:
    """Move days in place from the midnights of one zone to those of another; tell whether there were any."""
    moved = False
    for entry in card_values or ():
        if entry["field_type"] in DAYS:
            moved = True
            for item in entry["values"]:
                day = datetime.fromtimestamp(item["value"], old).date()
                item["value"] = int(datetime(day.year, day.month, day.day, tzinfo=new).timestamp())
    return moved


def told(kind: str, second: int, zone: ZoneInfo, style: str) -> int | str:
    """Return a moment of a custom field of a kind as the switch ``dates`` wants it."""
    if style == "day" and kind in DAYS:
        return datetime.fromtimestamp(second, zone).date().isoformat()
    return datetime.fromtimestamp(second, UTC).astimezone(zone).isoformat() if style == "rfc3339" else second
