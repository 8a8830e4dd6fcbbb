"""A portal's leads, asked for by id or compared with the warehouse's as a whole."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from leadhouse.bitrix24.by_id import get, some
from leadhouse.bitrix24.census import Census
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.families import ITEM
from leadhouse.bitrix24.opening import Opening
from leadhouse.bitrix24.refresh import Refresh
from leadhouse.columns import Kind
from leadhouse.crm import Difference, Found
from leadhouse.cursor import Cursor
from leadhouse.live import Live
from leadhouse.tables import tables


class Leads:
    """The leads of one portal; see `leadhouse.crm.Entities` for what each method does.

    Args:
        client: the portal.
        opening: the first batch of the run, not sent yet.
    """

    def __init__(self, client: Bitrix24Client, opening: Opening) -> None:
        self._client = client
        self._opening = opening

    @property
    def upper(self) -> datetime:
        """The portal's clock at the opening (UTC)."""
        return self._opening.upper

    def open(self) -> None:
        """Send the opening batch."""
        self._opening.alone()

    def difference(self, live: Live, marked: Collection[int], listed_through: int, *, every: bool) -> Difference:
        """Open, and compare ids, by counts where that is cheaper."""
        newest = self._opening.with_newest()
        return Census(self._client, self._opening, live, newest, marked).difference(listed_through, every=every)

    def get(self, ids: Sequence[int]) -> Iterator[Found]:
        """Read leads one by one, 50 in a request."""
        return get(self._client, self._opening, ids)

    def some(self, ids: Sequence[int]) -> Iterator[list[Any]]:
        """Read leads by lists of ids, 2,500 in a request."""
        return some(self._client, self._opening, ids)

    def deleted_at(self, ids: Collection[int]) -> Mapping[int, datetime]:  # noqa: ARG002 - the portal does not tell
        """Bitrix24 does not tell when a lead was deleted."""
        return {}

    def decode(self, rows: Sequence[Any]) -> dict[str, pa.Table]:
        """Return leads as tables."""
        return self._opening.pages.decode(list(rows)).tables

    def refresh(self, rows: Iterator[list[Any]], cursor: Cursor, newcomers: Collection[int] = ()) -> Refresh:
        """Return what reads `rows` into tables, with the stage history of newcomers."""
        return Refresh(self._client, self._opening, rows, cursor, newcomers)

    def id_of(self, row: Any) -> int:
        """Return the id of a lead."""
        return self._opening.pages.id_of(row)

    def extra_columns(self) -> list[tuple[str, Kind]]:
        """Return the columns of `leads` beyond the contract, as far as known."""
        return self._opening.pages.fields.extra_columns()

    def absent_columns(self) -> Collection[str]:
        """crm.item.* delivers no addresses; values of multiple fields that were dropped stay in the warehouse."""
        dropped = self._opening.pages.fields.dropped()
        if self._opening.family is not ITEM:
            return dropped
        columns = tables("bitrix24")["leads"].columns
        return {*dropped, *(name for name, column in columns.items() if (column.field or "").startswith("ADDRESS"))}

    def close(self) -> None:
        """Free what reading took."""
        self._opening.close()
