"""Lists that the portal gives page by page by offset: small dictionaries, read whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from leadhouse import logs
from leadhouse.bitrix24.client import PAGE_ROWS, Batch, Bitrix24Client, Command
from leadhouse.errors import LeadhouseError, PortalFaultError, TransientError
from leadhouse.retry import Trouble

log = logs.get_logger("leadhouse.bitrix24")

Row = dict[str, Any]


@dataclass(slots=True)
class Listing:
    """A dictionary read page by page by offset, as the portal's `next` tells.

    Attributes:
        table: the table that it fills; also the key of its commands.
        method: the vendor's method.
        params: parameters besides `start`.
        pages: pages asked for in the opening batch.
        key: field that identifies a row; pages that overlap are merged by it.
        rows: what was read.
        complete: read to its end.
        missing: why the portal does not give it, "" where it does.
    """

    table: str
    method: str
    params: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    pages: int = 1
    rows: dict[tuple[str, ...], Row] = field(default_factory=dict)
    complete: bool = False
    missing: str = ""
    _start: int = 0

    def commands(self) -> dict[str, Command]:
        """Return the commands for the next pages."""
        return {
            f"{self.table}{page}": Command(self.method, (*self.params, ("start", str(self._start + page * PAGE_ROWS))))
            for page in range(self.pages)
        }

    def take(self, batch: Batch, portal: str) -> TransientError | None:
        """Take the pages that a batch brought; return what went wrong for now, if anything."""
        for key in self.commands():
            known = len(self.rows)
            result = batch.results.get(key)
            if result is None:
                problem = batch.errors.get(key)
                if problem is None:
                    return PortalFaultError("a command was not executed", portal=portal, method=self.method)
                if isinstance(problem, TransientError):
                    return problem
                self._refuse(problem)
                return None
            rows = _rows(result)
            if rows is None:
                return PortalFaultError("the answer has another shape", portal=portal, method=self.method)
            for row in rows:
                self.rows[tuple(str(row.get(name)) for name in self.key)] = row
            # Past the end a portal may send the first page again, with a `next`: a page that is known is the end.
            if len(self.rows) == known or (key not in batch.nexts and len(rows) != PAGE_ROWS):
                self.complete = True
                return None
        self._start += self.pages * PAGE_ROWS
        self.pages = PAGE_ROWS
        return None

    def _refuse(self, problem: LeadhouseError) -> None:
        self.missing = problem.code or str(problem.args[0])
        self.complete = True
        log.warning("the portal does not give a dictionary; its table stays", table=self.table, why=str(problem))


def _rows(result: msgspec.Raw) -> list[Row] | None:
    try:
        told = _LOOSE.decode(result)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if isinstance(told, dict):
        told = told.get("items", list(told.values()))
    return told if isinstance(told, list) and all(isinstance(row, dict) for row in told) else None


_LOOSE: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=str)


def read_on(client: Bitrix24Client, unread: Sequence[Listing]) -> None:
    """Read listings to their end in batches of their own.

    Raises:
        TransientError: the portal did not give them.
    """
    trouble = Trouble()
    for listing in unread:
        while not listing.complete:
            problem = listing.take(client.batch(listing.commands(), halt=False), client.portal)
            if problem is not None:
                client.stalled(problem, trouble)
            else:
                trouble = Trouble()
