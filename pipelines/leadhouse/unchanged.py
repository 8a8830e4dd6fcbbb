"""Leave out what the warehouse has already: rows that the overlap brings again, and older versions of a lead."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from leadhouse.crm import Chain
from leadhouse.fingerprint import FINGERPRINT

Versions = Callable[[Sequence[int]], Mapping[int, tuple[datetime | None, int | None, bool]]]

# A modification time this far ahead of the portal's clock was made by a wrong clock: it proves nothing.
_CLOCK_SLACK = timedelta(minutes=5)


def nothing_known(_ids: Sequence[int]) -> Mapping[int, tuple[datetime | None, int | None, bool]]:
    """Every row is written."""
    return {}


class Unchanged:
    """Filters lots of leads, or of another chain's rows, against the warehouse.

    Attributes:
        count: rows left out.

    Args:
        chain: the root table and its children.
        versions: what the warehouse has of given ids: modification time (UTC), fingerprint, deleted or not.
        older_too: rows are written also where they are older than the warehouse's: for leads that were asked for by
            their ids, so that what came is what the portal has.
    """

    def __init__(self, chain: Chain, versions: Versions, *, older_too: bool = False) -> None:
        self._chain = chain
        self._versions = versions
        self._older_too = older_too
        self.count = 0

    def filter(self, tables: Mapping[str, pa.Table], now: datetime) -> dict[str, pa.Table]:
        """Return `tables` without the rows of the root (and their child rows) that need not be written.

        Args:
            tables: root tables and child tables.
            now: the portal's clock (UTC) when the window opened.
        """
        chain, leads = self._chain, tables.get(self._chain.root)
        if leads is None:
            return dict(tables)
        known = self._versions(leads.column("id").to_pylist())
        skipped = [
            number
            for number, modified, fingerprint in zip(
                leads.column("id").to_pylist(),
                leads.column(chain.modified).to_pylist(),
                leads.column(FINGERPRINT).to_pylist(),
                strict=True,
            )
            if number in known and self._needless(known[number], modified, fingerprint, now)
        ]
        if not skipped:
            return dict(tables)
        self.count += len(skipped)
        values = pa.array(skipped, pa.int64())
        kept = {
            name: table.filter(pc.invert(pc.is_in(table.column(chain.id_column(name)), values)))
            if name in chain.tables
            else table
            for name, table in tables.items()
        }
        return {name: table for name, table in kept.items() if table.num_rows}

    def _needless(
        self,
        known: tuple[datetime | None, int | None, bool],
        modified: datetime | None,
        fingerprint: int,
        now: datetime,
    ) -> bool:
        known_modified, known_fingerprint, deleted = known
        if known_fingerprint == fingerprint and not deleted:
            return True
        if modified is None or known_modified is None or deleted or self._older_too:
            return False
        return modified < known_modified <= now + _CLOCK_SLACK
