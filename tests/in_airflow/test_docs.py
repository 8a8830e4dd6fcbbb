"""docs/airflow.md says what is so: its commands are Airflow's, its DAG loads, its names are the code's."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from in_airflow.home import ROOT
from leadhouse.airflow.assets import ALL_LEADS
from leadhouse.airflow.connections import portal_connection

PAGE = (ROOT / "docs" / "airflow.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line.strip() for line in PAGE.splitlines() if line.strip().startswith("airflow ")]


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_a_command_is_one_of_airflows(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.cli import cli_parser  # noqa: PLC0415

    monkeypatch.chdir(ROOT)
    words: Any = cli_parser.get_parser().parse_args(shlex.split(command)[1:])
    if words.subcommand == "import":
        assert Path(words.file).is_file()
    if words.subcommand == "trigger":
        from airflow.sdk.definitions.param import ParamsDict  # noqa: PLC0415

        from leadhouse.airflow import params  # noqa: PLC0415

        known = params.SYNC_PARAMS if words.dag_id == "leadhouse_sync" else params.RECONCILE_PARAMS
        ParamsDict(
            {**known, **{name: _as(known[name], value) for name, value in json.loads(words.conf).items()}}
        ).validate()


def _as(param: Any, value: Any) -> Any:
    """Return a param that has a value."""
    from airflow.sdk import Param  # noqa: PLC0415

    return Param(value, **param.schema)


def test_the_connections_that_it_adds_are_usable() -> None:
    from airflow.sdk import Connection  # noqa: PLC0415

    added = [shlex.split(line) for line in COMMANDS if line.startswith("airflow connections add")]
    made = [portal_connection(Connection(conn_id=words[3], **json.loads(words[5]))) for words in added]
    assert [portal.source for portal in made] == ["bitrix24", "kommo"]


def test_the_dag_that_it_shows_loads(tmp_path: Path, database: None) -> None:  # noqa: ARG001
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415

    (source,) = (text for kind, text in BLOCKS if kind == "python")
    file = tmp_path / "our_leads.py"
    file.write_text(source)
    bag = DagBag(dag_folder=str(file))
    assert bag.import_errors == {}
    assert list(bag.dags) == ["our_leads"]


def test_the_names_that_it_tells_are_the_codes() -> None:
    dags = {file.stem for file in (ROOT / "dags").glob("*.py")} | {"examples/open_leads_by_owner"}
    assert set(re.findall(r"^\| `([\w/]+)` \|", PAGE, re.MULTILINE)) == dags
    assert ALL_LEADS.uri in PAGE
    pools = json.loads((ROOT / "dags" / "pools.json").read_text())
    assert set(re.findall(r"^- `(\w+)`, (\d)", PAGE, re.MULTILINE)) == {
        (name, str(pool["slots"])) for name, pool in pools.items()
    }
    code = "".join(file.read_text() for file in (ROOT / "dags").glob("*.py"))
    for variable in re.findall(r"`(LEADHOUSE_\w*SCHEDULE)`", PAGE):
        assert f'"{variable}"' in code
