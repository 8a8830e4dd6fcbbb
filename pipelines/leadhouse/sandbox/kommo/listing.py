"""Pages of cards: which rows, how many, and the links between pages (reference: kommo sections 4.3 and 4.4)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .problems import Problem
from .store import ID_BITS, ID_MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from .filters import Query
    from .store import Row, Store
    from .switches import Switches

LARGEST = 250
DEFAULT = 50


class Keys:
    """A slice of an index by (updated_at, id) as a sequence of ids, not copied."""

    def __init__(self, keys: Sequence[int], start: int, stop: int, *, descending: bool) -> None:
        self._keys = keys
        self._start = start
        self._stop = max(start, stop)
        self._descending = descending

    def __len__(self) -> int:
        return self._stop - self._start

    def page(self, offset: int, limit: int) -> list[int]:
        """Return ids from an offset."""
        if self._descending:
            high = max(self._start, self._stop - offset)
            return [key & ID_MASK for key in reversed(self._keys[max(self._start, high - limit) : high])]
        low = min(self._start + offset, self._stop)
        return [key & ID_MASK for key in self._keys[low : min(low + limit, self._stop)]]


class Ids:
    """A list of ids."""

    def __init__(self, ids: list[int]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def page(self, offset: int, limit: int) -> list[int]:
        """Return ids from an offset."""
        return self._ids[offset : offset + limit]


def select(store: Store, query: Query, key: Hashable, readable: Callable[[Row], bool] | None) -> Keys | Ids:
    """Return the ids of the rows that match, in the order asked for; ``key`` tells queries apart.

    ``readable`` says which rows the asker may see, None: all.
    """
    start = 0 if query.low is None else bisect_left(store.keys, query.low << ID_BITS)
    stop = len(store.keys) if query.high is None else bisect_left(store.keys, (query.high + 1) << ID_BITS)
    tested = query.ids is not None or query.tests or query.card_tests or readable
    if not tested and query.order == "updated_at":
        return Keys(store.keys, start, stop, descending=query.descending)
    if key not in store.answers:
        store.answers[key] = _matching(store, query, Keys(store.keys, start, stop, descending=False), readable)
    return Ids(store.answers[key])


def _matching(store: Store, query: Query, keys: Keys, readable: Callable[[Row], bool] | None) -> list[int]:
    if query.low is None and query.high is None and query.order == "id":
        found = list(store.ids)
    else:
        found = keys.page(0, len(keys))
    if query.ids is not None:
        found = [id_ for id_ in found if id_ in query.ids]
    rows = store.rows
    found = [id_ for id_ in found if matches(rows[id_], query) and (readable is None or readable(rows[id_]))]
    if query.order != "updated_at":
        found.sort()
    if query.order == "created_at":
        found.sort(key=lambda id_: rows[id_].facts().created_at or 0)
    return found[::-1] if query.descending else found


def matches(row: Row, query: Query) -> bool:
    """Tell whether a row passes the tests of a query."""
    if query.tests:
        facts = row.facts()
        if not all(test(facts) for test in query.tests):
            return False
    if query.card_tests:
        card = row.card()
        return all(test(card) for test in query.card_tests)
    return True


def deleted(store: Store, query: Query) -> list[int]:
    """Return the ids of deleted rows that match, in the order asked for."""
    rows = [
        row
        for row in store.bin.values()
        if (query.ids is None or row.id in query.ids)
        and (query.low is None or row.updated >= query.low)
        and (query.high is None or row.updated <= query.high)
        and matches(row, query)
    ]
    rows.sort(key=lambda row: row.id if query.order == "id" else (row.updated << ID_BITS | row.id))
    ids = [row.id for row in rows]
    return ids[::-1] if query.descending else ids


def page_number(params: dict[str, Any]) -> int:
    """Return the page asked for, 1 when it is none."""
    text = str(params.get("page", ""))
    return max(1, int(text)) if text.isdecimal() else 1


def page_limit(params: dict[str, Any], switches: Switches, largest: int = LARGEST) -> int:
    """Return the rows a page may hold; Problem where the account refuses more than 250."""
    text = str(params.get("limit", ""))
    limit = int(text) if text.isdecimal() else 0
    if limit > largest:
        if switches.limit_over_250 == "422":
            raise Problem(422, f"Limit {largest} per page")
        limit = largest if switches.limit_over_250 == "clamp" else DEFAULT
    return limit or DEFAULT


def query_text(pairs: list[tuple[str, str]], page: int, limit: int) -> str:
    """Return the query of a link: all parameters as they were sent, with another page."""
    told = {"page": str(page)}
    sent = [(name, told.get(name, value)) for name, value in pairs]
    names = {name for name, _ in pairs}
    sent += [(name, value) for name, value in (("page", str(page)), ("limit", str(limit))) if name not in names]
    return "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in sent)


def links(url: str, pairs: list[tuple[str, str]], page: int, limit: int, *, more: bool) -> dict[str, Any]:
    """Return ``_links`` of a page; ``url`` is the one asked without its query."""

    def href(number: int) -> dict[str, str]:
        return {"href": f"{url}?{query_text(pairs, number, limit)}"}

    found = {"self": href(page)}
    if more:
        found["next"] = href(page + 1)
    if page > 1:
        found |= {"first": href(1), "prev": href(page - 1)}
    return found
