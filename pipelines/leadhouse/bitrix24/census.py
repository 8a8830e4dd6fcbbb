"""Where portal and warehouse differ in ids: found by counting spans of ids, or by listing every id.

Counting asks `total` for 50 spans in a request and looks closer only at those that differ, so that its requests grow
with the difference. Two things it cannot see by itself, and what is done about them:

- A lead gone and another one come within one span leave its count as it was. New leads have new ids (the portal gives
  a restored lead a new one), so ids above the last complete listing are listed again, and counting is for those below.
- `total` may be capped, wrong, or cost more than listing: then, and where the portal is small, every id is listed.
"""

import math
import time
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import msgspec

from leadhouse import logs
from leadhouse.bitrix24.by_id import alive
from leadhouse.bitrix24.client import MAX_COMMANDS, PAGE_ROWS, Bitrix24Client
from leadhouse.bitrix24.many import Reply, ask
from leadhouse.bitrix24.opening import Opening
from leadhouse.bitrix24.walk import Walk
from leadhouse.crm import Difference, Entry
from leadhouse.live import Live

log = logs.get_logger("leadhouse.bitrix24")

LISTED_AT_ONCE = MAX_COMMANDS * PAGE_ROWS
# Up to here listing all ids takes no more requests than counting does.
_SMALL_REQUESTS = 4
# A lead's id is given when its transaction begins and seen when it ends: ids this far back are listed once more.
_MARGIN_IDS = 1000

Span = tuple[int, int]


class _CountsLieError(Exception):
    """The portal's counts contradict what it lists."""


class Census:
    """Compares a portal's ids with a warehouse's.

    Args:
        client: the portal.
        opening: what is known of its leads.
        live: what the warehouse holds.
        newest: the portal's newest id when the run began; leads that come later are out of reach.
        marked: ids that the warehouse holds as gone or out of sight: the portal may have them again.
    """

    def __init__(
        self, client: Bitrix24Client, opening: Opening, live: Live, newest: int, marked: Collection[int] = ()
    ) -> None:
        self._client = client
        self._opening = opening
        self._live = live
        self._newest = newest
        self._marked = sorted(marked)

    def difference(self, listed_through: int, *, every: bool) -> Difference:
        """Return where they differ.

        Args:
            listed_through: every id up to this one was listed by an earlier run.
            every: list every id, whatever it costs; only so are modification times compared.

        Raises:
            LeadhouseError: the portal refused, or cannot be read.
        """
        known = max(0, listed_through - _MARGIN_IDS)
        requests = math.ceil(max(len(self._live), 1) / LISTED_AT_ONCE)
        if every or known == 0 or requests <= _SMALL_REQUESTS:
            return self._listing()
        try:
            found = self._counting(known, requests)
        except _CountsLieError as lie:
            log.warning("the portal's counts are of no use; every id is listed", why=str(lie))
            return self._listing()
        # A marked lead that came back and another one that vanished within a span leave its count as it was.
        if found.by == "counts" and alive(self._client, self._opening, self._marked):
            return self._listing()
        return found

    def _listing(self) -> Difference:
        return self._ended(Difference(by="listing"), 0)

    def _counting(self, known: int, listing_requests: int) -> Difference:
        found = Difference()
        began, pages = self._spent(), self._client.traffic.requests
        self._ended(found, known)
        page_s = (self._spent() - began) / max(1, self._client.traffic.requests - pages)
        spans = self._live.split(known, MAX_COMMANDS)
        parents: dict[Span, Span] = {}
        while spans:
            began = self._spent()
            differing = self._count(found, spans, add=not parents)
            count_s = (self._spent() - began) / math.ceil(len(spans) / MAX_COMMANDS)
            guilty = {parents[span] for span in spans if span in parents} - {
                parents[span] for span in self._explained if span in parents
            }
            if guilty:
                raise _CountsLieError("a span that differs is made of spans that do not")
            if not differing:
                break
            parts = max(2, MAX_COMMANDS // len(differing))
            to_come = _requests_to_come(differing, parts)
            if to_come * max(1.0, count_s / max(page_s, 0.001)) > listing_requests:
                log.info("listing every id is cheaper than counting on", requests=listing_requests)
                return self._listing()
            parents = {part: span for span in differing for part in _cut(span, parts)}
            spans = list(parents)
        for ids in (found.vanished, found.unknown, found.moved):
            ids.sort()
        return found

    def _count(self, found: Difference, spans: Sequence[Span], *, add: bool) -> list[Span]:
        """Count spans; compare those small enough to be listed by the answer itself, return the others that differ.

        With `add` the counts are added to the portal's.
        """
        differing: list[Span] = []
        self._explained: list[Span] = []
        commands = {f"n{at}": self._opening.family.count(*span) for at, span in enumerate(spans)}
        for key, reply in ask(self._client, commands):
            span = spans[int(key[1:])]
            listed, total = self._tally(reply, span)
            found.portal += total if add else 0
            held = list(self._live.between(*span))
            if total <= PAGE_ROWS:
                before = len(found.vanished) + len(found.unknown)
                found.compare(listed, iter(held))
                if len(found.vanished) + len(found.unknown) > before:
                    self._explained.append(span)
            elif total != len(held) or [number for number, _ in listed] != [number for number, _ in held[:PAGE_ROWS]]:
                differing.append(span)
                self._explained.append(span)
        return differing

    def _tally(self, reply: Reply, span: Span) -> tuple[list[Entry], int]:
        if reply.result is None:
            raise _CountsLieError("a count was refused")
        listed = self._entries(reply.result)
        numbers = [number for number, _ in listed]
        if reply.total is None or len(numbers) != min(reply.total, PAGE_ROWS):
            raise _CountsLieError("a total does not fit its list")
        if sorted(set(numbers)) != numbers or (numbers and not (span[0] < numbers[0] and numbers[-1] <= span[1])):
            raise _CountsLieError("a list goes beyond its span")
        return listed, reply.total

    def _entries(self, result: msgspec.Raw) -> list[Entry]:
        try:
            return self._opening.pages.entries(result)
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
            raise _CountsLieError("an answer has another shape") from None

    def _ended(self, found: Difference, after: int) -> Difference:
        """List every id above `after` and add the difference."""
        for listed, through in self._listed(after):
            reached = [
                entry for entry in listed if entry[0] <= self._newest or self._live.count(entry[0] - 1, entry[0])
            ]
            found.portal += len(reached)
            found.compare(reached, self._live.between(after, through))
            after = max(after, listed[-1][0]) if listed else after
        found.listed_through = max(found.listed_through, min(after, self._newest))
        return found

    def _listed(self, after: int) -> Iterator[tuple[list[Entry], int | None]]:
        """Yield the portal's leads above `after` lot by lot, with the id that each lot reaches; None at the end.

        Leads that come meanwhile are not waited for: they might come without end.
        """
        family = self._opening.family
        last = max([self._newest, *self._live.ids[-1:]])
        walk = Walk(
            name="i",
            portal=self._client.portal,
            command=family.ids,
            reference=family.last_id_of,
            rows=self._opening.pages.entries,
            id_of=lambda entry: int(entry[0]),
            after=after,
            newest=family.newest(None, None),
            newest_ids=self._opening.pages.newest_ids,
            chain=self._live.count(after, None) // PAGE_ROWS + 2,
        )
        for rows in walk.batches(self._client, probe=True, through=last):
            yield rows, None if walk.done else walk.after

    def _spent(self) -> float:
        """Seconds so far, those aside that the vendor's limits took."""
        return time.monotonic() - self._client.pause.throttled_s


def _cut(span: Span, parts: int) -> list[Span]:
    after, through = span
    edges = sorted({after + (through - after) * part // parts for part in range(parts + 1)})
    return list(pairwise(edges))


def _requests_to_come(spans: Sequence[Span], parts: int) -> int:
    """Return how many requests it takes to cut `spans` down to one page each."""
    widest = max(through - after for after, through in spans)
    levels = max(1, math.ceil(math.log(max(widest / PAGE_ROWS, 1.0), parts)))
    return levels * math.ceil(len(spans) * parts / MAX_COMMANDS)
