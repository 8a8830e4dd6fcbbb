"""Airflow's home of these tests: a temporary folder, in the environment before anything imports Airflow."""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="leadhouse-airflow-"))
DATABASE = HOME / "airflow.db"
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{DATABASE}",
    # A key of the tests' own; without one, Airflow stores passwords in the clear and says so.
    AIRFLOW__CORE__FERNET_KEY="bGVhZGhvdXNlLXRlc3RzLWtleS0zMi1ieXRlcy1sb24=",
)
