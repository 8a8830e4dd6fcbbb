"""Portals to sync from, and runs of DAGs as `airflow dags test` makes them."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import pytest

import kommo_oracle
import leadhouse
import oracle
from in_airflow.home import ROOT
from kommo_scene import small_account
from leadhouse.airflow.destinations import cursor
from leadhouse.sandbox import bitrix24, kommo
from scene import small_portal

DAG_FILES = sorted((ROOT / "dags").rglob("*.py"))


class Office:
    """Two portals: Bitrix24 by the name of acme, and Kommo; where they lead to is in the environment.

    Args:
        monkeypatch: sets the environment.
        to: the warehouse.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
        self.to = to
        self.portal = small_portal(leads=60)
        self.account = small_account(leads=40)
        self._monkeypatch = monkeypatch
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the portals."""
        self.acme = self._stack.enter_context(bitrix24.serve(self.portal))
        self.shop = self._stack.enter_context(kommo.serve(self.account))
        self.configure(
            LEADHOUSE__TO=self.to,
            SOURCES__BITRIX24__ACME__WEBHOOK_URL=self.acme.url,
            SOURCES__BITRIX24__ACME__REQUESTS_PER_SECOND="1000",
            SOURCES__KOMMO__BASE_URL=self.shop.url,
            SOURCES__KOMMO__ACCESS_TOKEN=self.account.token,
            SOURCES__KOMMO__REQUESTS_PER_SECOND="1000",
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._stack.close()

    def configure(self, **told: str) -> None:
        """Set variables of the environment."""
        for name, value in told.items():
            self._monkeypatch.setenv(name, value)

    @property
    def secrets(self) -> list[str]:
        """What must not be found in a log, in Airflow's database, or in anything that it hands on."""
        return [self.acme.url.rstrip("/").rpartition("/")[2], self.account.token]

    def sync(self) -> None:
        """Sync both without Airflow."""
        leadhouse.sync("bitrix24", portal="acme")
        leadhouse.sync("kommo")

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run SQL in the warehouse; return the last statement's rows."""
        with cursor(self.to) as warehouse:
            for statement in statements:
                warehouse.execute(statement)
            return list(warehouse.fetchall()) if statements[-1].startswith("SELECT") else []

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.execute(sql)

    def assert_equal(self, *datasets: str) -> None:
        """The warehouse holds what the portals have."""
        for dataset in datasets or ("acme", "kommo"):
            if dataset == "kommo":
                kommo_oracle.assert_equal(self.account, self.to, dataset)
            else:
                oracle.assert_equal(self.portal, self.to, dataset)


@dataclass
class Done:
    """A run of a DAG that has ended."""

    run: Any

    @property
    def state(self) -> str:
        """State of the run."""
        return str(self.run.state)

    @property
    def states(self) -> dict[str, str]:
        """State of each task, by its id, or the id with the portal's label for a mapped one."""
        return {self._name(task): str(task.state) for task in self.tasks}

    @property
    def tasks(self) -> list[Any]:
        """The run's task instances."""
        return list(self.run.get_task_instances())

    def task(self, name: str) -> Any:
        """Return the task instance of a name as in `states`."""
        return next(task for task in self.tasks if self._name(task) == name)

    def result(self, name: str) -> Any:
        """Return what a task returned."""
        task = self.task(name)
        return task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index)

    @staticmethod
    def _name(task: Any) -> str:
        return f"{task.task_id}[{task.rendered_map_index}]" if task.map_index >= 0 else str(task.task_id)


class Runs:
    """Runs DAGs in this process; a task is not tried again, unless a test asks for it.

    Attributes:
        retries: how often a task is tried again, at once.
    """

    def __init__(self) -> None:
        self.retries = 0

    def dag(self, dag_id: str) -> Any:
        """Return a DAG, parsed anew: a run leaves its params in the one that it was given."""
        from airflow.dag_processing.dagbag import BundleDagBag, DagBag, sync_bag_to_db  # noqa: PLC0415 - Airflow reads its configuration at import

        (file,) = (file for file in DAG_FILES if file.stem == dag_id)
        dag = DagBag(dag_folder=str(file)).dags[dag_id]
        if file.parent.name == "examples":  # which .airflowignore hides
            bag = BundleDagBag(dag_folder=str(file), bundle_path=file.parent, bundle_name="dags-folder")
            sync_bag_to_db(bag, "dags-folder", None)
        for task in dag.tasks:
            task.retries = min(self.retries, task.retries or 0)
            task.retry_delay = timedelta(0)
        return dag

    def __call__(self, dag_id: str, **conf: Any) -> Done:
        """Run a DAG to its end with these params."""
        return Done(self.dag(dag_id).test(run_conf=conf or None))
