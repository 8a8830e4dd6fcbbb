"""One field's values become one typed column; whatever does not fit is kept beside it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.columns import ARROW, Kind, Misfit, as_text, column, is_empty, storable, without_nul
from unit.fuzz import INSTANTS, OFFSETS, QUICK


def one(value: Any, kind: Kind, none: Sequence[str] = ()) -> Any:
    """Return what a value that fits becomes."""
    array, misfits = column([value], kind, none)
    assert misfits == []
    assert array.type == ARROW[kind]
    return array[0].as_py()


def refused(value: Any, kind: Kind) -> str:
    """Return how a value that does not fit is kept."""
    array, misfits = column([value], kind)
    assert array.type == ARROW[kind]
    assert array.null_count == 1
    assert [misfit.row for misfit in misfits] == [0]
    return misfits[0].value


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("empty", [None, "", [], {}], ids=repr)
def test_empty_values_of_every_kind_are_null(kind: Kind, empty: Any) -> None:
    assert one(empty, kind) is None


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.BOOLEAN])
def test_false_means_empty_where_no_flag_is_expected(kind: Kind) -> None:
    assert one(False, kind) is None


@pytest.mark.parametrize("kind", list(Kind))
def test_a_column_without_rows_has_its_type(kind: Kind) -> None:
    array, misfits = column([], kind)
    assert (array.type, len(array), misfits) == (ARROW[kind], 0, [])


@pytest.mark.parametrize("kind", list(Kind))
def test_a_column_of_empty_values_has_its_type(kind: Kind) -> None:
    array, misfits = column([None, "", None], kind)
    assert (array.type, array.null_count, misfits) == (ARROW[kind], 3, [])


@pytest.mark.parametrize(
    ("value", "number"),
    [("5", 5), (5, 5), (" 5 ", 5), ("-0", 0), ("007", 7), ("+3", 3), ("5.0", 5), ("1e3", 1000), (0, 0), (["45"], 45),
     (2**63 - 1, 2**63 - 1), (str(-(2**63)), -(2**63))],
)  # fmt: skip
def test_whole_numbers_fit_in_any_spelling(value: Any, number: int) -> None:
    assert one(value, Kind.BIGINT) == number


@pytest.mark.parametrize(
    "value",
    ["1.5", "abc", 2**63, str(2**63), str(-(2**63) - 1), 10**40, "0x1F", "1_000", "٣", "nan", "Infinity", "1 000",
     "1e400", "L_4", {"id": 5}, [1, 2]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_64_bit_integer_is_kept_as_a_misfit(value: Any) -> None:
    assert refused(value, Kind.BIGINT) == (value if isinstance(value, str) else msgspec.json.encode(value).decode())


def test_a_misfit_leaves_its_neighbours_alone() -> None:
    array, misfits = column(["1", "x", None, "4", [1, 2]], Kind.BIGINT)
    assert array.to_pylist() == [1, None, None, 4, None]
    assert misfits == [Misfit(1, "x"), Misfit(4, "[1,2]")]


@pytest.mark.parametrize("kind", [Kind.BIGINT, Kind.DECIMAL, Kind.DOUBLE])
def test_a_flag_in_a_column_of_numbers_is_a_misfit(kind: Kind) -> None:
    assert refused(True, kind) == "true"
    array, misfits = column([1, True, 2], kind)
    assert array.to_pylist() == [1, None, 2]
    assert misfits == [Misfit(1, "true")]


@pytest.mark.parametrize("spelling", ["0", 0, "", None])
def test_none_texts_mean_no_company(spelling: Any) -> None:
    array, misfits = column(["12", spelling, 7], Kind.BIGINT, ("0",))
    assert (array.to_pylist(), misfits) == ([12, None, 7], [])
    array, _ = column(["12", "0", None], Kind.BIGINT, ("0",))
    assert array.to_pylist() == [12, None, None]


@pytest.mark.parametrize(
    ("value", "amount"),
    [("9999999999999.99", "9999999999999.99"), ("0.10", "0.10"), ("1e3", "1000.00"), ("15000.00", "15000.00"),
     (7, "7.00"), ("1.100", "1.10"), ("-0.01", "-0.01"), (".5", "0.50"), ("9999999999999999.99", "9999999999999999.99"),
     (" 3.5 ", "3.50"), ("1E-2", "0.01")],
)  # fmt: skip
def test_money_is_exact(value: Any, amount: str) -> None:
    assert str(one(value, Kind.DECIMAL)) == amount


@pytest.mark.parametrize(
    "value",
    ["1.005", "0.001", "10000000000000000", "1e16", "nan", "-Infinity", "sNaN", "1,5", "300|RUB", "1_0", "1e-3",
     "0.100000000000000000000000000000000001", "1e999999", "1e-41", "1E-909"],
)  # fmt: skip
def test_money_that_two_decimals_cannot_hold_is_a_misfit(value: str) -> None:
    assert refused(value, Kind.DECIMAL) == value


@QUICK
@given(st.lists(st.decimals("-9999999999999999.99", "9999999999999999.99", places=2), min_size=1, max_size=20))
def test_money_from_json_never_passes_through_float(amounts: list[Decimal]) -> None:
    told = "[" + ",".join(map(str, amounts)) + "]"
    values = msgspec.json.Decoder(list[Any], float_hook=str).decode(told)
    array, misfits = column(values, Kind.DECIMAL)
    assert (array.to_pylist(), misfits) == (amounts, [])


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "Infinity", "1e400", "abc", "1_0"])
def test_a_double_is_finite(value: str) -> None:
    assert refused(value, Kind.DOUBLE) == value
    assert one("-1.5e3", Kind.DOUBLE) == -1500.0


@pytest.mark.parametrize(
    ("flag", "value"),
    [("Y", True), ("N", False), ("1", True), ("0", False), (1, True), (0, False), (True, True), (False, False),
     ("true", True), ("n", False), (" Y", True), ([False], False)],
)  # fmt: skip
def test_flags_in_all_the_portals_spellings(flag: Any, value: bool) -> None:
    assert one(flag, Kind.BOOLEAN) is value


@pytest.mark.parametrize("value", ["maybe", 2, "2", ["Y", "N"], {"a": 1}], ids=repr)
def test_what_is_no_flag_is_a_misfit(value: Any) -> None:
    refused(value, Kind.BOOLEAN)


@pytest.mark.parametrize(
    "told",
    ["2000-01-01T03:00:00+03:00", "2000-01-01T02:00:00+02:00", "2000-01-01T00:00:00+00:00", "1999-12-31T19:00:00-05:00",
     "2000-01-01T12:00:00+12:00", "2000-01-01T00:00:00+03:00", "2000-01-01T00:00:00-05:00", "2000-01-01"],
)  # fmt: skip
def test_a_date_is_found_behind_every_offset_and_both_conventions(told: str) -> None:
    assert one(told, Kind.DATE) == date(2000, 1, 1)


@QUICK
@given(st.dates(min_value=date(1, 1, 3), max_value=date(9999, 12, 29)), OFFSETS)
def test_midnight_utc_shown_in_the_portals_offset_is_that_date(day: date, offset: Any) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert one(midnight.astimezone(offset).isoformat(), Kind.DATE) == day


@QUICK
@given(INSTANTS.map(lambda instant: instant.replace(microsecond=0)), OFFSETS)
def test_a_time_is_the_same_instant_in_every_offset(instant: datetime, offset: Any) -> None:
    assert one(instant.astimezone(offset).isoformat(), Kind.TIMESTAMP) == instant


def test_the_first_and_the_last_second_of_the_calendar_fit() -> None:
    for told in ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "0001-01-01T03:00:00+03:00"):
        assert one(told, Kind.TIMESTAMP) == at(told)
    assert one("9999-12-31T03:00:00+03:00", Kind.DATE) == date(9999, 12, 31)
    assert one("0001-01-01T03:00:00+03:00", Kind.DATE) == date(1, 1, 1)


@pytest.mark.parametrize("kind", [Kind.TIMESTAMP, Kind.DATE])
@pytest.mark.parametrize(
    "value",
    ["0000-00-00", "0000-00-00 00:00:00", "0000-12-31T00:00:00+00:00", "0001-01-01T00:00:00+03:00",
     "9999-12-31T23:59:59-03:00", "10000-01-01T00:00:00+00:00", "2026-02-30T00:00:00+03:00", "21.11.2026",
     "2026-11-21T12:00:00", "soon", 1763712000],
    ids=str,
)  # fmt: skip
def test_what_is_no_time_with_a_zone_is_a_misfit(kind: Kind, value: Any) -> None:
    assert refused(value, kind) == str(value)


def test_a_date_after_the_calendar_is_a_misfit_and_not_the_year_10000() -> None:
    assert refused("9999-12-31T00:00:00-12:00", Kind.DATE) == "9999-12-31T00:00:00-12:00"


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (True, "true"), ("12.50", "12.50"), (["a"], "a"), (0, "0")])
def test_text_takes_every_scalar(value: Any, text: str) -> None:
    assert one(value, Kind.TEXT) == text


def test_a_structure_where_text_was_expected_is_kept_as_json() -> None:
    assert refused({"город": ["Алматы", None]}, Kind.TEXT) == '{"город":["Алматы",null]}'


@pytest.mark.parametrize("kind", list(Kind))
def test_a_lone_surrogate_is_kept_replaced(kind: Kind) -> None:
    kept = refused("x\ud83d", kind)
    assert kept.startswith("x\ufffd")
    kept.encode()


def test_stored_text_can_always_be_encoded() -> None:
    assert storable("ok \U0001f600") == "ok \U0001f600"
    assert as_text({"a": "\ud800", "ж": 1}).encode()
    assert as_text([1, None, True]) == "[1,null,true]"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=8)
    | st.sampled_from(["Y", "N", "0", "", "1.5", "1e3", "0x1F", "nan", "2026-11-21", "\ud800", "1_0", "-0", "+1", " 1"])
    | st.from_regex(r"[+-]?[0-9]{1,19}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]"
        r"([T ][0-2][0-9](:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?)?(Z|[+-][01][0-9](:?[03]0)?)?)?",
        fullmatch=True,
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@settings(QUICK, max_examples=150)
@given(st.sampled_from(Kind), st.lists(VALUES, min_size=1, max_size=6))
def test_a_values_fate_does_not_depend_on_its_neighbours(kind: Kind, values: list[Any]) -> None:
    """Alone it goes the fast way if it can; beside a structure it always goes the careful way."""
    together, misfits = column([*values, {"a": 1}], kind)
    kept = {misfit.row: misfit.value for misfit in misfits}
    for row, value in enumerate(values):
        alone, refusal = column([value], kind)
        assert alone[0] == together[row]
        assert [misfit.value for misfit in refusal] == ([kept[row]] if row in kept else [])


@settings(QUICK, max_examples=150)
@given(st.sampled_from(Kind), st.lists(VALUES, min_size=1, max_size=6))
def test_every_value_is_in_the_column_or_a_misfit_or_empty(kind: Kind, values: list[Any]) -> None:
    array, misfits = column(values, kind)
    kept = {misfit.row for misfit in misfits}
    for row, value in enumerate(values):
        plain = value[0] if isinstance(value, list) and len(value) == 1 else value
        assert array[row].is_valid or row in kept or is_empty(plain)
        assert not (array[row].is_valid and row in kept)


def test_nul_is_shown_in_texts_and_counted() -> None:
    clean = pa.table({"id": [1], "title": ["a"]})
    dirty = pa.table({"id": [1, 2, 3], "title": ["a\0b\0", None, "c"], "name": ["\0", "d", "e"]})
    shown, count = without_nul({"clean": clean, "dirty": dirty})
    assert count == 2
    assert shown["clean"] is clean
    assert shown["dirty"].to_pydict() == {
        "id": [1, 2, 3],
        "title": ["a\u2400b\u2400", None, "c"],
        "name": ["\u2400", "d", "e"],
    }
    assert shown["dirty"].schema == dirty.schema


def test_without_nul_takes_tables_without_rows() -> None:
    empty = pa.table({"title": pa.array([], pa.string())})
    shown, count = without_nul({"leads": empty})
    assert (shown["leads"].num_rows, count) == (0, 0)
