"""Fixtures of tests with Airflow, which has an environment of its own: make test-airflow."""

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from in_airflow.home import HOME, ROOT  # first: it names Airflow's home
from in_airflow.office import Office, Runs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow and what it brings warn of each other's future; our own code still may not."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"), append=False)
        item.add_marker(pytest.mark.filterwarnings(r"error:::leadhouse\..*"))


def pytest_sessionfinish() -> None:
    """Leave nothing behind."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's own database."""
    from airflow.utils.db import initdb  # noqa: PLC0415 - Airflow reads its configuration when it is imported

    initdb()


@pytest.fixture(scope="session")
def dagbag(database: None) -> Any:  # noqa: ARG001 - Airflow writes what it parsed
    """The repository's DAGs, as Airflow's own loader finds them."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415

    return DagBag(dag_folder=str(ROOT / "dags"))


@pytest.fixture
def runs(database: None) -> Runs:  # noqa: ARG001 - runs are rows of it
    """Run DAGs as `airflow dags test` does."""
    return Runs()


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Two portals and an empty DuckDB warehouse, configured for leadhouse."""
    with Office(monkeypatch, f"duckdb:{tmp_path / 'warehouse.duckdb'}") as made:
        yield made


@pytest.fixture
def slack() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A Slack of the test's own: the address of its incoming webhook, and what arrives there."""
    messages: list[dict[str, Any]] = []

    class Incoming(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(messages) == 1 else 500)  # the second is refused
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Incoming)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/T0/B0/an-invented-hook-secret", messages
    server.shutdown()
    server.server_close()
