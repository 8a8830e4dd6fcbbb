"""Kommo: leadhouse beside what people use today. The sandbox is this process, what is measured are its children."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.figures import Figures
from bench.kommo_peers import Follower, Peer
from leadhouse.sandbox.kommo import Account, Clock, Sandbox, serve

_LEADS_PATH = "/api/v4/leads"
_PAGE = 250
_EDITS_A_PAGE = 10
_PAGES_A_DELETION = 5
_MOST_RUNS = 60
_STORM = 600


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: leads of the full load, of the refused one, and of the races."""

    leads: int = 50_000
    refused: int = 10_000
    raced: int = 6_000


class _Life:
    """Edits before each page of leads, and now and then a deletion, until so many pages were read."""

    def __init__(self, account: Account, pages: int, *, deletions: bool) -> None:
        self._account = account
        self._left = pages
        self._deletions = deletions
        self._chance = random.Random(7)  # noqa: S311 - spreads edits, guards nothing
        self._edits = 0
        account.before_request.append(self)

    @property
    def over(self) -> bool:
        """True when nothing happens any more."""
        return self._left == 0

    def __call__(self, path: str, _params: dict[str, str], account: Account) -> None:
        if path != _LEADS_PATH or self.over:
            return
        self._left -= 1
        account.clock.advance(1)
        ids = sorted(account.stores["leads"].ids)
        for lead in self._chance.sample(ids, _EDITS_A_PAGE):
            self._edits += 1
            account.update_lead(lead, {"name": f"v{self._edits}"})
        if self._deletions and self._left % _PAGES_A_DELETION == 0:
            account.delete_lead(self._chance.choice(ids))


class KommoBench:
    """Runs measures with files in `folder`.

    Args:
        folder: a folder of its own.
        size: how much.
        peers: the peers, leadhouse last.
        figures: takes the results.
    """

    def __init__(self, folder: Path, size: Size, peers: list[Peer], figures: Figures) -> None:
        self._folder = folder
        self._size = size
        self._peers = peers
        self._figures = figures
        self._number = count(1)

    def load(self) -> None:
        """A first load into a new DuckDB file, nothing throttled: leads a second, and processor time."""
        leads = self._size.leads
        cpu: dict[str, float] = {}
        for peer in self._peers:
            with self._following(peer, leads) as (_, follower):
                run = follower.sync()
                if len(follower.held()) != leads:
                    raise RuntimeError(f"{peer.name} holds {len(follower.held())} of {leads} leads")
            cpu[peer.name] = run.cpu_s
            figure = f"{run.cpu_s:.1f} s CPU, {leads / run.cpu_s:,.0f} leads/s of it"
            self._figures.add(
                f"Kommo, first load of {leads:,} leads: {peer.name}",
                f"{figure}, {run.wall_s:.1f} s, {run.peak_mb:,.0f} MB",
            )
        for name, theirs in cpu.items() if "leadhouse" in cpu else ():
            ratio, same = theirs / cpu["leadhouse"], name == "dlt rest_api"
            self._figures.add(
                f"Kommo, CPU over leadhouse's: {name}",
                f"x {ratio:.1f}",
                "≥ x 3.0" if same else "",
                met=ratio >= 3 if same else None,
            )

    def refused(self) -> None:
        """One 429 on the third page: all leads, an error, or success with fewer rows."""
        leads = self._size.refused
        for peer in self._peers:
            with self._following(peer, leads) as (account, follower):
                account.faults.add("rate_limited", match=_LEADS_PATH, after=2, retry_after=1)
                self._tell(f"one 429 on page 3 of {-(-leads // _PAGE)}", peer, follower, leads)

    def burst(self) -> None:
        """Leads edited in one second, between two runs."""
        for peer in self._peers:
            with self._following(peer, self._size.raced) as (account, follower):
                follower.sync()
                account.clock.advance(3600)
                account.storm(sorted(account.stores["leads"].ids)[:_STORM], {"name": "in one second"})
                account.clock.advance(60)
                follower.sync()
                fresh = sum(name == "in one second" for name in follower.held().values())
            ours = peer.name == "leadhouse"
            self._figures.add(
                f"Kommo, {_STORM} leads in one second: {peer.name}",
                f"{fresh} of {_STORM}",
                f"{_STORM}" if ours else "",
                met=fresh == _STORM if ours else None,
            )

    def race(self) -> None:
        """Let each peer follow an account that lives while it is read, until it is quiet; count what is wrong then."""
        for deletions in (False, True):
            for peer in self._peers:
                self._race(peer, deletions=deletions)

    def measures(self) -> Mapping[str, Callable[[], None]]:
        """Return the measures by the name that the command line gives them."""
        return {"load": self.load, "refused": self.refused, "burst": self.burst, "race": self.race}

    def _race(self, peer: Peer, *, deletions: bool) -> None:
        leads = self._size.raced
        with self._following(peer, leads) as (account, follower):
            life = _Life(account, leads // _PAGE * 5 // 4, deletions=deletions)
            runs = 0
            while not life.over and runs < _MOST_RUNS:
                follower.sync()
                account.clock.advance(30)
                runs += 1
            for _ in range(2):
                account.clock.advance(3600)
                follower.sync()
            follower.settle()
            truth = {lead["id"]: lead["name"] for lead in account.leads()}
            held = follower.held()
        missing = len(truth.keys() - held.keys())
        stale = sum(held[lead] != name for lead, name in truth.items() if lead in held)
        ghosts = len(held.keys() - truth.keys())
        met = None if peer.name != "leadhouse" else missing == stale == ghosts == 0
        what = "edits and deletions" if deletions else "edits"
        self._figures.add(
            f"Kommo, {what} during the runs, {leads:,} leads: {peer.name}",
            f"{missing} missing, {stale} stale, {ghosts} ghosts",
            "" if met is None else "0, 0, 0",
            met=met,
        )

    def _tell(self, what: str, peer: Peer, follower: Follower, leads: int) -> None:
        error = ""
        try:
            follower.sync()
        except RuntimeError:
            error = "an error, told"
        silent = not error and len(follower.held()) != leads
        figure = error or f"{len(follower.held()):,} of {leads:,}"
        ours = peer.name == "leadhouse"
        self._figures.add(
            f"Kommo, {what}: {peer.name}",
            f"SUCCESS WITH {figure}" if silent else figure,
            f"{leads:,}" if ours else "",
            met=not (silent or error) if ours else None,
        )

    @contextmanager
    def _following(self, peer: Peer, leads: int) -> Iterator[tuple[Account, Follower]]:
        """Serve a new account; give it with the peer that is to follow it."""
        place = self._folder / str(next(self._number))
        place.mkdir()
        account = Account(leads=leads, seed=5, clock=Clock.frozen("2026-11-21T12:00:00+00:00"))
        sandbox: Sandbox
        with serve(account) as sandbox:
            yield account, peer.at(account, sandbox, place)
