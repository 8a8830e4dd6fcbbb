"""Cloud warehouses cannot be had here; what dlt would send them for the tables of a real load is read and judged."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from crash.processes import environment
from destinations.rendering import CREDENTIALS
from leadhouse.pipeline import looked_at
from leadhouse.sandbox.bitrix24 import Portal, serve
from leadhouse.service import sync
from leadhouse.warehouse import Target, Warehouse

_DIALECTS = {"synapse": "tsql", "motherduck": "duckdb"}
_CHILDREN = {
    "lead_custom_values",
    "lead_emails",
    "lead_ims",
    "lead_links",
    "lead_phones",
    "lead_webs",
    "schema_drift",
}
# How each spells an exact decimal of two places, a whole number of 64 bits, and an instant.
_TYPES: Mapping[str, tuple[str, str, str]] = {
    "bigquery": ("NUMERIC(18, 2)", "INT64", "TIMESTAMP"),
    "snowflake": ("DECIMAL(18, 2)", "DECIMAL(19, 0)", "TIMESTAMPLTZ(6)"),
    "redshift": ("DECIMAL(18, 2)", "BIGINT", "TIMESTAMP WITH TIME ZONE"),
    "databricks": ("DECIMAL(18, 2)", "BIGINT", "TIMESTAMP"),
    "motherduck": ("DECIMAL(18, 2)", "BIGINT", "TIMESTAMPTZ"),
    "synapse": ("NUMERIC(18, 2)", "BIGINT", "DATETIMEOFFSET(6)"),
    "clickhouse": ("Decimal(18, 2)", "Int64", "DateTime64(6, 'UTC')"),
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What dlt renders for the schema that a load left behind, by destination."""
    folder = tmp_path_factory.mktemp("cloud")
    to = f"duckdb:{folder / 'leads.duckdb'}"
    with pytest.MonkeyPatch.context() as patch, serve(Portal(leads=20, seed=1)) as served:
        patch.setenv("DLT_DATA_DIR", str(folder / "work"))
        sync("bitrix24", to=to, webhook_url=served.url, requests_per_second=1000)
        with looked_at(Warehouse(Target.parse(to), "bitrix24", lock_timeout=5.0, read_only=True)) as pipeline:
            schema = pipeline.default_schema.to_dict()
    script = Path(__file__).with_name("rendering.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        input=json.dumps(schema, default=str),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _parsed(destination: str, statements: Iterable[str]) -> list[exp.Expr]:
    dialect = _DIALECTS.get(destination, destination)
    return [sqlglot.parse_one(statement.strip().rstrip(";"), read=dialect) for statement in statements]


@pytest.mark.parametrize("destination", CREDENTIALS)
def test_the_tables_have_exact_money_whole_ids_and_instants(rendered: dict[str, Any], destination: str) -> None:
    dialect = _DIALECTS.get(destination, destination)
    assert rendered[destination]["tables"].keys() == {"leads", *_CHILDREN}
    (made,) = _parsed(destination, rendered[destination]["tables"]["leads"])
    types = {
        column.name.lower(): column.args["kind"].sql(dialect).removeprefix("Nullable(")
        for column in made.find_all(exp.ColumnDef)
    }
    decimal, integer, instant = _TYPES[destination]
    for column, wanted in {"opportunity": decimal, "company_id": integer, "date_modify": instant}.items():
        assert types[column].startswith(wanted), f"{column}: {types[column]}"


@pytest.mark.parametrize("destination", CREDENTIALS)
def test_a_package_replaces_rows_and_all_their_child_rows(rendered: dict[str, Any], destination: str) -> None:
    """Rows that go are chosen by the ids that came, children by their parents' ids; none is left out as a double."""
    assert "delete-insert" in rendered[destination]["strategies"]
    (merge,) = rendered[destination]["merge"]
    statements = _parsed(destination, merge.splitlines())  # one a line
    deletes = [found for found in statements if isinstance(found, exp.Delete | exp.Merge)]
    deleted = [_table(found) for found in deletes]
    inserted = [_table(found) for found in statements if isinstance(found, exp.Insert)]
    assert sorted(deleted) == sorted(inserted) == sorted({"leads", *_CHILDREN})
    assert deleted[-1] == "leads", "the children go while it can be told whose they are"
    for found in deletes:
        assert "DELETE" in found.sql()
        assert "lead_id" in found.sql().lower() or _table(found) == "leads"
    assert "row_number" not in merge.lower(), "rows of one position in two leads are no doubles"


def test_only_these_write_a_lead_and_its_child_rows_in_one_transaction(rendered: dict[str, Any]) -> None:
    """As docs/destinations.md says; elsewhere rows that a killed run left are never taken for unchanged."""
    assert {name for name, told in rendered.items() if told["transactions"]} == {"snowflake", "redshift", "motherduck"}


def _table(statement: exp.Expr) -> str:
    table = statement.find(exp.Table)
    assert table is not None
    return table.name.lower().rpartition("___")[2]
