"""`airflow standalone`, booted for real: scheduler, workers, API server and its pages, in a home of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import psutil
import urllib3

from in_airflow.home import ROOT

T = TypeVar("T")
AIRFLOW = Path(sys.executable).parent / "airflow"
_BOOT_S = 240.0
_RUN_S = 300.0

# The schedule is a cron string, which Airflow 3 gives no data interval.
_CRON_STRING_DAG = """
from datetime import UTC, datetime
from airflow.sdk import dag
from leadhouse.airflow.operators import LeadhouseSyncOperator

@dag(schedule="0 * * * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, default_args={"retries": 3})
def cron_string():
    LeadhouseSyncOperator(task_id="sync", source="bitrix24", portal="acme", pool="leadhouse_api")

cron_string()
"""


def eventually(what: str, told: Callable[[], T | None], seconds: float = _RUN_S) -> T:
    """Return what `told` returns as soon as it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = told()
        if found is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class Standalone:
    """Airflow at work.

    Args:
        home: its folder.
        database: its own, in Postgres: SQLite knows no queue, and a busy one says that it is locked.
        settings: variables of the environment that its tasks get.
    """

    def __init__(self, home: Path, database: str, settings: Mapping[str, str]) -> None:
        port = free_port()
        self.home = home
        self.url = f"http://localhost:{port}"
        self._http = urllib3.PoolManager(retries=False, timeout=30.0)
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SOURCES__"))}
        self.environment = {
            **keep,
            **settings,
            "PATH": f"{AIRFLOW.parent}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }

    def __enter__(self) -> Self:
        """Boot, and wait until the scheduler is healthy."""
        shutil.copytree(ROOT / "dags", self.home / "dags")
        (self.home / "dags" / "cron_string.py").write_text(_CRON_STRING_DAG)
        with (self.home / "standalone.log").open("wb") as log:
            self._process = psutil.Popen(
                [AIRFLOW, "standalone"],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            eventually("a healthy scheduler", self._healthy, _BOOT_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End every process that came of it."""
        processes: list[psutil.Process] = [self._process]
        with suppress(psutil.NoSuchProcess):
            processes += self._process.children(recursive=True)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        alive = psutil.wait_procs(processes, timeout=15)[1]
        for stubborn in alive:
            stubborn.kill()
        psutil.wait_procs(alive, timeout=15)

    def _healthy(self) -> bool | None:
        assert self._process.poll() is None, (self.home / "standalone.log").read_text()[-3000:]
        try:
            told = self.ask("GET", "monitor/health")
        except (urllib3.exceptions.HTTPError, AssertionError):
            return None
        return True if all(told[part]["status"] == "healthy" for part in ("scheduler", "dag_processor")) else None

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        """Call the REST API."""
        answer = self._http.request(verb, f"{self.url}/api/v2/{path}", json=body)
        assert answer.status < 300, answer.data[:2000]
        return answer.json() if answer.data else None

    def command(self, *words: object) -> str:
        """Run a command of Airflow's."""
        done = subprocess.run(
            [AIRFLOW, *map(str, words)],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG, once it has been parsed."""

        def known() -> bool | None:
            return True if any(dag["dag_id"] == dag_id for dag in self.ask("GET", "dags")["dags"]) else None

        eventually(f"parsing {dag_id}", known)
        self.ask("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def runs(self, dag_id: str, run_type: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG that have ended, the oldest first."""
        told = self.ask("GET", f"dags/{dag_id}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
        return [run for run in told if run["run_type"] == run_type and run["state"] in ("success", "failed")]

    def run(self, dag_id: str, run_type: str) -> dict[str, Any]:
        """Wait for the first run of a kind; return it."""
        return eventually(f"a {run_type} run of {dag_id}", lambda: next(iter(self.runs(dag_id, run_type)), None))

    def tasks(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return a run's task instances by id, and by the portal's label for mapped ones."""
        path = f"dags/{run['dag_id']}/dagRuns/{quote(run['dag_run_id'])}/taskInstances"
        return {
            f"{task['task_id']}[{task['rendered_map_index']}]" if task["map_index"] >= 0 else task["task_id"]: task
            for task in self.ask("GET", path)["task_instances"]
        }

    def result(self, task: dict[str, Any]) -> Any:
        """Return what a task returned."""
        path = f"dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'])}/taskInstances/{task['task_id']}"
        told = self.ask("GET", f"{path}/xcomEntries/return_value?map_index={task['map_index']}")["value"]
        return json.loads(told) if isinstance(told, str) else told

    def links(self, task: dict[str, Any]) -> dict[str, str | None]:
        """Return a task's extra links."""
        path = f"dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'])}/taskInstances/{task['task_id']}"
        told: dict[str, str | None] = self.ask("GET", f"{path}/links?map_index={task['map_index']}")["extra_links"]
        return told

    def log(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the log of a task's last try, as the pages show it: an object a line."""
        path = f"dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'])}/taskInstances/{task['task_id']}"
        told = self.ask("GET", f"{path}/logs/{task['try_number']}?map_index={task['map_index']}&full_content=true")
        return [line for line in told["content"] if isinstance(line, dict)]
