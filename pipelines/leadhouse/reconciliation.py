"""What the cursor cannot see: leads that vanished, leads that came with an old date, edits that left no date."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leadhouse.errors import ConfigurationError, GuardError
from leadhouse.guard import believable
from leadhouse.progress import Progress
from leadhouse.session import LOCK_TIMEOUT_S, Session, run
from leadhouse.summary import SyncSummary

if TYPE_CHECKING:
    from leadhouse.bitrix24.opening import Opening
    from leadhouse.inventory import Inventory

# Marked leads that are looked for again by their ids: one request.
_MARKED = 2_500
# Leads out of sight that are asked about once more, whether they were deleted since: five requests.
_HIDDEN = 250
_LIMIT = re.compile(r"(\d{1,12})|(\d{1,3}(?:\.\d+)?)\s*%")
_EVERY = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a reconcile goes.

    Attributes:
        deep: list every id with its modification time and read again the leads whose time differs.
        every_lead: read every lead again, also those whose time did not move.
        max_deletions: leads that may be missing before it refuses: a number, "5%", or None for the default, 10 % or
            100 leads, whichever is larger.
        yes: do not refuse.
    """

    deep: bool = False
    every_lead: bool = False
    max_deletions: str | int | None = None
    yes: bool = False

    def allowed(self, leads: int) -> int:
        """Return how many of `leads` may be missing.

        Raises:
            ConfigurationError: `max_deletions` is neither a number nor a share.
        """
        if self.max_deletions is None:
            return believable(leads)
        told = _LIMIT.fullmatch(str(self.max_deletions).strip())
        if told is None or float(told[2] or 0) > 100:
            raise ConfigurationError(f"--max-deletions is {self.max_deletions!r}; it is a number of leads, or like 5%")
        return int(told[1]) if told[1] else int(leads * float(told[2]) / 100)


def reconcile(
    source: str = "bitrix24",
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    deep: bool = False,
    every_lead: bool = False,
    max_deletions: str | int | None = None,
    yes: bool = False,
    lock_timeout: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    **settings: Any,
) -> SyncSummary:
    """Find leads that left the portal and leads that the warehouse does not know, and put it right.

    Args:
        source: "bitrix24".
        to: the destination, as `sync` takes it.
        dataset: schema of the tables.
        portal: name of the portal where several are configured.
        deep: list every id with its modification time and read again the leads whose time differs.
        every_lead: read every lead again, also those whose time did not move; those that are equal are not written.
        max_deletions: leads that may be missing before it refuses: a number, or a share like "5%".
        yes: do not refuse.
        lock_timeout: seconds to wait for another process.
        progress: told what happens.
        **settings: as `sync` takes them.

    Raises:
        GuardError: more leads are missing than can be believed; nothing was changed.
        TransientError: the next run may heal it.
        OperatorError: a person must act; the message says how.
    """
    extent = Extent(deep, every_lead, max_deletions, yes)
    extent.allowed(0)
    return run(
        "reconcile",
        source,
        lambda session: compare(session, extent),
        to=to,
        dataset=dataset,
        portal=portal,
        lock_timeout=lock_timeout,
        progress=progress,
        settings=settings,
    )


def is_due(session: Session, every: timedelta) -> bool:
    """True when the last comparison is as long ago as `every`, or there was none."""
    last = session.cursor.reconciled_at
    return last is None or datetime.now(UTC) - last >= every


def interval(told: str) -> timedelta:
    """Return an interval like 24h, 90m or 7d.

    Raises:
        ConfigurationError: it is none.
    """
    found = _EVERY.fullmatch(told.strip())
    if found is None:
        raise ConfigurationError(f"--reconcile-every is {told!r}; it is a time like 24h, 90m or 7d")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def compare(session: Session, extent: Extent) -> None:
    """Compare the ids of portal and warehouse, mark what vanished, load what the warehouse does not hold.

    Raises:
        GuardError: more leads are missing than can be believed; nothing was changed.
        StateError: no run has read the portal to its end yet.
    """
    from leadhouse.bitrix24.by_id import some  # noqa: PLC0415 - arrow's weight is loaded late
    from leadhouse.bitrix24.census import Census  # noqa: PLC0415
    from leadhouse.bitrix24.refresh import Refresh  # noqa: PLC0415
    from leadhouse.inventory import Inventory  # noqa: PLC0415
    from leadhouse.unchanged import EVERY_ID, Unchanged  # noqa: PLC0415

    cursor, summary, client = session.complete_cursor(), session.summary, session.client
    summary.cursor_from, summary.cursor_to = summary.cursor_from or cursor.cursor, cursor.cursor
    session.progress.step("comparing ids", summary.leads_read)
    opening = session.opening()
    try:
        newest = opening.with_newest()
        inventory = Inventory(session.warehouse, session.pipeline)
        live, marked = inventory.live(), inventory.marked(_MARKED)
        every = extent.deep or extent.every_lead
        found = Census(client, opening, live, newest, marked).difference(cursor.listed_through, every=every)
        _guard(len(found.vanished), len(live), extent)
        hidden = [number for number, unseen in marked.items() if unseen and number not in found.unknown]
        present = _mark(session, opening, inventory, found.vanished, sorted(hidden[:_HIDDEN]))
        again = {*found.unknown, *present, *(found.moved if extent.deep else ())}
        if extent.every_lead:
            again |= {number for number, _ in live.between(0, None)} - set(found.vanished)
        cursor = replace(
            cursor, listed_through=max(cursor.listed_through, found.listed_through), reconciled_at=datetime.now(UTC)
        )
        summary.reconciled = found.by
        rows = some(client, opening, sorted(again))
        refresh = Refresh(client, opening, rows, cursor, found.unknown)
        unchanged = Unchanged(inventory.versions, EVERY_ID, older_too=True)
        session.load_all(refresh, refresh.pieces(), unchanged)
        summary.leads_recovered += len(set(found.unknown) & set(refresh.read))
    finally:
        opening.close()


def _guard(missing: int, leads: int, extent: Extent) -> None:
    allowed = extent.allowed(leads)
    if missing > allowed and not extent.yes:
        raise GuardError(
            f"{missing:,} of {leads:,} leads are missing on the portal, {allowed:,} may be; nothing was changed; look "
            "at the rights of the user behind the access first, then run again with --yes or a higher --max-deletions"
        )


def _mark(
    session: Session, opening: "Opening", inventory: "Inventory", vanished: list[int], hidden: list[int]
) -> list[int]:
    """Ask the portal about each missing lead and mark those that are gone; return the ids that are there after all."""
    from leadhouse.bitrix24.by_id import get  # noqa: PLC0415

    gone: list[int] = []
    unseen: list[int] = []
    present: list[int] = []
    for found in get(session.client, opening, sorted({*vanished, *hidden})):
        gone += found.gone
        unseen += found.unseen
        present += [opening.pages.id_of(row) for row in found.rows]
        session.progress.step("asking about missing leads", session.summary.leads_read)
    if gone or unseen:
        inventory.mark(deleted=gone, out_of_sight=unseen, at=datetime.now(UTC))
    session.summary.leads_deleted += len(gone)
    session.summary.leads_out_of_sight += len(set(unseen) - set(hidden))
    return present
