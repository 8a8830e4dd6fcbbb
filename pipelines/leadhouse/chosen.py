"""Chosen leads, now: their rows are refreshed, and the cursor stays where it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from leadhouse.errors import ConfigurationError
from leadhouse.progress import Progress
from leadhouse.reconciliation import mark
from leadhouse.run import run
from leadhouse.session import LOCK_TIMEOUT_S, Session
from leadhouse.summary import SyncSummary

_LARGEST = 2**63 - 1


class Fate(StrEnum):
    """What became of a lead that was asked for; the value is said to a person."""

    REFRESHED = "refreshed"
    DELETED = "not found on the portal; marked as deleted"
    UNKNOWN = "not found: neither the portal nor the warehouse has such a lead"
    OUT_OF_SIGHT = "access denied; marked as out of sight, not as deleted: use an administrator's access"
    DENIED = "access denied, and the warehouse has never held it: use an administrator's access"
    INVALID = "the portal says that the id is not defined or invalid"

    @property
    def good(self) -> bool:
        """True when the warehouse holds the truth about the lead."""
        return self in (Fate.REFRESHED, Fate.DELETED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What `lead` did.

    Attributes:
        summary: figures of the run.
        fates: what became of each lead, by id in ascending order.
    """

    summary: SyncSummary
    fates: dict[int, Fate]


def lead(
    source: str,
    ids: Sequence[int],
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    lock_timeout: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    **settings: Any,
) -> Asked:
    """Fetch leads and refresh their rows and child rows.

    Args:
        source: "bitrix24" or "kommo".
        ids: ids of leads, 1 to 2^63-1.
        to: the destination, as `sync` takes it.
        dataset: schema of the tables.
        portal: name of the portal where several are configured.
        lock_timeout: seconds to wait for another process.
        progress: told what happens.
        **settings: as `sync` takes them.

    Raises:
        ConfigurationError: an id is not one of a lead.
        TransientError: the next try may do.
        OperatorError: a person must act; the message says how.
    """
    wanted = sorted({_checked(number) for number in ids})
    if not wanted:
        raise ConfigurationError("no lead's id was given")
    fates: dict[int, Fate] = {}
    summary = run(
        "lead",
        source,
        lambda session: _refresh(session, wanted, fates),
        to=to,
        dataset=dataset,
        portal=portal,
        lock_timeout=lock_timeout,
        progress=progress,
        settings=settings,
    )
    return Asked(summary, {number: fates[number] for number in wanted})


def _checked(number: int) -> int:
    if not 0 < number <= _LARGEST:
        raise ConfigurationError(f"{number} is not the id of a lead; ids are whole numbers from 1")
    return number


def _refresh(session: Session, ids: Sequence[int], fates: dict[int, Fate]) -> None:
    from leadhouse.unchanged import Unchanged  # noqa: PLC0415 - arrow's weight is loaded late

    cursor, chain = session.cursor, session.crm.leads
    session.summary.cursor_from = session.summary.cursor_to = cursor.cursor
    inventory, leads = session.inventory(chain), session.entities(chain)
    session.warehouse.let_go()
    try:
        leads.open()
        held = inventory.versions(ids)
        gone: list[int] = []
        unseen: list[int] = []

        def rows() -> Iterator[list[Any]]:
            for found in leads.get(ids):
                fates.update(dict.fromkeys(found.invalid, Fate.INVALID))
                gone.extend(found.gone)
                unseen.extend(found.unseen)
                yield found.rows

        refresh = leads.refresh(rows(), cursor, set(ids) - held.keys())
        unchanged = Unchanged(chain, inventory.versions, older_too=True)
        session.load_all(refresh, refresh.pieces(), {chain.root: unchanged})
        fates.update(dict.fromkeys(refresh.read, Fate.REFRESHED))
        fates.update((number, Fate.DELETED if number in held else Fate.UNKNOWN) for number in gone)
        fates.update((number, Fate.OUT_OF_SIGHT if number in held else Fate.DENIED) for number in unseen)
        deleted = [number for number in gone if number in held]
        out_of_sight = [number for number in unseen if number in held]
        mark(leads, inventory, deleted, out_of_sight)
        session.summary.leads_deleted += len(deleted)
        session.summary.leads_out_of_sight += len(out_of_sight)
    finally:
        leads.close()
