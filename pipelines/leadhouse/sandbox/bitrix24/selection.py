"""Which columns of a classic lead an answer carries, and their encoding (reference: bitrix24 5.1 and 5.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from leadhouse.sandbox import php

from .fields import MULTIFIELDS, STANDARD, kind
from .quirks import PLAIN_CLASSIC
from .store import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from .portal import Portal
    from .store import Lead, Row

_OFFSET = re.compile(r"([+-]\d\d):(\d\d)$")
_EVERYTHING = frozenset({"*", "UF_*", *MULTIFIELDS})
_STANDARD = frozenset(STANDARD)


def normal_select(select: Any) -> frozenset[str]:
    """Return the masks and names of a select; without any it is ``*``."""
    names = frozenset(str(name) for name in php.values(select) if not php.is_array(name)) if select else frozenset()
    return names or frozenset({"*"})


def row_encoder(portal: Portal, select: frozenset[str]) -> Callable[[Row], bytes]:
    """Return the function that encodes a row for the select, under the portal's present quirks."""
    style = portal.quirks.classic_style()
    plain = style == PLAIN_CLASSIC
    if plain and not portal.oddities:
        if select >= _EVERYTHING:
            return lambda row: portal.current(row).body
        if select == {"ID"}:
            return lambda row: b'{"ID":"%d"}' % row.id
        if select == {"ID", "DATE_MODIFY"}:
            return lambda row: f'{{"ID":"{row.id}","DATE_MODIFY":"{portal.iso(row.modified)}"}}'.encode()
    cached = portal.store.encoding((select, style, portal.schema_version))

    def encode_row(row: Row) -> bytes:
        if not portal.store.holds(row):
            return encode(selected(portal, row, select))
        found = cached.get(row.id)
        if found is None:
            found = cached[row.id] = encode(selected(portal, row, select))
        return found

    return encode_row


def selected(portal: Portal, row: Row, select: frozenset[str]) -> Lead:
    """Return the selected columns of a lead as the portal's quirks show them."""
    lead = portal.current(row).lead()
    custom = portal.userfield_map
    names = {"ID", *select}
    if "*" in select:
        names |= _STANDARD
    if "UF_*" in select:
        names |= custom.keys()
    lead = {name: value for name, value in lead.items() if name in names}
    if portal.quirks.classic_style() != PLAIN_CLASSIC:
        lead = {name: _styled(portal, name, value) for name, value in lead.items()}
    known = {*_STANDARD, *custom, *MULTIFIELDS}
    for name, fragment in portal.oddities.get(row.id, {}).items():
        strange = "*" in select and name not in known
        if name in names or strange:
            lead[name] = msgspec.Raw(fragment)
    return lead


def _styled(portal: Portal, name: str, value: Any) -> Any:
    quirks = portal.quirks
    field = portal.userfield_map.get(name)
    field_kind = field.kind if field else "multi" if name in MULTIFIELDS else kind(name)
    multiple = field is not None and field.multiple
    if multiple and value is False:
        return [] if quirks.empty_multiple == "list" else False
    if isinstance(value, list) and field_kind != "multi":
        return [_styled_one(portal, field_kind, entry) for entry in value]
    return _styled_one(portal, field_kind, value)


def _styled_one(portal: Portal, field_kind: str, value: Any) -> Any:
    quirks = portal.quirks
    if field_kind == "boolean" and quirks.boolean_uf == "digits" and isinstance(value, bool):
        return "1" if value else "0"
    if field_kind == "integer" and quirks.integers_as_numbers and isinstance(value, str) and value:
        return int(value)
    if field_kind in {"datetime", "date"} and quirks.short_offsets and isinstance(value, str):
        return _OFFSET.sub(r"\1\2", value)
    return value
