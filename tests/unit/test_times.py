"""Times as people write them on the command line."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from leadhouse.errors import ConfigurationError
from leadhouse.times import parse_time
from unit.fuzz import INSTANTS, OFFSETS, QUICK


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-21T09:00:00+03:00", datetime(2026, 11, 21, 6, tzinfo=UTC)),
        ("2026-11-21T09:00:00Z", datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ("2026-11-21T09:00:00", datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ("2026-11-21 09:30", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("20261121T090000+0300", datetime(2026, 11, 21, 6, tzinfo=UTC)),
    ],
)
def test_iso_8601_is_read_and_utc_where_no_zone_is_given(text: str, at: datetime) -> None:
    assert parse_time(text) == at


def test_nothing_given_is_nothing() -> None:
    assert parse_time(None) is None


def test_a_datetime_is_taken_as_it_is_and_utc_where_it_is_naive() -> None:
    astana = timezone(timedelta(hours=5))
    assert parse_time(datetime(2026, 11, 21, 9, tzinfo=astana)) == datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert parse_time(datetime(2026, 11, 21, 9)) == datetime(2026, 11, 21, 9, tzinfo=UTC)  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "21.11.2026", "P1D", "2026-11-21/2026-11-22", "2026-02-30", "10000-01-01", "2026-13-01",
     "0001-01-01T00:00:00+03:00", "9999-12-31T23:59:59-03:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a time; write it like 2026-11-21T09:00:00\+03:00"):
        parse_time(text)


@QUICK
@given(INSTANTS.map(lambda at: at.replace(microsecond=0)), OFFSETS)
def test_every_instant_is_read_back_in_utc(at: datetime, offset: timezone) -> None:
    read = parse_time(at.astimezone(offset).isoformat())
    assert read == at
    assert read is not None
    assert read.tzinfo is UTC
