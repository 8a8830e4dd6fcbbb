"""Chosen rows on their way into the warehouse; the cursor stays where it is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadhouse.columns import Kind
from leadhouse.cursor import Cursor
from leadhouse.kommo.account import Account
from leadhouse.kommo.pages import Pages
from leadhouse.pieces import Piece

if TYPE_CHECKING:
    import pyarrow as pa


class Refresh:
    """Reads chosen rows again.

    Args:
        account: the account, open.
        pages: decodes the rows.
        rows: lots of rows as the account sent them, ids ascending throughout.
        cursor: what is remembered when all are in the warehouse.
        upper: the account's clock.

    Attributes:
        read: ids read so far.
    """

    def __init__(
        self,
        account: Account,
        pages: Callable[[], Pages],
        rows: Iterator[list[Any]],
        cursor: Cursor,
        upper: datetime,
    ) -> None:
        self._pages = pages
        self._rows = rows
        self.cursor = replace(cursor, zone=account.zone)
        self.upper = upper
        self.dictionaries: dict[str, pa.Table] = {}
        self.unavailable: list[str] = []
        self.read: list[int] = []

    def extra_columns(self, root: str) -> list[tuple[str, Kind]]:
        """Return the columns of a root table beyond the contract, as far as known."""
        pages = self._pages()
        return pages.extra_columns() if pages.entity.chain.root == root else []

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows lot by lot.

        Raises:
            LeadhouseError: the account refused, or cannot be read.
        """
        for rows in self._rows:
            if not rows:
                continue
            pages = self._pages()
            tables, misfits = pages.decode(rows)
            self.read.extend(pages.id_of(row) for row in rows)
            leads = len(rows) if pages.entity.path == "leads" else 0
            yield Piece(tables, self.cursor, leads, misfits)

    def closed(self, cursor: Cursor) -> Cursor:
        """Return what is remembered when all pieces are in the warehouse."""
        return cursor
