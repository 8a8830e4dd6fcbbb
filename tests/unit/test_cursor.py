"""The cursor: what is stored is what is read, and only a window read to its end moves it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadhouse.cursor import VERSION, Backfill, Cursor, Window, check_clock, close_window, open_window, rewind
from leadhouse.errors import StateError
from unit.fuzz import INSTANTS, QUICK

NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)
OVERLAP = timedelta(minutes=5)
IDS = st.integers(0, 2**40)
RANGES = st.lists(st.tuples(IDS, st.none() | IDS), max_size=3).map(tuple)
WINDOWS = st.builds(
    Window,
    lower=st.none() | INSTANTS,
    upper=INSTANTS,
    ranges=RANGES,
    streams=st.dictionaries(st.sampled_from(["lead_stage_history", "contacts"]), IDS),
    full=st.booleans(),
)
CURSORS = st.builds(
    Cursor,
    cursor=st.none() | INSTANTS,
    window=st.none() | WINDOWS,
    backfill=st.none() | st.builds(Backfill, since=st.none() | INSTANTS, until=st.none() | INSTANTS),
    backfill_window=st.none() | WINDOWS,
    offset_min=st.integers(-720, 840),
)


@QUICK
@given(CURSORS)
def test_what_is_stored_as_json_is_read_back_the_same(cursor: Cursor) -> None:
    assert Cursor.from_dict(json.loads(json.dumps(cursor.to_dict()))) == cursor


def test_times_are_stored_in_utc() -> None:
    stored = Cursor(cursor=datetime.fromisoformat("2026-11-21T12:00:00+03:00")).to_dict()
    assert stored["cursor"] == "2026-11-21T09:00:00Z"
    assert stored["version"] == VERSION


def test_nothing_stored_is_an_empty_cursor() -> None:
    assert Cursor.from_dict(None) == Cursor()


@pytest.mark.parametrize("version", [VERSION + 1, 99, "1", None, 1.5])
def test_a_state_of_a_newer_release_asks_for_an_upgrade(version: Any) -> None:
    with pytest.raises(StateError, match="upgrade leadhouse") as caught:
        Cursor.from_dict({**Cursor(cursor=NOON).to_dict(), "version": version})
    assert caught.value.exit_code == 2


OPEN = Cursor(cursor=NOON, window=Window(NOON - OVERLAP, NOON)).to_dict()
DAMAGES: dict[str, dict[str, Any]] = {
    "no cursor": {key: value for key, value in OPEN.items() if key != "cursor"},
    "no version": {key: value for key, value in OPEN.items() if key != "version"},
    "no window": {key: value for key, value in OPEN.items() if key != "window"},
    "a number for a time": {**OPEN, "cursor": 1763712000},
    "no time": {**OPEN, "cursor": "yesterday"},
    "a time without zone": {**OPEN, "cursor": "2026-11-21T09:00:00"},
    "a time before the calendar": {**OPEN, "cursor": "0001-01-01T00:00:00+03:00"},
    "a window of text": {**OPEN, "window": "open"},
    "a window without upper": {**OPEN, "window": {**OPEN["window"], "upper": None}},
    "a window without ranges": {**OPEN, "window": {k: v for k, v in OPEN["window"].items() if k != "ranges"}},
    "a range of one": {**OPEN, "window": {**OPEN["window"], "ranges": [[1]]}},
    "a range of words": {**OPEN, "window": {**OPEN["window"], "ranges": [["a", "b"]]}},
    "a stream's position of words": {**OPEN, "window": {**OPEN["window"], "streams": {"lead_stage_history": "a"}}},
    "streams of text": {**OPEN, "window": {**OPEN["window"], "streams": "lead_stage_history"}},
    "a zone that is none": {**OPEN, "zone": 3},
    "dictionaries read at no time": {**OPEN, "dictionaries_at": "yesterday"},
    "a backfill of text": {**OPEN, "backfill": "open"},
    "an offset of words": {**OPEN, "offset_min": "east"},
    "an offset of no end": {**OPEN, "offset_min": float("inf")},
    "an offset beyond a day": {**OPEN, "offset_min": 1441},
}


@pytest.mark.parametrize("damaged", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_names_the_command_that_cures_it(damaged: dict[str, Any]) -> None:
    with pytest.raises(StateError, match=r"damaged.*run `leadhouse state reset`"):
        Cursor.from_dict(damaged)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@QUICK
@given(st.sampled_from(sorted(OPEN)), JSON)
def test_whatever_stands_in_the_state_it_is_read_or_refused_with_a_state_error(name: str, value: Any) -> None:
    try:
        read = Cursor.from_dict({**OPEN, name: value})
    except StateError:
        return
    assert isinstance(read, Cursor)


@QUICK
@given(INSTANTS, st.integers(0, 3600), st.integers(0, 10**7))
def test_a_window_begins_the_overlap_before_the_cursor_and_ends_at_the_portals_clock(
    at: datetime, overlap_s: int, later_s: int
) -> None:
    overlap, now = timedelta(seconds=overlap_s), min(at, datetime(9000, 1, 1, tzinfo=UTC)) + timedelta(seconds=later_s)
    cursor = Cursor(cursor=min(at, datetime(9000, 1, 1, tzinfo=UTC)))
    opened = open_window(cursor, now, overlap)
    assert cursor.cursor is not None
    assert opened.window == Window(cursor.cursor - overlap, now)
    assert opened.cursor == cursor.cursor


def test_the_first_window_reads_all() -> None:
    assert open_window(Cursor(), NOON, OVERLAP).window == Window(None, NOON, ((0, None),))


def test_an_open_window_is_kept() -> None:
    cursor = Cursor(cursor=NOON, window=Window(NOON - OVERLAP, NOON).advance(70))
    assert open_window(cursor, NOON + timedelta(hours=1), OVERLAP) == cursor


def test_full_replaces_an_open_window_of_changes_and_keeps_a_full_one() -> None:
    later = NOON + timedelta(hours=1)
    changes = Cursor(cursor=NOON, window=Window(NOON - OVERLAP, NOON).advance(70))
    full = open_window(changes, later, OVERLAP, full=True)
    assert full.window == Window(None, later, full=True)
    assert full.cursor == NOON
    again = open_window(full, later + timedelta(hours=1), OVERLAP, full=True)
    assert again == full


@QUICK
@given(st.lists(st.integers(1, 1000), max_size=30), st.booleans())
def test_only_closing_a_window_moves_the_cursor(steps: list[int], history_first: bool) -> None:
    """Whatever is read and in whichever order, the cursor stays until the end, then it is the window's upper."""
    cursor = open_window(Cursor(cursor=NOON - timedelta(days=1)), NOON, OVERLAP, streams=["history"])
    window, position = cursor.window, 0
    assert window is not None
    if history_first:
        window = window.advance_stream("history", 5).advance_stream("history", None)
    for step in steps:
        assert not window.done
        with pytest.raises(ValueError, match="no window"):
            close_window(Cursor(cursor.cursor, window))
        position += step
        window = window.advance(position)
        assert window.after == position
        assert (window.lower, window.upper) == (cursor.window and cursor.window.lower, NOON)
    window = window.finish_leads()
    if not history_first:
        window = window.advance_stream("history", 9)
        assert not window.done
        window = window.advance_stream("history", None)
    assert window.leads_done
    closed = close_window(Cursor(cursor.cursor, window, offset_min=180))
    assert closed == Cursor(NOON, None, offset_min=180)


def test_a_cursor_without_a_window_cannot_be_closed() -> None:
    with pytest.raises(ValueError, match="no window"):
        close_window(Cursor(cursor=NOON))


def test_a_position_never_goes_back() -> None:
    window = Window(None, NOON).advance(10)
    assert window.advance(10).after == 10
    with pytest.raises(ValueError, match="position 9 is behind 10"):
        window.advance(9)


def test_ranges_are_read_one_after_another() -> None:
    window = Window(None, NOON, ranges=((0, 100), (500, None)))
    window = window.advance(100).finish_leads()
    assert window.ranges == ((500, None),)
    assert window.after == 500
    assert not window.leads_done
    assert window.finish_leads().leads_done


@pytest.mark.parametrize("overlap", [timedelta(), OVERLAP])
def test_a_cursor_from_the_portals_future_is_refused_with_the_cure(overlap: timedelta) -> None:
    slack = max(overlap, timedelta(minutes=1))
    check_clock(Cursor(cursor=NOON + slack), NOON, overlap)
    ahead = NOON + slack + timedelta(seconds=1)
    for cursor in (Cursor(cursor=ahead), Cursor(window=Window(None, ahead))):
        with pytest.raises(StateError, match=r"lies in the portal's future.*state rewind --to TIME"):
            open_window(cursor, NOON, overlap)


@QUICK
@given(INSTANTS, INSTANTS, st.integers(-720, 840))
def test_a_rewind_goes_back_and_forgets_the_open_window(a: datetime, b: datetime, offset: int) -> None:
    earlier, later = sorted((a, b))
    cursor = Cursor(later, Window(earlier, later), Backfill(earlier, None), Window(earlier, later), offset)
    assert rewind(cursor, earlier) == Cursor(cursor=earlier, offset_min=offset)


def test_a_rewind_never_goes_forward() -> None:
    with pytest.raises(StateError, match="only goes back"):
        rewind(Cursor(cursor=NOON), NOON + timedelta(seconds=1))


@pytest.mark.parametrize("unread", [Cursor(), Cursor(window=Window(None, NOON).advance(70))], ids=["new", "unfinished"])
def test_there_is_no_rewind_before_the_first_full_reading(unread: Cursor) -> None:
    """A cursor would skip everything older that was never read."""
    with pytest.raises(StateError, match="nothing to rewind"):
        rewind(unread, NOON - timedelta(days=1))


def test_a_position_in_stage_history_as_earlier_releases_wrote_it_is_read() -> None:
    stored = Cursor(cursor=NOON, window=Window(NOON - OVERLAP, NOON)).to_dict()
    del stored["window"]["streams"]
    for written, read in ((7, {"lead_stage_history": 7}), (None, {})):
        window = Cursor.from_dict(
            stored | {"version": 1, "window": stored["window"] | {"history_after": written}}
        ).window
        assert window is not None
        assert window.streams == read


def test_a_cursor_before_the_first_window_was_read_to_its_end_says_what_to_do() -> None:
    assert Cursor(cursor=NOON).reached == NOON
    with pytest.raises(StateError, match="run `leadhouse sync` first"):
        _ = Cursor().reached
