"""What readers hand to the load: tables lot by lot, each with what is to be remembered with them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from leadhouse.columns import Kind
from leadhouse.cursor import Cursor


@dataclass(slots=True)
class Piece:
    """What one step of reading brought.

    Attributes:
        tables: Arrow tables by name: roots, each with its child tables behind it, or a stream's.
        cursor: what is remembered when these are in the warehouse.
        leads: leads in it.
        misfits: values kept in schema_drift.
        last: nothing comes behind it.
    """

    tables: dict[str, pa.Table]
    cursor: Cursor
    leads: int = 0
    misfits: int = 0
    last: bool = False


class Reading(Protocol):
    """A portal being read, once it is open."""

    cursor: Cursor
    dictionaries: dict[str, pa.Table]
    unavailable: list[str]

    @property
    def upper(self) -> datetime:
        """The portal's clock at the opening (UTC)."""

    def extra_columns(self, root: str) -> list[tuple[str, Kind]]:
        """Return the columns of a root table beyond the contract, as far as known."""

    def closed(self, cursor: Cursor) -> Cursor:
        """Return what is remembered when all pieces are in the warehouse."""
