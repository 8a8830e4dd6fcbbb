"""A dataset as files: Parquet or CSV, one for each table and view, all of the same instant."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from leadhouse.errors import ConfigurationError, StateError
from leadhouse.files import in_one_step, replaceable
from leadhouse.snapshot import Held, Snapshot, snapshot
from leadhouse.warehouse import Target

_LIST = "_leadhouse.{}.json"


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written.

    Attributes:
        file: its name in the folder.
        table: the table or view.
        rows: how many it holds.
    """

    file: str
    table: str
    rows: int


def export(
    target: Target, source: str, dataset: str, folder: Path, form: str, *, lock_timeout: float
) -> list[Exported]:
    """Write a file for each table and view of a dataset; each appears in one step, a list of them at the end.

    The list, `_leadhouse.{form}.json`, also tells which files are ours and may be replaced by the next export.

    Args:
        target: a DuckDB file or a Postgres server.
        source: of the dataset.
        dataset: its name.
        folder: is made where it is not there.
        form: "parquet" or "csv".
        lock_timeout: seconds to wait for a process that has the DuckDB file open.

    Raises:
        StateError: nothing was synced there yet.
        ConfigurationError: the folder cannot be written, or has files of the same names that leadhouse did not make.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: the warehouse cannot be read.
    """
    with snapshot(target, lock_timeout=lock_timeout) as held:
        if held.datasets.get(dataset) != source:
            raise StateError(f"{target.label} has no dataset {dataset} of {source}; run `leadhouse sync` first")
        relations = held.relations(dataset)
        odd = [relation.name for relation in relations if Path(relation.name).name != relation.name]
        if odd:
            raise ConfigurationError(f"a file cannot be called {odd[0]!r}; rename the view in {dataset}")
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            before = _before(folder, dataset, form)
            names = [f"{relation.name}.{form}" for relation in relations]
            foreign = sorted(name for name in names if name not in before and (folder / name).exists())
            if foreign:
                raise ConfigurationError(
                    f"{folder} has {', '.join(foreign[:3])} already, which no export of leadhouse wrote; give another "
                    "folder"
                )
        done = [_file(held, relation, folder, form) for relation in relations]
        with _told(folder):
            for name in sorted(before - set(names)):
                (folder / name).unlink(missing_ok=True)
            about = {
                "dataset": dataset,
                "warehouse": target.label,
                "exported_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
            _list(folder / _LIST.format(form), about, relations, done)
    return done


def _before(folder: Path, dataset: str, form: str) -> set[str]:
    """Return the files that the last export into a folder wrote."""
    listed = folder / _LIST.format(form)
    if not listed.exists():
        return set()
    with suppress(ValueError, LookupError, TypeError):
        told: Any = json.loads(listed.read_text(encoding="utf-8"))
        if told["dataset"] == dataset:
            return {Path(str(one["file"])).name for one in told["files"]}
    raise ConfigurationError(f"{folder} has the export of another dataset; give another folder")


def _list(path: Path, about: dict[str, Any], relations: Sequence[Held], done: Sequence[Exported]) -> None:
    """Write the list of files, with the columns that each of them has."""
    files = [
        {
            "file": one.file,
            "table": one.table,
            "rows": one.rows,
            "columns": {column.name: column.type for column in relation.columns},
        }
        for one, relation in zip(done, relations, strict=True)
    ]
    with in_one_step(replaceable(str(path), "DIR")) as part:
        part.write_text(json.dumps({**about, "files": files}, indent=1), encoding="utf-8")


def _file(held: Snapshot, relation: Held, folder: Path, form: str) -> Exported:
    """Write the file of a table or view."""
    name, rows = f"{relation.name}.{form}", 0
    with _told(folder), in_one_step(replaceable(str(folder / name), "DIR")) as part:
        schema = relation.arrow if form == "parquet" else _as_text(relation.arrow.empty_table()).schema
        writer: _Writer = (
            pq.ParquetWriter(part, schema, compression="zstd") if form == "parquet" else pa.csv.CSVWriter(part, schema)
        )
        try:
            for batch in held.rows(relation):
                writer.write_batch(batch if form == "parquet" else _as_text(batch))
                rows += batch.num_rows
        finally:
            writer.close()
    return Exported(name, relation.name, rows)


def _as_text(rows: Any) -> Any:
    """Return rows as CSV has them: times as ISO 8601 in UTC, lists as JSON; CSV itself tells NULL from ""."""
    columns = [_CSV.get(type_id, _same)(column) for column in rows.columns for type_id in (column.type.id,)]
    return type(rows).from_arrays(columns, names=rows.schema.names)


def _same(column: Any) -> Any:
    return column


def _iso(column: Any) -> Any:
    return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")


def _json(column: Any) -> Any:
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    return pa.array(texts, pa.string())


_CSV: dict[int, Callable[[Any], Any]] = {
    pa.timestamp("us", "UTC").id: _iso,
    pa.list_(pa.string()).id: _json,
}


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Tell what hinders files from being written in one line."""
    problem = ""
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error).split("\n", 1)[0]
    if problem:
        raise ConfigurationError(f"the folder {folder} cannot be written ({problem}); correct it, or give another one")
