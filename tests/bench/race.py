"""leadhouse beside what people use today: life during the runs, and faults; what is lost, and who says so."""

import contextlib
import logging
import os
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from bench.figures import Figures
from bench.peers import B24PySdk, DltRestApi, FastBitrix24, Leadhouse, Peer
from leadhouse.pace import Pause
from leadhouse.sandbox.bitrix24 import Clock, Portal, Sandbox, serve

Make = Callable[[Sandbox, Sandbox, Path], Peer]

PEERS: dict[str, Make] = {
    "dlt rest_api": lambda http, _, folder: DltRestApi(http.url, folder),
    "fast_bitrix24": lambda http, _, __: FastBitrix24(http.url),
    "b24pysdk fast": lambda _, https, __: B24PySdk(https.url, _certificate(https), fast=True),
    "b24pysdk list": lambda _, https, __: B24PySdk(https.url, _certificate(https), fast=False),
    "leadhouse": lambda http, _, folder: Leadhouse(http.url, folder),
}
FAULTS: dict[str, Callable[[Portal], object]] = {
    "500 once": lambda portal: portal.faults.add("error_500", after=2),
    "502 as HTML once": lambda portal: portal.faults.add("html_502", after=2),
    "connection reset once": lambda portal: portal.faults.add("reset", after=2),
    "503 every third request": lambda portal: portal.faults.add("rate_limited", times=None, every=3),
    "429 once": lambda portal: portal.faults.add("operating_blocked", match="crm.lead.list", after=100),
    "4th command of each batch refused": lambda portal: portal.faults.add(
        "command_error", times=None, match="crm.lead.list", every=4, code="INTERNAL_SERVER_ERROR", status=500
    ),
    "one command refused once": lambda portal: portal.faults.add(
        "command_error", match="crm.lead.list", after=51, code="INTERNAL_SERVER_ERROR", status=500
    ),
    "a short page in a chain": lambda portal: portal.faults.add("short_page", match="crm.lead.list", after=60),
}
_EDITS_A_PAGE = 10
_PAGES_A_DELETION = 5
_MOST_RUNS = 60


class _Life:
    """Edits before each page of leads, and now and then a deletion, until so many pages were read."""

    def __init__(self, portal: Portal, pages: int, *, deletions: bool) -> None:
        self._portal = portal
        self._left = pages
        self._deletions = deletions
        self._chance = random.Random(7)  # noqa: S311 - spreads edits, guards nothing
        self._edits = 0
        portal.before_command.append(self)

    @property
    def over(self) -> bool:
        """True when nothing happens any more."""
        return self._left == 0

    def __call__(self, method: str, _params: dict[str, Any], portal: Portal) -> None:
        if method != "crm.lead.list" or self.over:
            return
        self._left -= 1
        portal.clock.advance(1)
        ids = portal.store.ids
        for lead in self._chance.sample(list(ids), _EDITS_A_PAGE):
            self._edits += 1
            portal.update_lead(lead, {"POST": f"v{self._edits}"})
        if self._deletions and self._left % _PAGES_A_DELETION == 0:
            portal.delete_lead(self._chance.choice(list(ids)))


def race(figures: Figures, leads: int, *, deletions: bool) -> None:
    """Let each peer follow a portal that lives while it is read, until it is quiet; count what is wrong then."""
    what = "edits and deletions" if deletions else "edits"
    for name, make in PEERS.items():
        with _scene(leads) as (portal, http, https, folder):
            peer = make(http, https, folder)
            life = _Life(portal, leads // 50 * 5 // 4, deletions=deletions)
            runs = 0
            while not life.over and runs < _MOST_RUNS:
                peer.sync()
                portal.clock.advance(30)
                runs += 1
            for _ in range(2):
                portal.clock.advance(3600)
                peer.sync()
            peer.settle()
            truth = {int(lead["ID"]): lead["POST"] or "" for lead in portal.leads()}
            held = peer.held()
        missing = len(truth.keys() - held.keys())
        stale = sum(held[lead] != version for lead, version in truth.items() if lead in held)
        ghosts = len(held.keys() - truth.keys())
        figure = f"{missing} missing, {stale} stale, {ghosts} ghosts"
        met = None if name != "leadhouse" else missing == stale == ghosts == 0
        figures.add(
            f"{what} during the runs, {leads:,} leads: {name}", figure, "" if met is None else "0, 0, 0", met=met
        )


def faults(figures: Figures, leads: int) -> None:
    """Let each peer read a portal once through each fault: all leads, an exception, or success with fewer rows."""
    for fault, happen in FAULTS.items():
        for name, make in PEERS.items():
            with _scene(leads) as (portal, http, https, folder):
                peer = make(http, https, folder)
                happen(portal)
                error = ""
                try:
                    peer.sync()
                except Exception as raised:  # noqa: BLE001 - every peer has its own
                    error = type(raised).__name__
                silent = not error and len(peer.held()) != leads
                figure = error or f"{len(peer.held()):,} of {leads:,}"
                if silent:
                    figure = f"SUCCESS WITH {figure}"
            ours = name == "leadhouse"
            figures.add(
                f"{fault}: {name}", figure, f"{leads:,}" if ours else "", met=not (silent or error) if ours else None
            )


@contextlib.contextmanager
def _scene(leads: int) -> Iterator[tuple[Portal, Sandbox, Sandbox, Path]]:
    """Serve a new portal over http and https, quietly; nobody waits between tries."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    before, pauses = dict(os.environ), (Pause.for_retry, Pause.for_limit)
    setattr(Pause, "for_retry", lambda *_: None)  # noqa: B010 - a method of a class is replaced for the race
    setattr(Pause, "for_limit", lambda *_: None)  # noqa: B010
    with tempfile.TemporaryDirectory(prefix="leadhouse-race-") as folder, warnings.catch_warnings(action="ignore"):
        os.environ |= {"DLT_DATA_DIR": str(Path(folder) / "data"), "RUNTIME__LOG_LEVEL": "CRITICAL"}
        portal = Portal(leads=leads, seed=5, clock=Clock.frozen("2026-11-21T12:00:00+03:00"))
        try:
            with serve(portal) as http, serve(portal, tls=True) as https:
                yield portal, http, https, Path(folder)
        finally:
            Pause.for_retry, Pause.for_limit = pauses  # type: ignore[method-assign]
            os.environ.clear()
            os.environ.update(before)


def _certificate(https: Sandbox) -> Path:
    if https.certificate is None:
        raise RuntimeError("the sandbox has no certificate")
    return Path(https.certificate)
