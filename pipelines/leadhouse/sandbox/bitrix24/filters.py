"""Filters of the list methods: prefixes, typed comparison, index bounds (reference: bitrix24 5.2, 5.7 and 7.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import times
from .fields import MULTIFIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from zoneinfo import ZoneInfo

    from .fields import Kind
    from .store import Lead

Test = "Callable[[Lead], bool]"

_PREFIX = re.compile(r"^(!=%|!%=|!><|!=|!@|!%|!|=%|%=|>=|<=|><|=|>|<|@|%)?(.+)$", re.DOTALL)
_OPERATORS = {
    None: "=", "=": "=", "!": "!=", "!=": "!=", ">": ">", ">=": ">=", "<": "<", "<=": "<=", "@": "in", "!@": "!in",
    "%": "contains", "!%": "!contains", "=%": "like", "%=": "like", "!=%": "!like", "!%=": "!like",
    "><": "between", "!><": "!between",
}  # fmt: skip
FILLED = "^%^"
EMPTY = "^&^"
_LOWEST_ID = -(1 << 70)


@dataclass(frozen=True)
class Condition:
    """One condition of a filter: field by classic name, its kind, operator and value."""

    field: str
    kind: Kind
    operator: str
    value: Any


@dataclass(frozen=True)
class Query:
    """A filter ready to run: bounds on id and DATE_MODIFY (Unix seconds) for the indexes, tests for the rest."""

    key: Hashable
    low: int = _LOWEST_ID
    high: int | None = None
    ids: frozenset[int] | None = None
    since: int | None = None
    until: int | None = None
    tests: tuple[Callable[[Lead], bool], ...] = ()
    nothing: bool = False

    @property
    def by_time(self) -> bool:
        """Whether DATE_MODIFY is bounded."""
        return self.since is not None or self.until is not None


NO_ROWS = Query(key="nothing", nothing=True)


def split_key(key: str) -> tuple[str, str]:
    """Split a filter key into operator and field name."""
    match = _PREFIX.match(key)
    return (_OPERATORS[match[1]], match[2]) if match else ("=", key)


def _read(kind: Kind, value: Any) -> Any:
    if kind == "integer":
        return value["id"] if isinstance(value, dict) else php.integer(value)
    if kind == "number":
        return Decimal(str(value))
    if kind == "datetime":
        return times.epoch(value)
    if kind == "date":
        return times.rendered_date(value)
    return int(value) if kind == "boolean" else str(value).casefold()


def present(lead: Lead, field: str, kind: Kind) -> list[Any]:
    """Return the comparable values of a field of a lead; none for NULL."""
    value = lead.get(field)
    if field in MULTIFIELDS:
        return [str(entry["VALUE"]).casefold() for entry in value or ()]
    if kind == "boolean" and not isinstance(value, list):
        return [int(value)] if isinstance(value, bool) else []
    if isinstance(value, list):
        return [_read(kind, entry) for entry in value]
    return [] if value is None or value == "" or value is False else [_read(kind, value)]


def parse(kind: Kind, value: Any, zone: ZoneInfo) -> Any:  # noqa: PLR0911 - one return a kind
    """Read a filter's value in the domain of its field; None when it cannot be read."""
    if kind == "integer":
        return php.integer(value)
    if kind == "number":
        text = php.number(value)
        try:
            return Decimal(text or "0")
        except InvalidOperation:
            return None
    if kind == "datetime":
        return times.parse_datetime(value, zone)
    if kind == "date":
        return times.parse_date(value)
    if kind == "boolean":
        return int(str(value).upper() in {"1", "Y", "TRUE"})
    return None if php.is_array(value) else str(value).casefold()


def _like(pattern: str) -> Callable[[str], bool]:
    parts = "".join(".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern.casefold())
    compiled = re.compile(parts, re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
}


def test_of(condition: Condition, zone: ZoneInfo) -> Callable[[Lead], bool]:  # noqa: C901, PLR0911 - one arm an operator
    """Return the test that a lead must pass."""
    field, kind, operator, value = condition.field, condition.kind, condition.operator, condition.value
    if operator.startswith("!"):
        positive = test_of(Condition(field, kind, operator[1:], value), zone)
        return lambda lead: not positive(lead)
    if value in (FILLED, EMPTY):
        return lambda lead: bool(present(lead, field, kind)) == (value == FILLED)
    if operator in {"contains", "like"}:
        if kind != "string":
            operator = "="
        else:
            matches = _like(f"%{value}%" if operator == "contains" else str(value))
            return lambda lead: any(matches(text) for text in present(lead, field, kind))
    if operator == "in" or (operator == "=" and php.is_array(value)):
        wanted = {parse(kind, entry, zone) for entry in php.values(value)}
        return lambda lead: not wanted.isdisjoint(present(lead, field, kind))
    if operator == "between":
        bounds = [parse(kind, entry, zone) for entry in php.values(value)[:2]]
        return lambda lead: any(bounds[0] <= entry <= bounds[-1] for entry in present(lead, field, kind))
    if value is None or value == "":
        return lambda lead: not present(lead, field, kind)
    target = parse(kind, value, zone)
    if target is None:
        return lambda lead: not present(lead, field, kind)
    if field in MULTIFIELDS:
        return lambda lead: any(text.startswith(target) for text in present(lead, field, kind))
    null_counts = kind in {"integer", "number", "boolean"} and target == 0 and operator in {"=", ">=", "<="}
    compare = _COMPARE[operator]

    def passes(lead: Lead) -> bool:
        found = present(lead, field, kind)
        return any(compare(entry, target) for entry in found) or (null_counts and not found)

    return passes


def compile_query(conditions: list[Condition], zone: ZoneInfo, key: Hashable) -> Query:
    """Turn conditions, all of which must hold, into index bounds and tests."""
    low, high, since, until = _LOWEST_ID, None, None, None
    ids: frozenset[int] | None = None
    tests = []
    for condition in conditions:
        operator, value = condition.operator, condition.value
        listed = operator == "in" or (operator == "=" and php.is_array(value))
        ranged = operator in _COMPARE and not listed and value not in (FILLED, EMPTY)
        if condition.field == "ID" and ranged:
            start, stop = _range(operator, php.integer(value))
            low, high = max(low, start) if start is not None else low, _lower(high, stop)
        elif condition.field == "ID" and listed:
            wanted = frozenset(php.integer(entry) for entry in php.values(value))
            ids = wanted if ids is None else ids & wanted
        elif condition.field == "DATE_MODIFY" and ranged:
            second = times.parse_datetime(value, zone)
            if second is None:
                return NO_ROWS
            start, stop = _range(operator, second)
            since = start if since is None else max(since, start if start is not None else since)
            until = _lower(until, stop)
        else:
            tests.append(test_of(condition, zone))
    return Query(key, low, high, ids, since, until, tuple(tests))


def _range(operator: str, value: int) -> tuple[int | None, int | None]:
    return {
        "=": (value, value + 1),
        ">": (value + 1, None),
        ">=": (value, None),
        "<": (None, value),
        "<=": (None, value + 1),
    }[operator]


def _lower(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else min(first, second)
