"""What the fields of a portal's leads are: their names on the wire, their columns and their types.

Standard fields have the contract's types; user fields and anything new have those of the portal's own metadata.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from leadhouse.bitrix24.families import ITEM_ONLY, MULTIFIELDS, NOT_LISTED, Family
from leadhouse.bitrix24.places import Places, Remembered
from leadhouse.columns import Kind, column_name
from leadhouse.tables import tables


class Role(Enum):
    """Where a field's value goes."""

    COLUMN = "one column"
    MONEY = "two columns, amount and currency"
    FILE = "one column, the file's id"
    VALUES = "rows of lead_custom_values"
    MULTIFIELD = "rows of a child table"
    IGNORED = "nowhere"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a lead.

    Attributes:
        name: classic name, upper case.
        wire: name in the family's answers.
        column: column of `leads`, or `field` in lead_custom_values; "" for multifields.
        kind: type of one value.
        role: where it goes.
        none: texts that mean "empty".
    """

    name: str
    wire: str
    column: str
    kind: Kind
    role: Role
    none: tuple[str, ...] = ()


# Types of user fields (vendor's list of USER_TYPE_ID); app-defined ones are text.
_USER_TYPES: Mapping[str, Kind] = {
    "integer": Kind.BIGINT,
    "double": Kind.DOUBLE,
    "boolean": Kind.BOOLEAN,
    "datetime": Kind.TIMESTAMP,
    "date": Kind.DATE,
    "enumeration": Kind.BIGINT,
    "employee": Kind.BIGINT,
    "iblock_section": Kind.BIGINT,
    "iblock_element": Kind.BIGINT,
    "file": Kind.BIGINT,
}
# Ids: none of them is 0, which some portals send for "nothing chosen"; a user may be 0, the system.
_ID_TYPES = frozenset(("enumeration", "iblock_section", "iblock_element", "file", "crm"))
_STANDARD_TYPES: Mapping[str, Kind] = {
    "integer": Kind.BIGINT,
    "double": Kind.DOUBLE,
    "boolean": Kind.BOOLEAN,
    "char": Kind.BOOLEAN,
    "datetime": Kind.TIMESTAMP,
    "date": Kind.DATE,
    "user": Kind.BIGINT,
    "crm_entity": Kind.BIGINT,
    "crm_company": Kind.BIGINT,
    "crm_contact": Kind.BIGINT,
    "crm_lead": Kind.BIGINT,
}


class Fields:
    """The fields of one portal in one family, and the type that decodes its leads.

    Args:
        family: names on the wire.
        described: metadata by wire name (`crm.lead.fields` or `crm.item.fields`).
        userfields: rows of `crm.lead.userfield.list`; they win over `described`.
        unknown: wire names met in answers that no metadata describes.
        stored: kinds that columns of `leads` have in the warehouse already; a column never changes its type.
        remembered: rows of `lead_fields`, as the warehouse holds them.

    Attributes:
        places: which field has which column.
    """

    def __init__(
        self,
        family: Family,
        described: Mapping[str, Mapping[str, Any]],
        userfields: Sequence[Mapping[str, Any]] = (),
        unknown: Iterable[str] = (),
        stored: Mapping[str, Kind] | None = None,
        *,
        remembered: Sequence[Remembered] = (),
    ) -> None:
        self.family = family
        contract = tables("bitrix24")["leads"].columns
        self.places = Places(contract, stored or {}, remembered)
        self._stored = stored or {}
        self.described = {family.classic_name(wire, about): (wire, about) for wire, about in described.items()}
        self.userfields = {str(row["FIELD_NAME"]): row for row in userfields if row.get("FIELD_NAME")}
        met = list(unknown)
        for wire in met:
            self.described.setdefault(family.classic_name(wire, {}), (wire, {}))
        self.all = [*self._standard(), *self._others()]
        self.all.extend(self._unplaced(met))
        self.columns = [field for field in self.all if field.role is not Role.IGNORED and field.column]
        self.row_type, self.attributes = _row_type(self.all)
        self.page = msgspec.json.Decoder(list[self.row_type], float_hook=str)  # type: ignore[name-defined]  # made at run time
        self.id_attribute = self.attributes[family.id_field]

    def extra_columns(self) -> list[tuple[str, Kind]]:
        """Return the columns of `leads` beyond the contract, with their kinds, in a stable order."""
        contract = tables("bitrix24")["leads"].columns
        extra: list[tuple[str, Kind]] = []
        for field in self.columns:
            if field.column in contract or field.role in (Role.VALUES, Role.MULTIFIELD):
                continue
            extra.append((field.column, field.kind))
            if field.role is Role.MONEY:
                extra.append((f"{field.column}_currency", Kind.TEXT))
        return extra

    def dropped(self) -> set[str]:
        """Return the names in `lead_custom_values` of the multiple fields that the portal had and has no more."""
        return self.places.values - {field.column for field in self.all if field.role is Role.VALUES}

    def _standard(self) -> list[Field]:
        contract = tables("bitrix24")["leads"].columns.values()
        wires = {name: wire for name, (wire, _) in self.described.items()}
        fields = []
        for column in contract:
            if column.field is None:
                continue
            wire = wires.get(column.field) or _wire(self.family, column.field)
            deliverable = wire not in ITEM_ONLY or self.family.name == "lead"
            if deliverable:
                fields.append(Field(column.field, wire, column.name, column.kind, Role.COLUMN, column.none))
        if self.family.name == "item":
            fields.extend(Field(wire, wire, "", Kind.TEXT, Role.IGNORED) for wire in sorted(ITEM_ONLY))
            fields.append(Field("FM", "fm", "", Kind.TEXT, Role.MULTIFIELD))
        else:
            fields.extend(Field(name, name, "", Kind.TEXT, Role.MULTIFIELD) for name in MULTIFIELDS)
        return fields

    def _others(self) -> list[Field]:
        known = {column.field for column in tables("bitrix24")["leads"].columns.values()}
        fields = []
        for name in sorted({*self.described, *self.userfields} - known - NOT_LISTED - MULTIFIELDS.keys()):
            wire, about = self.described.get(name, ("", {}))
            if self.family.name == "item" and (wire in ITEM_ONLY or wire in ("fm", "") or name in NOT_LISTED):
                continue
            row = self.userfields.get(name, {})
            last = self.places.remembered(name)
            told = str(row.get("USER_TYPE_ID") or about.get("type") or last.get("type") or "")
            kind, role = _placed(name, told)
            multiple = row.get("MULTIPLE") == "Y" if row else about.get("isMultiple", last.get("is_multiple")) is True
            if name.startswith("UF_"):
                column = self.places.of(name, column_name(name), told, kind, multiple=multiple)
            else:
                column = self.places.of_other(name, column_name(name))
                kind = kind if multiple else self._stored.get(column, kind)
            none = ("0",) if name.startswith("UF_") and told in _ID_TYPES else ()
            fields.append(Field(name, wire or name, column, kind, Role.VALUES if multiple else role, none))
        return fields

    def _unplaced(self, met: Sequence[str]) -> list[Field]:
        """Fields met whose name belongs to another field already, or that lists are said not to have."""
        wires = {field.wire for field in self.all}
        columns = {wire: self.places.of_other(wire, column_name(wire)) for wire in sorted(set(met) - wires)}
        return [
            Field(wire, wire, column, self._stored.get(column, Kind.TEXT), Role.COLUMN)
            for wire, column in columns.items()
        ]


def _placed(name: str, told: str) -> tuple[Kind, Role]:
    if name.startswith("UF_"):
        if told == "money":
            return Kind.DECIMAL, Role.MONEY
        return _USER_TYPES.get(told, Kind.TEXT), Role.FILE if told == "file" else Role.COLUMN
    return _STANDARD_TYPES.get(told, Kind.TEXT), Role.COLUMN


def _wire(family: Family, name: str) -> str:
    if family.name == "lead":
        return name
    renamed = {family.classic_name(wire, {}): wire for wire in _ITEM_NAMES}
    if name in renamed:
        return renamed[name]
    first, *rest = name.lower().split("_")
    return first + "".join(part.capitalize() for part in rest)


_ITEM_NAMES = ("stageId", "stageSemanticId", "createdBy", "updatedBy", "movedBy", "createdTime", "updatedTime")


def _row_type(fields: Sequence[Field]) -> tuple[type[msgspec.Struct], dict[str, str]]:
    """Return a struct with an attribute a wire name (unknown ones are an error), and the attributes by wire name."""
    attributes = {wire: _attribute(wire) for wire in dict.fromkeys(field.wire for field in fields)}
    struct = msgspec.defstruct(
        "Lead",
        [(attribute, Any, None) for attribute in attributes.values()],
        rename={attribute: wire for wire, attribute in attributes.items()},
        forbid_unknown_fields=True,
        gc=False,
    )
    return struct, attributes


def _attribute(wire: str) -> str:
    """Return an attribute name that stays the same when other fields come or go."""
    return "w_" + "".join(char if char.isascii() and char.isalnum() else f"_{ord(char):x}_" for char in wire)
