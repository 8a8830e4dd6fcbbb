"""Keyset walks: page after page in ascending id, chained by `$result` inside a batch.

A page never counts as the end because it is short: only an empty page, or a look at the newest id, proves the end. A
command whose reference cannot be resolved restarts at id 1 on the portal (PHP casts an array to 1), so what follows a
short page is ignored.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from leadhouse.bitrix24.client import MAX_COMMANDS, PAGE_ROWS, Batch, Bitrix24Client, Command
from leadhouse.errors import PagingError, PortalFaultError, TransientError
from leadhouse.retry import Trouble


@dataclass(slots=True)
class Walk:
    """A walk over one method's rows.

    Attributes:
        name: prefix of its command keys in a batch.
        command: makes the command for the page after an id (or a reference to one).
        newest: the command that lists the newest ids; None where the walk does without.
        reference: makes the reference to the last id of the page with a given key.
        rows: decodes a page's result.
        id_of: id of a row.
        after: everything up to this id is read.
        done: the end is proven.
        chain: pages to ask for in the next batch.
        newest_seen: the newest ids, as far as they were asked for.
    """

    name: str
    portal: str
    command: Callable[[str], Command]
    reference: Callable[[str], str]
    rows: Callable[[msgspec.Raw], list[Any]]
    id_of: Callable[[Any], int]
    after: int
    newest: Command | None = None
    newest_ids: Callable[[msgspec.Raw], list[int]] | None = None
    done: bool = False
    chain: int = 1
    newest_seen: list[int] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)

    def commands(self, *, probe: bool) -> dict[str, Command]:
        """Return the commands of the next pages; with `probe` the newest ids are asked for behind them."""
        self._keys = [f"{self.name}{number}" for number in range(self.chain)]
        made = {
            key: self.command(str(self.after) if number == 0 else self.reference(self._keys[number - 1]))
            for number, key in enumerate(self._keys)
        }
        if probe and self.newest is not None:
            made[f"{self.name}_newest"] = self.newest
        return made

    def batches(self, client: Bitrix24Client, *, probe: bool, through: int | None = None) -> Iterator[list[Any]]:
        """Walk on, batch by batch, to the end or until `through` is reached; yield the rows that each one brought.

        Raises:
            LeadhouseError: the portal refused, or cannot be read.
        """
        trouble = Trouble()
        while not self.done and (through is None or self.after < through):
            if probe:
                self.chain = min(self.chain, MAX_COMMANDS - 1)
            rows, problem = self.take(client.batch(self.commands(probe=probe), halt=True))
            if rows:
                trouble = Trouble()
            if problem is not None:
                client.stalled(problem, trouble)
            yield rows

    def take(self, batch: Batch) -> tuple[list[Any], TransientError | None]:
        """Return the rows that a batch brought, and what stopped the walk before its next page, if anything did.

        Raises:
            OperatorError: a page was refused for good.
        """
        found: list[Any] = []
        short = False
        self._look_at_newest(batch)
        for key in self._keys:
            if key not in batch.results:
                problem = batch.errors.get(key)
                if problem is None:
                    problem = PortalFaultError("a command was not executed", portal=self.portal, method="batch")
                if isinstance(problem, TransientError):
                    return found, problem
                raise problem
            page, unread = self._page(batch.results[key])
            if unread is not None:
                return found, unread
            if not page:
                self.done = True
                break
            found.extend(page)
            self.after = self.id_of(page[-1])
            if len(page) < PAGE_ROWS:
                short = True
                break
        if short and self.newest_seen and max(self.newest_seen) <= self.after:
            self.done = True
        self.chain = 2 if short else PAGE_ROWS
        return found, None

    def _page(self, result: msgspec.Raw) -> tuple[list[Any], TransientError | None]:
        page: list[Any] | None = None
        try:
            page = self.rows(result)
            ids = [self.id_of(row) for row in page]
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
            page, ids = None, []
        if page is None:
            return [], PortalFaultError("a page has another shape", portal=self.portal, method=self.command("0").method)
        last = self.after
        for number in ids:
            if number <= last:
                return [], self._paging("a page repeats ids or is out of order")
            last = number
        if len(page) > PAGE_ROWS:
            return [], self._paging(f"a page has {len(page)} rows, the vendor sends {PAGE_ROWS}")
        return page, None

    def _look_at_newest(self, batch: Batch) -> None:
        self.newest_seen = []
        result = batch.results.get(f"{self.name}_newest")
        if result is not None and self.newest_ids is not None:
            with suppress(msgspec.MsgspecError, ValueError, TypeError, KeyError):
                self.newest_seen = self.newest_ids(result)

    def _paging(self, words: str) -> PagingError:
        return PagingError(words, portal=self.portal, method=self.command("0").method)
