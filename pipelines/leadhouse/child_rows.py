"""Rows of child tables, collected value by value while the rows that they belong to are decoded."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from leadhouse.columns import as_text
from leadhouse.tables import Table


class Rows:
    """Child rows of one table; a row is a tuple of cells in the order of `names`."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._names = names
        self._schema = table.schema()
        self.cells: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self.cells)

    def table(self) -> pa.Table:
        """Return the rows, of which there is one at least, as a table."""
        columns = dict(zip(self._names, zip(*self.cells, strict=True), strict=True))
        return pa.table({name: columns[name] for name in self._schema.names}, schema=self._schema)


class Drift:
    """Collects values that no column could take.

    Args:
        ids: of the rows in the lot.
        rows: where they go.
    """

    def __init__(self, ids: list[int], rows: Rows) -> None:
        self._ids = ids
        self._rows = rows
        self._positions: dict[tuple[int, str], int] = {}

    def add(self, field: str, row: int, value: Any) -> None:
        """Keep a value of the field `field` in the row at place `row` of the lot."""
        position = self._positions.get((row, field), 0)
        self._positions[row, field] = position + 1
        self._rows.cells.append((self._ids[row], field, position, as_text(value)))

    @property
    def count(self) -> int:
        """How many were kept."""
        return len(self._rows)
