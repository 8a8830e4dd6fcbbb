"""Rows of one entity of an account, asked for by id or compared with the warehouse's as a whole."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from leadhouse import logs
from leadhouse.columns import Kind
from leadhouse.crm import Difference, Entry, Found
from leadhouse.cursor import Cursor
from leadhouse.errors import LeadNotFoundError, PermissionDeniedError, PortalMethodError
from leadhouse.kommo.account import Account
from leadhouse.kommo.client import KommoClient
from leadhouse.kommo.entity import Entity
from leadhouse.kommo.events import deletions, restorable
from leadhouse.kommo.pages import Pages
from leadhouse.kommo.refresh import Refresh
from leadhouse.kommo.walk import PAGE_ROWS, answered, listing
from leadhouse.live import Live
from leadhouse.lots import lots

log = logs.get_logger("leadhouse.kommo")

# Ids in one request: its line must stay below the 8 KB that web servers take.
_IDS = 100
_LOT_ROWS = 2_500


class Entities:
    """One entity's rows; see `leadhouse.crm.Entities` for what each method does.

    Args:
        client: the account.
        entity: what the rows are.
        pages: makes what decodes them, given the account's zone.
    """

    def __init__(self, client: KommoClient, entity: Entity, pages: Callable[[str], Pages]) -> None:
        self._client = client
        self._entity = entity
        self._make = pages
        self._account = Account(client)
        self._pages: Pages | None = None
        self._now = datetime.now(UTC)

    @property
    def upper(self) -> datetime:
        """The account's clock at the opening (UTC)."""
        return self._now

    def open(self) -> None:
        """Ask for the account."""
        self._now = self._account.open()
        self._pages = self._make(self._account.zone)

    def difference(self, live: Live, marked: Collection[int], listed_through: int, *, every: bool) -> Difference:  # noqa: ARG002 - the account counts nothing, so every id is listed anyway
        """Open, and list every id."""
        self.open()
        listed: dict[int, int] = {}
        params = [("limit", str(PAGE_ROWS)), ("page", "1"), ("order[id]", "asc")]
        for page in listing(self._client, self._known, lambda: self._client.get(self._entity.path, params)):
            listed |= {self.id_of(row): self._known().modified(row) for row in page.rows}
        found = Difference(by="listing", portal=len(listed))
        entries: list[Entry] = sorted(listed.items())
        found.compare(entries, live.between(0, None))
        return found

    def get(self, ids: Sequence[int]) -> Iterator[Found]:
        """Read rows by lists of ids; those that do not come are asked for one by one."""
        for lot in lots(ids, _IDS):
            found = Found(rows=self._listed(lot))
            there = {self.id_of(row) for row in found.rows}
            for number in lot:
                if number not in there:
                    self._one(number, found)
            found.rows.sort(key=self.id_of)
            yield found

    def some(self, ids: Sequence[int]) -> Iterator[list[Any]]:
        """Read rows by lists of ids."""
        rows: list[Any] = []
        for found in self.get(ids):
            rows += found.rows
            if len(rows) >= _LOT_ROWS:
                yield rows
                rows = []
        if rows:
            yield rows

    def deleted_at(self, ids: Collection[int]) -> Mapping[int, datetime]:
        """Return when the account's events, else its list of deleted leads, say that rows were deleted."""
        times: dict[int, datetime] = {}
        if not ids:
            return times
        try:
            times = deletions(self._client, self._entity, ids)
        except (PermissionDeniedError, PortalMethodError) as error:
            log.info("the account's events cannot be read", why=str(error))
        if times.keys() < set(ids):
            found = restorable(self._client, self._entity)
            times = {number: found[number] for number in found.keys() & set(ids)} | times
        return times

    def decode(self, rows: Sequence[Any]) -> dict[str, pa.Table]:
        """Return rows as tables."""
        return self._known().decode(sorted(rows, key=self.id_of))[0]

    def refresh(self, rows: Iterator[list[Any]], cursor: Cursor, newcomers: Collection[int] = ()) -> Refresh:  # noqa: ARG002 - an account has no history of its own
        """Return what reads `rows` into tables."""
        return Refresh(self._account, self._known, rows, cursor, self._now)

    def id_of(self, row: Any) -> int:
        """Return the id of a row."""
        return self._known().id_of(row)

    def extra_columns(self) -> list[tuple[str, Kind]]:
        """Return the columns of the root table beyond the contract, as far as known."""
        return self._known().extra_columns()

    def absent_columns(self) -> Collection[str]:
        """The account delivers every column."""
        return ()

    def close(self) -> None:
        """Free what reading took."""
        if self._pages is not None:
            self._pages.close()

    def _known(self) -> Pages:
        if self._pages is None:
            raise ValueError("the account is not open")
        return self._pages

    def _with(self) -> list[tuple[str, str]]:
        return [("with", ",".join(self._entity.extras))] if self._entity.extras else []

    def _listed(self, ids: Sequence[int]) -> list[Any]:
        """Return the rows among `ids` that the account lists; none where it ignores lists of ids."""
        asked = [("filter[id][]", str(number)) for number in ids]
        params = [("limit", str(PAGE_ROWS)), *asked, *self._with()]
        rows = answered(self._client, self._known, lambda: self._client.get(self._entity.path, params))[1].rows
        numbers = [self.id_of(row) for row in rows]
        if len(set(numbers)) == len(numbers) and set(numbers) <= set(ids):
            return rows
        log.warning("the account ignores lists of ids in filters; rows are read one by one")
        return []

    def _one(self, number: int, found: Found) -> None:
        try:
            reply = self._client.get(f"{self._entity.path}/{number}", self._with())
        except PermissionDeniedError:
            found.unseen.append(number)
            return
        except LeadNotFoundError:
            found.gone.append(number)
            return
        if reply.status == 204:
            found.gone.append(number)
        else:
            found.rows.append(self._known().one(reply.body))
