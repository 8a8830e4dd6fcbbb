"""Does the warehouse equal the portal? Counted, and a sample read again lead by lead; nothing is written."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from leadhouse import logs
from leadhouse.cursor import check_clock
from leadhouse.errors import ConfigurationError
from leadhouse.live import NEVER, Live
from leadhouse.lots import lots
from leadhouse.progress import Progress
from leadhouse.run import run
from leadhouse.session import LOCK_TIMEOUT_S, Session
from leadhouse.verdict import ROW, Counts, Difference, SpanCount, Verdict

if TYPE_CHECKING:
    from leadhouse.crm import Chain, Entities
    from leadhouse.crm import Difference as Ids
    from leadhouse.inventory import Inventory
    from leadhouse.personal import Reviewed

log = logs.get_logger("leadhouse.verify")

SAMPLE = 200
_LOT_LEADS = 500
_SPANS = 50
# Missing leads that are asked for one by one: 20 requests for each side. Where more are missing, nobody reads why.
_ASKED = 1_000


def verify(
    source: str = "bitrix24",
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    sample: int | Literal["all"] = SAMPLE,
    seed: int = 0,
    lock_timeout: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    **settings: Any,
) -> Verdict:
    """Compare the warehouse with the portal; nothing is written, and runs at work are not hindered.

    Args:
        source: "bitrix24" or "kommo".
        to: the destination, as `sync` takes it.
        dataset: schema of the tables.
        portal: name of the portal where several are configured.
        sample: leads that are read from the portal and compared value by value, or "all".
        seed: the same seed takes the same leads, also when others come and go.
        lock_timeout: seconds to wait for a run that is writing the DuckDB file.
        progress: told what happens.
        **settings: as `sync` takes them; the same that the warehouse was filled with.

    Raises:
        TransientError: the next try may do.
        OperatorError: a person must act; the message says how.
    """
    if sample != "all" and sample < 0:
        raise ConfigurationError(f"the sample is {sample!r}; it is a number of leads, or all")
    verdicts: list[Verdict] = []
    run(
        "verify",
        source,
        lambda session: verdicts.append(_verdict(session, sample, seed)),
        to=to,
        dataset=dataset,
        portal=portal,
        lock_timeout=lock_timeout,
        progress=progress,
        settings=settings,
        read_only=True,
    )
    return verdicts[0]


def _verdict(session: Session, sample: int | Literal["all"], seed: int) -> Verdict:
    """Compare every chain; what is counted is leads.

    Raises:
        StateError: no run has read the portal to its end yet, or the cursor lies in the portal's future.
    """
    told, *others = [_Verification(session, chain, sample, seed).verdict() for chain in session.crm.chains]
    for other in others:
        told.differences += other.differences
        told.apart += other.apart
    session.summary.leads_read = told.compared
    log.info(
        "verified",
        equal=told.equal,
        differences=len(told.differences),
        compared=told.compared,
        apart=told.apart,
        leads=told.counts.warehouse,
    )
    return told


def sampled(ids: Sequence[int], count: int, seed: int) -> list[int]:
    """Return `count` of `ids` in ascending order, the same for the same seed: each id has its rank."""
    return sorted(
        heapq.nsmallest(count, ids, key=lambda number: blake2b(b"%d:%d" % (seed, number), digest_size=8).digest())
    )


@dataclass(frozen=True, slots=True)
class _News:
    """Tells what the last window could not have seen; times are Unix seconds."""

    cursor: int
    lower: int

    def has(self, modified: int, held: int = NEVER) -> bool:
        """True when the next sync brings a lead that was modified then; the warehouse holds the version of `held`."""
        return modified >= self.lower and (modified >= self.cursor or modified != held)


class _Verification:
    """Compares one chain of tables."""

    def __init__(self, session: Session, chain: "Chain", sample: int | Literal["all"], seed: int) -> None:
        cursor, overlap = session.cursor, session.settings.overlap
        self._session = session
        self._chain = chain
        self._sample = sample
        self._seed = seed
        self._news = _News(_seconds(cursor.reached), _seconds(cursor.reached - overlap))
        self._apart: set[int] = set()
        self._differences: list[Difference] = []
        self._compared = 0
        self._reviewed: Reviewed | None = None

    def verdict(self) -> Verdict:
        """Compare.

        The warehouse is always looked at before the portal: so what the portal shows beyond is newer than the cursor.

        Raises:
            StateError: the cursor lies in the portal's future.
        """
        session, cursor = self._session, self._session.cursor
        session.summary.cursor_from = session.summary.cursor_to = cursor.cursor
        inventory = session.inventory(self._chain)
        session.progress.step(f"comparing ids of {self._chain.root}", 0)
        live, marked = inventory.live(), inventory.marked()
        entities = session.entities(self._chain)
        session.warehouse.let_go()
        try:
            found = entities.difference(live, marked, cursor.listed_through, every=self._sample == "all")
            check_clock(cursor, entities.upper, session.settings.overlap)
            again = self._missing(entities, inventory, found)
            again |= self._stale(live, found) | {one for one, other in pairwise(live.ids) if one == other}
            chosen = sampled(live.ids, len(live) if self._sample == "all" else self._sample, self._seed)
            wanted = (set(chosen) - set(found.vanished) | again) - self._apart
            self._compare(entities, inventory, sorted(wanted))
        finally:
            entities.close()
        self._differences.sort(key=lambda difference: difference.lead)
        counts = _counts(live, found)
        return Verdict(session.summary, counts, self._seed, self._compared, len(self._apart), self._differences)

    def _missing(self, entities: "Entities", inventory: "Inventory", found: "Ids") -> set[int]:
        """Note the rows that one side alone has; return those that the portal did not list and has after all."""
        unknown = [number for number in found.unknown if not self._set_apart(number, found.modified[number])]
        marks = inventory.marks([*unknown, *found.vanished])
        unknown = [number for number in unknown if marks.get(number) != (None, None)]  # loaded meanwhile
        vanished = [number for number in found.vanished if marks.get(number) == (None, None)]  # the rest marked
        fates = self._fates(entities, [*unknown[:_ASKED], *vanished[:_ASKED]])
        for number in unknown:
            if fates.get(number, "there") == "there":
                deleted, out_of_sight = marks.get(number, (None, None))
                column = "deleted_at" if deleted else "out_of_sight_at" if out_of_sight else ROW
                self._note(number, "there", deleted or out_of_sight or "missing", column)
        for number in vanished:
            if fates.get(number) != "there":
                self._note(number, fates.get(number, "not listed"), "there")
        return {number for number in vanished if fates.get(number) == "there"}

    def _fates(self, entities: "Entities", ids: Sequence[int]) -> dict[int, str]:
        """Ask for rows one by one and return what the portal says, by id."""
        fates: dict[int, str] = {}
        for found in entities.get(sorted(ids)):
            fates.update((entities.id_of(row), "there") for row in found.rows)
            fates.update(dict.fromkeys([*found.gone, *found.invalid], "not found"))
            fates.update(dict.fromkeys(found.unseen, "access denied"))
        return fates

    def _stale(self, live: Live, found: "Ids") -> set[int]:
        """Return the leads whose modification time differs, though the last window could have seen it."""
        return {
            number
            for number in found.moved
            for _, held in live.between(number - 1, number)
            if not self._set_apart(number, found.modified[number], held)
        }

    def _compare(self, entities: "Entities", inventory: "Inventory", ids: Sequence[int]) -> None:
        """Read rows from both sides and note what differs."""
        promised = self._columns(entities)
        for lot in lots(ids, _LOT_LEADS):
            held = inventory.whole(lot)
            marked = {row["id"] for row in held[self._chain.root] if row["deleted_at"] or row["out_of_sight_at"]}
            rows = []
            for found in entities.get(lot):
                rows += [row for row in found.rows if entities.id_of(row) not in marked]
                for words, numbers in (("not found", found.gone), ("access denied", found.unseen)):
                    for number in set(numbers) - marked:
                        self._note(number, words, "there")
                self._session.progress.step(f"comparing {self._chain.root}", self._compared + len(rows))
            self._compared += len(rows)
            if rows:
                self._compare_rows(entities, rows, held, promised)

    def _compare_rows(
        self, entities: "Entities", rows: list[Any], held: dict[str, list[dict[str, Any]]], promised: frozenset[str]
    ) -> None:
        from leadhouse.columns import without_nul  # noqa: PLC0415
        from leadhouse.comparison import compare, service_columns  # noqa: PLC0415

        chain, contract = self._chain, self._session.crm.contract
        told = self._masked(entities.decode(rows))
        if self._session.warehouse.target.kind == "postgres":
            told, _ = without_nul(told)
        # What only the answer for a single row has, no sync brings.
        alone = self._columns(entities) - promised - {name for row in held[chain.root][:1] for name in row}
        absent = {*entities.absent_columns(), *alone}
        left_out = {*service_columns(contract[chain.root]), *absent}
        root = told[chain.root]
        columns = [name for name in root.schema.names if name not in left_out]
        versions = {row["id"]: row[chain.modified] for row in held[chain.root]}
        modified = dict(zip(*(root.column(name).to_pylist() for name in ("id", chain.modified)), strict=True))
        for number, differences in compare(contract, chain, told, held, columns=columns, left_out=absent).items():
            if not self._set_apart(number, _seconds(modified[number]), _seconds(versions.get(number))):
                self._differences += differences

    def _masked(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return the portal's rows as the warehouse is to have them."""
        session = self._session
        if session.mask is None or session.mask.idle:
            return told
        if self._reviewed is None:
            from leadhouse.rewriting import stored_review  # noqa: PLC0415 - rarely needed

            self._reviewed = stored_review(session.crm, session.warehouse, session.pipeline)
        return session.mask.decoded(told, self._reviewed)

    def _columns(self, entities: "Entities") -> frozenset[str]:
        """Return the columns of the root as far as the portal's fields are known."""
        root = self._session.crm.contract[self._chain.root]
        return frozenset(root.schema(entities.extra_columns()).names)

    def _set_apart(self, number: int, modified: int, held: int = NEVER) -> bool:
        """Set a lead apart if the next sync brings it."""
        if self._news.has(modified, held):
            self._apart.add(number)
        return number in self._apart

    def _note(self, number: int, portal: Any, warehouse: Any, column: str = ROW) -> None:
        self._differences.append(Difference(number, self._chain.root, column, portal, warehouse))


def _counts(live: Live, found: "Ids") -> Counts:
    """Return the counts, with the spans of ids in which the two differ."""
    last = max([*live.ids[-1:], *found.unknown, 1])
    return Counts(found.portal, len(live), found.by, tuple(_differing(live, found, last)))


def _differing(live: Live, found: "Ids", last: int) -> Iterator[SpanCount]:
    for after, through in live.split(last, _SPANS):
        more, fewer = (sum(after < number <= through for number in ids) for ids in (found.unknown, found.vanished))
        held = live.count(after, through)
        if more != fewer:
            yield SpanCount(after + 1, through, held + more - fewer, held)


def _seconds(at: datetime | None) -> int:
    return NEVER if at is None else int(at.timestamp())
