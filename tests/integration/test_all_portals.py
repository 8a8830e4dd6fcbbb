"""`leadhouse sync --all`: every configured portal, side by side, a dataset each; one that fails hinders no other."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

import contents
import leadhouse
from any_scene import AnyScene
from kommo_scene import KommoScene, small_account
from leadhouse.errors import ConfigurationError
from leadhouse.sandbox import bitrix24, kommo
from scene import Scene, small_portal
from versions import check_intervals, kept

Offices = Mapping[str, AnyScene]


def _configured(offices: Offices) -> dict[str, str]:
    """Return the environment that configures the portals by their names."""
    found = {}
    for name, scene in offices.items():
        section = f"SOURCES__{scene.source}__".upper()
        for variable, told in scene.environment().items():
            found[f"{section}{name.upper()}__{variable.removeprefix(section)}"] = told
    return found


@contextmanager
def _open(to: str, **sources: str) -> Iterator[dict[str, AnyScene]]:
    with ExitStack() as open_:
        offices: dict[str, AnyScene] = {}
        for seed, (name, source) in enumerate(sources.items(), 1):
            if source == "kommo":
                account = small_account(60, seed)
                served = open_.enter_context(kommo.serve(account))
                offices[name] = KommoScene(account, served.url, to, dataset=name)
            else:
                portal = small_portal(60, seed)
                sandbox = open_.enter_context(bitrix24.serve(portal))
                offices[name] = Scene(portal, sandbox.url, to, dataset=name)
        yield offices


@pytest.fixture
def offices(to: str) -> Iterator[dict[str, AnyScene]]:
    """Two portals and two accounts, in one warehouse."""
    with _open(to, acme="bitrix24", globex="bitrix24", initech="kommo", umbrella="kommo") as opened:
        yield opened


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[dict[str, AnyScene]]:
    """Three portals in a DuckDB file."""
    to = f"duckdb:{tmp_path / 'leads.duckdb'}"
    with _open(to, acme="bitrix24", globex="bitrix24", initech="kommo") as opened:
        yield opened


class Command:
    """`leadhouse sync --all`, in an environment that configures the portals."""

    def __init__(self, offices: Offices, folder: Path) -> None:
        self._to = next((scene.to for scene in offices.values()), "duckdb:leads.duckdb")
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "DLT_DATA_DIR")},
            "HOME": str(folder),
            "PYTHONPATH": ":".join(sys.path),
            **_configured(offices),
        }
        self._folder = folder

    def start(self, *flags: str) -> "subprocess.Popen[str]":
        """Start it."""
        return subprocess.Popen(
            [sys.executable, "-m", "leadhouse", "sync", *flags, "--to", self._to],
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the suite runs in the background, Ctrl-C is ignored, and that is inherited.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread matters to it
        )

    def __call__(self, *flags: str) -> tuple[int, str, str]:
        """Run it; return its status, stdout and stderr."""
        running = self.start(*flags)
        out, err = running.communicate(timeout=180)
        assert "secret" not in out + err
        return running.returncode, out, err

    def summary(self, *flags: str, status: int = 0) -> dict[str, Any]:
        """Run it for its JSON, which ends with `status`."""
        code, out, err = self("--all", "--json", *flags)
        assert code == status, err
        told: dict[str, Any] = json.loads(out)
        assert told["exit_code"] == status
        return told


@pytest.fixture
def command(offices: Offices, tmp_path: Path) -> Command:
    return Command(offices, tmp_path)


@pytest.mark.long
def test_every_portal_has_a_dataset_that_equals_it_and_the_views_are_over_all(
    offices: dict[str, AnyScene], command: Command
) -> None:
    first = command.summary()
    assert [(told["source"], told["name"], told["dataset"], told["outcome"]) for told in first["portals"]] == [
        ("bitrix24", "acme", "acme", "done"),
        ("bitrix24", "globex", "globex", "done"),
        ("kommo", "initech", "initech", "done"),
        ("kommo", "umbrella", "umbrella", "done"),
    ]
    assert (first["done"], first["failed"], first["outcome"]) == (4, 0, "done")
    assert first["leads_read"] == sum(len(scene.ids()) for scene in offices.values())
    for scene in offices.values():
        scene.check()
        scene.life(seed=5)
    second = command.summary("--reconcile", "--jobs", "2")
    assert second["leads_read"] < first["leads_read"]
    for scene in offices.values():
        scene.check()
    some = offices["acme"]
    seen = contents.query(some.to, "SELECT source, portal, count(*) FROM crm.leads GROUP BY 1, 2")
    assert len(seen) == len(offices)
    idle = command.summary()
    assert idle["rows_written"] == 0
    assert all(told["requests"] <= 2 for told in idle["portals"])


def test_portals_that_fail_hinder_no_other_and_the_worst_decides_the_status(
    in_file: dict[str, AnyScene], tmp_path: Path
) -> None:
    command = Command(in_file, tmp_path)
    command.summary()
    for scene in in_file.values():
        scene.life(seed=2)
    in_file["acme"].refuse()
    told = command.summary("--reconcile", status=2)
    outcomes = {run["name"]: (run["outcome"], run["exit_code"]) for run in told["portals"]}
    assert outcomes == {"acme": ("failed", 2), "globex": ("done", 0), "initech": ("done", 0)}
    assert "webhook" in told["portals"][0]["error"]
    assert (told["done"], told["failed"]) == (2, 1)
    in_file["globex"].check()
    in_file["initech"].check()
    status, out, err = command("--all")
    assert status == 2
    assert out.splitlines()[-1].startswith("2 of 3 portals done, 1 failed, a person must act: ")
    assert [line for line in err.splitlines() if line.startswith("bitrix24.acme: ") and "webhook" in line]
    assert command("kommo", "--all")[0] == 0, "the portals of one source alone"


@pytest.mark.long
def test_a_run_that_is_killed_is_told_and_healed_by_the_next(in_file: dict[str, AnyScene], tmp_path: Path) -> None:
    command = Command(in_file, tmp_path)
    killed = threading.Event()
    started: list[subprocess.Popen[str]] = []
    running = threading.Event()

    def kill() -> None:
        assert running.wait(60)
        victims = [process for process in _runs(started[0].pid) if "acme" in _sockets_of(process, in_file)]
        assert len(victims) == 1
        victims[0].kill()
        killed.set()

    in_file["acme"].before_page(0, kill)
    started.append(command.start("--all", "--json", "--jobs", "1"))
    running.set()
    out, err = started[0].communicate(timeout=120)
    assert killed.is_set()
    told = json.loads(out)
    assert started[0].returncode == 1, err
    errors = {run["name"]: run["error"] for run in told["portals"]}
    assert "killed by signal 9" in errors["acme"]
    assert errors["globex"] is errors["initech"] is None
    assert command.summary()["done"] == 3
    for scene in in_file.values():
        scene.check()


def _runs(parent: int) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(parent).children(recursive=True)
    return found


def _sockets_of(process: psutil.Process, offices: Offices) -> set[str]:
    """Return the names of the portals that a process speaks to."""
    ports = {int(scene.url.split(":")[2].split("/")[0]): name for name, scene in offices.items()}
    try:
        return {ports[told.raddr.port] for told in process.net_connections() if told.raddr and told.raddr.port in ports}
    except psutil.Error:
        return set()


@pytest.mark.long
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_stopping_it_stops_its_runs(in_file: dict[str, AnyScene], tmp_path: Path, sign: signal.Signals) -> None:
    command = Command(in_file, tmp_path)
    asked, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        go_on.wait(60)

    in_file["globex"].before_page(0, wait)
    running = command.start("--all")
    try:
        assert asked.wait(60)
        children = _runs(running.pid)
        running.send_signal(sign)
        _, err = running.communicate(timeout=60)
    finally:
        go_on.set()
        running.kill()
    assert running.returncode == 1
    assert "stopped" in err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert command.summary()["done"] == 3
    for scene in in_file.values():
        scene.check()


@pytest.mark.long
def test_no_more_run_at_a_time_than_jobs_says(in_file: dict[str, AnyScene], tmp_path: Path) -> None:
    asked: list[str] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: asked.append(name)

    for name, scene in in_file.items():
        scene.before_each_request(note(name))
    command = Command(in_file, tmp_path)
    command.summary("--jobs", "1")
    turns = [name for place, name in enumerate(asked) if place == 0 or asked[place - 1] != name]
    assert turns == ["acme", "globex", "initech"]
    for scene in in_file.values():
        scene.quiet()
    together = threading.Barrier(3)
    for scene in in_file.values():
        scene.life(seed=1)
        scene.before_page(0, lambda: together.wait(60))
    assert command.summary("--jobs", "3")["done"] == 3, "three were asked for their first page before any had it"


def test_history_is_kept_of_every_portal_from_the_run_that_asks_for_it(
    in_file: dict[str, AnyScene], tmp_path: Path
) -> None:
    command = Command(in_file, tmp_path)
    command.summary("--history")
    for scene in in_file.values():
        scene.later().edit(scene.ids()[0], "edited")
    command.summary()
    for scene in in_file.values():
        check_intervals(scene)
        assert len(kept(scene)) == len(scene.ids()) + 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "Missing argument 'SOURCE'; name one, or give --all"),
        (("bitrix24", "--jobs", "2"), "--jobs goes with --all"),
        (("--all", "--dataset", "leads"), "--dataset is for one portal"),
        (("--all", "--portal", "acme"), "--portal is for one portal"),
        (("--all", "--webhook-url", "https://acme.example.com/rest/1/secret/"), "--webhook-url is for one portal"),
        (("--all", "--jobs", "0"), "--jobs"),
        (("nonsense", "--all"), "'nonsense' is no source"),
        (("--all", "--since", "yesterday"), "yesterday"),
    ],
)
def test_nonsense_is_refused_in_a_line(in_file: Offices, tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    status, out, err = Command(in_file, tmp_path)(*flags)
    assert (status, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_without_any_portal_it_says_how_to_configure_one(tmp_path: Path) -> None:
    status, out, err = Command({}, tmp_path)("--all")
    assert (status, out) == (2, "")
    assert "no portal is configured" in err


def test_the_library_returns_the_runs_and_raises_for_none(
    in_file: dict[str, AnyScene], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, told in _configured(in_file).items():
        monkeypatch.setenv(variable, told)
    in_file["initech"].refuse()
    seen = []
    overview = leadhouse.sync_all(to=in_file["acme"].to, jobs=2, ended=lambda run: seen.append(run.portal.label))
    assert [(run.portal.label, run.exit_code) for run in overview.runs] == [
        ("bitrix24.acme", 0),
        ("bitrix24.globex", 0),
        ("kommo.initech", 2),
    ]
    assert sorted(seen) == ["bitrix24.acme", "bitrix24.globex", "kommo.initech"]
    assert overview.exit_code == 2
    with pytest.raises(ConfigurationError, match="--jobs"):
        leadhouse.sync_all(to=in_file["acme"].to, jobs=0)
