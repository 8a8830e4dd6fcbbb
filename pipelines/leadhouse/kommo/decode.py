"""Rows as the account sent them become Arrow tables: the root table and its child tables."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

import msgspec
import pyarrow as pa

from leadhouse.child_rows import Drift, Rows
from leadhouse.columns import ARROW, VALUE, Kind, as_text, column, is_empty, storable, unix_seconds
from leadhouse.fingerprint import FINGERPRINT, Fingerprinter
from leadhouse.kommo.custom_values import CustomValues
from leadhouse.kommo.fields import Fields
from leadhouse.tables import tables

_CATALOG_LINK = ("catalog_id", "quantity", "price_id")


class Decoder:
    """Decodes rows of one entity of one account.

    Args:
        fields: the entity's fields.
        portal: the account's host.
        zone: the account's time zone.
        region: default region of phone numbers without a country code; None: such numbers have no E.164 form.
    """

    def __init__(self, fields: Fields, portal: str, zone: tzinfo, region: str | None) -> None:
        self.fields = fields
        self._entity = fields.entity
        self._portal = portal
        self._custom = CustomValues(fields.entity, zone, region)
        self._tables = tables("kommo")
        self._schema = self._tables[self._entity.chain.root].schema(fields.extra_columns())
        self._fingerprinter = Fingerprinter()

    def decode(self, rows: Sequence[Any], read_at: datetime) -> tuple[dict[str, pa.Table], int]:
        """Return `rows` (ascending id) as tables, the root first, and how many values fit no column."""
        try:
            return self._decoded(rows, read_at)
        except UnicodeError:
            return self._decoded([_storable_row(row) for row in rows], read_at)

    def close(self) -> None:
        """Free the memory."""
        self._fingerprinter.close()

    def _decoded(self, rows: Sequence[Any], read_at: datetime) -> tuple[dict[str, pa.Table], int]:
        chain = self._entity.chain
        children = {name: Rows(self._tables[name], list(self._tables[name].columns)) for name in chain.children}
        ids = [int(row.w_id) for row in rows]
        drift = Drift(ids, children[self._entity.drift])
        made = self._columns(rows, drift)
        made |= self._apart(ids, rows, children, drift)
        counted = pa.table({name: made[name] for name in self._schema.names if name in made})
        tabled = {name: found.table() for name, found in children.items() if len(found)}
        made[FINGERPRINT] = self._fingerprinter.of(counted, tabled, chain.parent)
        made["synced_at"] = pa.array([read_at] * len(rows), ARROW[Kind.TIMESTAMP])
        filled = [made.get(field.name, pa.nulls(len(rows), field.type)) for field in self._schema]
        root = pa.Table.from_arrays(filled, schema=self._schema)
        return {chain.root: root, **tabled}, drift.count

    def _columns(self, rows: Sequence[Any], drift: Drift) -> dict[str, pa.Array]:
        """Return the columns of what lies at the root of a row."""
        made: dict[str, pa.Array] = {}
        by_attribute = self._transposed(rows)
        for name, (field, kind) in self.fields.columns.items():
            values = by_attribute[self.fields.attributes[field]]
            if kind is Kind.TEXT:
                values = [as_text(value) if isinstance(value, int | list | dict) else value for value in values]
            made[name], misfits = unix_seconds(values) if kind is Kind.TIMESTAMP else column(values, kind)
            for misfit in misfits:
                drift.add(field, misfit.row, values[misfit.row])
        return made

    def _apart(
        self, ids: Sequence[int], rows: Sequence[Any], children: Mapping[str, Rows], drift: Drift
    ) -> dict[str, pa.Array]:
        """Fill the child tables; return the columns that come of what is embedded."""
        reasons: list[str | None] = []
        sources: list[str | None] = []
        companies: list[int | None] = []
        for place, (number, row) in enumerate(zip(ids, rows, strict=True)):
            self._custom.add(number, place, row.w_custom_fields_values, children, drift)
            embedded = row.w__embedded
            if not isinstance(embedded, dict):
                if not is_empty(embedded):
                    drift.add("_embedded", place, embedded)
                embedded = {}
            told = dict(embedded)
            reason = _first(told.pop("loss_reason", None))
            reasons.append(_name(reason))
            sources.append(_name(_first(told.pop("source", None))))
            self._tagged(number, place, told.pop("tags", None), children, drift)
            linked = list(_linked(told.pop("companies", None), "companies", place, drift))
            companies.append(linked[0][0] if linked else None)
            if self._entity.path == "leads":
                self._links((number, place), linked, told, children, drift)
            elif len(linked) > 1:
                drift.add("_embedded.companies", place, embedded["companies"])
            for name, value in told.items():
                if not is_empty(value):
                    drift.add(f"_embedded.{name}", place, value)
        made = {"loss_reason_name": reasons, "source_name": sources, "company_id": companies}
        return {
            name: pa.array(values, self._schema.field(name).type)
            for name, values in made.items()
            if name in self._schema.names
        }

    def _tagged(self, number: int, place: int, told: Any, children: Mapping[str, Rows], drift: Drift) -> None:
        cells = children[self._entity.tags].cells
        for position, (tag, about) in enumerate(_linked(told, "tags", place, drift)):
            cells.append((number, position, tag, _text(about.get("name")), _text(about.get("color"))))

    def _links(
        self,
        at: tuple[int, int],
        companies: Sequence[tuple[int, Mapping[str, Any]]],
        told: dict[str, Any],
        children: Mapping[str, Rows],
        drift: Drift,
    ) -> None:
        number, place = at
        for position, (company, _) in enumerate(companies):
            children["lead_companies"].cells.append((number, position, company))
        for position, (contact, about) in enumerate(_linked(told.pop("contacts", None), "contacts", place, drift)):
            is_main = about.get("is_main")
            flag = is_main if isinstance(is_main, bool) else None
            if flag is None and is_main is not None:
                drift.add("_embedded.contacts.is_main", place, is_main)
            children["lead_contacts"].cells.append((number, position, contact, flag))
        elements = _linked(told.pop("catalog_elements", None), "catalog_elements", place, drift)
        for position, (element, about) in enumerate(elements):
            metadata = about.get("metadata")
            link = metadata if isinstance(metadata, dict) else {}
            catalog, quantity, price = (
                _fitting(kind, link.get(name))
                for name, kind in zip(_CATALOG_LINK, (Kind.BIGINT, Kind.DOUBLE, Kind.BIGINT), strict=True)
            )
            raw = None if is_empty(metadata) else as_text(metadata)
            children["lead_catalog_elements"].cells.append((number, position, element, catalog, quantity, price, raw))

    def _transposed(self, rows: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """Return the values of each attribute; rows that were read before a field became known have none for it."""
        names = self.fields.row_type.__struct_fields__
        if {type(row) for row in rows} == {self.fields.row_type}:
            return dict(zip(names, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True))
        return {name: [getattr(row, name, None) for row in rows] for name in names}


def _linked(told: Any, name: str, place: int, drift: Drift) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield what is embedded under a name, with its ids; what has none is kept as drift."""
    for about in told if isinstance(told, list) else [] if is_empty(told) else [told]:
        number = _fitting(Kind.BIGINT, about.get("id")) if isinstance(about, dict) else None
        if number is None:
            drift.add(f"_embedded.{name}", place, about)
        else:
            yield number, about


def _first(told: Any) -> Any:
    """A loss reason is a list of one in answers, an object in the vendor's description."""
    return told[0] if isinstance(told, list) and told else told


def _name(about: Any) -> str | None:
    return _text(about.get("name")) if isinstance(about, dict) else None


def _text(value: Any) -> str | None:
    return None if is_empty(value) else as_text(value)


def _fitting(kind: Kind, value: Any) -> Any:
    """Return a value as its kind has it, None where it does not fit."""
    try:
        return None if is_empty(value) else VALUE[kind](value)
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return None


def _storable_row(row: Any) -> Any:
    """Return a row whose every text any encoding can hold."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, list):
            return [clean(entry) for entry in value]
        if isinstance(value, dict):
            return {clean(name): clean(entry) for name, entry in value.items()}
        return value

    return type(row)(**{name: clean(getattr(row, name)) for name in row.__struct_fields__})
