"""The measures: what is run, and the figures that come out of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from bench.child import Cost, cost
from bench.figures import Figures, spread
from bench.many_portals import many
from bench.portal import Served, portal
from bench.race import faults, race

GENERIC = Path(__file__).with_name("generic_rest_api.py")
LATENCY_S = 0.3
REQUESTS_PER_SECOND = 2.0
_DELETIONS = 10
_RECONCILE = ("-m", "leadhouse", "reconcile", "bitrix24", "--to", "duckdb:leads.duckdb", "--json")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        leads: leads of the first load; the memory measure also takes four times as many.
        generic_leads: leads that dlt's default loader is given, which needs minutes for more.
        runs: how often short measures are repeated; the median counts.
    """

    leads: int = 100_000
    generic_leads: int = 20_000
    runs: int = 3


class Bench:
    """Runs measures with files in `folder`.

    Args:
        folder: a folder of its own.
        size: how much.
        figures: takes the results.
    """

    def __init__(self, folder: Path, size: Size, figures: Figures) -> None:
        self._folder = folder
        self._size = size
        self._figures = figures
        self._number = count(1)

    def first_load(self) -> None:
        """A first load of all leads into a new DuckDB file, no throttling."""
        leads = self._size.leads
        with self._portal(leads) as served:
            runs = [self._load(served) for _ in range(self._size.runs)]
        name = f"first load of {leads:,} leads"
        figures = self._figures
        figures.add(f"{name}: wall", spread([run.wall_s for run, _ in runs], "{:.1f} s"))
        figures.add(f"{name}: processor time", spread([run.cpu_s for run, _ in runs], "{:.1f} s"))
        figures.add(f"{name}: processor time of the sandbox", spread([busy for _, busy in runs], "{:.1f} s"))
        figures.add(f"{name}: leads/s, gross", f"{leads / median(run.wall_s for run, _ in runs):,.0f}")
        net = leads / median(run.wall_s - busy for run, busy in runs)
        figures.at_least(f"{name}: leads/s, sandbox subtracted", net, 10_000, "{:,.0f}")
        figures.at_most(f"{name}: peak memory", max(run.peak_mb for run, _ in runs), 700, "{:,.0f} MB")

    def memory(self) -> None:
        """Peak memory at four times the leads, beside that at one time."""
        peaks = []
        for leads in (self._size.leads, 4 * self._size.leads):
            with self._portal(leads) as served:
                run, _ = self._load(served)
            peaks.append(run.peak_mb)
            self._figures.at_most(f"peak memory, {leads:,} leads", run.peak_mb, 700, "{:,.0f} MB")
        self._figures.at_most("peak memory at four times the leads", peaks[1] / peaks[0], 1.15, "x {:.2f}")

    def generic(self) -> None:
        """The same job with dlt's generic rest_api source: default loader, and parquet at full size."""
        for leads, loader in ((self._size.generic_leads, ""), (self._size.leads, "parquet")):
            with self._portal(leads) as served:
                ours, busy = self._load(served)
                before = served.stats()["cpu_seconds"]
                theirs = self._generic(served, loader)
                their_busy = served.stats()["cpu_seconds"] - before
            name = f"dlt rest_api, {loader or 'default loader'}, {leads:,} leads"
            figure = f"{theirs.wall_s:.1f} s beside {ours.wall_s:.1f} s"
            self._figures.add(f"{name}: wall", figure)
            self._figures.at_least(f"{name}: ratio", theirs.wall_s / ours.wall_s, 5, "x {:.1f}")
            net = (theirs.wall_s - their_busy) / (ours.wall_s - busy)
            self._figures.at_least(f"{name}: ratio, sandbox subtracted", net, 5, "x {:.1f}")
            self._figures.add(f"{name}: peak memory", f"{theirs.peak_mb:,.0f} MB")

    def idle(self) -> None:
        """An incremental run that finds nothing new, beside the import of dlt alone."""
        with self._portal(self._size.generic_leads) as served:
            place = self._place()
            self._sync(served, place)
            runs = [self._sync(served, place) for _ in range(2 * self._size.runs)]
        imports = [cost(["-c", "import dlt"], self._place()).wall_s for _ in range(2 * self._size.runs)]
        requests = [json.loads(run.stdout)["requests"] for run in runs]
        self._figures.at_most("idle run: requests", max(requests), 2, "{:.0f}")
        self._figures.add("idle run: wall", spread([run.wall_s for run in runs], "{:.2f} s"))
        self._figures.add("import dlt alone: wall", spread(imports, "{:.2f} s"))

    def paced(self) -> None:
        """A first load against the vendor's limits and latency: wall over the least that the rate allows.

        The client is told of a burst of 4, so that the rate is met from the first seconds on.
        """
        with self._portal(self._size.leads, "--throttle", "--latency", str(LATENCY_S)) as served:
            run = self._sync(served, self._place(), served.settings(REQUESTS_PER_SECOND, burst=4))
        told = json.loads(run.stdout)
        floor = told["requests"] / REQUESTS_PER_SECOND
        name = f"{REQUESTS_PER_SECOND:g} requests/s, {LATENCY_S * 1000:.0f} ms latency"
        self._figures.add(
            f"{name}: wall", f"{run.wall_s:.1f} s, {told['requests']} requests, {told['retries']} refused"
        )
        self._figures.at_most(
            f"{name}: wall over requests/{REQUESTS_PER_SECOND:g}", run.wall_s / floor, 1.15, "x {:.2f}"
        )

    def reconcile(self) -> None:
        """Ten deletions among all leads: found by counting, and by listing every id."""
        leads = self._size.leads
        with self._portal(leads) as served:
            place = self._place()
            self._sync(served, place)
            for way, options, goal in (("counts", [], 12), ("every id listed (--deep)", ["--deep"], None)):
                served.live(delete=_DELETIONS, seed=len(way))
                run = cost([*_RECONCILE, *options], place, served.settings())
                told = json.loads(run.stdout)
                if told["leads_deleted"] != _DELETIONS:
                    raise RuntimeError(f"{told['leads_deleted']} of {_DELETIONS} deletions were found")
                name = f"reconcile, {leads:,} leads, {_DELETIONS} deleted, {way}"
                self._figures.add(f"{name}: wall", f"{run.wall_s:.1f} s, of which {told['seconds']:.1f} s at work")
                if goal is None:
                    self._figures.add(f"{name}: requests", f"{told['requests']}")
                else:
                    self._figures.at_most(f"{name}: requests", told["requests"], goal, "{:.0f}")

    def race(self) -> None:
        """Life during the runs, leadhouse beside what people use today."""
        for deletions in (False, True):
            race(self._figures, min(6_000, self._size.leads), deletions=deletions)

    def faults(self) -> None:
        """Faults, leadhouse beside what people use today."""
        faults(self._figures, min(6_000, self._size.leads))

    def portals(self) -> None:
        """Fifty portals with `sync --all`."""
        many(self._figures, self._place())

    def start(self) -> None:
        """`leadhouse --help`, beside a Python that does nothing."""
        times = 4 * self._size.runs
        bare = median(cost(["-c", ""], self._place()).wall_s for _ in range(times))
        runs = [cost(["-m", "leadhouse", "--help"], self._place()).wall_s for _ in range(times)]
        self._figures.add("python -c '': wall", f"{bare:.3f} s")
        self._figures.at_most("leadhouse --help: wall", median(runs), 0.5, "{:.3f} s")

    def measures(self) -> Mapping[str, Callable[[], None]]:
        """Return the measures by the name that the command line gives them."""
        return {
            "start": self.start,
            "idle": self.idle,
            "first-load": self.first_load,
            "generic": self.generic,
            "paced": self.paced,
            "memory": self.memory,
            "reconcile": self.reconcile,
            "race": self.race,
            "faults": self.faults,
            "portals": self.portals,
        }

    @contextmanager
    def _portal(self, leads: int, *options: str) -> Iterator[Served]:
        with portal(self._place(), leads, *options) as served:
            yield served

    def _place(self) -> Path:
        """Return a new folder."""
        place = self._folder / str(next(self._number))
        place.mkdir()
        return place

    def _load(self, served: Served) -> tuple[Cost, float]:
        """Load everything into a new file; return what it cost, and the sandbox's processor time."""
        before = served.stats()["cpu_seconds"]
        run = self._sync(served, self._place())
        return run, served.stats()["cpu_seconds"] - before

    def _sync(self, served: Served, place: Path, settings: Mapping[str, str] | None = None) -> Cost:
        command = ["-m", "leadhouse", "sync", "bitrix24", "--to", "duckdb:leads.duckdb", "--json"]
        run = cost(command, place, settings or served.settings())
        told = json.loads(run.stdout)
        if told["outcome"] != "done" or (told["cursor_from"] is None and told["leads_read"] != served.leads):
            raise RuntimeError(f"the load read {told['leads_read']} of {served.leads} leads: {told['error']}")
        return run

    def _generic(self, served: Served, loader: str) -> Cost:
        place = self._place()
        run = cost([str(GENERIC), served.url, str(place / "generic.duckdb"), *filter(None, [loader])], place)
        if int(run.stdout.split()[-1]) != served.leads:
            raise RuntimeError(f"the generic load has {run.stdout.split()[-1]} of {served.leads} leads")
        return run
