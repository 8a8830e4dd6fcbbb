"""The portal's dictionaries: fields, variants, stages and sources, users, currencies; small, read whole each run."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from leadhouse import logs
from leadhouse.bitrix24.client import Batch, Bitrix24Client, Command
from leadhouse.bitrix24.families import MULTIFIELDS, NOT_LISTED
from leadhouse.bitrix24.fields import Fields, Role
from leadhouse.bitrix24.listing import Listing, Row, read_on
from leadhouse.columns import as_text, column, column_name, is_empty
from leadhouse.errors import OperatorError, TransientError
from leadhouse.seen_times import TIMES
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
        language: of the titles of user fields ("ru"), None for the portal's.
    """

    def __init__(self, client: Bitrix24Client, language: str | None = None) -> None:
        self._client = client
        self._listings = {listing.table: listing for listing in _listings(language)}

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

    def tables(self, fields: Fields) -> dict[str, pa.Table]:
        """Return every dictionary that could be read; the flow adds the times of seeing."""
        made = field_tables(fields)
        for name in PLAIN_TABLES:
            if not self._listings[name].missing:
                made[name] = table_of(name, list(self._listings[name].rows.values()))
        return made


def _listings(language: str | None) -> list[Listing]:
    """Return the dictionaries to read, none of them read yet."""
    labels = (("filter[LANG]", language),) if language else ()
    return [
        Listing("userfields", "crm.lead.userfield.list", (("order[ID]", "ASC"), *labels), ("FIELD_NAME",)),
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
        values = [_plain(row.get(names[told.name])) for row in map(_whole, rows)]
        made[told.name], misfits = column(values, told.kind)
        if told.name in contract.key and (made[told.name].null_count or misfits):
            raise OperatorError(f"rows of {name} without {told.name}; report this to leadhouse")
        for misfit in misfits:
            log.warning("a value of a dictionary did not fit its column", table=name, column=told.name, row=misfit.row)
    return pa.table(made, schema=contract.schema())


# What stages of some dictionaries tell only of in EXTRA.
_OUTCOMES = {"success": "S", "failure": "F", "apology": "F"}


def _whole(row: Row) -> Row:
    """Return an entry of a dictionary with what stands in its EXTRA alone, colour and outcome of a stage."""
    extra = row.get("EXTRA")
    if not isinstance(extra, dict):
        return row
    semantics = row.get("SEMANTICS") or _OUTCOMES.get(str(extra.get("SEMANTICS")))
    return {**row, "COLOR": row.get("COLOR") or extra.get("COLOR"), "SEMANTICS": semantics}


def _text(value: Any) -> str | None:
    return None if is_empty(value) else as_text(value)


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) and value else value


def field_tables(fields: Fields) -> dict[str, pa.Table]:
    """Return `lead_fields` and `lead_field_options`, without the times at which rows were seen."""
    contract = tables("bitrix24")
    by_name = {told.name: told for told in fields.all if told.role not in (Role.IGNORED, Role.MULTIFIELD)}
    standard = {told.field: column for column, told in contract["leads"].columns.items() if told.field}
    described, options = [], []
    for name in sorted({*by_name, *standard, *MULTIFIELDS, *(NOT_LISTED & fields.described.keys())}):
        about = dict(fields.described.get(name, ("", {}))[1])
        row = dict(fields.userfields.get(name, {}))
        placed = by_name.get(name)
        column = placed.column if placed else standard.get(name) or MULTIFIELDS.get(name) or column_name(name)
        described.append(_field_row(name, column, about, row, fields.places.remembered(name)))
        options.extend(_options(column, about, row))
    return {
        "lead_fields": pa.Table.from_pylist(described, schema=contract["lead_fields"].schema()),
        "lead_field_options": pa.Table.from_pylist(options, schema=contract["lead_field_options"].schema()),
    }


def _field_row(name: str, column: str, about: Row, row: Row, remembered: Mapping[str, Any]) -> Row:
    """Return a row of `lead_fields`; what the family in use does not describe is as it was told before."""
    own = row.get("SETTINGS")
    if not about and not row and remembered.get("column_name") == column:
        return {key: told for key, told in remembered.items() if key not in TIMES}
    if name in MULTIFIELDS:  # crm.item.fields has one field for all of them
        about = {"type": "crm_multifield", "isMultiple": True, **about}
    settings = own or about.get("settings")
    labels = (row.get(key) for key in ("LIST_COLUMN_LABEL", "EDIT_FORM_LABEL", "LIST_FILTER_LABEL"))
    title = next((text for label in labels if (text := _text(label))), None)
    return {
        "name": name,
        "column_name": column,
        "type": _text(row.get("USER_TYPE_ID") or about.get("type")),
        "title": title or _text(about.get("listLabel") or about.get("formLabel") or about.get("title")),
        "is_multiple": row["MULTIPLE"] == "Y" if "MULTIPLE" in row else bool(about.get("isMultiple")),
        "is_required": row["MANDATORY"] == "Y" if "MANDATORY" in row else bool(about.get("isRequired")),
        "is_read_only": bool(about.get("isReadOnly")),
        "is_custom": name.startswith("UF_"),
        "status_type": _text(about.get("statusType") or (own.get("ENTITY_TYPE") if isinstance(own, dict) else None)),
        "settings": as_text(settings) if settings else None,
    }


def _options(column: str, about: Row, row: Row) -> list[Row]:
    variants = row.get("LIST") or about.get("items") or []
    if isinstance(variants, dict):  # PHP sends a list with gaps as an object
        variants = list(variants.values())
    if not isinstance(variants, list):
        return []
    return [
        {
            "field": column,
            "id": int(variant["ID"]),
            "value": _text(variant.get("VALUE")),
            "sort": int(variant["SORT"]) if _NUMBER.fullmatch(str(variant.get("SORT"))) else None,
            "is_default": variant.get("DEF") == "Y",
        }
        for variant in variants
        if isinstance(variant, dict) and _NUMBER.fullmatch(str(variant.get("ID")))
    ]
