"""`leadhouse schema --dbt`: a dbt project takes the sources, and its tests tell a whole warehouse from a broken one.

dbt has an environment of its own: make dbt.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import contents
from kommo_scene import KommoScene
from leadhouse.dbt_sources import sources_yml
from leadhouse.dictionary import everything
from leadhouse.sandbox import bitrix24, kommo
from leadhouse.tables import tables
from operators.conftest import Call
from scene import Scene

PROJECT = """
name: crm
version: "1.0"
profile: crm
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = """
crm:
  target: test
  outputs:
    test: {type: duckdb, path: %s, threads: 1}
"""


# What dbt would take for a template.
TITLE = '{{ source() }} "and" {% raw %} 😀'


@dataclass(frozen=True)
class Project:
    """A dbt project whose sources are a warehouse."""

    folder: Path
    to: str

    def dbt(self, *arguments: str) -> tuple[int, dict[str, str]]:
        """Run dbt; return its exit status, and how each test or source ended by its name."""
        program = Path(sys.prefix) / "dbt" / "bin" / "dbt"
        assert program.exists(), "there is no dbt; make dbt"
        done = subprocess.run(
            [program, "--no-use-colors", *arguments, "--profiles-dir", "."],
            cwd=self.folder, env={**os.environ, "DO_NOT_TRACK": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Deprecat" not in done.stdout, done.stdout
        name = "sources.json" if "freshness" in arguments else "run_results.json"
        told: Any = json.loads((self.folder / "target" / name).read_text(encoding="utf-8"))
        results = {result["unique_id"]: result["status"] for result in told["results"]}
        assert results, done.stdout
        return done.returncode, {key.split(".", 2)[2]: status for key, status in results.items()}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A DuckDB file that portals of today have filled."""
    folder = tmp_path_factory.mktemp("dbt")
    portal, account = bitrix24.Portal(leads=30, seed=3), kommo.Account(leads=30, seed=3)
    portal.add_userfield("UF_CRM_TEMPLATE", "string", label=TITLE)
    with (
        pytest.MonkeyPatch.context() as patch,
        bitrix24.serve(portal) as first,
        kommo.serve(account) as second,
    ):
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        patch.chdir(folder)
        to = f"duckdb:{folder / 'leads.duckdb'}"
        Scene(portal, first.url, to).sync()
        KommoScene(account, second.url, to).sync()
        yield to


@pytest.fixture
def project(warehouse: str, tmp_path: Path, call: Call) -> Project:
    """A dbt project on a copy of the warehouse, with the sources that leadhouse prints."""
    file, folder = tmp_path / "leads.duckdb", tmp_path / "project"
    shutil.copyfile(warehouse.removeprefix("duckdb:"), file)
    (folder / "models").mkdir(parents=True)
    status, out, err = call("schema", "--to", f"duckdb:{file}", "--dbt")
    assert (status, err) == (0, "")
    (folder / "models" / "sources.yml").write_text(out, encoding="utf-8")
    (folder / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (folder / "profiles.yml").write_text(PROFILE % file, encoding="utf-8")
    return Project(folder, f"duckdb:{file}")


def test_dbt_finds_the_warehouse_whole_and_fresh_though_nobody_edited_a_lead(project: Project) -> None:
    contents.execute(project.to, "UPDATE bitrix24.leads SET synced_at = synced_at - INTERVAL 1 YEAR")

    status, told = project.dbt("test")

    assert (status, set(told.values())) == (0, {"pass"})
    promised = [table for source in ("bitrix24", "kommo") for table in tables(source).values() if not table.versions_of]
    keys = sum(len(table.key) + 1 for table in promised)
    references = sum(column.references is not None for table in promised for column in table.columns.values())
    assert len(told) == keys + references
    assert project.dbt("source", "freshness") == (
        0, {"bitrix24.sync_runs": "pass", "kommo.sync_runs": "pass"},
    )  # fmt: skip


def test_dbt_does_not_render_what_a_portal_calls_its_fields(project: Project) -> None:
    assert project.dbt("source", "freshness")[0] == 0

    told = json.loads((project.folder / "target" / "manifest.json").read_text(encoding="utf-8"))["sources"]
    leads, readable = (told[f"source.crm.bitrix24.{name}"]["columns"] for name in ("leads", "leads_readable"))
    assert leads["uf_crm_template"]["description"] == f"{TITLE}: a field of this portal, type string"
    assert TITLE in readable


def test_dbt_tells_a_broken_warehouse(project: Project) -> None:
    contents.execute(project.to, "INSERT INTO bitrix24.users SELECT * FROM bitrix24.users LIMIT 1")
    contents.execute(project.to, "DELETE FROM kommo.leads WHERE id = (SELECT min(lead_id) FROM kommo.lead_tags)")
    contents.execute(project.to, "INSERT INTO kommo.lead_tags SELECT * FROM kommo.lead_tags LIMIT 1")
    contents.execute(project.to, "UPDATE kommo.sync_runs SET cursor_to = cursor_to - INTERVAL 3 DAY")

    status, told = project.dbt("test", "--select", "source:bitrix24.users", "source:kommo.lead_tags")

    failed = {name.rpartition(".")[0] for name, ended in told.items() if ended == "fail"}
    assert status == 1
    assert failed >= {"source_unique_bitrix24_users_id", "kommo_lead_tags_key_is_unique"}
    assert any(name.startswith("source_relationships_kommo_lead_tags_lead_id") for name in failed)
    assert project.dbt("source", "freshness") == (
        1, {"bitrix24.sync_runs": "pass", "kommo.sync_runs": "error"},
    )  # fmt: skip


def test_without_a_warehouse_every_table_of_the_reviewed_files_is_a_source() -> None:
    told = yaml.safe_load(sources_yml(everything()))

    sources = {source["name"]: {table["name"]: table for table in source["tables"]} for source in told["sources"]}
    for dataset, contract in (("bitrix24", "bitrix24"), ("kommo", "kommo"), ("crm", "views/crm")):
        assert sources[dataset].keys() >= {name for name, table in tables(contract).items() if not table.versions_of}
        assert not any(table.versions_of for name, table in tables(contract).items() if name in sources[dataset])
        for name, table in ((name, table) for name, table in tables(contract).items() if name in sources[dataset]):
            columns = {column["name"]: column for column in sources[dataset][name]["columns"]}
            assert columns.keys() == table.columns.keys()
            personal = {name for name, column in columns.items() if "config" in column}
            assert personal == {name for name, column in table.columns.items() if column.personal}
            assert table.grain in sources[dataset][name]["description"]


def test_columns_of_the_portal_are_in_the_sources(full: str, call: Call) -> None:
    status, out, _ = call("schema", "bitrix24", "--to", full, "--dbt")

    assert status == 0
    (source,) = yaml.safe_load(out)["sources"]
    leads = {column["name"]: column for column in source["tables"][0]["columns"]}
    assert leads["uf_crm_seats"]["description"] == "Seats: a field of this portal, type integer"
    assert leads["uf_crm_budget"]["data_type"] == "decimal(18,2)"
    assert list(leads) == list(contents.columns(full)["leads"])


def test_two_ways_to_show_it_at_once_are_refused(call: Call) -> None:
    assert call("schema", "--dbt", "--json")[0] == 2
