"""Turn the JSON values of one field into one typed Arrow column, fast where the values are as promised.

Each kind has a vectorised way and, for a column that it refuses, a careful one value by value. A value that does not
fit its kind becomes NULL in the column and is returned as a `Misfit`, so that it is kept and counted elsewhere.
Numbers with a fraction arrive as their raw text (the JSON decoder keeps it), so money never passes through float.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MONEY = pa.decimal128(18, 2)
TIMESTAMP = pa.timestamp("us", "UTC")
_INT64 = 2**63
_MONEY_LIMIT = Decimal(10) ** 16
_CENT = Decimal("0.01")
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_PLAIN_NUMBER = r"^[+-]?[0-9]{0,20}\.?[0-9]{0,10}$"
_HALF_DAY = timedelta(hours=12)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Postgres cuts what is longer than 63 off: a number and a currency's suffix may come behind.
_LONGEST_NAME = 50
_DIGITS = re.compile(r"-?[0-9]{1,18}")
_ANY_INT = pa.decimal128(21, 2)
_FLAGS: dict[Any, bool | None] = {
    "Y": True, "N": False, "1": True, "0": False, 1: True, 0: False, "": None, None: None,
    "y": True, "n": False, "true": True, "false": False,
}  # fmt: skip


class Kind(StrEnum):
    """What a column holds; the names are those of `schemas/*/tables.toml`."""

    BIGINT = "bigint"
    TEXT = "text"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    DOUBLE = "double"
    DATE = "date"
    TIMESTAMP = "timestamp"


ARROW: dict[Kind, pa.DataType] = {
    Kind.BIGINT: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DECIMAL: MONEY,
    Kind.DOUBLE: pa.float64(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: TIMESTAMP,
}


# The same in SQL, as DuckDB and Postgres both understand it.
SQL_TYPES: dict[Kind, str] = {
    Kind.BIGINT: "BIGINT",
    Kind.TEXT: "TEXT",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DECIMAL: "DECIMAL(18, 2)",
    Kind.DOUBLE: "DOUBLE PRECISION",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that its column could not take: the row's place in the batch, and the value as JSON text."""

    row: int
    value: str


class _MisfitError(ValueError):
    pass


def column(values: Sequence[Any], kind: Kind, none: Collection[str] = ()) -> tuple[pa.Array, list[Misfit]]:
    """Return `values` as an Arrow array of `kind`, and those that did not fit.

    Args:
        values: decoded JSON, one a row; fractions as their raw text.
        kind: what the column holds.
        none: texts that mean "empty" beside null and "" (COMPANY_ID: "0").
    """
    try:
        return _FAST[kind](values, none), []
    except (pa.ArrowException, UnicodeError, TypeError, KeyError, OverflowError, ValueError):
        return _careful(values, kind, none)


def unix_seconds(values: Sequence[Any]) -> tuple[pa.Array, list[Misfit]]:
    """Return Unix seconds, one a row, as an Arrow array of Kind.TIMESTAMP, and those that are no such time."""
    with suppress(pa.ArrowException, TypeError, OverflowError):
        if {type(value) for value in values} <= {int, type(None)}:
            seconds = pa.array(values, pa.int64())
            span = pc.min_max(seconds)
            if not span["min"].is_valid or (_in_calendar(span["min"].as_py()) and _in_calendar(span["max"].as_py())):
                return pc.cast(pc.multiply(seconds, 1_000_000), TIMESTAMP), []
    told = [_iso(value) for value in values]
    return column(told, Kind.TIMESTAMP)


def _in_calendar(seconds: int) -> bool:
    return _micros(_FIRST) <= seconds * 1_000_000 <= _micros(_LAST)


def _iso(value: Any) -> Any:
    """Return a time as `column` reads it: Unix seconds, as a number or its text, become ISO 8601."""
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int | str) and not isinstance(value, bool) and _DIGITS.fullmatch(str(value)):
            return (_EPOCH + timedelta(seconds=int(value))).isoformat()
    return value


def column_name(field: str) -> str:
    """Return a field's name as a column's: in lower case, in the form that dlt leaves alone, short enough for Postgres.

    A name that is too long ends in a hash of itself.
    """
    kept = "".join(char if char.isascii() and char.isalnum() else "_" for char in field.lower())
    name = "_".join(part for part in kept.split("_") if part)
    if not name or name[0].isdigit():
        name = f"field_{name}".rstrip("_")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = blake2b(field.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{name[: _LONGEST_NAME - 1 - len(digest)].rstrip('_')}_{digest}"


def as_text(value: Any) -> str:
    """Return a JSON value as text that any database takes: a string as it is, anything else as compact JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return storable(text)


def storable(text: str) -> str:
    """Return `text` with lone surrogates replaced by U+FFFD: no encoding can hold them."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def without_nul(tables: Mapping[str, pa.Table]) -> tuple[dict[str, pa.Table], int]:
    """Return `tables` with the character NUL shown as U+2400 in texts, and how many values had it."""
    made: dict[str, pa.Table] = {}
    count = 0
    for name, table in tables.items():
        shown = table
        for at, told in enumerate(table.schema):
            if told.type == pa.string():
                found = pc.sum(pc.match_substring(table.column(at), "\0")).as_py() or 0
                if found:
                    count += found
                    shown = shown.set_column(at, told, pc.replace_substring(table.column(at), "\0", "\u2400"))
        made[name] = shown
    return made, count


def _careful(values: Sequence[Any], kind: Kind, none: Collection[str]) -> tuple[pa.Array, list[Misfit]]:
    read = VALUE[kind]
    misfits: list[Misfit] = []
    out: list[Any] = []
    for row, value in enumerate(values):
        plain = value[0] if isinstance(value, list) and len(value) == 1 else value
        try:
            empty = is_empty(plain) and not (kind is Kind.BOOLEAN and plain is False)
            out.append(None if empty or _means_none(plain, none) else read(plain))
        except (ValueError, TypeError, KeyError, OverflowError, InvalidOperation):
            out.append(None)
            misfits.append(Misfit(row, as_text(value)))
    return pa.array(out, ARROW[kind]), misfits


def _means_none(value: Any, none: Collection[str]) -> bool:
    return bool(none) and isinstance(value, str | int) and str(value) in none


def is_empty(value: Any) -> bool:
    """True for what the portals send for "no value": null, "", false, [] and {}."""
    return value is None or value is False or value in ("", [], {})


def _texts(values: Sequence[Any], none: Collection[str]) -> pa.Array:
    array = pa.array(values, pa.string())
    for empty in ("", *none):
        found = pc.equal(array, empty)
        if pc.any(found).as_py():
            array = pc.if_else(found, None, array)
    return array


def _fast_bigint(values: Sequence[Any], none: Collection[str]) -> pa.Array:
    if not isinstance(next((v for v in values if v is not None), None), int):
        texts = _texts(values, none)
        if pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py():
            raise ValueError("Arrow would read hexadecimal numbers")
        return pc.cast(texts, pa.int64())
    if any(value is True or value is False for value in values):
        raise TypeError("flags among numbers")
    array = pa.array(values, pa.int64())
    for empty in none:
        array = pc.if_else(pc.equal(array, int(empty)), None, array)
    return array


def _fast_boolean(values: Sequence[Any], _: Collection[str]) -> pa.Array:
    return pa.array([_FLAGS[value] for value in values], pa.bool_())


def _fast_decimal(values: Sequence[Any], none: Collection[str]) -> pa.Array:
    if not none and {type(value) for value in values} <= {int, type(None)}:
        return pc.cast(pc.cast(pa.array(values, pa.int64()), _ANY_INT), MONEY)
    texts = _texts(values, none)
    if pc.any(pc.invert(pc.match_substring_regex(texts, _PLAIN_NUMBER))).as_py():
        raise ValueError("Arrow would read 1e-41 as 0")
    return pc.cast(texts, MONEY)


def _fast_double(values: Sequence[Any], none: Collection[str]) -> pa.Array:
    array = pc.cast(_texts(values, none), pa.float64())
    if pc.any(pc.invert(pc.is_finite(array))).as_py():
        raise ValueError("not finite")
    return array


def _fast_timestamp(values: Sequence[Any], none: Collection[str], last: datetime = _LAST) -> pa.Array:
    array = pc.cast(_texts(values, none), TIMESTAMP)
    span = pc.min_max(array)
    if span["min"].is_valid and (span["min"].value < _micros(_FIRST) or span["max"].value > _micros(last)):
        raise ValueError("beyond the calendar")
    return array


def _fast_date(values: Sequence[Any], none: Collection[str]) -> pa.Array:
    array = _fast_timestamp(values, none, _LAST - _HALF_DAY)
    return pc.cast(pc.floor_temporal(pc.add(array, pa.scalar(_HALF_DAY)), unit="day"), pa.date32())


_FAST: dict[Kind, Callable[[Sequence[Any], Collection[str]], pa.Array]] = {
    Kind.TEXT: _texts,
    Kind.BIGINT: _fast_bigint,
    Kind.BOOLEAN: _fast_boolean,
    Kind.DECIMAL: _fast_decimal,
    Kind.DOUBLE: _fast_double,
    Kind.DATE: _fast_date,
    Kind.TIMESTAMP: _fast_timestamp,
}


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        raise _MisfitError("a structure where text was expected")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if storable(text) != text:
        raise _MisfitError("a lone surrogate")
    return text


def _digits(value: Any) -> str:
    """Return a number's text; Python alone would read `1_000` and digits of other scripts as numbers."""
    text = str(value).strip()
    if "_" in text or not text.isascii():
        raise _MisfitError("not a number")
    return text


def _bigint(value: Any) -> int:
    if isinstance(value, bool):
        raise _MisfitError("a flag where a number was expected")
    number = Decimal(_digits(value))
    if number != number.to_integral_value() or not -_INT64 <= number < _INT64:
        raise _MisfitError("not a 64-bit integer")
    return int(number)


def _boolean(value: Any) -> bool:
    flag = _FLAGS[value.strip() if isinstance(value, str) else value] if not isinstance(value, list | dict) else None
    if flag is None:
        raise _MisfitError("not a flag")
    return flag


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise _MisfitError("a flag where money was expected")
    number = Decimal(_digits(value))
    if not number.is_finite() or abs(number) >= _MONEY_LIMIT or number != number.quantize(_CENT):
        raise _MisfitError("not money with two decimals")
    return number.quantize(_CENT)


def _double(value: Any) -> float:
    if isinstance(value, bool):
        raise _MisfitError("a flag where a number was expected")
    number = float(_digits(value))
    if number in (float("inf"), float("-inf")) or number != number:  # noqa: PLR0124 - NaN is not itself
        raise _MisfitError("not a finite number")
    return number


def _timestamp(value: Any) -> datetime:
    at = datetime.fromisoformat(_text(value).strip())
    if at.tzinfo is None:
        raise _MisfitError("a time without zone")
    return at.astimezone(UTC)


def _date(value: Any) -> date:
    text = _text(value).strip()
    if len(text) == len("2000-01-31"):
        return date.fromisoformat(text)
    return (_timestamp(text) + _HALF_DAY).date()


VALUE: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.BIGINT: _bigint,
    Kind.BOOLEAN: _boolean,
    Kind.DECIMAL: _decimal,
    Kind.DOUBLE: _double,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
}


def _micros(at: datetime) -> int:
    return int((at - _EPOCH) / timedelta(microseconds=1))
