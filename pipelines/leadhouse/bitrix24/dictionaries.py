"""The portal's dictionaries: fields, variants, stages and sources, users, currencies; small, read whole each run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import structlog

from leadhouse.bitrix24.client import PAGE_ROWS, Batch, Bitrix24Client, Command, Trouble
from leadhouse.bitrix24.fields import Field, Fields, Role
from leadhouse.columns import as_text, column
from leadhouse.errors import LeadhouseError, OperatorError, PortalFaultError, TransientError
from leadhouse.tables import tables

log = structlog.get_logger("leadhouse.bitrix24")

# A dictionary of more pages than this in the opening batch is read on in further batches.
USER_PAGES = 6

Row = dict[str, Any]
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


@dataclass(slots=True)
class Listing:
    """A dictionary read page by page by offset, as the portal's `next` tells.

    Attributes:
        table: the table that it fills; also the key of its commands.
        method: the vendor's method.
        params: parameters besides `start`.
        pages: pages asked for in the opening batch.
        key: field that identifies a row; pages that overlap are merged by it.
        rows: what was read.
        complete: read to its end.
        missing: why the portal does not give it, "" where it does.
    """

    table: str
    method: str
    params: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    pages: int = 1
    rows: dict[tuple[str, ...], Row] = field(default_factory=dict)
    complete: bool = False
    missing: str = ""
    _start: int = 0

    def commands(self) -> dict[str, Command]:
        """Return the commands for the next pages."""
        return {
            f"{self.table}{page}": Command(
                self.method, (*self.params, ("start", str(self._start + page * PAGE_ROWS)))
            )
            for page in range(self.pages)
        }

    def take(self, batch: Batch, portal: str) -> TransientError | None:
        """Take the pages that a batch brought; return what went wrong for now, if anything."""
        for key in self.commands():
            result = batch.results.get(key)
            if result is None:
                problem = batch.errors.get(key)
                if problem is None:
                    return PortalFaultError("a command was not executed", portal=portal, method=self.method)
                if isinstance(problem, TransientError):
                    return problem
                self._refuse(problem)
                return None
            rows = _rows(result)
            if rows is None:
                return PortalFaultError("the answer has another shape", portal=portal, method=self.method)
            for row in rows:
                self.rows[tuple(str(row.get(name)) for name in self.key)] = row
            following = batch.nexts.get(key)
            if not isinstance(following, int | str) or not str(following).isdigit() or int(following) <= self._start:
                self.complete = True
                return None
            self._start = int(following)
        self.pages = PAGE_ROWS
        return None

    def _refuse(self, problem: LeadhouseError) -> None:
        self.missing = problem.code or str(problem.args[0])
        self.complete = True
        log.warning("the portal does not give a dictionary; its table stays as it is", table=self.table, why=str(problem))


def _rows(result: msgspec.Raw) -> list[Row] | None:
    try:
        told = _LOOSE.decode(result)
    except msgspec.MsgspecError:
        return None
    if isinstance(told, dict):
        told = told.get("items", list(told.values()))
    return told if isinstance(told, list) and all(isinstance(row, dict) for row in told) else None


_LOOSE: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=str)


def listings() -> list[Listing]:
    """Return the dictionaries to read, none of them read yet."""
    return [
        Listing("userfields", "crm.lead.userfield.list", (("order[ID]", "ASC"),), ("FIELD_NAME",)),
        Listing("statuses", "crm.status.list", (("order[ID]", "ASC"),), ("ENTITY_ID", "STATUS_ID")),
        Listing("currencies", "crm.currency.list", (("order[SORT]", "ASC"),), ("CURRENCY",)),
        Listing("users", "user.get", (("sort", "ID"), ("order", "ASC")), ("ID",), USER_PAGES),
    ]


def read_on(client: Bitrix24Client, unread: Sequence[Listing]) -> None:
    """Read listings to their end in batches of their own.

    Raises:
        TransientError: the portal did not give them.
    """
    trouble = Trouble()
    for listing in unread:
        while not listing.complete:
            problem = listing.take(client.batch(listing.commands(), halt=False), client.portal)
            if problem is not None:
                client.stalled(problem, trouble)
            else:
                trouble = Trouble()


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


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) and value else value


def field_tables(fields: Fields, seen_at: datetime) -> dict[str, pa.Table]:
    """Return `lead_fields` and `lead_field_options`; `seen_at` is the portal's clock."""
    contract = tables("bitrix24")
    by_name = {told.name: told for told in fields.all if told.role is not Role.IGNORED}
    described, options = [], []
    for name in sorted({*fields.described, *by_name} - {"FM"}):
        about = dict(fields.described.get(name, ("", {}))[1])
        row = fields.userfields.get(name, {})
        placed = by_name.get(name)
        described.append(_field_row(name, about, row, placed))
        options.extend(_options(placed, about, row, seen_at))
    return {
        "lead_fields": pa.Table.from_pylist(described, schema=contract["lead_fields"].schema()),
        "lead_field_options": pa.Table.from_pylist(options, schema=contract["lead_field_options"].schema()),
    }


def _field_row(name: str, about: Row, row: Row, placed: Field | None) -> Row:
    settings = row.get("SETTINGS") or about.get("settings")
    return {
        "name": name,
        "column_name": placed.column or None if placed else None,
        "type": row.get("USER_TYPE_ID") or about.get("type"),
        "title": about.get("listLabel") or about.get("formLabel") or about.get("title"),
        "is_multiple": row["MULTIPLE"] == "Y" if "MULTIPLE" in row else bool(about.get("isMultiple")),
        "is_required": row["MANDATORY"] == "Y" if "MANDATORY" in row else bool(about.get("isRequired")),
        "is_read_only": bool(about.get("isReadOnly")),
        "is_custom": name.startswith("UF_"),
        "status_type": about.get("statusType") or (row.get("SETTINGS") or {}).get("ENTITY_TYPE"),
        "settings": as_text(settings) if settings else None,
    }


def _options(placed: Field | None, about: Row, row: Row, seen_at: datetime) -> list[Row]:
    variants = row.get("LIST") or about.get("items") or []
    if placed is None or not isinstance(variants, list):
        return []
    return [
        {
            "field": placed.column,
            "id": int(variant["ID"]),
            "value": variant.get("VALUE"),
            "sort": int(variant["SORT"]) if str(variant.get("SORT") or "").isdigit() else None,
            "is_default": variant.get("DEF") == "Y",
            "last_seen_at": seen_at,
        }
        for variant in variants
        if str(variant.get("ID") or "").isdigit()
    ]

