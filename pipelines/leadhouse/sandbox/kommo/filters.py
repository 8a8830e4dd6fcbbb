"""Filters and orders of lists of cards (reference: kommo sections 4.1 and 10.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from .store import Card, Facts

    Bounds = Literal["inclusive", "exclusive"]
    Test = Callable[[Facts], bool]
    CardTest = Callable[[Card], bool]

_NUMBERS = ("created_by", "updated_by", "responsible_user_id", "pipeline_id")
_TIMES = ("created_at", "closed_at", "closest_task_at")
ORDERS = ("updated_at", "created_at", "id")


@dataclass
class Query:
    """What a list is asked for; ``low`` and ``high`` bound updated_at, both included."""

    ids: frozenset[int] | None = None
    low: int | None = None
    high: int | None = None
    tests: list[Test] = field(default_factory=list)
    card_tests: list[CardTest] = field(default_factory=list)
    order: str = "updated_at"
    descending: bool = False


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def integers(value: Any) -> frozenset[int] | None:
    """Return the numbers of a multiple filter; None when there is none, the filter is then ignored."""
    found = frozenset(number for item in php.values(value) if (number := _int(item)) is not None)
    return found or None


def statuses(value: Any) -> frozenset[tuple[int, int]]:
    """Return the pairs of pipeline and status of a filter; half ones are ignored."""
    pairs = [
        (_int(pair.get("pipeline_id")), _int(pair.get("status_id")))
        for pair in php.values(value)
        if isinstance(pair, dict)
    ]
    return frozenset((pipeline, status) for pipeline, status in pairs if pipeline is not None and status is not None)


def bounds_of(value: Any, bounds: Bounds) -> tuple[int | None, int | None]:
    """Return the whole numbers between ``from`` and ``to``, both included; a bare value is exactly that."""
    if not isinstance(value, dict):
        exact = _int(value)
        return exact, exact
    low, high = _int(value.get("from")), _int(value.get("to"))
    if bounds == "exclusive":
        low = None if low is None else low + 1
        high = None if high is None else high - 1
    return low, high


def _within(name: str, low: int | None, high: int | None) -> Test:
    def test(facts: Facts) -> bool:
        value = getattr(facts, name)
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    return test


def _among(name: str, wanted: frozenset[Any]) -> Test:
    return lambda facts: getattr(facts, name) in wanted


def _in_statuses(pairs: frozenset[tuple[int, int]]) -> Test:
    return lambda facts: (facts.pipeline_id, facts.status_id) in pairs


def _custom(field_id: int, wanted: Any, bounds: Bounds) -> CardTest:
    texts = {str(item) for item in php.values(wanted)}
    ranged = isinstance(wanted, dict) and not wanted.keys().isdisjoint({"from", "to"})
    low, high = bounds_of(wanted, bounds) if ranged else (None, None)

    def holds(item: Mapping[str, Any]) -> bool:
        if not ranged:
            return str(item.get("value")) in texts or str(item.get("enum_id")) in texts
        value = _number(item.get("value"))
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    return lambda card: any(
        holds(item)
        for entry in card["custom_fields_values"] or ()
        if entry["field_id"] == field_id
        for item in entry["values"]
    )


def _mentions(text: str) -> CardTest:
    wanted = text.casefold()

    def test(card: Card) -> bool:
        filled = [card["name"], str(card["id"])]
        filled += [str(item.get("value")) for entry in card["custom_fields_values"] or () for item in entry["values"]]
        return any(wanted in value.casefold() for value in filled)

    return test


def read(params: php.Params, bounds: Bounds, default_order: str, *, filtered: bool = True) -> Query:
    """Return the query of parameters; what is unknown or malformed is ignored, filters also when not ``filtered``."""
    query = Query(order=default_order)
    for name, direction in php.entries(params.get("order")) if isinstance(params.get("order"), dict) else ():
        if name in ORDERS and str(direction).lower() in {"asc", "desc"}:
            query.order, query.descending = name, str(direction).lower() == "desc"
            break
    if params.get("query"):
        query.card_tests.append(_mentions(str(params["query"])))
    wanted = params.get("filter")
    if filtered and isinstance(wanted, dict):
        _read_filter(query, wanted, bounds)
    return query


def _read_filter(query: Query, wanted: php.Params, bounds: Bounds) -> None:
    if "id" in wanted:
        query.ids = integers(wanted["id"])
    if "name" in wanted:
        query.tests.append(_among("name", frozenset(map(str, php.values(wanted["name"])))))
    if "price" in wanted:
        query.tests.append(_within("price", *bounds_of(wanted["price"], bounds)))
    chosen = {name: integers(wanted.get(name)) for name in _NUMBERS}
    query.tests += [_among(name, numbers) for name, numbers in chosen.items() if numbers]
    if pairs := statuses(wanted.get("statuses", [])):
        query.tests.append(_in_statuses(pairs))
    for name in _TIMES:
        low, high = bounds_of(wanted.get(name), bounds)
        if (low, high) != (None, None):
            query.tests.append(_within(name, low, high))
    query.low, query.high = bounds_of(wanted.get("updated_at"), bounds)
    custom = wanted.get("custom_fields_values")
    for key, value in php.entries(custom) if isinstance(custom, dict) else ():
        if (field_id := _int(key)) is not None:
            query.card_tests.append(_custom(field_id, value, bounds))
