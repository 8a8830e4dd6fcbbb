"""Values of custom fields become rows of child tables, every type of field alike.

Vendor's page of custom fields: a field has an id, a name, a code that is the same in every account, a type, and values,
each `{value, enum_id, enum_code}`; `chained_list` has other members and no value.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from leadhouse.child_rows import Drift, Rows
from leadhouse.columns import VALUE, Kind, as_text, is_empty
from leadhouse.kommo.entity import Entity
from leadhouse.phone import e164

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELD = frozenset({"field_id", "field_name", "field_code", "field_type", "values", "is_computed"})
_ITEM = frozenset({"value", "enum_id", "enum_code", "enum"})


class CustomValues:
    """Collects the custom fields' values of one entity.

    Args:
        entity: what it is.
        zone: the account's time zone: dates are midnight there (issue 402 of the vendor's PHP client).
        region: default region of phone numbers.
    """

    def __init__(self, entity: Entity, zone: tzinfo, region: str | None) -> None:
        self._tables = entity.codes or {}
        self._rest = entity.custom_values
        self._zone = zone
        self._region = region
        self._shown: dict[str, Callable[[Any], str]] = {
            "date": self._day,
            "birthday": self._day,
            "date_time": lambda value: _instant(value).isoformat(),
        }

    def add(self, number: int, place: int, told: Any, children: Mapping[str, Rows], drift: Drift) -> None:
        """Add the values of one row.

        Args:
            number: the row's id.
            place: its place in the lot.
            told: its `custom_fields_values`.
            children: the child tables.
            drift: what fits nowhere.
        """
        if not isinstance(told, list):
            if not is_empty(told):
                drift.add("custom_fields_values", place, told)
            return
        positions: dict[int, int] = {}
        for field in told:
            field_id = field.get("field_id") if isinstance(field, dict) else None
            if type(field_id) is not int:
                drift.add("custom_fields_values", place, field)
                continue
            name = f"custom_fields_values.{field_id}"
            for key in field.keys() - _FIELD:
                if not is_empty(field[key]):
                    drift.add(f"{name}.{key}", place, field[key])
            values = field.get("values")
            for item in values if isinstance(values, list) else [] if is_empty(values) else [values]:
                position = positions.get(field_id, 0)
                positions[field_id] = position + 1
                children[self._table(field)].cells.append(self._cells((number, field_id), position, field, item))
                if isinstance(item, dict) and "value" in item and any(item[key] for key in item.keys() - _ITEM):
                    drift.add(name, place, item)

    def _table(self, field: Mapping[str, Any]) -> str:
        return self._tables.get(str(field.get("field_code")), self._rest)

    def _cells(self, key: tuple[int, int], position: int, field: Mapping[str, Any], item: Any) -> tuple[Any, ...]:
        """Return the row of a value, in the order of its table's columns."""
        about = item if isinstance(item, dict) and "value" in item else {"value": item}
        code, kind = _text(field.get("field_code")), _text(field.get("field_type"))
        value = self._value(about["value"], kind)
        enum_id = about["enum_id"] if type(about.get("enum_id")) is int else None
        enum_code = _text(about.get("enum_code", about.get("enum")))
        if code not in self._tables:
            return (*key, code, _text(field.get("field_name")), kind, position, value, enum_id, enum_code)
        phone = (e164(value, self._region) if value else None,) if code == "PHONE" else ()
        return (*key, position, value, enum_code, enum_id, *phone)

    def _value(self, value: Any, kind: str | None) -> str | None:
        if is_empty(value) and value is not False:
            return None
        shown = self._shown.get(kind or "")
        if shown is not None:
            try:
                return shown(value)
            except (ValueError, TypeError, OverflowError, ArithmeticError):
                return as_text(value)
        return as_text(value)

    def _day(self, value: Any) -> str:
        text = str(value).strip()
        if len(text) == len("2000-01-31") and text[4:5] == "-":
            return date.fromisoformat(text).isoformat()
        return _instant(value).astimezone(self._zone).date().isoformat()


def _instant(value: Any) -> datetime:
    """Return a time that is told as Unix seconds, a number or its text, or as RFC 3339.

    Raises:
        ValueError, TypeError, ArithmeticError: it is none.
    """
    if isinstance(value, str) and not value.strip().lstrip("-").isdecimal():
        told: datetime = VALUE[Kind.TIMESTAMP](value)
        return told
    return _EPOCH + timedelta(seconds=int(VALUE[Kind.BIGINT](value)))


def _text(value: Any) -> str | None:
    return None if is_empty(value) else as_text(value)
