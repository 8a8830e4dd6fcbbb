"""Stage history of leads: append-only, walked in ascending id like the leads."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from leadhouse.bitrix24.client import PAGE_ROWS, Bitrix24Client, Command
from leadhouse.bitrix24.many import ask
from leadhouse.bitrix24.walk import Walk
from leadhouse.errors import PagingError, PortalFaultError
from leadhouse.lots import lots

HISTORY = "lead_stage_history"
_METHOD = "crm.stagehistory.list"
# Leads asked for in one command: a lead passes a few stages, so their entries are a page or two.
_OWNERS = 20


class _Items(msgspec.Struct):
    items: msgspec.Raw


_ROWS: msgspec.json.Decoder[list[dict[str, Any]]] = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)


def history_id(row: Mapping[str, Any]) -> int:
    """Return a row's id (a number in the docs, a string on some portals)."""
    return int(row["ID"])


def history_walk(
    name: str, portal: str, *, after: int, lower: datetime | None = None, until: datetime | None = None, done: bool
) -> Walk:
    """Return the walk over entries with ids above `after`, created at or after `lower` and before `until`."""

    def rows(result: msgspec.Raw) -> list[dict[str, Any]]:
        return _ROWS.decode(msgspec.json.decode(result, type=_Items).items)

    return Walk(
        name=name,
        portal=portal,
        command=lambda position: _page(position, lower, until),
        reference=lambda key: f"$result[{key}][items][{PAGE_ROWS - 1}][ID]",
        rows=rows,
        id_of=history_id,
        after=after,
        newest=_page(None, lower, until),
        newest_ids=lambda result: [history_id(row) for row in rows(result)],
        done=done,
    )


def _page(after: str | None, lower: datetime | None, until: datetime | None) -> Command:
    """The page after an id, or the newest ids (`after` None)."""
    params = [("entityTypeId", "1")]
    if lower is not None:
        params.append(("filter[>=CREATED_TIME]", lower.isoformat()))
    if until is not None:
        params.append(("filter[<CREATED_TIME]", until.isoformat()))
    if after is not None:
        params.append(("filter[>ID]", after))
    params.append(("order[ID]", "DESC" if after is None else "ASC"))
    params.append(("start", "-1"))
    return Command(_METHOD, params)


def history_of(client: Bitrix24Client, leads: Sequence[int]) -> list[dict[str, Any]]:
    """Return all entries of some leads, in ascending id: what the walk over times misses of backdated leads.

    Raises:
        LeadhouseError: the portal refused, or cannot be read.
    """
    found: dict[int, dict[str, Any]] = {}
    unread = dict.fromkeys(lots(tuple(leads), _OWNERS), 0)
    while unread:
        pages = dict(enumerate(unread.items()))
        commands = {f"o{at}": _of_owners(owners, after) for at, (owners, after) in pages.items()}
        unread = {}
        for key, reply in ask(client, commands):
            owners, after = pages[int(key[1:])]
            if reply.result is None:
                raise reply.error or _misshapen(client)
            rows = _rows(client, reply.result)
            ids = [history_id(row) for row in rows]
            if not {int(row["OWNER_ID"]) for row in rows} <= set(owners) or (ids and ids[0] <= after):
                raise PagingError("entries of other leads than asked for", portal=client.portal, method=_METHOD)
            found.update(zip(ids, rows, strict=True))
            if len(rows) == PAGE_ROWS:
                unread[owners] = ids[-1]
    return [found[number] for number in sorted(found)]


def _of_owners(owners: Sequence[int], after: int) -> Command:
    params = [("entityTypeId", "1"), *(("filter[@OWNER_ID][]", str(number)) for number in owners)]
    return Command(_METHOD, [*params, ("filter[>ID]", str(after)), ("order[ID]", "ASC"), ("start", "-1")])


def _rows(client: Bitrix24Client, result: msgspec.Raw) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] | None = None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        rows = _ROWS.decode(msgspec.json.decode(result, type=_Items).items)
    if rows is None or not all({"ID", "OWNER_ID"} <= row.keys() for row in rows):
        raise _misshapen(client)
    return rows


def _misshapen(client: Bitrix24Client) -> PortalFaultError:
    return PortalFaultError("stage history has another shape", portal=client.portal, method=_METHOD)
