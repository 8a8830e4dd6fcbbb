"""Stage history of leads: append-only, walked in ascending id like the leads."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from leadhouse.bitrix24.client import PAGE_ROWS, Command
from leadhouse.bitrix24.walk import Walk


class _Items(msgspec.Struct):
    items: msgspec.Raw


_ROWS: msgspec.json.Decoder[list[dict[str, Any]]] = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)


def history_id(row: Mapping[str, Any]) -> int:
    """Return a row's id (a number in the docs, a string on some portals)."""
    return int(row["ID"])


def history_walk(portal: str, *, after: int, lower: datetime | None, done: bool) -> Walk:
    """Return the walk over entries created at or after `lower` (portal's offset) with ids above `after`."""

    def rows(result: msgspec.Raw) -> list[dict[str, Any]]:
        return _ROWS.decode(msgspec.json.decode(result, type=_Items).items)

    return Walk(
        name="h",
        portal=portal,
        command=lambda position: _page(position, lower),
        reference=lambda key: f"$result[{key}][items][{PAGE_ROWS - 1}][ID]",
        rows=rows,
        id_of=history_id,
        after=after,
        newest=_page(None, lower),
        newest_ids=lambda result: [history_id(row) for row in rows(result)],
        done=done,
    )


def _page(after: str | None, lower: datetime | None) -> Command:
    """The page after an id, or the newest ids (`after` None)."""
    params = [("entityTypeId", "1")]
    if lower is not None:
        params.append(("filter[>=CREATED_TIME]", lower.isoformat()))
    if after is not None:
        params.append(("filter[>ID]", after))
    params.append(("order[ID]", "DESC" if after is None else "ASC"))
    params.append(("start", "-1"))
    return Command("crm.stagehistory.list", params)
