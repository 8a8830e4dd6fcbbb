"""Windows and what is remembered: full, backfills, interrupted windows, state, runs, locks."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import dlt
import pytest
from click.testing import CliRunner

import contents
from any_scene import AnyScene
from leadhouse import cli, state
from leadhouse.cursor import Cursor
from leadhouse.errors import OperatorError, RunLockedError, StateError
from leadhouse.times import parse_time
from scene import NOON_UTC, Crash, Scene, crash_at, in_small_packages, lose_disk


def test_full_heals_rows_that_were_damaged_by_hand(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    owner, lead_id = scene.with_phone(), scene.ids()[3]
    damage = f"{scene.title_column} = 'damaged', {scene.amount_column} = NULL"
    scene.change(f"UPDATE {{leads}} SET {damage} WHERE id = {lead_id}")  # noqa: S608
    scene.change(f"DELETE FROM {{{scene.phones_table}}} WHERE {scene.phones_parent} = {owner}")  # noqa: S608
    scene.change(f"UPDATE {{{scene.emails_table}}} SET {scene.phones_parent} = {owner}, position = position + 7")  # noqa: S608
    for table in scene.child_tables:
        scene.change(f"DELETE FROM {{{table}}} WHERE lead_id % 5 = 0")  # noqa: S608
    scene.change("DELETE FROM {leads} WHERE id % 5 = 0")
    summary = scene.later().sync(full=True)
    assert summary.leads_read == len(scene.portal)
    scene.check()


def test_full_never_shows_readers_an_empty_table(postgres_url: str, file_scene: AnyScene) -> None:
    """On Postgres, where anybody reads while a run writes."""
    scene = replace(file_scene, to=postgres_url).synced()
    phones = f"SELECT count(*) FROM {{{scene.phones_table}}}"  # noqa: S608
    counts = f"SELECT (SELECT count(*) FROM {{leads}}) AS leads, ({phones}) AS phones"  # noqa: S608
    before = scene.rows(counts)
    seen = list[contents.Row]()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.extend(row for row in scene.rows(counts) if row not in seen)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        scene.sync(full=True)
    finally:
        done.set()
        watcher.join()
    assert seen == before
    scene.check()


def test_since_and_until_read_their_span_again_and_leave_the_cursor(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    early, late = scene.ids()[:2]
    scene.later().edit(early, "at one")
    scene.later().edit(late, "at two")
    scene.later().sync()
    before = scene.state()
    scene.change(f"UPDATE {{leads}} SET {scene.title_column} = 'damaged', _fingerprint = 0")  # noqa: S608
    summary = scene.sync(since="2026-11-21T09:30:00Z", until="2026-11-21T13:30:00+03:00")
    assert summary.leads_read == 1
    assert scene.title(early) == "at one"
    assert scene.title(late) == "damaged"
    assert scene.state() == before
    assert (summary.cursor_from, summary.cursor_to) == (parse_time(before["cursor"]), parse_time(before["cursor"]))


def test_a_crashed_backfill_leaves_the_cursor_and_is_read_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.synced()
    before = scene.state()["cursor"]
    scene.change("UPDATE {leads} SET title = 'damaged', _fingerprint = 0")
    with monkeypatch.context() as patch:
        in_small_packages(patch, leads=50, pages=1)
        crash_at(patch, dlt.Pipeline, "load", 2)
        with pytest.raises(Crash):
            scene.sync(since="2001-01-01")
        damaged = scene.one("SELECT count(*) FROM {leads} WHERE title = 'damaged'")
        assert 0 < damaged < len(scene.portal)
    assert scene.state()["cursor"] == before
    summary = scene.sync(since="2001-01-01")
    assert summary.leads_read == damaged
    scene.check()


def test_an_interrupted_window_is_read_on_and_then_a_fresh_one(
    each_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = each_scene
    with monkeypatch.context() as patch:
        scene.in_small_packages(patch, leads=50, pages=1)
        crash_at(patch, dlt.Pipeline, "load", 2)
        with pytest.raises(Crash):
            scene.sync()
    held = scene.state()
    assert held["cursor"] is None
    assert held["window"]["upper"] == NOON_UTC
    in_warehouse = scene.written_at().keys()
    assert in_warehouse == set(scene.in_reading_order()[: len(in_warehouse)])
    ((_, through),) = held["window"]["ranges"]
    assert through is None

    changed = scene.in_reading_order()[0]
    scene.later().edit(changed, "changed behind the reading position")
    summary = scene.sync()
    again = summary.leads_read - (len(scene.portal) - len(in_warehouse) + 1)
    assert 0 <= again <= scene.read_again
    assert scene.state()["window"] is None
    assert scene.state()["cursor"] == "2026-11-21T10:00:00Z"
    scene.check()


def test_a_lost_working_directory_costs_nothing(each_scene: AnyScene, tmp_path: Path) -> None:
    scene = each_scene
    scene.sync()
    lose_disk(tmp_path / "dlt")
    touched = scene.later().life(create=1, edit=2, phone_remove=1)
    summary = scene.sync()
    assert summary.leads_read - summary.leads_unchanged == len(touched)
    scene.check()


def test_ten_thousand_leads_edited_in_one_second(duckdb_scene: Scene) -> None:
    scene, portal = duckdb_scene, duckdb_scene.portal
    scene.synced()
    portal.invent_leads(10_000)
    scene.later().sync()
    size = len(json.dumps(scene.state()))
    ids = list(portal.store.ids)[-10_000:]
    scene.later().portal.storm(ids, {"SOURCE_DESCRIPTION": "campaign"})
    summary = scene.sync()
    assert summary.leads_read == 10_000
    again = scene.sync()
    assert (again.leads_read, again.rows_written) == (10_000, 0)
    assert len(json.dumps(scene.state())) == size
    scene.check()


def test_state_is_shown_rewound_and_reset(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    warehouse = scene.warehouse()
    assert scene.state()["cursor"] == NOON_UTC
    scene.later().edit(scene.ids()[0], "changed")
    scene.later().sync()

    back = parse_time("2026-11-21T09:30:00Z")
    assert back is not None
    state.rewind_to(warehouse, scene.source, back, lock_timeout=5.0)
    assert scene.state()["cursor"] == "2026-11-21T09:30:00Z"
    assert scene.sync().leads_read == 1

    ahead = parse_time("2027-01-01")
    assert ahead is not None
    with pytest.raises(StateError):
        state.rewind_to(warehouse, scene.source, ahead, lock_timeout=5.0)

    state.reset(warehouse, scene.source, lock_timeout=5.0)
    assert scene.state()["cursor"] is None
    summary = scene.sync()
    assert (summary.leads_read, summary.rows_written) == (len(scene.portal), 0)
    scene.check()


def test_a_reset_lets_the_next_run_learn_the_dictionaries_again(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    before = scene.rows("SELECT * FROM {statuses} ORDER BY name, sort")
    scene.change("DELETE FROM {statuses}")
    state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)
    scene.sync()
    assert scene.one("SELECT count(*) FROM {statuses}") == len(before)


def test_state_changes_survive_a_lost_working_directory(each_scene: AnyScene, tmp_path: Path) -> None:
    scene = each_scene.synced()
    back = parse_time("2026-11-20")
    assert back is not None
    state.rewind_to(scene.warehouse(), scene.source, back, lock_timeout=5.0)
    lose_disk(tmp_path / "dlt")
    assert scene.state()["cursor"] == "2026-11-20T00:00:00Z"


def test_the_command_line_shows_rewinds_and_resets_the_state(
    file_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, source = file_scene.synced().to, file_scene.source
    monkeypatch.setattr("leadhouse.logs.configure", lambda **_: None)

    def run(*arguments: str) -> str:
        told = CliRunner().invoke(cli.main, ["state", *arguments])
        assert told.exit_code == 0, told.output
        return told.stdout

    assert json.loads(run("show", source, "--to", place))["cursor"] == NOON_UTC
    run("rewind", source, "--to", "2026-11-20T00:00:00Z", "--destination", place)
    assert json.loads(run("show", source, "--to", place))["cursor"] == "2026-11-20T00:00:00Z"
    run("reset", source, "--yes", "--to", place)
    assert json.loads(run("show", source, "--to", place))["cursor"] is None


def test_every_run_leaves_a_row_with_its_figures(each_scene: AnyScene) -> None:
    scene = each_scene
    summaries = [scene.sync()]
    scene.later().life(create=1, edit=2)
    summaries += [scene.sync(), scene.later().sync()]
    scene.refuse()
    with pytest.raises(OperatorError) as refused:
        scene.later().sync()
    runs = scene.rows("SELECT * FROM {sync_runs} ORDER BY started_at")
    assert [run["outcome"] for run in runs] == ["done", "done", "done", "failed"]
    figures = ("run_id", "source", "cursor_from", "cursor_to", "leads_read", "rows_written", "requests", "retries")
    for run, summary in zip(runs, summaries, strict=False):
        assert {name: run[name] for name in figures} == {name: getattr(summary, name) for name in figures}
        assert run["error"] is None
        assert run["finished_at"] >= run["started_at"]
    assert runs[-1]["error"] == str(refused.value)
    assert runs[-1]["cursor_from"] == runs[-1]["cursor_to"] == summaries[-1].cursor_to


def test_the_remembered_value_is_the_contracts_cursor(duckdb_scene: Scene) -> None:
    duckdb_scene.sync()
    told = duckdb_scene.state()
    assert Cursor.from_dict(told).cursor == parse_time(NOON_UTC)
    assert told["offset_min"] == 180


def test_a_second_run_at_the_same_time_is_refused(each_scene: AnyScene) -> None:
    """The second one starts while the first waits for the portal."""
    scene = each_scene
    refusals: list[type[BaseException]] = []

    def another() -> None:
        if not refusals:
            try:
                scene.sync(lock_timeout=0.0)
            except RunLockedError as error:
                refusals.append(type(error))

    scene.before_each_request(another)
    scene.sync()
    assert refusals == [RunLockedError]
    scene.check()


def test_a_run_on_another_machine_is_refused_by_postgres(
    postgres_url: str, file_scene: AnyScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = replace(file_scene, to=postgres_url)
    refusals: list[str] = []

    def another() -> None:
        if not refusals:
            with monkeypatch.context() as patch:
                patch.setenv("DLT_DATA_DIR", str(tmp_path / "another machine"))
                try:
                    scene.sync(lock_timeout=0.0)
                except RunLockedError as error:
                    refusals.append(str(error))

    scene.before_each_request(another)
    scene.sync()
    assert len(refusals) == 1
    assert "another run" in refusals[0]
    scene.check()


def test_a_second_process_at_the_same_time_exits_with_1(file_scene: AnyScene) -> None:
    scene = file_scene
    ended: list[subprocess.CompletedProcess[str]] = []
    command = [sys.executable, "-m", "leadhouse", "sync", scene.source, "--to", scene.to, "--lock-timeout", "0"]
    environment = {**os.environ, **scene.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}

    def another() -> None:
        if not ended:
            ended.append(
                subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            )

    scene.before_each_request(another)
    scene.sync()
    assert (ended[0].returncode, ended[0].stdout) == (1, "")
    assert "another run" in ended[0].stderr
    scene.check()
