"""Which values are personal data: columns that `schemas/` marks, and custom fields that hold free text.

Nobody reviewed a portal's own fields, so what people type into them counts as personal. Enumerations, numbers, money,
dates, flags and references to other rows do not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from leadhouse.tables import Table

if TYPE_CHECKING:
    from leadhouse.crm import Crm

# Service columns of dlt.
_DLT = "_dlt_"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Custom fields that hold no free text.

    Attributes:
        columns: text columns of a root table that hold codes.
        fields: fields of a table of values, by their `column_name`.
    """

    columns: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PersonalTable:
    """What is personal in one table.

    Attributes:
        table: its contract.
        id_column: holds the id of the row of the root table that it belongs to; "" where there is none.
        root: that root table.
        field_column: holds a value's field, where the dictionary of fields tells its type; "" where there is none.
    """

    table: Table
    id_column: str = ""
    root: str = ""
    field_column: str = ""

    @cached_property
    def marked(self) -> tuple[str, ...]:
        """Columns that the contract marks."""
        return tuple(name for name, column in self.table.columns.items() if column.personal)

    @property
    def is_root(self) -> bool:
        """True for a table of leads, or of another chain's rows."""
        return self.id_column == "id"

    @property
    def is_phones(self) -> bool:
        """True where a value has its E.164 form beside it."""
        return {"value", "e164"} <= set(self.marked)

    @property
    def told_by(self) -> tuple[str, ...]:
        """Columns that tell the type of a row's field, and its code."""
        beside = ("type", "code") if "value" in self.marked else ()
        return tuple(name for name in beside if name in self.table.columns)

    def texts(self, columns: Mapping[str, bool], reviewed: Reviewed) -> list[str]:
        """Return the personal columns that are text.

        Args:
            columns: every column that there is, and whether it is text.
            reviewed: custom fields that hold no free text.
        """
        return [name for name, is_text in columns.items() if is_text and self._is_personal(name, reviewed)]

    def others(self, columns: Mapping[str, bool]) -> list[str]:
        """Return the personal columns that are not text; `columns` as for `texts`."""
        return [name for name, is_text in columns.items() if not is_text and name in self.marked]

    def _is_personal(self, name: str, reviewed: Reviewed) -> bool:
        if name in self.table.columns:
            return name in self.marked
        return self.is_root and name not in reviewed.columns and not name.startswith(_DLT)


def personal_tables(crm: "Crm") -> dict[str, PersonalTable]:
    """Return the tables of a source that may hold personal data, `lead_versions` with them."""
    chains = {name: chain for chain in crm.chains for name in chain.tables}
    found: dict[str, PersonalTable] = {}
    for name, table in crm.contract.items():
        chain = chains.get(name)
        id_column, root = (chain.id_column(name), chain.root) if chain else ("", "")
        told = PersonalTable(table, id_column, root, _field_column(table, crm))
        if told.marked or told.is_root:
            found[name] = told
    versions = {name: found[table.versions_of] for name, table in crm.contract.items() if table.versions_of in found}
    return found | versions


def _field_column(table: Table, crm: "Crm") -> str:
    joins = f"{crm.fields}.column_name"
    return next((name for name, column in table.columns.items() if crm.fields and column.joins == joins), "")


def reviewed(crm: "Crm", types: Iterable[tuple[str, str | None]]) -> Reviewed:
    """Return the custom fields that hold no free text.

    Args:
        crm: the source.
        types: column and type of each field; a column that comes with several types holds what any of them held.
    """
    told: dict[str, set[str | None]] = {}
    for column, kind in types:
        told.setdefault(column, set()).add(kind)
    plain = crm.codes | crm.figures
    codes = {column for column, kinds in told.items() if kinds <= crm.codes}
    currencies = {f"{column}_currency" for column, kinds in told.items() if "money" in kinds} - told.keys()
    return Reviewed(frozenset(codes | currencies), frozenset(name for name, kinds in told.items() if kinds <= plain))


def types_of(crm: "Crm", dictionaries: Mapping[str, pa.Table]) -> list[tuple[str, str | None]]:
    """Return column and type of each field, as the dictionaries that a portal gave have them."""
    table = dictionaries.get(crm.fields) if crm.fields else None
    if table is None:
        return []
    return list(zip(table.column("column_name").to_pylist(), table.column("type").to_pylist(), strict=True))


def shape(table: pa.Table) -> dict[str, bool]:
    """Return the columns of a table, each with whether it is text."""
    return {field.name: pa.types.is_string(field.type) for field in table.schema}
