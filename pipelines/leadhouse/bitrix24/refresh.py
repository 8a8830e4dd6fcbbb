"""Chosen leads on their way into the warehouse; the cursor stays where it is."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.dictionaries import table_of
from leadhouse.bitrix24.history import HISTORY, history_of
from leadhouse.bitrix24.opening import Opening
from leadhouse.columns import Kind
from leadhouse.cursor import Cursor
from leadhouse.errors import OperatorError
from leadhouse.pieces import Piece


class Refresh:
    """Reads chosen leads again.

    Args:
        client: the portal.
        opening: what is known of its leads.
        rows: lots of leads as the portal sent them, ids ascending throughout.
        cursor: what is remembered when all are in the warehouse.
        newcomers: ids whose stage history is read, too.

    Attributes:
        read: ids read so far.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        opening: Opening,
        rows: Iterable[list[Any]],
        cursor: Cursor,
        newcomers: Iterable[int] = (),
    ) -> None:
        self._client = client
        self._opening = opening
        self._rows = rows
        self.cursor = cursor
        self._newcomers = set(newcomers)
        self.dictionaries = opening.tables()
        self.unavailable = opening.unavailable
        self.read: list[int] = []

    @property
    def upper(self) -> datetime:
        """The portal's clock at the opening (UTC)."""
        return self._opening.upper

    def extra_columns(self, _root: str) -> list[tuple[str, Kind]]:
        """Return the columns of `leads` beyond the contract, as far as known."""
        return self._opening.pages.fields.extra_columns()

    def pieces(self) -> Iterator[Piece]:
        """Yield the leads lot by lot, each lot's new stage history behind it.

        Raises:
            LeadhouseError: the portal refused, or cannot be read.
        """
        for rows in self._rows:
            if not rows:
                continue
            ids = [self._opening.pages.id_of(row) for row in rows]
            batch = self._opening.pages.decode(rows)
            self.read.extend(ids)
            yield Piece(batch.tables, self.cursor, len(rows), batch.misfits)
            entries = self._history([number for number in ids if number in self._newcomers])
            if entries:
                yield Piece({HISTORY: table_of(HISTORY, entries)}, self.cursor)

    def closed(self, cursor: Cursor) -> Cursor:
        """Return what is remembered when all pieces are in the warehouse."""
        return cursor

    def _history(self, leads: list[int]) -> list[dict[str, Any]]:
        if not leads or HISTORY in self.unavailable:
            return []
        try:
            return history_of(self._client, leads)
        except OperatorError:
            self.unavailable = [*self.unavailable, HISTORY]
            return []
