"""The portal's dictionaries: fields, variants, stages and sources, users, currencies; small, read whole each run."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from leadhouse import logs
from leadhouse.bitrix24.client import Batch, Bitrix24Client, Command
from leadhouse.bitrix24.fields import Field, Fields, Role
from leadhouse.bitrix24.listing import Listing, Row, read_on
from leadhouse.columns import as_text, column, is_empty
from leadhouse.errors import OperatorError, TransientError
from leadhouse.tables import tables

log = logs.get_logger("leadhouse.bitrix24")

_NUMBER = re.compile(r"[0-9]{1,18}")

# A dictionary of more pages than this in the opening batch is read on in further batches.
USER_PAGES = 6
PLAIN_TABLES = ("statuses", "currencies", "users")

_COLUMN_OF: Mapping[str, Mapping[str, str]] = {
    "statuses": {
        "id": "ID",
        "entity_id": "ENTITY_ID",
        "status_id": "STATUS_ID",
        "name": "NAME",
        "name_init": "NAME_INIT",
        "sort": "SORT",
        "is_system": "SYSTEM",
        "semantics": "SEMANTICS",
        "color": "COLOR",
    },
    "users": {
        "id": "ID",
        "is_active": "ACTIVE",
        "name": "NAME",
        "last_name": "LAST_NAME",
        "second_name": "SECOND_NAME",
        "email": "EMAIL",
        "work_position": "WORK_POSITION",
        "user_type": "USER_TYPE",
        "department_ids": "UF_DEPARTMENT",
    },
    "currencies": {
        "currency": "CURRENCY",
        "amount_cnt": "AMOUNT_CNT",
        "amount": "AMOUNT",
        "sort": "SORT",
        "is_base": "BASE",
        "full_name": "FULL_NAME",
        "decimals": "DECIMALS",
    },
    "lead_stage_history": {
        "id": "ID",
        "lead_id": "OWNER_ID",
        "type_id": "TYPE_ID",
        "created_time": "CREATED_TIME",
        "status_semantic_id": "STATUS_SEMANTIC_ID",
        "status_id": "STATUS_ID",
    },
}


class Dictionaries:
    """The dictionaries of one portal, as far as they are read.

    Args:
        client: the portal.
    """

    def __init__(self, client: Bitrix24Client) -> None:
        self._client = client
        self._listings = {listing.table: listing for listing in _listings()}

    def commands(self) -> dict[str, Command]:
        """Return the commands of the next pages of all that is unread."""
        return {
            key: command
            for listing in self._listings.values()
            if not listing.complete
            for key, command in listing.commands().items()
        }

    def take(self, batch: Batch) -> TransientError | None:
        """Take what a batch brought, reading on where it was not enough; return what went wrong for now."""
        for listing in self._listings.values():
            if not listing.complete:
                problem = listing.take(batch, self._client.portal)
                if problem is not None:
                    return problem
        read_on(self._client, list(self._listings.values()))
        return None

    def userfields_again(self) -> None:
        """Read the user fields again: somebody made one during the run."""
        if not self._listings["userfields"].missing:
            self._listings["userfields"].complete = False
            read_on(self._client, [self._listings["userfields"]])

    @property
    def userfields(self) -> list[Row]:
        """Rows of `crm.lead.userfield.list`; empty where the portal does not give them."""
        return list(self._listings["userfields"].rows.values())

    @property
    def unavailable(self) -> list[str]:
        """Tables that the portal does not give to this webhook."""
        return [name for name in PLAIN_TABLES if self._listings[name].missing]

    def tables(self, fields: Fields, now: datetime) -> dict[str, pa.Table]:
        """Return every dictionary that could be read; `now` is the portal's clock (UTC)."""
        made = field_tables(fields, now)
        for name in PLAIN_TABLES:
            if not self._listings[name].missing:
                made[name] = table_of(name, list(self._listings[name].rows.values()))
        return made


def _listings() -> list[Listing]:
    """Return the dictionaries to read, none of them read yet."""
    return [
        Listing("userfields", "crm.lead.userfield.list", (("order[ID]", "ASC"),), ("FIELD_NAME",)),
        Listing("statuses", "crm.status.list", (("order[ID]", "ASC"),), ("ENTITY_ID", "STATUS_ID")),
        Listing("currencies", "crm.currency.list", (("order[SORT]", "ASC"),), ("CURRENCY",)),
        Listing("users", "user.get", (("sort", "ID"), ("order", "ASC")), ("ID",), USER_PAGES),
    ]


def table_of(name: str, rows: Sequence[Row]) -> pa.Table:
    """Return rows as the portal sent them as the table `name` of the contract.

    Raises:
        OperatorError: a key of a row is missing.
    """
    contract = tables("bitrix24")[name]
    names = _COLUMN_OF[name]
    made: dict[str, pa.Array] = {}
    for told in contract.columns.values():
        values = [_plain(row.get(names[told.name])) for row in rows]
        made[told.name], misfits = column(values, told.kind)
        if told.name in contract.key and (made[told.name].null_count or misfits):
            raise OperatorError(f"rows of {name} without {told.name}; report this to leadhouse")
        for misfit in misfits:
            log.warning("a value of a dictionary did not fit its column", table=name, column=told.name, row=misfit.row)
    return pa.table(made, schema=contract.schema())


def _text(value: Any) -> str | None:
    return None if is_empty(value) else as_text(value)


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) and value else value


def field_tables(fields: Fields, seen_at: datetime) -> dict[str, pa.Table]:
    """Return `lead_fields` and `lead_field_options`; `seen_at` is the portal's clock."""
    contract = tables("bitrix24")
    by_name = {told.name: told for told in fields.all if told.role not in (Role.IGNORED, Role.MULTIFIELD)}
    standard = {told.field for told in contract["leads"].columns.values() if told.field}
    described, options = [], []
    for name in sorted({*by_name, *standard}):
        about = dict(fields.described.get(name, ("", {}))[1])
        row = fields.userfields.get(name, {})
        placed = by_name.get(name)
        described.append(_field_row(name, about, row, placed))
        options.extend(_options(placed, about, row, seen_at))
    return {
        "lead_fields": pa.Table.from_pylist(described, schema=contract["lead_fields"].schema()),
        "lead_field_options": pa.Table.from_pylist(options, schema=contract["lead_field_options"].schema()),
    }


def _field_row(name: str, about: Row, row: Mapping[str, Any], placed: Field | None) -> Row:
    settings = row.get("SETTINGS") or about.get("settings")
    own = row.get("SETTINGS")
    return {
        "name": name,
        "column_name": placed.column if placed else name.lower(),
        "type": _text(row.get("USER_TYPE_ID") or about.get("type")),
        "title": _text(about.get("listLabel") or about.get("formLabel") or about.get("title")),
        "is_multiple": row["MULTIPLE"] == "Y" if "MULTIPLE" in row else bool(about.get("isMultiple")),
        "is_required": row["MANDATORY"] == "Y" if "MANDATORY" in row else bool(about.get("isRequired")),
        "is_read_only": bool(about.get("isReadOnly")),
        "is_custom": name.startswith("UF_"),
        "status_type": _text(about.get("statusType") or (own.get("ENTITY_TYPE") if isinstance(own, dict) else None)),
        "settings": as_text(settings) if settings else None,
    }


def _options(placed: Field | None, about: Row, row: Mapping[str, Any], seen_at: datetime) -> list[Row]:
    variants = row.get("LIST") or about.get("items") or []
    if placed is None or not isinstance(variants, list):
        return []
    return [
        {
            "field": placed.column,
            "id": int(variant["ID"]),
            "value": _text(variant.get("VALUE")),
            "sort": int(variant["SORT"]) if _NUMBER.fullmatch(str(variant.get("SORT"))) else None,
            "is_default": variant.get("DEF") == "Y",
            "last_seen_at": seen_at,
        }
        for variant in variants
        if isinstance(variant, dict) and _NUMBER.fullmatch(str(variant.get("ID")))
    ]
