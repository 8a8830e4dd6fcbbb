"""The DAGs as Airflow loads them: no errors, the conventions, and nothing heavy or slow at parse time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from in_airflow.home import ROOT
from in_airflow.office import DAG_FILES, Runs

DAGS = ("leadhouse_reconcile", "leadhouse_sync", "leadhouse_views")
EXAMPLES = sorted((ROOT / "dags" / "examples").glob("*.py"))


def test_every_dag_file_loads(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert sorted(dagbag.dags) == list(DAGS)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_loads(file: Path, database: None) -> None:  # noqa: ARG001
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415

    bag = DagBag(dag_folder=str(file))
    assert bag.import_errors == {}
    assert list(bag.dags) == [file.stem]


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_dag_keeps_the_conventions(dagbag: Any, dag_id: str) -> None:
    dag = dagbag.dags[dag_id]
    pools = json.loads((ROOT / "dags" / "pools.json").read_text())
    assert "leadhouse" in dag.tags
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert dag.doc_md.strip()
    for task in dag.tasks:
        assert task.pool in {"default_pool", *pools}, task.task_id
        assert task.execution_timeout is not None, task.task_id
        if task.task_id == "watcher":
            assert (task.retries, task.has_on_failure_callback) == (0, False)
        else:
            assert (task.retries, task.has_on_failure_callback) == (2, True), task.task_id
            assert type(task.retry_policy).__name__ == "LeadhouseRetryPolicy", task.task_id


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_wiring(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(lines) <= 45


_PARSE = """
import runpy, socket, sys
import airflow.sdk
def refuse(*_):
    raise AssertionError("a DAG file reaches out when it is parsed")
socket.socket.connect = refuse
from airflow.sdk import BaseHook, Variable
Variable.get = BaseHook.get_connection = refuse
for file in sys.argv[1:]:
    runpy.run_path(file)
print(*sorted(name for name in sys.modules if name in
    ("dlt", "pyarrow", "duckdb", "psycopg2", "leadhouse.session", "phonenumbers", "adbc_driver_postgresql")))
"""


def test_a_dag_file_loads_nothing_heavy_and_reaches_nothing_when_it_is_parsed() -> None:
    bare = subprocess.run([sys.executable, "-c", _PARSE], capture_output=True, text=True, check=True)
    parsed = subprocess.run([sys.executable, "-c", _PARSE, *DAG_FILES], capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    assert set(parsed.stdout.split()) <= set(bare.stdout.split())


def test_pools_can_be_imported(database: None, tmp_path: Path) -> None:  # noqa: ARG001
    airflow = Path(sys.executable).parent / "airflow"
    done = subprocess.run(
        [airflow, "pools", "import", ROOT / "dags" / "pools.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "Uploaded 2 pool(s)" in done.stdout


@pytest.mark.parametrize(
    "params",
    [
        {"portals": "acme"},
        {"portals": [7]},
        {"since": "yesterday"},
        {"until": 5},
        {"full": "maybe"},
        {"reconcile": None},
        {"max_deletions": "many"},
    ],
    ids=str,
)
def test_params_refuse_garbage(runs: Runs, params: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError  # noqa: PLC0415

    with pytest.raises((ParamValidationError, ValueError)):
        runs("leadhouse_sync", **params)
