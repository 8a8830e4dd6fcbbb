"""What a run asks of a portal first, in one batch: its clock, its fields and dictionaries, and what the run adds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from leadhouse import logs
from leadhouse.bitrix24.client import Batch, Bitrix24Client, Command, is_unknown_method
from leadhouse.bitrix24.dictionaries import Dictionaries
from leadhouse.bitrix24.families import FAMILIES, ITEM, Family, FamilyName
from leadhouse.bitrix24.lead_pages import LeadPages
from leadhouse.bitrix24.places import Remembered
from leadhouse.columns import Kind
from leadhouse.errors import LeadhouseError, PortalFaultError, TransientError
from leadhouse.retry import Trouble

log = logs.get_logger("leadhouse.bitrix24")


class Opening:
    """The first batch of a run.

    Args:
        client: the portal.
        family: API family; "lead" falls over to "item" where the portal no longer knows it.
        region: default region of phone numbers.
        stored: kinds that columns of `leads` have in the warehouse already; a column never changes its type.
        remembered: rows of `lead_fields`, as the warehouse holds them.
        language: of the titles of user fields, None for the portal's.

    Attributes:
        family: the API family in use.
        pages: what is known of the portal's leads, once open.
        now: the portal's clock with its offset, once open.
    """

    pages: LeadPages
    now: datetime

    def __init__(
        self,
        client: Bitrix24Client,
        *,
        family: FamilyName,
        region: str | None,
        stored: Mapping[str, Kind],
        remembered: Sequence[Remembered] = (),
        language: str | None = None,
    ) -> None:
        self._client = client
        self.family: Family = FAMILIES[family]
        self._region = region
        self._stored = stored
        self._remembered = remembered
        self._language = language
        self._dictionaries = Dictionaries(client, language)

    def open(self, more: Callable[[int], dict[str, Command]], take: Callable[[Batch], LeadhouseError | None]) -> None:
        """Send the batch until it is answered.

        Args:
            more: given the number of commands so far, returns those of the run itself; called for every try.
            take: takes their answers; returns what hinders.

        Raises:
            LeadhouseError: the portal refused.
        """
        trouble = Trouble()
        while True:
            commands = {
                "time": Command("server.time"),
                "fields": self.family.describe(),
                **self._dictionaries.commands(),
            }
            batch = self._client.batch({**commands, **more(len(commands))}, halt=False)
            problem = self._take(batch) or take(batch)
            if problem is None:
                break
            if is_unknown_method(problem) and self.family is not ITEM:
                log.warning("the portal no longer knows crm.lead.list; crm.item.list is read instead")
                self.family = ITEM
                self._dictionaries = Dictionaries(self._client, self._language)
            elif isinstance(problem, TransientError):
                self._client.stalled(problem, trouble)
            else:
                raise problem
        if self.family is ITEM:
            log.info("crm.item.list delivers no addresses; the address columns stay NULL")

    def alone(self) -> None:
        """Send the batch with nothing of the run's own.

        Raises:
            LeadhouseError: the portal refused.
        """
        self.open(lambda _: {}, lambda _: None)

    def with_newest(self) -> int:
        """Send the batch with nothing but a look at the newest lead; return its id, 0 where there is none.

        Raises:
            LeadhouseError: the portal refused.
        """
        newest = [0]

        def take(batch: Batch) -> LeadhouseError | None:
            if "newest" not in batch.results:
                return batch.errors.get("newest") or self.fault("a command was not executed")
            try:
                newest[0] = max(self.pages.newest_ids(batch.results["newest"]), default=0)
            except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
                return self.fault("a page has another shape")
            return None

        self.open(lambda _: {"newest": self.family.newest(None, None)}, take)
        return newest[0]

    @property
    def upper(self) -> datetime:
        """The portal's clock (UTC)."""
        return self.now.astimezone(UTC)

    @property
    def unavailable(self) -> list[str]:
        """Tables that the portal does not give to this webhook."""
        return self._dictionaries.unavailable

    def tables(self) -> dict[str, pa.Table]:
        """Return the dictionaries that could be read."""
        return self._dictionaries.tables(self.pages.fields)

    def fault(self, words: str) -> PortalFaultError:
        """Return the error of a batch whose answer cannot be used."""
        return PortalFaultError(words, portal=self._client.portal, method="batch")

    def close(self) -> None:
        """Free what reading took."""
        if hasattr(self, "pages"):
            self.pages.close()

    def _take(self, batch: Batch) -> LeadhouseError | None:
        if "fields" not in batch.results:
            return batch.errors.get("fields") or self.fault("a command was not executed")
        now = _instant(batch.results.get("time")) or batch.started_at
        if now is None:
            return self.fault("the answer tells no time")
        self.now = now
        return self._dictionaries.take(batch) or self._know(batch.results["fields"])

    def _know(self, described: msgspec.Raw) -> LeadhouseError | None:
        self.close()
        try:
            self.pages = LeadPages(
                self._client,
                self.family,
                self._dictionaries,
                described,
                region=self._region,
                stored=self._stored,
                remembered=self._remembered,
            )
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self.fault("the fields' description has another shape")
        return None


def _instant(raw: msgspec.Raw | None) -> datetime | None:
    """Return `server.time`'s answer with its offset, None where it is no time."""
    if raw is None:
        return None
    told: Any = None
    try:
        told = datetime.fromisoformat(msgspec.json.decode(raw, type=str))
    except (msgspec.MsgspecError, ValueError):
        return None
    at: datetime = told
    return at.replace(microsecond=0) if at.tzinfo is not None else None
