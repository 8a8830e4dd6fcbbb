"""Times as people write them."""

import re
from contextlib import suppress
from datetime import UTC, datetime

import pendulum

from leadhouse.errors import ConfigurationError

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
