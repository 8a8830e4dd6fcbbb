"""Leads asked for by their ids: whole rows, and what became of those that do not come."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from leadhouse import logs
from leadhouse.bitrix24.client import MAX_COMMANDS, PAGE_ROWS, Bitrix24Client
from leadhouse.bitrix24.many import Reply, ask
from leadhouse.bitrix24.opening import Opening
from leadhouse.crm import Found
from leadhouse.errors import LeadhouseError, LeadIdError, LeadNotFoundError, PermissionDeniedError, PortalFaultError
from leadhouse.lots import lots

log = logs.get_logger("leadhouse.bitrix24")

_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, KeyError)


def get(client: Bitrix24Client, opening: Opening, ids: Sequence[int]) -> Iterator[Found]:
    """Read leads one by one (`crm.lead.get`), 50 in a request: the only way that tells why one does not come.

    Args:
        client: the portal.
        opening: what is known of its leads.
        ids: in ascending order.

    Raises:
        LeadhouseError: the portal refused for another reason, or cannot be read.
    """
    for lot in lots(ids, MAX_COMMANDS):
        found = Found()
        commands = {f"l{number}": opening.family.one(number) for number in lot}
        for key, reply in ask(client, commands):
            number = int(key[1:])
            if reply.result is not None:
                found.rows.append(_one(client, opening, number, reply.result))
            elif isinstance(reply.error, LeadNotFoundError):
                found.gone.append(number)
            elif _out_of_sight(reply.error):
                found.unseen.append(number)
            elif isinstance(reply.error, LeadIdError):
                found.invalid.append(number)
            elif reply.error is not None:
                raise reply.error
        found.rows.sort(key=opening.pages.id_of)
        yield found


def some(client: Bitrix24Client, opening: Opening, ids: Sequence[int]) -> Iterator[list[Any]]:
    """Read leads by lists of ids, 2,500 in a request; leads that are not there do not come.

    Args:
        client: the portal.
        opening: what is known of its leads.
        ids: in ascending order.

    Raises:
        LeadhouseError: the portal refused, or cannot be read.
    """
    for lot in lots(ids, MAX_COMMANDS * PAGE_ROWS):
        pages = {f"s{start}": tuple(lot[start : start + PAGE_ROWS]) for start in range(0, len(lot), PAGE_ROWS)}
        commands = {key: opening.family.some(page, full=True) for key, page in pages.items()}
        rows: list[Any] = []
        for key, reply in ask(client, commands):
            rows.extend(_listed(client, opening, pages[key], reply))
        rows.sort(key=opening.pages.id_of)
        yield rows


def alive(client: Bitrix24Client, opening: Opening, ids: Sequence[int]) -> list[int]:
    """Return those of `ids` that the portal lists, 2,500 asked for in a request.

    Raises:
        LeadhouseError: the portal refused, or cannot be read.
    """
    pages = {f"a{start}": tuple(ids[start : start + PAGE_ROWS]) for start in range(0, len(ids), PAGE_ROWS)}
    commands = {key: opening.family.some(page, full=False) for key, page in pages.items()}
    found: set[int] = set()
    for key, reply in ask(client, commands):
        if reply.result is None:
            raise reply.error or _misshapen(client, opening)
        found.update(set(_ids(client, opening, reply.result)) & set(pages[key]))
    return sorted(found)


def _ids(client: Bitrix24Client, opening: Opening, result: msgspec.Raw) -> list[int]:
    ids: list[int] | None = None
    try:
        ids = opening.pages.newest_ids(result)
    except _UNREADABLE:
        ids = None
    if ids is None:
        raise _misshapen(client, opening)
    return ids


def _listed(client: Bitrix24Client, opening: Opening, page: Sequence[int], reply: Reply) -> list[Any]:
    """Return the leads of a page that was asked for by ids; those that did not come are asked for one by one."""
    if reply.result is None:
        raise reply.error or _misshapen(client, opening)
    rows: list[Any] | None = None
    try:
        rows = opening.pages.rows(reply.result)
        ids = [opening.pages.id_of(row) for row in rows]
    except _UNREADABLE:
        rows, ids = None, []
    if rows is None:
        raise _misshapen(client, opening)
    if len(set(ids)) == len(ids) and set(ids) <= set(page):
        left_out = sorted(set(page) - set(ids))
        return [*rows, *(row for found in get(client, opening, left_out) for row in found.rows)]
    log.warning("the portal ignores lists of ids in filters; leads are read one by one")
    return [row for found in get(client, opening, page) for row in found.rows]


def _one(client: Bitrix24Client, opening: Opening, number: int, result: msgspec.Raw) -> Any:
    rows: list[Any] = []
    try:
        rows = opening.pages.rows(opening.family.as_page(result))
    except _UNREADABLE:
        rows = []
    if len(rows) != 1 or opening.pages.id_of(rows[0]) != number:
        raise _misshapen(client, opening)
    return rows[0]


def _out_of_sight(error: LeadhouseError | None) -> bool:
    """True for "no right to this lead": without a code of the system, or crm.item's code of the same name."""
    return isinstance(error, PermissionDeniedError) and error.code.upper() in ("", "0", "ACCESS_DENIED")


def _misshapen(client: Bitrix24Client, opening: Opening) -> PortalFaultError:
    return PortalFaultError("a lead has another shape", portal=client.portal, method=opening.family.one(1).method)
