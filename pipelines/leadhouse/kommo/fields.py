"""The fields of an entity: those of the contract, and those that the account's answers show beyond it."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from leadhouse.columns import Kind, column_name, is_empty
from leadhouse.kommo.entity import Entity
from leadhouse.tables import tables

# Members of a row that become something else than a column.
APART = ("_links", "_embedded", "custom_fields_values")


class Fields:
    """The fields of one entity, and the type that decodes its rows.

    Args:
        entity: what it is.
        stored: kinds that columns of the root table have in the warehouse already; a column never changes its type.
        met: kinds of fields met in answers that the contract does not know, by their names.
        empty: fields met without a value so far: nothing tells what they hold, so they have no column yet.
    """

    def __init__(
        self,
        entity: Entity,
        stored: Mapping[str, Kind],
        met: Mapping[str, Kind] | None = None,
        empty: Collection[str] = (),
    ) -> None:
        self.entity = entity
        self._stored = stored
        self._met = dict(met or {})
        contract = tables("kommo")[entity.chain.root]
        # Field by column, for what lies at the root of a row.
        self.columns = {
            name: (column.field, column.kind)
            for name, column in contract.columns.items()
            if column.field and not column.field.startswith("_embedded")
        }
        taken = set(contract.columns)
        self._extra: dict[str, tuple[str, Kind]] = {}
        for field, kind in self._met.items():
            column = _free(column_name(field), taken)
            taken.add(column)
            self._extra[column] = (field, stored.get(column, kind))
        self.columns |= self._extra
        self.watched = frozenset(empty) - {field for field, _ in self.columns.values()}
        names = (*(field for field, _ in self.columns.values()), *APART, *sorted(self.watched))
        self.attributes = {name: _attribute(name) for name in names}
        self.row_type = msgspec.defstruct(
            "Row",
            [(attribute, Any, None) for attribute in self.attributes.values()],
            rename={attribute: name for name, attribute in self.attributes.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        self.rows = msgspec.json.Decoder(list[self.row_type], float_hook=str)  # type: ignore[name-defined]  # made at run time

    def extra_columns(self) -> list[tuple[str, Kind]]:
        """Return the columns beyond the contract, with their kinds."""
        return [(column, kind) for column, (_, kind) in self._extra.items()]

    def with_new(self, values: Mapping[str, Any]) -> "Fields":
        """Return the fields with others that were met, each with one of its values."""
        met = self._met | {name: _kind(value) for name, value in values.items() if is_told(value)}
        return Fields(self.entity, self._stored, met, self.watched | values.keys())


def is_told(value: Any) -> bool:
    """True for a value that tells what its field holds."""
    return value is False or not is_empty(value)


def _kind(value: Any) -> Kind:
    if isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.BIGINT if isinstance(value, int) else Kind.TEXT


def _free(column: str, taken: set[str]) -> str:
    number, name = 1, column
    while name in taken:
        number += 1
        name = f"{column}_{number}"
    return name


def _attribute(name: str) -> str:
    """Return an attribute name that stays the same when other fields come or go."""
    if name.isascii() and f"w_{name}".isidentifier():
        return f"w_{name}"
    return "x_" + "".join(char if char.isascii() and char.isalnum() else f"_{ord(char):x}_" for char in name)
