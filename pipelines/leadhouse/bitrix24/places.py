"""Which column a user field has: the same in every run, another one when the portal gives it another type.

A column keeps its field and its type for good. What fields had which columns stands in `lead_fields`; where that is not
known, the types of the warehouse's columns tell.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from leadhouse.columns import Kind

MONEY_KINDS = (Kind.DECIMAL, Kind.TEXT)
# A row of lead_fields, as the warehouse holds it.
Remembered = Mapping[str, Any]


class Places:
    """Gives fields their columns.

    Args:
        reserved: names that no field may have.
        stored: kinds that columns of `leads` have in the warehouse already.
        remembered: rows of `lead_fields`, those of removed fields included.

    Attributes:
        values: names in `lead_custom_values` that fields ever had.
    """

    def __init__(
        self, reserved: Collection[str], stored: Mapping[str, Kind], remembered: Sequence[Remembered] = ()
    ) -> None:
        self._taken = set(reserved)
        self._stored = stored
        self.values = {row["column_name"] for row in remembered if row["is_multiple"]}
        self._rows: dict[str, list[Remembered]] = defaultdict(list)
        self._owned: dict[str, str] = {}
        for row in sorted(remembered, key=lambda row: row.get("removed_at") is not None):
            self._rows[row["name"]].append(row)
            for column in (row["column_name"], *([f"{row['column_name']}_currency"] if row["type"] == "money" else ())):
                self._owned.setdefault(column, row["name"])

    def remembered(self, name: str) -> Remembered:
        """Return what is remembered of a field, as it was seen last; nothing where it is new."""
        return next(iter(self._rows[name]), {})

    def of(self, name: str, wanted: str, told: str, kind: Kind, *, multiple: bool) -> str:
        """Return the column of a user field, and take it.

        Args:
            name: the field's classic name.
            wanted: the column that it has where nothing else has it.
            told: the portal's type.
            kind: of one value.
            multiple: it holds several values: they are rows, and the name stands in each.
        """
        for row in self._rows[name]:
            column = row["column_name"]
            same = (row["type"] or told, bool(row["is_multiple"])) == (told, multiple)
            if same and column not in self._taken and (multiple or self._fits(column, told, kind)):
                return self._take(column, told, multiple=multiple)
        number, column = 1, wanted
        while not self._is_free(column, told, kind, multiple=multiple):
            number += 1
            column = f"{wanted}_{number}"
        return self._take(column, told, multiple=multiple)

    def of_other(self, name: str, wanted: str) -> str:
        """Return the column of a field that is no user field: it has one for good, whatever its type."""
        row = self.remembered(name)
        if row and row["column_name"] not in self._taken:
            return self._take(row["column_name"], "", multiple=False)
        number, column = 1, wanted
        while column in self._taken or self._owned.get(column, name) != name:
            number += 1
            column = f"{wanted}_{number}"
        return self._take(column, "", multiple=False)

    def _take(self, column: str, told: str, *, multiple: bool) -> str:
        self._taken.add(column)
        if told == "money" and not multiple:
            self._taken.add(f"{column}_currency")
        return column

    def _is_free(self, column: str, told: str, kind: Kind, *, multiple: bool) -> bool:
        twin = f"{column}_currency"
        money = told == "money" and not multiple
        if column in self._taken or column in self._owned or (money and (twin in self._taken or twin in self._owned)):
            return False
        if multiple:
            return column not in self._stored
        return self._fits(column, told, kind) and not self._is_a_currency(column)

    def _fits(self, column: str, told: str, kind: Kind) -> bool:
        """Tell whether the warehouse has no such column, or one of this type."""
        if told != "money":
            return self._stored.get(column, kind) is kind
        held = (self._stored.get(column), self._stored.get(f"{column}_currency"))
        return held in ((None, None), MONEY_KINDS)

    def _is_a_currency(self, column: str) -> bool:
        """Tell whether the warehouse has the column for the currency of a money field."""
        amount = column.removesuffix("_currency")
        return amount != column and (self._stored.get(amount), self._stored.get(column)) == MONEY_KINDS
