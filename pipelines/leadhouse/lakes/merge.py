"""A load package on its way into the tables of a lake.

Each table is written in one commit, but no commit spans tables. So what a chain of tables was is noted before the first
of them is written, and whoever finds the note takes the others back: a lead never keeps the phones of another version.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.common.destination.client import HasFollowupJobs, RunnableLoadJob
from dlt.common.schema.utils import get_columns_names_with_prop, get_first_column_name_with_prop
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.impl.filesystem.filesystem import ReferenceFollowupJob

from leadhouse.lakes.table import LakeTable, fitted

if TYPE_CHECKING:
    from leadhouse.lakes.destination import LakeClient


class StagedJob(HasFollowupJobs, RunnableLoadJob):
    """A file that waits for the job of its chain."""

    def run(self) -> None:
        """Do nothing."""


class ChainMergeJob(ReferenceFollowupJob):
    """Merges what a package brought for a root table and its children; child rows are replaced with their root's."""

    _job_client: "LakeClient"

    def run(self) -> None:
        """Merge."""
        client = self._job_client
        staged = self._staged()
        root, *children = client.chain_of(next(iter(staged)))
        if not children:
            self._merge(root, staged[root])
            return
        note = client.pathlib.join(client.own_folder, f"{root}.json")
        undo(client, note)
        rows = staged.get(root)
        if rows is None or not rows.num_rows:
            return
        ids = _values(rows, "id")
        tables = {name: client.opened(name) for name in (*children, root)}
        client._write_to_json_file(note, {name: table.version for name, table in tables.items()})  # noqa: SLF001 - dlt's
        for name, table in tables.items():
            parent = get_first_column_name_with_prop(client.schema.tables[name], "root_key")
            _replace(table, staged.get(name), parent or "id", ids)
        client.fs_client.rm_file(note)

    def _staged(self) -> dict[str, pa.Table]:
        """Return what the package brought, by table."""
        found: dict[str, list[pa.Table]] = {}
        for path in self.file_paths:
            found.setdefault(ParsedLoadJobFileName.parse(path).table_name, []).append(pq.read_table(path))
        return {name: pa.concat_tables(parts, promote_options="default") for name, parts in found.items()}

    def _merge(self, name: str, rows: pa.Table) -> None:
        """Merge rows into a table that stands alone: all of them, or by its key."""
        client = self._job_client
        told = client.schema.tables[name]
        table = client.opened(name)
        if told.get("x-merge-destination-scope"):
            table.replace_all(fitted(rows, table.schema))
            return
        keys = get_columns_names_with_prop(told, "primary_key")
        if not rows.num_rows:
            return
        if len(keys) == 1:
            _replace(table, rows, keys[0], _values(rows, keys[0]))
            return
        there = _all(table).join(rows.select(keys), keys=keys, join_type="left anti")
        table.replace_all(pa.concat_tables([fitted(there, table.schema), fitted(rows, table.schema)]))


def undo(client: "LakeClient", note: str) -> None:
    """Take the tables of a chain back to what a note tells, if there is one."""
    if not client.fs_client.exists(note):
        return
    told: dict[str, int | None] = msgspec.json.decode(client.fs_client.cat_file(note))
    for name, version in told.items():
        table = client.opened(name)
        if table.version != version:
            table.restore(version)
    client.fs_client.rm_file(note)


def mark(
    client: "LakeClient", root: str, *, deleted_at: Mapping[int, datetime], out_of_sight_at: Mapping[int, datetime]
) -> None:
    """Mark rows of a root table, all in one commit; an earlier mark keeps its time.

    Args:
        client: of the lake.
        root: the table.
        deleted_at: ids that the portal does not know any more, each with the time to write (UTC).
        out_of_sight_at: the same of ids that the access may not read any more.
    """
    table = client.opened(root)
    ids = sorted({*deleted_at, *out_of_sight_at})
    rows = _all(table, pc.field("id").isin(ids))
    numbers = rows.column("id").to_pylist()
    for column, marks, others in (
        ("deleted_at", deleted_at, out_of_sight_at),
        ("out_of_sight_at", out_of_sight_at, deleted_at),
    ):
        held = rows.column(column).to_pylist()
        times = [
            (at or marks[number]) if number in marks else None if number in others else at
            for number, at in zip(numbers, held, strict=True)
        ]
        place = rows.schema.get_field_index(column)
        rows = rows.set_column(place, column, pa.array(times, rows.schema.field(column).type))
    table.replace(fitted(rows, table.schema), "id", ids)


def _replace(table: LakeTable, rows: pa.Table | None, key: str, values: list[Any]) -> None:
    schema = table.schema
    table.replace(schema.empty_table() if rows is None else fitted(rows, schema), key, values)


def _values(rows: pa.Table, column: str) -> list[Any]:
    found: list[Any] = sorted(pc.unique(rows.column(column)).to_pylist())
    return found


def _all(table: LakeTable, where: Any = None) -> pa.Table:
    found = table.relation()
    if isinstance(found, pa.Table):
        return found if where is None else found.filter(where)
    return found.to_table(filter=where)
