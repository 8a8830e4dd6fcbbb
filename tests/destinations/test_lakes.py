"""What lakes lack and databases have: transactions over tables, locks, files that are whole."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from dlt.common.storages.transactional_file import TransactionalFile
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

import contents
from any_scene import AnyScene
from leadhouse.errors import OperatorError, RunLockedError, StateError, WarehouseRefusedError, WarehouseUnavailableError
from leadhouse.lakes.delta import DeltaLakeTable
from leadhouse.lakes.destination import OWN_FOLDER
from leadhouse.lakes.iceberg import IcebergLakeTable


def _own_folder(scene: AnyScene, tmp_path: Path) -> Path:
    return tmp_path / "bucket" / scene.dataset / OWN_FOLDER


def _breaks_once(monkeypatch: pytest.MonkeyPatch, call: int) -> list[int]:
    """Let the `call`-th write of a table of leads fail before it begins; return the writes that were tried."""
    tried: list[int] = []
    for table in (DeltaLakeTable, IcebergLakeTable):
        original = table.replace

        def replace(self: Any, rows: Any, key: str, values: list[Any], original: Any = original) -> None:
            if key == "lead_id" or "title" in rows.column_names:
                tried.append(len(tried) + 1)
            if len(tried) == call:
                raise OSError("the store hung up")
            original(self, rows, key, values)

        monkeypatch.setattr(table, "replace", replace)
    return tried


@pytest.mark.parametrize("call", [1, 4, 8])
def test_a_merge_that_broke_off_between_tables_is_taken_back_before_the_next(
    lake_scene: AnyScene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: int
) -> None:
    """A run dies while a lead is written that is not there any more when the next run comes."""
    scene = lake_scene
    scene.sync()
    before = scene.held()
    gone = scene.later().add("written by halves")
    scene.add_phone(gone, "+44 7700 900123")
    scene.drop_phones(scene.with_phone())
    with monkeypatch.context() as patch:
        patch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
        tried = _breaks_once(patch, call)
        with pytest.raises(WarehouseUnavailableError, match="the store hung up"):
            scene.sync()
    assert len(tried) == call
    assert list(_own_folder(scene, tmp_path).glob("*.json")) != []
    scene.delete(gone)
    with monkeypatch.context() as patch:
        patch.setattr(scene.portal.quirks, "webhook_expired", True)
        with pytest.raises(OperatorError):
            scene.sync()
    assert list(_own_folder(scene, tmp_path).glob("*.json")) == []
    told = scene.held()
    for name in ("leads", *scene.child_tables):
        assert told[name] == before[name]
    scene.later().sync()
    scene.check()


def test_a_write_that_failed_once_is_repeated_in_the_same_run(
    lake_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _breaks_once(monkeypatch, 4)
    lake_scene.sync()
    assert len(tried) == 4 + 8
    lake_scene.check(ignoring_deleted=False)


def test_a_run_on_another_machine_is_refused_by_the_lake(
    lake_scene: AnyScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = lake_scene
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
    assert list(_own_folder(scene, tmp_path).iterdir()) == []
    scene.check()


def test_the_lock_of_a_dead_run_is_taken_when_it_has_not_been_touched_for_its_time(
    lake_scene: AnyScene, tmp_path: Path
) -> None:
    scene = lake_scene
    folder = _own_folder(scene, tmp_path)
    folder.mkdir(parents=True)
    lock = folder / "run.lock.1000dead"
    lock.touch()
    with pytest.raises(RunLockedError):
        scene.sync(lock_timeout=0.0)
    long_ago = lock.stat().st_mtime - TransactionalFile.LOCK_TTL_SECONDS - 5
    os.utime(lock, (long_ago, long_ago))
    assert scene.sync(lock_timeout=0.0).outcome == "done"
    assert not lock.exists()


def test_a_run_whose_lock_was_taken_writes_no_more(lake_scene: AnyScene, tmp_path: Path) -> None:
    """It slept so long that another run took it for dead."""
    scene = lake_scene
    folder = _own_folder(scene, tmp_path)

    def taken() -> None:
        for lock in folder.glob("run.lock.*"):
            lock.unlink()
        (folder / "run.lock.2another").touch()

    scene.before_each_request(taken)
    with pytest.raises(WarehouseUnavailableError, match="took the lock"):
        scene.sync()
    assert contents.columns(scene.to, scene.dataset) == {}


def test_a_state_file_is_never_seen_half_written(
    lake_scene: AnyScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = lake_scene
    scene.sync()
    original = FilesystemClient._write_to_json_file

    def half(self: Any, path: str, data: Any) -> None:
        original(self, path, data)
        if "_dlt_pipeline_state" in str(path) or path.endswith("being-written"):
            Path(path).write_bytes(Path(path).read_bytes()[:20])
            raise KeyboardInterrupt

    scene.later().edit(scene.ids()[0], "changed")
    with monkeypatch.context() as patch:
        patch.setattr(FilesystemClient, "_write_to_json_file", half)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - however dlt wraps it
            scene.sync()
    for path in (tmp_path / "bucket" / scene.dataset / "_dlt_pipeline_state").iterdir():
        json.loads(path.read_text())
    scene.sync()
    scene.check()


def test_a_half_written_commit_of_iceberg_is_none(iceberg_scene: AnyScene, tmp_path: Path) -> None:
    scene = iceberg_scene
    scene.sync()
    metadata = sorted((tmp_path / "bucket" / scene.dataset / "leads").glob("metadata/*.metadata.json"))
    metadata[-1].with_name("99999-half.metadata.json").write_bytes(metadata[-1].read_bytes()[:200])
    scene.later().edit(scene.ids()[0], "changed")
    scene.sync()
    assert scene.verify().equal


def test_a_table_that_somebody_deleted_is_missed(lake_scene: AnyScene, tmp_path: Path) -> None:
    scene = lake_scene
    scene.sync()
    shutil.rmtree(tmp_path / "bucket" / scene.dataset / "lead_phones")
    scene.later().edit(scene.ids()[0], "changed")
    with pytest.raises(WarehouseRefusedError, match=r"lead_phones is missing; somebody changed the tables"):
        scene.sync()


def test_a_dataset_that_was_deleted_is_filled_again(lake_scene: AnyScene, tmp_path: Path) -> None:
    scene = lake_scene
    scene.sync()
    shutil.rmtree(tmp_path / "bucket" / scene.dataset)
    with pytest.raises(StateError):
        scene.verify()
    assert scene.sync().leads_read == len(scene.portal)
    scene.check(ignoring_deleted=False)
