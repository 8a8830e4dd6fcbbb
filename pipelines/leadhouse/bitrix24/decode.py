"""Leads as the portal sent them become Arrow tables: `leads` and its child tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import phonenumbers
import pyarrow as pa

from leadhouse.bitrix24.families import MULTIFIELDS
from leadhouse.bitrix24.fields import Field, Fields, Role
from leadhouse.columns import ARROW, VALUE, Kind, as_text, column, is_empty, storable
from leadhouse.fingerprint import FINGERPRINT, Fingerprinter
from leadhouse.tables import Table, tables

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
    def rows(self) -> int:
        """Rows of all tables."""
        return int(self.leads.num_rows) + sum(int(table.num_rows) for table in self.children.values())


class _Rows:
    """Child rows of one table, column by column."""

    def __init__(self, table: Table) -> None:
        self._schema = table.schema()
        self.columns: dict[str, list[Any]] = {name: [] for name in table.columns}

    def add(self, **values: Any) -> None:
        for name, cells in self.columns.items():
            cells.append(values[name])

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def table(self) -> pa.Table:
        return pa.table(self.columns, schema=self._schema)


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
        children = {name: _Rows(self._tables[name]) for name in CHILDREN}
        ids = [int(getattr(row, self.fields.id_attribute)) for row in rows]
        drift = _Drift(ids, children["schema_drift"])
        for field in self.fields.all:
            if field.role is Role.IGNORED:
                continue
            attribute = self.fields.attributes[field.wire]
            values = [getattr(row, attribute, None) for row in rows]
            if field.role is Role.MULTIFIELD:
                self._multifield(field, ids, values, children, drift)
            elif field.role is Role.VALUES:
                _custom_values(field, ids, values, children["lead_custom_values"], drift)
            else:
                made |= _columns(field, values, drift)
        made["id"] = pa.array(ids, pa.int64())
        counted = pa.table({name: made[name] for name in self._schema.names if name in made})
        tabled = {name: rows_.table() for name, rows_ in children.items() if len(rows_)}
        made[FINGERPRINT] = self._fingerprinter.of(counted, tabled)
        made["synced_at"] = pa.array([read_at] * len(rows), ARROW[Kind.TIMESTAMP])
        filled = [made.get(f.name, pa.nulls(len(rows), f.type)) for f in self._schema]
        return LeadBatch(pa.Table.from_arrays(filled, schema=self._schema), tabled, drift.count)

    def close(self) -> None:
        """Free the memory."""
        self._fingerprinter.close()

    def _multifield(
        self, field: Field, ids: list[int], values: list[Any], children: dict[str, _Rows], drift: "_Drift"
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
                cells = {
                    "id": number,
                    "lead_id": ids[row],
                    "position": positions[table],
                    "value": text,
                    "value_type": None if is_empty(value_type) else as_text(value_type),
                }
                if table == "lead_phones":
                    cells["e164"] = e164(text, self._region) if text else None
                children[table].add(**cells)
                positions[table] += 1


class _Drift:
    """Collects values that no column could take."""

    def __init__(self, ids: list[int], rows: _Rows) -> None:
        self._ids = ids
        self._rows = rows
        self._positions: dict[tuple[int, str], int] = {}

    def add(self, field: str, row: int, value: Any) -> None:
        position = self._positions.get((row, field), 0)
        self._positions[row, field] = position + 1
        self._rows.add(lead_id=self._ids[row], field=field, position=position, value=as_text(value))

    @property
    def count(self) -> int:
        return len(self._rows)


def _columns(field: Field, values: list[Any], drift: _Drift) -> dict[str, pa.Array]:
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


def _custom_values(field: Field, ids: list[int], values: list[Any], rows: _Rows, drift: _Drift) -> None:
    render = _RENDER.get(field.kind)
    for row, told in enumerate(values):
        if is_empty(told):
            continue
        entries = list(told.values()) if isinstance(told, dict) and "id" not in told else told
        for position, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            if entry is None or entry == "":
                continue
            plain = _file_id(entry)
            try:
                text = render(plain) if render else as_text(plain)
            except (ValueError, TypeError, KeyError, ArithmeticError):
                drift.add(field.column, row, entry)
                continue
            rows.add(lead_id=ids[row], field=field.column, position=position, value=text)


def _render_date(value: Any) -> str:
    at: date = VALUE[Kind.DATE](value)
    return at.isoformat()


def _render_time(value: Any) -> str:
    at: datetime = VALUE[Kind.TIMESTAMP](value)
    return at.astimezone(UTC).isoformat()


# Times and dates of multiple fields are written alike in both families and all zones; the rest as the portal has it.
_RENDER: dict[Kind, Callable[[Any], str]] = {Kind.DATE: _render_date, Kind.TIMESTAMP: _render_time}


def _number(value: Any) -> int | None:
    try:
        number = int(VALUE[Kind.BIGINT](value))
    except (ValueError, TypeError, ArithmeticError):
        return None
    return number


@lru_cache(maxsize=1 << 16)
def e164(text: str, region: str | None) -> str | None:
    """Return a phone number in E.164 form, None where it cannot be one.

    Args:
        text: as typed.
        region: where it is a local number, the region that it is local to.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
