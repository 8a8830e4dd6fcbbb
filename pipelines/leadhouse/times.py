"""Times as people write them."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pendulum

from leadhouse.errors import ConfigurationError

_INTERVAL = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DATED = re.compile(r"\s*\d{4}-?\d{2}")


def parse_time(text: str | datetime | None) -> datetime | None:
    """Return an instant in UTC from ISO 8601; a time without zone is UTC, a bare date its midnight.

    Raises:
        ConfigurationError: the text is no time.
    """
    if text is None:
        return None
    if isinstance(text, datetime):
        return (text if text.tzinfo else text.replace(tzinfo=UTC)).astimezone(UTC)
    with suppress(ValueError, OverflowError):
        if not _DATED.match(text):
            raise ValueError("a time of day would be today's")
        parsed: object = pendulum.parse(text, tz="UTC", strict=True)
        if isinstance(parsed, datetime):
            return datetime.fromtimestamp(parsed.timestamp(), UTC)
    raise ConfigurationError(f"{text!r} is not a time; write it like 2026-11-21T09:00:00+03:00 or 2026-11-21")


def utc_text(at: datetime) -> str:
    """Return an instant as ISO 8601 in UTC, like 2026-11-21T09:00:00Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def interval(told: str, name: str) -> timedelta:
    """Return an interval like 24h, 90m or 7d; `name` is the option's, for the message.

    Raises:
        ConfigurationError: it is none.
    """
    found = _INTERVAL.fullmatch(told.strip())
    if found is None:
        raise ConfigurationError(f"{name} is {told!r}; it is a time like 24h, 90m or 7d")
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


def in_words(seconds: float) -> str:
    """Return a duration in its two largest units, like "3 h 5 min"."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2])
