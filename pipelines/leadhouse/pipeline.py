"""A dlt pipeline whose truth is the warehouse: its working directory is new at each start and gone at the end.

dlt restores state and schema from the destination, so pending packages of a killed run are dropped and read again (the
one rule that survived every kill), a lost disk changes nothing, and no personal data stays in working files.
"""

import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.errors import ConfigurationError, LeadhouseError, StateError, UnreadableStateError
from leadhouse.lock import folder_lock
from leadhouse.settings import configure_dlt, data_dir
from leadhouse.warehouse import Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline


def pipeline_name(dataset: str) -> str:
    """Return the pipeline's name; with the dataset it is part of the state's contract."""
    return f"leadhouse_{dataset}"


@contextmanager
def existing(warehouse: Warehouse, *, lock_timeout: float) -> Iterator["Pipeline"]:
    """Give the pipeline of a warehouse that a run has filled; nothing is made where there is none.

    Raises:
        StateError: nothing was synced there yet.
    """
    nothing = StateError(
        f"{warehouse.target.label} has no dataset {warehouse.dataset} of leadhouse; run `leadhouse sync` first"
    )
    if warehouse.missing:
        raise nothing
    with looked_at(warehouse) if warehouse.read_only else opened(warehouse, lock_timeout=lock_timeout) as pipeline:
        if not pipeline.schemas:
            raise nothing
        yield pipeline


@contextmanager
def opened(warehouse: Warehouse, *, lock_timeout: float) -> Iterator["Pipeline"]:
    """Give a pipeline with the state that the warehouse holds, for one run at a time.

    Raises:
        RunLockedError: another run is at work.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the destination cannot be used.
    """
    with _alone(warehouse, lock_timeout) as (name, folder):
        yield _restored(warehouse, name, folder)


@contextmanager
def _alone(warehouse: Warehouse, lock_timeout: float) -> Iterator[tuple[str, Path]]:
    """Keep other runs out; give the pipeline's name and the folder that it works in."""
    configure_dlt()
    name = pipeline_name(warehouse.dataset)
    folder = data_dir() / "pipelines" / warehouse.target.identity
    lock = data_dir() / "locks" / f"{warehouse.target.identity}_{name}.lock"
    what = f"{name} on this machine"
    with folder_lock(lock, lock_timeout, what), warehouse.one_run():
        _wipe(folder / name)
        try:
            yield name, folder
        finally:
            _wipe(folder / name)


@contextmanager
def looked_at(warehouse: Warehouse) -> Iterator["Pipeline"]:
    """Give a pipeline to look at the warehouse with, beside whatever run is at work.

    Raises:
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the destination cannot be used.
    """
    configure_dlt()
    with TemporaryDirectory(prefix="leadhouse-") as folder:
        yield _restored(warehouse, pipeline_name(warehouse.dataset), Path(folder))


def _restored(warehouse: Warehouse, name: str, folder: Path) -> "Pipeline":
    import dlt  # noqa: PLC0415 - costs half a second

    destination = warehouse.target.destination(read_only=warehouse.read_only)
    problem: LeadhouseError
    try:
        pipeline = dlt.pipeline(
            pipeline_name=name, pipelines_dir=str(folder), destination=destination, dataset_name=warehouse.dataset
        )
        logs.adopt_dlt_logger()
        with warehouse.held():
            pipeline.sync_destination()
            _heal(warehouse, pipeline)
    except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
        problem = _unreadable(error, name) or explain(error, warehouse.target)
    else:
        return pipeline
    raise problem


def _heal(warehouse: Warehouse, pipeline: "Pipeline") -> None:
    """Take back what a killed run left half-done in a lake; databases do so by themselves."""
    if warehouse.target.kind == "lake" and not warehouse.read_only and pipeline.schemas:
        client: Any
        with pipeline.destination_client() as client:
            client.heal()


def _unreadable(error: BaseException | None, name: str) -> UnreadableStateError | None:
    """Return our error where dlt failed over the content of the stored state."""
    steps: set[str] = set()
    newer, seen = False, error
    while seen is not None:
        steps |= {frame.name for frame in traceback.extract_tb(seen.__traceback__)}
        newer = newer or "UpgradePath" in type(seen).__name__
        seen = seen.__cause__ or seen.__context__
    if newer:
        return UnreadableStateError(f"the stored state of {name} was written by a newer dlt; upgrade leadhouse here")
    if {"decompress_state", "migrate_pipeline_state", "migrate_state_to_current"} & steps:
        return UnreadableStateError(f"the stored state of {name} is damaged; run `leadhouse state reset`")
    return None


def discard_state(warehouse: Warehouse, *, lock_timeout: float) -> None:
    """Delete all that is remembered, without reading it; the next run reads everything again into place."""
    import dlt  # noqa: PLC0415 - costs half a second

    with _alone(warehouse, lock_timeout) as (name, folder):
        pipeline = dlt.pipeline(
            name, pipelines_dir=str(folder), destination=warehouse.target.destination(), dataset_name=warehouse.dataset
        )
        if warehouse.target.kind == "lake":
            lake: Any
            with pipeline.destination_client() as lake:
                lake.forget(name)
            return
        with warehouse.held(), pipeline.sql_client() as client:
            table = client.make_qualified_table_name("_dlt_pipeline_state")
            client.execute_sql(f"DELETE FROM {table} WHERE pipeline_name = %s", name)  # noqa: S608


def _wipe(folder: Path) -> None:
    problem = ""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigurationError(f"the working directory {folder} cannot be emptied ({problem}); remove it")
