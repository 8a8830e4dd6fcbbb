"""Values of fields that the portal dropped, or gave another type, stay when a lead is written again."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from leadhouse.columns import ARROW, Kind
from leadhouse.tables import Table

# Given a table, its column with the lead's id, ids and columns, returns the warehouse's rows: the id, then the columns.
Read = Callable[[str, str, Sequence[int], Sequence[str]], Sequence[Sequence[Any]]]


class Retired:
    """Carries values over from the warehouse, for what the portal tells no more.

    Args:
        root: name of the table of leads.
        columns: its columns of user fields, dropped or not, by kind; what the portal still tells is left as it is.
        values: the table with the values of multiple fields.
        dropped: multiple fields that the portal has no more, by the names in its rows.
        read: asks the warehouse.
    """

    def __init__(
        self, root: str, columns: Mapping[str, Kind], values: Table, dropped: Collection[str], read: Read
    ) -> None:
        self._root = root
        self._columns = columns
        self._values = values
        self._dropped = frozenset(dropped)
        self._read = read

    def fill(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Return leads and their child rows with their retired values as the warehouse has them."""
        made = dict(tables)
        leads = made.get(self._root)
        if leads is None:
            return made
        ids = leads.column("id").to_pylist()
        names = [name for name in self._columns if name not in leads.column_names]
        if names:
            held = {row[0]: row[1:] for row in self._read(self._root, "id", ids, names)}
            nothing = (None,) * len(names)
            for at, name in enumerate(names):
                values = [held.get(number, nothing)[at] for number in ids]
                leads = leads.append_column(name, pa.array(values, ARROW[self._columns[name]]))
            made[self._root] = leads
        if self._dropped:
            self._fill_values(made, ids)
        return made

    def _fill_values(self, made: dict[str, pa.Table], ids: Sequence[int]) -> None:
        told = made.get(self._values.name, self._values.schema().empty_table())
        dropped = self._dropped - set(told.column("field").to_pylist())
        parent, *others = self._values.columns
        rows = [
            dict(zip(self._values.columns, row, strict=True))
            for row in self._read(self._values.name, parent, ids, others)
        ]
        kept = [row for row in rows if row["field"] in dropped]
        if kept:
            more = pa.Table.from_pylist(kept, schema=self._values.schema())
            made[self._values.name] = pa.concat_tables([told, more])
