"""An Airflow of the tests' own: its home is a temporary folder, set before anything imports Airflow.

These tests run in an environment of their own, which has Airflow: make test-airflow.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="leadhouse-airflow-"))
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    # A key of the tests' own; without one, Airflow stores passwords in the clear and says so.
    AIRFLOW__CORE__FERNET_KEY="bGVhZGhvdXNlLXRlc3RzLWtleS0zMi1ieXRlcy1sb24=",
)

import pytest  # noqa: E402

from in_airflow.office import Office, Runs  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow and what it brings warn of each other's future; our own code still may not."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("default"), append=False)
        item.add_marker(pytest.mark.filterwarnings(r"error:::leadhouse\..*"))


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """Airflow's own database."""
    from airflow.utils.db import initdb  # noqa: PLC0415 - Airflow reads its configuration when it is imported

    initdb()
    yield
    shutil.rmtree(HOME, ignore_errors=True)


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
