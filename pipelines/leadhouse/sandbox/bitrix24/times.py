"""Datetimes of a portal: rendered in its own offset, parsed as its filters do (reference: bitrix24 5.6, 5.7)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .fields import STANDARD
from .fields import kind as field_kind

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_LOCAL = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$")


def iso(second: int, zone: ZoneInfo) -> str:
    """Render Unix seconds in the portal's offset, whole seconds."""
    return datetime.fromtimestamp(second, zone).isoformat()


def iso_date(day: date, zone: ZoneInfo) -> str:
    """Render a date as portals do: that day at 00:00 UTC, shown in the portal's offset."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).astimezone(zone).isoformat()


def epoch(text: str) -> int:
    """Return Unix seconds of a rendered datetime."""
    return int(datetime.fromisoformat(text).timestamp() // 1)


def rendered_date(text: str) -> date:
    """Return the date that a portal's datetime stands for."""
    return (datetime.fromisoformat(text).astimezone(UTC) + timedelta(hours=12)).date()


def parse_datetime(value: Any, zone: ZoneInfo) -> int | None:
    """Read a datetime of a filter or an edit: Unix seconds, fractions cut, None when it is not one.

    Without an offset it is in the portal's zone.
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    local = _LOCAL.match(text)
    try:
        if local:
            day, month, year, hour, minute, second = (int(part or 0) for part in local.groups())
            moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return int(moment.timestamp() // 1)
    except (ValueError, OverflowError):
        return None


def parse_date(value: Any) -> date | None:
    """Read a date: a plain one, or a datetime that stands for one; None when it is neither."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    local = _LOCAL.match(text)
    try:
        if local:
            return date(int(local[3]), int(local[2]), int(local[1]))
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return rendered_date(text) if moment.tzinfo else moment.date()


def shown_in(zone: ZoneInfo, lead: dict[str, Any], userfields: dict[str, Any]) -> dict[str, Any]:
    """Return a lead with its datetimes and dates rendered in another zone."""
    kinds = {name: kind for name in STANDARD if (kind := field_kind(name)) in {"datetime", "date"}}
    kinds |= {name: field.kind for name, field in userfields.items() if field.kind in {"datetime", "date"}}

    def show(kind: str, value: Any) -> Any:
        if isinstance(value, list):
            return [show(kind, entry) for entry in value]
        if not value:
            return value
        return iso(epoch(value), zone) if kind == "datetime" else iso_date(rendered_date(value), zone)

    return lead | {name: show(kind, lead[name]) for name, kind in kinds.items()}
