"""The whole service in one call: read a portal's window and load it in checkpoints."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from leadhouse.cursor import Backfill, Cursor
from leadhouse.datasets import filled
from leadhouse.errors import ConfigurationError, CopyNotWrittenError
from leadhouse.progress import Progress
from leadhouse.publish import check_name, copy_path
from leadhouse.publish import publish as publish_copy
from leadhouse.reconciliation import Extent, compare, is_due, look_into
from leadhouse.run import run
from leadhouse.session import LOCK_TIMEOUT_S, LOTS_AHEAD, Session
from leadhouse.settings import history_wanted
from leadhouse.summary import SyncSummary
from leadhouse.times import interval, parse_time

if TYPE_CHECKING:
    from pathlib import Path

    from leadhouse.target import Target


def sync(
    source: str = "bitrix24",
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    full: bool = False,
    pii: str | None = None,
    reconcile: bool = False,
    reconcile_every: str | timedelta | None = None,
    max_deletions: str | int | None = None,
    yes: bool = False,
    publish: str | None = None,
    history: bool | None = None,
    lock_timeout: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    **settings: Any,
) -> SyncSummary:
    """Bring the warehouse up to date with a portal and return what was done.

    Args:
        source: "bitrix24" or "kommo".
        to: duckdb:file.duckdb, postgresql://…, or the name of a destination in dlt's configuration; where not given,
            LEADHOUSE__TO or `to` under [leadhouse] in `.dlt/`, else duckdb:leadhouse.duckdb.
        dataset: schema of the tables; default the portal's name, else the source's.
        portal: name of the portal where several are configured.
        since: read again what was modified from this time on (UTC where no zone is given); the cursor stays.
        until: … and before this time.
        full: read everything again into place.
        pii: what becomes of personal data: "keep", "hash" (pseudonyms under LEADHOUSE__PII_KEY, else under a key made
            from the webhook or token) or "drop"; where not given, LEADHOUSE__PII or `pii` under [leadhouse] in `.dlt/`,
            else what the dataset remembers. To change it on a dataset that there is takes `full`.
        reconcile: then find leads that vanished, or that the cursor cannot see (see `leadhouse.reconcile`).
        reconcile_every: the same, if the last time is as long ago: "24h", "90m", "7d".
        max_deletions: leads that may have vanished before it refuses: a number, or a share like "5%".
        yes: do not refuse.
        publish: then make this DuckDB file a copy of the warehouse for readers, where it is not up to date; where not
            given, LEADHOUSE__PUBLISH or `publish` under [leadhouse] in `.dlt/`; "" for none.
        history: keep every version of each lead in `lead_versions`, in this run and in all later ones; where not given,
            LEADHOUSE__HISTORY or `history` under [leadhouse] in `.dlt/`.
        lock_timeout: seconds to wait for a reader of the DuckDB file or for another run.
        progress: told what happens; default a bar on a terminal, log lines otherwise.
        **settings: how to reach the portal and how to read it, for Bitrix24 webhook_url or client_id, client_secret,
            refresh_token and oauth_server, api, burst; for Kommo base_url, access_token or client_id, client_secret,
            refresh_token and redirect_uri; for both overlap_minutes, phone_region, requests_per_second; where not
            given they come from the environment (SOURCES__BITRIX24__…) and `.dlt/`.

    Raises:
        TransientError: the next run may heal it.
        CopyNotWrittenError: the rows are there, the copy is not (one of the above).
        OperatorError: a person must act; the message says how.
    """
    backfill = span(since, until, full=full)
    every = interval(reconcile_every, "--reconcile-every") if isinstance(reconcile_every, str) else reconcile_every
    extent = Extent(max_deletions=max_deletions, yes=yes)
    extent.allowed(0)
    wanted = history_wanted(history)
    copies: list[tuple[Target, Path]] = []

    def work(session: Session) -> None:
        from leadhouse.pii import Memory, settled  # noqa: PLC0415 - arrow's weight is loaded late

        target = session.warehouse.target
        copy = copy_path(publish, target, [session.warehouse.dataset])
        if copy is not None:
            session.warehouse.let_go()
            check_name(copy, filled(target, lock_timeout=lock_timeout))
            copies.append((target, copy))
        also = reconcile or (every is not None and is_due(session, every))
        changing = backfill is None and Memory.of(session.slot).changing
        read_windows(session, backfill=backfill, full=full or changing, last=not also)
        if changing:
            settled(session)
        if also:
            compare(session, extent)

    summary = run(
        "sync",
        source,
        work,
        to=to,
        dataset=dataset,
        portal=portal,
        lock_timeout=lock_timeout,
        progress=progress,
        settings=settings,
        history=wanted,
        pii=pii,
        full=full,
    )
    try:
        for target, copy in copies:
            publish_copy(target, copy, lock_timeout=lock_timeout)
    except CopyNotWrittenError as error:
        error.summary = summary
        raise
    return summary


def span(since: str | datetime | None, until: str | datetime | None, *, full: bool = False) -> Backfill | None:
    """Return the span of modification time to read again, None where none is asked for.

    Raises:
        ConfigurationError: times that are none, in the wrong order, or beside `full`.
    """
    if since is None and until is None:
        return None
    asked = Backfill(parse_time(since), parse_time(until))
    if full or (asked.since and asked.until and asked.since >= asked.until):
        raise ConfigurationError("--since must lie before --until, and neither goes with --full")
    return asked


def read_windows(session: Session, *, backfill: Backfill | None = None, full: bool = False, last: bool = False) -> None:
    """Read the window; one that an earlier run left open is finished first, then a new one is read.

    Args:
        session: the run.
        backfill: read this span instead.
        full: read everything again into place.
        last: the portal is not asked again in this run.
    """
    cursor = session.cursor
    session.summary.cursor_from = session.summary.cursor_to = cursor.cursor
    while True:
        resumed = _window(session, cursor, backfill, full=full, last=last)
        cursor = session.cursor
        session.summary.cursor_to = cursor.cursor
        if not resumed or full or backfill is not None:
            return


def _window(session: Session, cursor: Cursor, backfill: Backfill | None, *, full: bool, last: bool) -> bool:
    """Read one window to its end in packages; return whether an earlier run had opened it."""
    from leadhouse.crm import WindowOptions  # noqa: PLC0415 - arrow's weight is loaded late
    from leadhouse.readahead import ReadAhead  # noqa: PLC0415
    from leadhouse.unchanged import Unchanged, nothing_known  # noqa: PLC0415

    portal, chains = session.portal, session.crm.chains
    stored = {chain.root: session.stored_kinds(chain) for chain in chains}
    inventories = {chain.root: session.inventory(chain) for chain in chains}

    def held(root: str, ids: Sequence[int]) -> dict[int, int]:
        versions = inventories[root].versions(ids)
        return {number: int(at.timestamp()) for number, (at, _, gone) in versions.items() if at and not gone}

    def newest_second(root: str) -> tuple[int, int] | None:
        return inventories[root].newest_second()

    options = WindowOptions(full, backfill, stored, held, newest_second, session.dictionary)
    reader = portal.window(cursor, options)
    session.warehouse.let_go()
    session.progress.step("asking the portal", session.summary.leads_read)
    reader.open()
    # Before the window's packages: they remember that these were told of.
    look_into(session, reader.suspects())
    unchanged = {}
    for chain in chains:
        inventory = inventories[chain.root]
        unchanged[chain.root] = Unchanged(chain, nothing_known if reader.rewrites else inventory.versions_before)
    ahead = ReadAhead(reader.pieces, depth=LOTS_AHEAD, cancel=portal.pause.cancel)
    try:
        session.load_all(reader, iter(ahead), unchanged, last=last)
    finally:
        ahead.close()
        reader.close()
    return reader.resumed
