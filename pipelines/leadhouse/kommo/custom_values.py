"""Values of custom fields become rows of child tables, every type of field alike.

Vendor's page of custom fields: a field has an id, a name, a code that is the same in every account, a type, and values,
each `{value, enum_id, enum_code}`; `chained_list` has other members and no value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from leadhouse.child_rows import Drift, Rows
from leadhouse.columns import VALUE, Kind, as_text, is_empty
from leadhouse.kommo.entity import Entity
from leadhouse.phone import e164

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELD = frozenset({"field_id", "field_name", "field_code", "field_type", "values", "is_computed"})
_ITEM = frozenset({"value", "enum_id", "enum_code", "enum"})


@dataclass(frozen=True, slots=True)
class _Field:
    """A custom field as values name it: where its values go, and how they are shown."""

    table: str
    code: str | None
    name: str | None
    kind: str | None
    show: Callable[[Any], str]


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
        self._fields: dict[tuple[Any, ...], _Field] = {}

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
            if not field.keys() <= _FIELD:
                _keep(drift, place, f"custom_fields_values.{field_id}", field, _FIELD)
            values = field.get("values")
            if values:
                known = self._known(field_id, field)
                position = positions.get(field_id, 0)
                for item in values if isinstance(values, list) else [values]:
                    if isinstance(item, dict) and "value" in item and not item.keys() <= _ITEM:
                        _keep(drift, place, f"custom_fields_values.{field_id}", item, _ITEM)
                    children[known.table].cells.append(self._cells((number, field_id), position, known, item))
                    position += 1
                positions[field_id] = position

    def _known(self, field_id: int, field: Mapping[str, Any]) -> _Field:
        key = (field_id, *(str(field.get(name)) for name in ("field_code", "field_name", "field_type")))
        known = self._fields.get(key)
        if known is None:
            code, name, kind = (_text(field.get(name)) for name in ("field_code", "field_name", "field_type"))
            known = _Field(
                self._tables.get(code or "", self._rest), code, name, kind, self._shown.get(kind or "", as_text)
            )
            self._fields[key] = known
        return known

    def _cells(self, key: tuple[int, int], position: int, field: _Field, item: Any) -> tuple[Any, ...]:
        """Return the row of a value, in the order of its table's columns."""
        about = item if isinstance(item, dict) and "value" in item else {"value": item}
        value = _shown(field.show, about["value"])
        enum_id, enum_code = about.get("enum_id"), about.get("enum_code", about.get("enum"))
        enum_id = enum_id if type(enum_id) is int else None
        enum_code = _text(enum_code) if enum_code is not None else None
        if field.table == self._rest:
            return (*key, field.code, field.name, field.kind, position, value, enum_id, enum_code)
        phone = (e164(value, self._region) if value else None,) if field.code == "PHONE" else ()
        return (*key, position, value, enum_code, enum_id, *phone)

    def _day(self, value: Any) -> str:
        text = str(value).strip()
        if len(text) == len("2000-01-31") and text[4:5] == "-":
            return date.fromisoformat(text).isoformat()
        return _instant(value).astimezone(self._zone).date().isoformat()


def _keep(drift: Drift, place: int, name: str, told: Mapping[str, Any], known: frozenset[str]) -> None:
    """Keep members that no column is for."""
    for key in sorted(told.keys() - known):
        if not is_empty(told[key]):
            drift.add(f"{name}.{key}", place, told[key])


def _shown(show: Callable[[Any], str], value: Any) -> str | None:
    if value is False:
        return "false"
    if is_empty(value):
        return None
    try:
        return show(value)
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        return as_text(value)


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
