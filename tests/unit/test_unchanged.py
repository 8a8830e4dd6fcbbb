"""What the overlap brings again is not written again, and an older version never passes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from leadhouse.columns import TIMESTAMP
from leadhouse.crm import Chain
from leadhouse.unchanged import Unchanged, nothing_known

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEADS = Chain("leads", ("lead_phones",), "lead_id", "date_modify")
Known = dict[int, tuple[datetime | None, int | None, bool]]


class Shelf:
    """What the warehouse has."""

    def __init__(self, known: Known) -> None:
        self.known = known

    def versions(self, ids: Sequence[int]) -> Known:
        """Return what is known of these ids."""
        return {number: self.known[number] for number in ids if number in self.known}


def batch(*leads: tuple[int, datetime | None, int]) -> dict[str, pa.Table]:
    """Return leads (id, modification time, fingerprint) with a phone each."""
    ids = pa.array([lead[0] for lead in leads], pa.int64())
    return {
        "leads": pa.table(
            {
                "id": ids,
                "date_modify": pa.array([lead[1] for lead in leads], TIMESTAMP),
                "_fingerprint": pa.array([lead[2] for lead in leads], pa.int64()),
            }
        ),
        "lead_phones": pa.table({"id": ids, "lead_id": ids}),
    }


def kept(unchanged: Unchanged, tables: dict[str, pa.Table]) -> list[int]:
    """Return the ids that pass; their child rows, and no others, must pass with them."""
    found = unchanged.filter(tables, NOW)
    ids: list[int] = found["leads"].column("id").to_pylist() if "leads" in found else []
    phones = found["lead_phones"].column("lead_id").to_pylist() if "lead_phones" in found else []
    assert phones == ids
    return ids


def test_unchanged_leads_are_left_out_and_counted_changed_ones_stay() -> None:
    unchanged = Unchanged(LEADS, Shelf({1: (NOW, 11, False), 2: (NOW, 22, False), 3: (NOW, 33, False)}).versions)
    assert kept(unchanged, batch((1, NOW, 11), (2, NOW, 99), (3, NOW + HOUR, 33), (4, NOW, 44))) == [2, 4]
    assert unchanged.count == 2
    assert kept(unchanged, batch((1, NOW, 11))) == []
    assert unchanged.count == 3


def test_a_table_that_loses_all_its_rows_is_not_handed_on() -> None:
    assert Unchanged(LEADS, Shelf({1: (NOW, 11, False)}).versions).filter(batch((1, NOW, 11)), NOW) == {}


def test_an_older_version_never_passes() -> None:
    unchanged = Unchanged(LEADS, Shelf({1: (NOW, 11, False)}).versions)
    assert kept(unchanged, batch((1, NOW - timedelta(seconds=1), 99))) == []
    assert kept(unchanged, batch((1, NOW, 99))) == [1]


@pytest.mark.parametrize(("ahead", "passes"), [(timedelta(minutes=5), []), (timedelta(minutes=5, seconds=1), [1])])
def test_a_time_that_a_wrong_clock_made_does_not_keep_newer_versions_out(ahead: timedelta, passes: list[int]) -> None:
    unchanged = Unchanged(LEADS, Shelf({1: (NOW + ahead, 11, False)}).versions)
    assert kept(unchanged, batch((1, NOW, 99))) == passes


def test_a_lead_that_was_marked_deleted_passes_whatever_its_version() -> None:
    unchanged = Unchanged(LEADS, Shelf({1: (NOW, 11, True), 2: (NOW, 22, True)}).versions)
    assert kept(unchanged, batch((1, NOW, 11), (2, NOW - HOUR, 99))) == [1, 2]


@pytest.mark.parametrize(("stored", "told"), [(None, NOW), (NOW, None), (None, None)])
def test_without_a_modification_time_the_fingerprint_decides(stored: datetime | None, told: datetime | None) -> None:
    unchanged = Unchanged(LEADS, Shelf({1: (stored, 11, False), 2: (stored, 22, False)}).versions)
    assert kept(unchanged, batch((1, told, 11), (2, told, 99))) == [2]


def test_a_row_without_a_fingerprint_is_written_again() -> None:
    assert kept(Unchanged(LEADS, Shelf({1: (NOW, None, False)}).versions), batch((1, NOW, 11))) == [1]


def test_where_nothing_is_known_all_is_written() -> None:
    unchanged = Unchanged(LEADS, nothing_known)
    assert kept(unchanged, batch((1, NOW, 11), (2, None, 22))) == [1, 2]
    assert unchanged.count == 0


def test_tables_without_leads_pass_as_they_are() -> None:
    history = {"lead_stage_history": pa.table({"id": [1], "lead_id": [1]})}
    assert Unchanged(LEADS, Shelf({1: (NOW, 11, False)}).versions).filter(history, NOW) == history
