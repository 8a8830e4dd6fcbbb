"""Running a query over the leads: pages of 50, order, totals (reference: bitrix24 sections 4, 5.3 and 5.4)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .filters import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .fields import Kind
    from .filters import Query
    from .store import Lead, LeadStore, Row

PAGE = 50


@dataclass(frozen=True)
class Sorting:
    """One key of an order: a field by classic name, how it compares, the direction, and ranks of its values."""

    field: str
    kind: Kind
    descending: bool
    ranks: tuple[tuple[str, int], ...] = ()


def _passes(row: Row, query: Query) -> bool:
    if query.tests:
        lead = row.lead()
        return all(test(lead) for test in query.tests)
    return True


def matching(store: LeadStore, query: Query) -> Sequence[int]:
    """Return the ids of all readable rows that match, ascending."""
    if query.nothing:
        return []
    if query.ids is None and not query.by_time and not query.tests:
        start, stop = store.between(query.low, query.high)
        return store.ids[start:stop]
    return store.answer(("matching", query.key), lambda: _matching(store, query))


def _matching(store: LeadStore, query: Query) -> list[int]:
    candidates = _candidates(store, query)
    return [id_ for id_ in candidates if _passes(store.rows[id_], query)] if query.tests else list(candidates)


def _candidates(store: LeadStore, query: Query) -> Sequence[int]:
    if query.ids is not None:
        found = sorted(id_ for id_ in query.ids if id_ in store.rows and id_ not in store.hidden)
        if query.by_time:
            found = [id_ for id_ in found if _in_time(store.rows[id_], query)]
    elif query.by_time:
        found = store.modified_ids(query.since, query.until)
    else:
        found = store.ids
    start = bisect_left(found, query.low)
    stop = len(found) if query.high is None else bisect_left(found, query.high)
    return found[start:stop]


def _in_time(row: Row, query: Query) -> bool:
    return (query.since is None or row.modified >= query.since) and (query.until is None or row.modified < query.until)


def first_page(store: LeadStore, query: Query) -> list[Row]:
    """Return the first 50 matching rows in ascending order of id: the step of a keyset walk."""
    if query.nothing:
        return []
    return store.answer(("first", query.key), lambda: _first_page(store, query))


def _first_page(store: LeadStore, query: Query) -> list[Row]:
    if query.ids is not None:
        return [store.rows[id_] for id_ in matching(store, query)[:PAGE]]
    walked: Sequence[int] = store.ids
    check_time = False
    if query.by_time:
        check_time = 2 * store.modified_count(query.since, query.until) > len(store.ids)
        if not check_time:
            walked = store.modified_ids(query.since, query.until)
    rows: list[Row] = []
    stop = len(walked) if query.high is None else bisect_left(walked, query.high)
    for position in range(bisect_left(walked, query.low), stop):
        row = store.rows[walked[position]]
        if (not check_time or _in_time(row, query)) and _passes(row, query):
            rows.append(row)
            if len(rows) == PAGE:
                break
    return rows


def count(store: LeadStore, query: Query) -> int:
    """Count the matching rows."""
    if query.nothing:
        return 0
    if query.ids is None and not query.tests:
        if not query.by_time:
            start, stop = store.between(query.low, query.high)
            return max(0, stop - start)
        if query.low < 0 and query.high is None:
            return store.modified_count(query.since, query.until)
    return len(matching(store, query))


def ordered(store: LeadStore, query: Query, order: tuple[Sorting, ...]) -> Sequence[int]:
    """Return the ids of all matching rows in the order asked for; ties stay in order of id."""
    if not order or (order[0].field == "ID" and not order[0].descending):
        return matching(store, query)
    return store.answer(("ordered", query.key, order), lambda: _ordered(store, query, order))


def _ordered(store: LeadStore, query: Query, order: tuple[Sorting, ...]) -> list[int]:
    ids = list(matching(store, query))
    leads: dict[int, Lead] = {}
    if any(sorting.field not in {"ID", "DATE_MODIFY"} for sorting in order):
        leads = {id_: store.rows[id_].lead() for id_ in ids}
    for sorting in reversed(order):
        ids.sort(key=lambda id_: _sort_key(store.rows[id_], leads.get(id_, {}), sorting), reverse=sorting.descending)
    return ids


def _sort_key(row: Row, lead: Lead, sorting: Sorting) -> tuple[bool, Any]:
    if sorting.field == "ID":
        return (True, row.id)
    if sorting.field == "DATE_MODIFY":
        return (True, row.modified)
    if sorting.ranks:
        return (True, dict(sorting.ranks).get(lead.get(sorting.field) or "", 0))
    found = present(lead, sorting.field, sorting.kind)
    return (bool(found), min(found) if found else 0)
