"""A walk over a list by modification time: page 1 again and again from the last second seen, never a deeper page.

There is no keyset by id, and a page number counts from the front of a set that moves: a row edited while it is read
leaves its place, the rows behind it step forward, and one of them is never seen. So each request asks for page 1 from
the second reached. Seconds that hold more rows than a page are drained by id, until two passes list the same rows: a
row that left between them would be missing in the second, so nothing stepped forward unseen in the first. They go in
opposite directions: a list that ends too early, or repeats a page, would otherwise agree with itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from leadhouse import logs
from leadhouse.errors import PagingError, PortalFaultError, PortalFilterError
from leadhouse.kommo.client import KommoClient, Reply
from leadhouse.kommo.pages import Page, Pages
from leadhouse.retry import Trouble

log = logs.get_logger("leadhouse.kommo")

PAGE_ROWS = 250
# Times that an answer which contradicts the one before is asked for again before it is believed.
_CONFIRMED = 1
_MOST_PASSES = 20

Params = list[tuple[str, str]]


@dataclass(slots=True)
class Step:
    """What one step of the walk brought.

    Attributes:
        rows: rows not seen before in this walk.
        position: every row modified before this second was read.
    """

    rows: list[Any]
    position: int


class Walk:
    """Walks one entity's list.

    Args:
        client: the account.
        pages: decodes it.
        position: Unix second to begin at; 0 reads all.
        until: read what was modified before this second; None: without end.
    """

    def __init__(self, client: KommoClient, pages: Callable[[], Pages], position: int, until: int | None) -> None:
        self._client = client
        self._pages = pages
        self._until = until
        self.position = position
        self.done = False
        # Modification times by id of rows in the last seconds, which come again with the next request.
        self._seen: dict[int, int] = {}
        # Whether a bound names the first second that comes, or the last one that does not: learnt from answers.
        self._inclusive: bool | None = None
        self._first: Page | None = None
        # Modification times of rows on the first page that the warehouse has: they are no news.
        self._known: Mapping[int, int] = {}

    def begin(self, held: Callable[[Sequence[int]], Mapping[int, int]]) -> tuple[Reply, bool]:
        """Send the first request; its answer is the first step's. Return it, and whether it has news.

        Args:
            held: returns modification times (Unix seconds) of rows that the warehouse has.

        Raises:
            LeadhouseError: the account refused, or cannot be read.
        """
        reply, page = self._answered(self._ask)
        self._first = page
        self._known = held([self._pages().id_of(row) for row in page.rows])
        return reply, any(map(self._is_news, page.rows))

    def _is_news(self, row: Any) -> bool:
        return self._known.get(self._pages().id_of(row)) != self._pages().modified(row)

    def steps(self, upper: int) -> Iterator[Step]:
        """Walk to the end; an end that brings news is confirmed by another request.

        Args:
            upper: the account's clock when the window opened (Unix seconds): rows that were modified later may go on
                coming for ever, and the next window brings them.

        Raises:
            PortalFilterError: the account ignores filters.
            LeadhouseError: the account refused, or cannot be read.
        """
        trouble = Trouble()
        while not self.done:
            page = self._page()
            problem = self._disorder(page)
            if problem is not None:
                self._client.stalled(problem, trouble)
                continue
            rows = self._unseen(page.rows)
            last = self._pages().modified(page.rows[-1]) if page.rows else self.position
            if page.next is None:
                self.done = not any(self._is_news(row) and self._pages().modified(row) <= upper for row in rows)
                self._advance(last)
            elif last > self.position:
                self._advance(last)
            else:
                yield Step(rows, self.position)
                yield from self._drained()
                continue
            trouble = Trouble()
            yield Step(rows, self.position)

    def _advance(self, position: int) -> None:
        self.position = max(self.position, position)
        self._seen = {number: at for number, at in self._seen.items() if at >= self.position - 1}

    def _unseen(self, rows: Sequence[Any]) -> list[Any]:
        """Return the rows that were not read in this version, and remember them."""
        pages = self._pages()
        new = [row for row in rows if self._seen.get(pages.id_of(row)) != pages.modified(row)]
        self._seen.update((pages.id_of(row), pages.modified(row)) for row in new)
        return new

    @property
    def _from(self) -> int:
        return self.position if self._inclusive else self.position - 1

    def _ask(self) -> Reply:
        since = self._from
        params = [("order[updated_at]", "asc")]
        if since > 0:
            params.append(("filter[updated_at][from]", str(since)))
        if self._until is not None:
            params.append(("filter[updated_at][to]", str(self._until)))
        return self._get(params)

    def _answered(self, ask: Callable[[], Reply]) -> tuple[Reply, Page]:
        return answered(self._client, self._pages, ask)

    def _get(self, params: Params) -> Reply:
        entity = self._pages().entity
        more = [("with", ",".join(entity.extras))] if entity.extras else []
        return self._client.get(entity.path, [("limit", str(PAGE_ROWS)), ("page", "1"), *params, *more])

    def _page(self) -> Page:
        """Return page 1 from the second reached.

        Raises:
            PortalFilterError: it has rows from before, also when asked again.
        """
        for attempt in range(_CONFIRMED + 1):
            page, self._first = self._first or self._answered(self._ask)[1], None
            if not page.rows and page.next is None:
                # Nothing there is the answer that loses most, so where rows were seen it is asked for again.
                if attempt < _CONFIRMED and (self._seen or self.position == 0):
                    log.info("the account says that nothing is there; it is asked again")
                    continue
                return page
            since = self._from
            earliest = min(map(self._pages().modified, page.rows), default=since)
            if since <= 0 or earliest >= since:
                if since > 0 and earliest == since:
                    self._inclusive = True
                return page
        raise PortalFilterError(
            "the account sends rows from before the time that was asked for: it ignores filters; nothing was "
            "committed; ask its support to switch the API's filters on (account?with=is_api_filter_enabled tells)",
            portal=self._client.portal,
            method=self._pages().entity.path,
        )

    def _disorder(self, page: Page) -> PagingError | None:
        times = [self._pages().modified(row) for row in page.rows]
        once = len({self._pages().id_of(row) for row in page.rows}) == len(page.rows)
        if times == sorted(times) and once and not self._leaps(page, times):
            return None
        return PagingError(
            "rows of a page are out of order", portal=self._client.portal, method=self._pages().entity.path
        )

    def _leaps(self, page: Page, times: Sequence[int]) -> bool:
        """True where unread rows lie before a page.

        A page full of one second shows no order: it may be the last instead of the first.
        """
        if page.next is None or not times or times[0] != times[-1] or times[0] <= self.position:
            return False
        params = [("order[updated_at]", "asc"), ("filter[updated_at][to]", str(times[0] - 1))]
        if self._from > 0:
            params.append(("filter[updated_at][from]", str(self._from)))
        pages = self._pages()
        before = ((pages.id_of(row), pages.modified(row)) for row in self._answered(lambda: self._get(params))[1].rows)
        return any(self.position <= at < times[0] and self._seen.get(number) != at for number, at in before)

    def _drained(self) -> Iterator[Step]:
        """Read every row of the second reached, by id, and step over it."""
        second, before = self.position, None
        for attempt in range(_MOST_PASSES):
            listed: set[int] = set()
            for rows in self._passed(second, "desc" if attempt % 2 else "asc"):
                listed |= {self._pages().id_of(row) for row in rows if self._pages().modified(row) == second}
                yield Step(self._unseen(rows), self.position)
            if listed == before:
                self._advance(second + 1)
                yield Step([], self.position)
                return
            before = listed
        raise PagingError(
            f"a second with {len(before or ()):,} rows does not come to rest",
            portal=self._client.portal,
            method=self._pages().entity.path,
        )

    def _passed(self, second: int, order: str) -> Iterator[list[Any]]:
        """Yield the rows of a second and of its neighbours, page by page by id."""
        params = [
            ("order[id]", order),
            ("filter[updated_at][from]", str(second - 1)),
            ("filter[updated_at][to]", str(second + 1)),
        ]
        return (page.rows for page in listing(self._client, self._pages, lambda: self._get(params)))


def answered(client: KommoClient, pages: Callable[[], Pages], ask: Callable[[], Reply]) -> tuple[Reply, Page]:
    """Return an answer and its page, empty where nothing is there; one that is no page is asked for again.

    Raises:
        LeadhouseError: the account refused, or cannot be read.
    """
    trouble = Trouble()
    while True:
        reply = ask()
        try:
            return reply, Page([], None) if reply.status == 204 else pages().page(reply.body)
        except PortalFaultError as error:
            problem = error
        client.stalled(problem, trouble)


def listing(client: KommoClient, pages: Callable[[], Pages], first: Callable[[], Reply]) -> Iterator[Page]:
    """Follow a list from its first page to its end; an end behind a promised page is confirmed.

    Raises:
        LeadhouseError: the account refused, or cannot be read.
    """
    reply, page = answered(client, pages, first)
    while reply.status != 204:
        yield page
        link = page.next
        if link is None:
            return
        for _ in range(_CONFIRMED + 1):
            reply, page = answered(client, pages, partial(client.follow, link))
            if reply.status != 204:
                break
            log.info("the list ended behind a promised page", entity=pages().entity.path)
