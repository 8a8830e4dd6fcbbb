"""What the cursor cannot see: leads that vanished, leads that came with an old date, edits that left no date."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leadhouse.cursor import Cursor
from leadhouse.errors import ConfigurationError, GuardError
from leadhouse.guard import believable
from leadhouse.progress import Progress
from leadhouse.run import run
from leadhouse.session import LOCK_TIMEOUT_S, Session
from leadhouse.summary import SyncSummary

if TYPE_CHECKING:
    from leadhouse.crm import Chain, Entities
    from leadhouse.inventory import Inventory

# Leads out of sight that are asked about once more, whether they were deleted since: five requests.
_HIDDEN = 250
_LIMIT = re.compile(r"(\d{1,12})|(\d{1,3}(?:\.\d+)?)\s*%")


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
        source: "bitrix24" or "kommo".
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


def compare(session: Session, extent: Extent) -> None:
    """Compare the ids of portal and warehouse, mark what vanished, load what the warehouse does not hold.

    Raises:
        GuardError: more leads are missing than can be believed; nothing was changed.
        StateError: no run has read the portal to its end yet.
    """
    cursor, summary = session.cursor, session.summary
    if summary.command == "reconcile":  # a sync has read a window before, and told from where to where
        summary.cursor_from = summary.cursor_to = cursor.reached
    for chain in session.crm.chains:
        _compare(session, chain, extent)


def look_into(session: Session, suspects: Collection[int]) -> None:
    """Ask for leads that the portal says were deleted or restored: mark those that are gone, load the others.

    Args:
        session: the run.
        suspects: ids of leads.
    """
    if not suspects:
        return
    chain = session.crm.leads
    entities, inventory = session.entities(chain), session.inventory(chain)
    try:
        entities.open()
        marks = inventory.marks(sorted(suspects))
        living = [number for number, marked in marks.items() if marked == (None, None)]
        found = _mark(session, entities, inventory, living, [])
        again = set(suspects) - set(living) | set(found.present)
        if again:
            _load(session, chain, (entities, inventory), again, session.cursor)
        session.summary.leads_deleted += found.gone
        session.summary.leads_out_of_sight += found.unseen
    finally:
        entities.close()


def _compare(session: Session, chain: "Chain", extent: Extent) -> None:
    """Compare one chain."""
    cursor, summary, of_leads = session.cursor, session.summary, chain is session.crm.leads
    session.progress.step(f"comparing ids of {chain.root}", summary.leads_read)
    entities, inventory = session.entities(chain), session.inventory(chain)
    try:
        live, marked = inventory.live(), inventory.marked()
        session.warehouse.let_go()
        every = extent.deep or extent.every_lead
        found = entities.difference(live, marked, cursor.listed_through, every=every)
        _guard(chain, len(found.vanished), len(live), extent)
        hidden = [number for number, unseen in marked.items() if unseen and number not in found.unknown]
        marks = _mark(session, entities, inventory, found.vanished, sorted(hidden[:_HIDDEN]))
        again = {*found.unknown, *marks.present, *(found.moved if extent.deep else ())}
        if extent.every_lead:
            again |= {number for number, _ in live.between(0, None)} - set(found.vanished)
        if of_leads:
            listed = max(cursor.listed_through, found.listed_through)
            cursor = replace(cursor, listed_through=listed, reconciled_at=datetime.now(UTC))
            summary.reconciled = found.by
        if not of_leads and not again:
            return
        read = _load(session, chain, (entities, inventory), again, cursor, newcomers=found.unknown)
        if of_leads:
            summary.leads_deleted += marks.gone
            summary.leads_out_of_sight += marks.unseen
            summary.leads_recovered += len(set(found.unknown) & read)
    finally:
        entities.close()


def _load(
    session: Session,
    chain: "Chain",
    both: "tuple[Entities, Inventory]",
    ids: Collection[int],
    cursor: Cursor,
    *,
    newcomers: Collection[int] = (),
) -> set[int]:
    """Read rows again, load those that differ from the warehouse's; return the ids that came."""
    from leadhouse.unchanged import Unchanged  # noqa: PLC0415 - arrow's weight is loaded late

    entities, inventory = both
    refresh = entities.refresh(entities.some(sorted(ids)), cursor, newcomers)
    unchanged = Unchanged(chain, inventory.versions, older_too=True)
    session.load_all(refresh, refresh.pieces(), {chain.root: unchanged})
    return set(refresh.read)


def _guard(chain: "Chain", missing: int, held: int, extent: Extent) -> None:
    allowed = extent.allowed(held)
    if missing > allowed and not extent.yes:
        raise GuardError(
            f"{missing:,} of {held:,} {chain.root} are missing on the portal, {allowed:,} may be; nothing was changed; "
            "look at the rights of the user behind the access first, then run again with --yes or a higher "
            "--max-deletions"
        )


@dataclass(slots=True)
class _Marks:
    """What became of missing leads: how many are gone and newly out of sight, and the ids that are there after all."""

    gone: int
    unseen: int
    present: list[int]


def _mark(
    session: Session, entities: "Entities", inventory: "Inventory", vanished: list[int], hidden: list[int]
) -> _Marks:
    """Ask the portal about each missing lead and mark those that are gone."""
    gone: list[int] = []
    unseen: list[int] = []
    present: list[int] = []
    for found in entities.get(sorted({*vanished, *hidden})):
        gone += found.gone
        unseen += found.unseen
        present += [entities.id_of(row) for row in found.rows]
        session.progress.step("asking about missing leads", session.summary.leads_read)
    mark(entities, inventory, gone, unseen)
    return _Marks(len(gone), len(set(unseen) - set(hidden)), present)


def mark(entities: "Entities", inventory: "Inventory", gone: Sequence[int], unseen: Sequence[int]) -> None:
    """Mark leads as deleted, with the time that the portal tells, and as out of sight.

    A time before the last modification that is held is another event's: a merge tells of its winner, too.
    """
    if not gone and not unseen:
        return
    now = datetime.now(UTC)
    told, held = entities.deleted_at(gone), inventory.versions(gone)
    times = {number: at for number, at in told.items() if number in held and at >= (held[number][0] or at)}
    inventory.mark(deleted={number: times.get(number, now) for number in gone}, out_of_sight=dict.fromkeys(unseen, now))
