"""Leads as the portal sent them become Arrow tables: `leads` and its child tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from leadhouse.bitrix24.families import MULTIFIELDS
from leadhouse.bitrix24.fields import Field, Fields, Role
from leadhouse.child_rows import Drift, Rows
from leadhouse.columns import ARROW, VALUE, Kind, as_text, column, is_empty, storable
from leadhouse.fingerprint import FINGERPRINT, Fingerprinter
from leadhouse.phone import e164
from leadhouse.tables import tables

CHILDREN = (*MULTIFIELDS.values(), "lead_custom_values", "schema_drift")


@dataclass(slots=True)
class LeadBatch:
    """Leads in ascending id with all their child rows.

    Attributes:
        leads: the contract's columns and the portal's own; one row a lead.
        children: child tables by name, those with rows only.
        misfits: values that did not fit their column (kept in `schema_drift`).
    """

    leads: pa.Table
    children: dict[str, pa.Table]
    misfits: int = 0

    @property
    def tables(self) -> dict[str, pa.Table]:
        """All tables by name, `leads` first."""
        return {"leads": self.leads, **self.children}

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return int(self.leads.num_rows) + sum(int(table.num_rows) for table in self.children.values())


_VALUE_CELLS = ("lead_id", "field", "position", "value")
_ENTRY_CELLS = ("id", "lead_id", "position", "value", "value_type")
_PHONE_CELLS = (*_ENTRY_CELLS, "e164")


class Decoder:
    """Decodes leads of one portal.

    Args:
        fields: the portal's fields.
        region: default region of phone numbers without a country code (ISO 3166, for example "KZ"); None: such
            numbers have no E.164 form.
    """

    def __init__(self, fields: Fields, region: str | None) -> None:
        self.fields = fields
        self._region = region
        self._tables = tables("bitrix24")
        self._schema = self._tables["leads"].schema(fields.extra_columns())
        self._fingerprinter = Fingerprinter()

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of `leads`."""
        return self._schema

    def decode(self, rows: Sequence[Any], read_at: datetime) -> LeadBatch:
        """Return `rows` (structs of `fields.row_type`, ascending id) as tables; `read_at` becomes `synced_at`."""
        made: dict[str, pa.Array] = {}
        tabled: dict[str, pa.Table] = {}
        children = {name: Rows(self._tables[name], _cells(name)) for name in CHILDREN}
        by_attribute = self._transposed(rows)
        ids = [int(number) for number in by_attribute[self.fields.id_attribute]]
        drift = Drift(ids, children["schema_drift"])
        for field in self.fields.all:
            if field.role is Role.IGNORED:
                continue
            values = by_attribute[self.fields.attributes[field.wire]]
            if field.role is Role.MULTIFIELD:
                entries = self._plain_multifield(field, ids, values)
                if entries is None:
                    self._multifield(field, ids, values, children, drift)
                elif entries.num_rows:
                    tabled[MULTIFIELDS[field.name]] = entries
            elif field.role is Role.VALUES:
                _custom_values(field, ids, values, children["lead_custom_values"], drift)
            else:
                made |= _columns(field, values, drift)
        made["id"] = pa.array(ids, pa.int64())
        counted = pa.table({name: made[name] for name in self._schema.names if name in made})
        tabled |= {name: rows_.table() for name, rows_ in children.items() if len(rows_)}
        tabled = {name: tabled[name] for name in CHILDREN if name in tabled}
        made[FINGERPRINT] = self._fingerprinter.of(counted, tabled, "lead_id")
        made["synced_at"] = pa.array([read_at] * len(rows), ARROW[Kind.TIMESTAMP])
        filled = [made.get(f.name, pa.nulls(len(rows), f.type)) for f in self._schema]
        return LeadBatch(pa.Table.from_arrays(filled, schema=self._schema), tabled, drift.count)

    def close(self) -> None:
        """Free the memory."""
        self._fingerprinter.close()

    def _transposed(self, rows: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """Return the values of each attribute; rows that were read before a field became known have none for it."""
        names = self.fields.row_type.__struct_fields__
        if {type(row) for row in rows} == {self.fields.row_type}:
            return dict(zip(names, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True))
        return {name: [getattr(row, name, None) for row in rows] for name in names}

    def _plain_multifield(self, field: Field, ids: list[int], values: Sequence[Any]) -> pa.Table | None:
        """Return a multifield of crm.lead as its table, column by column; None where any entry is not as promised."""
        lead_ids: list[int] = []
        positions: list[int] = []
        entries: list[dict[str, Any]] = []
        for lead_id, told in zip(ids, values, strict=True):
            if type(told) is list:
                entries += told
                lead_ids += [lead_id] * len(told)
                positions += range(len(told))
            elif told is not None and told is not False:
                return None
        table = MULTIFIELDS.get(field.name)
        if table is None or (entries and {type(entry) for entry in entries} != {dict}):
            return None
        cells: dict[str, Any] = {"lead_id": lead_ids, "position": positions}
        try:
            numbers = [entry["ID"] for entry in entries]
            if not all(map(str.isdecimal, numbers)):
                return None
            cells["id"] = pc.cast(pa.array(numbers, pa.string()), pa.int64())
            for cell, key in (("value", "VALUE"), ("value_type", "VALUE_TYPE")):
                texts = pa.array([entry.get(key) for entry in entries], pa.string())
                cells[cell] = pc.if_else(pc.equal(texts, ""), None, texts)
        except (pa.ArrowException, UnicodeError, TypeError, KeyError):
            return None
        if table == "lead_phones":
            cells["e164"] = [e164(text, self._region) if text else None for text in cells["value"].to_pylist()]
        schema = self._tables[table].schema()
        return pa.table({name: cells[name] for name in schema.names}, schema=schema)

    def _multifield(
        self, field: Field, ids: list[int], values: Sequence[Any], children: dict[str, Rows], drift: Drift
    ) -> None:
        """Multifields: a list a type (crm.lead), or one list of all types (crm.item's `fm`)."""
        item = field.name == "FM"
        id_key, type_key, value_key = ("id", "valueType", "value") if item else ("ID", "VALUE_TYPE", "VALUE")
        for row, entries in enumerate(values):
            if is_empty(entries):
                continue
            if isinstance(entries, dict):
                entries = list(entries.values())  # noqa: PLW2901 - PHP sends a list with gaps as an object
            if not isinstance(entries, list):
                drift.add(field.column or field.name.lower(), row, entries)
                continue
            positions = dict.fromkeys(MULTIFIELDS.values(), 0)
            for entry in entries:
                told = entry if isinstance(entry, dict) else {}
                table = MULTIFIELDS.get(str(told.get("typeId")) if item else field.name)
                number = _number(told.get(id_key))
                if table is None or number is None:
                    drift.add(table or field.name.lower(), row, entry)
                    continue
                value, value_type = told.get(value_key), told.get(type_key)
                text = None if is_empty(value) else as_text(value)
                kind = None if is_empty(value_type) else as_text(value_type)
                phone = (e164(text, self._region) if text else None,) if table == "lead_phones" else ()
                children[table].cells.append((number, ids[row], positions[table], text, kind, *phone))
                positions[table] += 1


def _cells(table: str) -> Sequence[str]:
    if table not in MULTIFIELDS.values():
        return _VALUE_CELLS
    return _PHONE_CELLS if table == "lead_phones" else _ENTRY_CELLS


def _columns(field: Field, values: Sequence[Any], drift: Drift) -> dict[str, pa.Array]:
    if field.role is Role.MONEY:
        pairs = [_money(value) for value in values]
        amounts, misfits = column([amount for amount, _ in pairs], Kind.DECIMAL)
        for misfit in misfits:
            drift.add(field.column, misfit.row, values[misfit.row])
        currencies, _ = column([currency for _, currency in pairs], Kind.TEXT)
        return {field.column: amounts, f"{field.column}_currency": currencies}
    if field.role is Role.FILE:
        values = [_file_id(value) for value in values]
    array, misfits = column(values, field.kind, field.none)
    for misfit in misfits:
        drift.add(field.column, misfit.row, values[misfit.row])
    return {field.column: array}


def _money(value: Any) -> tuple[Any, str | None]:
    """`"300|RUB"` is 300 and RUB; a bare number has no currency."""
    if not isinstance(value, str):
        return value, None
    amount, _, currency = value.partition("|")
    return amount, storable(currency) or None


def _file_id(value: Any) -> Any:
    """A file is `{id, url…}`; its addresses differ between the families and hold access tokens, its id does not."""
    if isinstance(value, dict):
        return value.get("id", value.get("ID", value))
    return value


def _custom_values(field: Field, ids: list[int], values: Sequence[Any], rows: Rows, drift: Drift) -> None:
    render = _RENDER.get(field.kind, as_text)
    plain, column, append = render is as_text, field.column, rows.cells.append
    for row, told in enumerate(values):
        if told is False or is_empty(told):
            continue
        entries = list(told.values()) if isinstance(told, dict) and "id" not in told else told
        for position, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            if entry is None or entry == "" or (field.none and str(_file_id(entry)) in field.none):
                continue
            try:
                text = storable(entry) if plain and isinstance(entry, str) else render(_file_id(entry))
            except (ValueError, TypeError, KeyError, ArithmeticError):
                drift.add(column, row, entry)
                continue
            append((ids[row], column, position, text))


def _render_date(value: Any) -> str:
    at: date = VALUE[Kind.DATE](value)
    return at.isoformat()


def _render_time(value: Any) -> str:
    at: datetime = VALUE[Kind.TIMESTAMP](value)
    return at.astimezone(UTC).isoformat()


def _render_flag(value: Any) -> str:
    return as_text(VALUE[Kind.BOOLEAN](value))


# Times, dates and flags of multiple fields are written alike in both families and all zones; the rest as the portal
# has it.
_RENDER: dict[Kind, Callable[[Any], str]] = {
    Kind.DATE: _render_date,
    Kind.TIMESTAMP: _render_time,
    Kind.BOOLEAN: _render_flag,
}


def _number(value: Any) -> int | None:
    try:
        number = int(VALUE[Kind.BIGINT](value))
    except (ValueError, TypeError, ArithmeticError):
        return None
    return number
