"""`--publish`: readers of the copy and runs are never in each other's way."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import contents
import leadhouse
from analysts.conftest import Company
from any_scene import Crash, crash_at
from leadhouse import publish
from leadhouse.errors import ConfigurationError, CopyNotWrittenError
from leadhouse.session import Session
from operators.conftest import Call

READER = """
import duckdb, pathlib, sys
copy, stop = sys.argv[1:]
seen, reads = [], 0
while not pathlib.Path(stop).exists():
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{copy}' AS crm (READ_ONLY)")
        told = reader.execute(
            "SELECT count(*), max(title), (SELECT count(*) FROM crm.crm.leads WHERE source = 'bitrix24'), "
            "(SELECT count(*) FROM crm.bitrix24.lead_phones AS p WHERE NOT EXISTS "
            "(SELECT 1 FROM crm.bitrix24.leads AS l WHERE l.id = p.lead_id)), "
            "(SELECT count(*) FROM crm.bitrix24.leads WHERE title LIKE 'generation %'), "
            "(SELECT count(DISTINCT title) FROM crm.bitrix24.leads WHERE title LIKE 'generation %') "
            "FROM crm.bitrix24.leads"
        ).fetchone()
        assert told[0] == told[2] > 0, told
        assert told[3] == 0, told
        assert told[4] in (0, 5) and told[5] <= 1, told
        if told[1] not in seen:
            seen.append(told[1])
            print(told[1], flush=True)
    reads += 1
print("reads", reads)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Where the copy lies."""
    return tmp_path / "read.duckdb"


def _tables(copy: Path) -> set[str]:
    with duckdb.connect(str(copy), read_only=True) as reader:
        sql = "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
        return {name for (name,) in reader.execute(sql).fetchall()}


def _plain(row: contents.Row) -> str:
    """Return a row as text; Postgres counts in decimals where DuckDB has other numbers."""
    told = (float(value) if isinstance(value, Decimal | int | float) else value for value in row.values())
    return repr(
        [(name, value.isoformat() if isinstance(value, date) else value) for name, value in zip(row, told, strict=True)]
    )


def _inode(copy: Path) -> int:
    return copy.stat().st_ino


def test_the_copy_holds_what_the_warehouse_does_tables_types_comments_and_views(company: Company, copy: Path) -> None:
    company.bitrix24.sync()
    contents.execute(company.to, "COMMENT ON TABLE bitrix24.leads IS 'the company''s leads'")
    contents.execute(company.to, "COMMENT ON COLUMN bitrix24.leads.title IS 'what it says'")
    company.kommo.sync(publish=str(copy))

    for dataset in ("bitrix24", "kommo"):
        held = contents.actual(company.to, dataset, dataset)
        assert held["leads"]
        assert contents.actual(f"duckdb:{copy}", dataset, dataset) == held
    views = contents.query(
        company.to,
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables "
        "WHERE table_schema IN ('bitrix24', 'kommo', 'crm') AND table_type = 'VIEW'",
    )
    assert {"crm.leads", "crm.people", "bitrix24.leads_readable"} <= {view["name"] for view in views}
    for view in views:
        sql = f"SELECT * FROM {view['name']}"  # noqa: S608 - names of the catalog
        shown, held_there = (sorted(map(_plain, contents.query(to, sql))) for to in (f"duckdb:{copy}", company.to))
        assert shown == held_there, view
    with duckdb.connect(str(copy), read_only=True) as reader:
        (table,) = reader.execute(
            "SELECT comment FROM duckdb_tables() WHERE schema_name = 'bitrix24' AND table_name = 'leads'"
        ).fetchall()
        (column,) = reader.execute(
            "SELECT comment FROM duckdb_columns() WHERE schema_name = 'bitrix24' AND table_name = 'leads' "
            "AND column_name = 'title'"
        ).fetchall()
        (view_comment,) = reader.execute(
            "SELECT comment FROM duckdb_views() WHERE schema_name = 'crm' AND view_name = 'leads'"
        ).fetchall()
    assert (table, column) == (("the company's leads",), ("what it says",))
    assert "made by leadhouse" in view_comment[0]
    types = contents.columns(f"duckdb:{copy}")["leads"]
    assert types["opportunity"] == "decimal(18,2)"
    assert types["date_modify"] == "timestamp with time zone"
    assert types["uf_crm_seats"] == "bigint"


def test_only_datasets_of_leadhouse_are_in_the_copy(company: Company, copy: Path) -> None:
    company.bitrix24.sync()
    contents.execute(company.to, "CREATE SCHEMA secrets")
    contents.execute(company.to, "CREATE TABLE secrets.salaries AS SELECT 1 AS salary")
    contents.execute(company.to, "CREATE TABLE bitrix24._leadhouse_tokens AS SELECT 'sealed' AS tokens")
    contents.execute(company.to, "CREATE TABLE bitrix24.notes AS SELECT 'mine' AS note")
    company.bitrix24.sync(publish=str(copy))

    found = _tables(copy)
    wanted = {f"bitrix24.{name}" for name, told in contents.contract("bitrix24").items() if "versions_of" not in told}
    dlts = {f"bitrix24.{name}" for name in ("_dlt_loads", "_dlt_version", "_dlt_pipeline_state")}
    assert found == wanted | dlts | {"main.leadhouse_copy"}


def test_a_run_that_brings_nothing_leaves_the_copy_alone(company: Company, copy: Path) -> None:
    company.bitrix24.sync()
    company.kommo.sync(publish=str(copy))
    first = _inode(copy)

    for scene in (company.bitrix24, company.kommo, company.bitrix24):
        assert scene.later().sync(publish=str(copy)).rows_written == 0
    assert _inode(copy) == first

    copy.unlink()
    company.kommo.sync(publish=str(copy))
    assert contents.actual(f"duckdb:{copy}")["leads"]


def _rename_a_stage(company: Company) -> None:
    company.bitrix24.portal.rename_status("STATUS", "NEW", "Fresh")


def _mark_a_lead(company: Company) -> None:
    company.bitrix24.delete(company.bitrix24.ids()[0])
    company.bitrix24.later().reconcile()


def _sync_without_publishing(company: Company) -> None:
    company.bitrix24.edit(company.bitrix24.ids()[0], "unpublished")
    company.bitrix24.later().sync()


def _fetch_one(company: Company) -> None:
    company.bitrix24.edit_quietly(company.bitrix24.ids()[0], "fetched")
    company.bitrix24.fetch(company.bitrix24.ids()[0])


def _forget_somebody(company: Company) -> None:
    lead = company.bitrix24.ids()[0]
    leadhouse.forget("bitrix24", [lead], to=company.to)
    assert company.bitrix24.lead(lead)["title"] is None


def _die_before_the_run_is_recorded(company: Company) -> None:
    company.bitrix24.edit(company.bitrix24.ids()[0], "written by a run that died")
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, Session, "record", 1)
        with pytest.raises(Crash):
            company.bitrix24.later().sync()


def test_no_byte_of_a_forgotten_person_is_in_the_next_copy(in_duckdb: Company, copy: Path) -> None:
    scene = in_duckdb.bitrix24
    lead = scene.ids()[0]
    scene.edit(lead, "Ottoline Quillfeather-Marchbanks calls")
    scene.sync(publish=str(copy))
    assert b"Quillfeather-Marchbanks" in copy.read_bytes()
    leadhouse.forget("bitrix24", [lead], to=scene.to)

    scene.later().sync(publish=str(copy))

    assert b"Quillfeather-Marchbanks" not in copy.read_bytes()


@pytest.mark.parametrize(
    "happens",
    [
        _rename_a_stage,
        _mark_a_lead,
        _sync_without_publishing,
        _fetch_one,
        _forget_somebody,
        _die_before_the_run_is_recorded,
    ],
)
def test_what_else_changed_is_published_by_the_next_run_though_it_brings_no_lead(
    company: Company, copy: Path, happens: Callable[[Company], None]
) -> None:
    company.bitrix24.sync(publish=str(copy))
    happens(company)

    assert company.bitrix24.later().sync(publish=str(copy)).rows_written == 0

    held, shown = (contents.actual(to) for to in (company.to, f"duckdb:{copy}"))
    assert shown == held


def test_a_reader_in_a_loop_sees_no_error_and_no_mixture_while_runs_publish(
    in_duckdb: Company, copy: Path, tmp_path: Path
) -> None:
    scene, stop = in_duckdb.bitrix24, tmp_path / "stop"
    scene.sync(publish=str(copy))
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(copy), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert reader.stdout is not None
        lines = [reader.stdout.readline()]
        for number in range(4):
            for lead in scene.ids()[:5]:
                scene.edit(lead, f"generation {number}")
            scene.invent(2)
            scene.later().sync(publish=str(copy))
        stop.touch()
        rest, errors = reader.communicate(timeout=60)
    finally:
        reader.kill()
    assert (reader.returncode, errors) == (0, "")
    lines += rest.splitlines()
    assert int(lines[-1].split()[1]) > 4


def test_who_has_the_old_copy_open_keeps_it_and_who_opens_it_anew_gets_the_new_one(
    in_duckdb: Company, copy: Path
) -> None:
    scene = in_duckdb.bitrix24
    scene.sync(publish=str(copy))
    lead = scene.ids()[0]
    asked = f"SELECT title FROM bitrix24.leads WHERE id = {lead}"  # noqa: S608 - an integer
    opened = duckdb.connect(str(copy), read_only=True)
    before = opened.execute(asked).fetchone()
    scene.edit(lead, "newer")

    scene.later().sync(publish=str(copy))

    assert opened.execute(asked).fetchone() == before
    opened.close()
    assert contents.query(f"duckdb:{copy}", asked) == [{"title": "newer"}]


KILLED = """
import os, signal, sys
from leadhouse import publish
publish.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
from leadhouse.cli import main
main(sys.argv[1:])
"""


def test_a_killed_publish_leaves_the_old_copy_whole_and_the_next_takes_its_leftovers_away(
    in_duckdb: Company, copy: Path, tmp_path: Path
) -> None:
    scene = in_duckdb.bitrix24
    scene.sync(publish=str(copy))
    old = contents.actual(f"duckdb:{copy}")
    scene.edit(scene.ids()[0], "newer")
    environment = {**os.environ, **scene.environment(), "SOURCES__BITRIX24__BURST": "10000"}

    died = subprocess.run(
        [sys.executable, "-c", KILLED, "sync", "bitrix24", "--to", scene.to, "--publish", str(copy)],
        env=environment, cwd=tmp_path, check=False, capture_output=True,
    )  # fmt: skip

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert contents.actual(f"duckdb:{copy}") == old
    assert (tmp_path / ".read.duckdb.part").exists()
    assert scene.later().sync(publish=str(copy)).rows_written == 0
    assert contents.actual(f"duckdb:{copy}")["leads"] == contents.actual(scene.to)["leads"] != old["leads"]
    assert not list(tmp_path.glob(".read.duckdb.part*"))


def test_a_publish_that_fails_is_told_and_the_rows_are_there(
    in_duckdb: Company, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = in_duckdb.bitrix24
    for name, value in {**scene.environment(), "SOURCES__BITRIX24__BURST": "10000"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "readers"
    folder.mkdir()

    def replace_folder() -> None:
        if folder.is_dir():
            folder.rmdir()
            folder.touch()

    scene.before_each_request(replace_folder)

    status, out, err = call("sync", "bitrix24", "--to", scene.to, "--publish", str(folder / "read.duckdb"), "--json")

    assert status == 1
    assert json.loads(out)["leads_read"] == len(scene.ids())
    (line,) = err.splitlines()
    assert line.startswith(f"leadhouse: the rows are in {scene.to}, but its copy was not written (")
    assert line.endswith("); the next run writes it")
    scene.quiet()
    assert scene.check()


def _full_disk(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_failed_copy_keeps_the_old_one_and_leaves_nothing_beside_it(
    in_duckdb: Company, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = in_duckdb.bitrix24
    scene.sync(publish=str(copy))
    old = contents.actual(f"duckdb:{copy}")
    scene.edit(scene.ids()[0], "newer")

    monkeypatch.setattr(publish, "_make_views", _full_disk)
    with pytest.raises(CopyNotWrittenError, match="the disk is full, free some space") as failed:
        scene.later().sync(publish=str(copy))

    assert failed.value.summary is not None
    assert failed.value.summary.rows_written > 0
    assert contents.actual(f"duckdb:{copy}") == old
    assert not list(tmp_path.glob(".read.duckdb.part*"))


def _a_database(path: Path) -> None:
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE mine AS SELECT 1 AS one")


@pytest.mark.parametrize(
    ("name", "made", "told"),
    [
        ("other.duckdb", _a_database, "is no copy that leadhouse made"),
        ("letter.duckdb", lambda path: path.write_text("Dear sir"), "is no copy that leadhouse made"),
        ("folder.duckdb", lambda path: path.mkdir(), "is no file"),
        ("leads.duckdb", lambda _: None, "is the warehouse itself"),
        ("bitrix24.duckdb", lambda _: None, "bear one name"),
        ("nowhere/read.duckdb", lambda _: None, "there is no folder"),
    ],
)
def test_what_must_not_be_replaced_is_refused_before_the_portal_is_asked(
    in_duckdb: Company, tmp_path: Path, name: str, made: Callable[[Path], object], told: str
) -> None:
    path = tmp_path / name
    made(path)
    before = path.read_bytes() if path.is_file() else None
    asked = len(in_duckdb.bitrix24.portal.log)

    with pytest.raises(ConfigurationError, match=told):
        in_duckdb.bitrix24.sync(publish=str(path))

    assert len(in_duckdb.bitrix24.portal.log) == asked
    assert before is None or path.read_bytes() == before


def test_a_copy_called_like_another_dataset_of_the_warehouse_is_refused(in_duckdb: Company, tmp_path: Path) -> None:
    in_duckdb.bitrix24.sync()
    asked = len(in_duckdb.kommo.portal.log)

    with pytest.raises(ConfigurationError, match=r"the copy bitrix24.duckdb and its schema bitrix24 bear one name"):
        in_duckdb.kommo.sync(publish=str(tmp_path / "bitrix24.duckdb"))

    assert len(in_duckdb.kommo.portal.log) == asked


def test_a_folder_that_is_gone_is_told_at_once(in_duckdb: Company, tmp_path: Path) -> None:
    scene, folder = in_duckdb.bitrix24, tmp_path / "readers"
    folder.mkdir()

    def remove() -> None:
        if folder.exists():
            folder.rmdir()

    scene.before_each_request(remove)

    with pytest.raises(CopyNotWrittenError, match="No such file or directory"):
        scene.sync(publish=str(folder / "read.duckdb"))


def test_the_copy_cannot_be_opened_for_writing_by_mistake(in_duckdb: Company, copy: Path) -> None:
    in_duckdb.bitrix24.sync(publish=str(copy))

    assert not copy.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


WRITER = """
import duckdb, sys
with duckdb.connect(sys.argv[1]) as writer:
    print("open", flush=True)
    sys.stdin.readline()
"""


def test_somebody_who_opened_the_copy_for_writing_hinders_no_run(in_duckdb: Company, copy: Path) -> None:
    scene = in_duckdb.bitrix24
    scene.sync(publish=str(copy))
    copy.chmod(0o644)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        scene.edit(scene.ids()[0], "newer")
        scene.later().sync(publish=str(copy))
    finally:
        writer.communicate("\n", timeout=20)
    assert contents.actual(f"duckdb:{copy}")["leads"] == contents.actual(scene.to)["leads"]


def test_the_setting_publishes_and_an_empty_one_does_not(
    in_duckdb: Company, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__PUBLISH", str(copy))
    in_duckdb.bitrix24.sync()
    assert copy.exists()
    monkeypatch.setenv("LEADHOUSE__PUBLISH", str(tmp_path / "other.duckdb"))
    in_duckdb.bitrix24.sync(publish="")
    assert not (tmp_path / "other.duckdb").exists()


def test_all_portals_make_one_copy_at_the_end(company: Company, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for scene in (company.bitrix24, company.kommo):
        for name, value in scene.environment().items():
            monkeypatch.setenv(name, value)

    overview = leadhouse.sync_all(to=company.to, publish=str(copy))

    assert (overview.exit_code, overview.unpublished) == (0, None)
    for dataset in ("bitrix24", "kommo"):
        assert contents.actual(f"duckdb:{copy}", dataset, dataset) == contents.actual(company.to, dataset, dataset)


def test_a_copy_that_failed_is_told_of_all_portals(
    in_duckdb: Company, copy: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**in_duckdb.bitrix24.environment(), "SOURCES__BITRIX24__BURST": "10000"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(publish, "_make_views", _full_disk)

    status, out, err = call("sync", "--all", "--to", in_duckdb.to, "--publish", str(copy), "--json")

    told = json.loads(out)
    assert (status, told["exit_code"], told["done"]) == (1, 1, 1)
    assert err.splitlines()[-1] == f"leadhouse: {told['unpublished']}"
    assert told["unpublished"].endswith("; the next run writes it")


def test_commands_that_look_take_the_copy_for_a_warehouse(in_duckdb: Company, copy: Path, call: Call) -> None:
    in_duckdb.bitrix24.sync(publish=str(copy))

    status, out, err = call("status", "--to", f"duckdb:{copy}", "--json")

    assert (status, err) == (0, "")
    assert json.loads(out)["rows"]["leads"] == len(in_duckdb.bitrix24.ids())
