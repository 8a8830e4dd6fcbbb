"""What is known of an account beside its rows: its clock, its zone, and dictionaries with requests of their own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import pyarrow as pa

from leadhouse import logs
from leadhouse.columns import Kind, column, is_empty, unix_seconds
from leadhouse.errors import OperatorError, PermissionDeniedError, PortalFaultError, PortalMethodError
from leadhouse.kommo.client import KommoClient, Reply
from leadhouse.tables import tables

log = logs.get_logger("leadhouse.kommo")

Row = dict[str, Any]
FIELDS_OF = ("leads", "contacts", "companies")
_KINDS = {142: "won", 143: "lost"}
_PAGE = ("limit", "250")


def clock(reply: Reply, portal: str) -> datetime:
    """Return the account's clock when an answer was asked for (UTC, whole seconds).

    Raises:
        PortalFaultError: the answer tells no time.
    """
    if reply.at is None:
        raise PortalFaultError("the answer tells no time (no Date header)", portal=portal)
    return reply.at - timedelta(seconds=int(reply.took))


class Account:
    """One account.

    Args:
        client: the account.

    Attributes:
        unavailable: tables that the account does not give to this access.
    """

    def __init__(self, client: KommoClient) -> None:
        self._client = client
        self._about: Row = {}
        self.unavailable: list[str] = []

    def open(self) -> datetime:
        """Read the account itself; return its clock.

        Raises:
            LeadhouseError: it refused, or cannot be read.
        """
        reply = self._client.get("account", [("with", "datetime_settings,is_api_filter_enabled")])
        self._about = _object(reply, self._client.portal, "account")
        return clock(reply, self._client.portal)

    @property
    def zone(self) -> str:
        """The account's time zone: an IANA name, else its offset like "+03:00", else "UTC" where it tells none."""
        told = self._about.get("_embedded")
        settings = told.get("datetime_settings") if isinstance(told, dict) else None
        names = [settings.get(name) for name in ("timezone", "timezone_offset")] if isinstance(settings, dict) else []
        for name in names:
            if isinstance(name, str) and zone_of(name) is not None:
                return name
        log.warning("the account tells no time zone that is known here; its dates are read as days in UTC")
        return "UTC"

    def tables(self) -> dict[str, pa.Table]:
        """Read the dictionaries; the flow adds the times of seeing.

        Raises:
            LeadhouseError: the account refused, or cannot be read.
        """
        self.unavailable = []
        pipelines = self._optional("leads/pipelines", "pipelines", ("pipelines", "statuses"))
        fields = [
            {"entity_type": entity, **row}
            for entity in FIELDS_OF
            for row in self._optional(f"{entity}/custom_fields", "custom_fields", ())
        ]
        options = [
            {"entity_type": row["entity_type"], "field_id": row.get("id"), **option}
            for row in fields
            for option in row.get("enums") or ()
            if isinstance(option, dict)
        ]
        made = {
            "account": [self._row()],
            "pipelines": pipelines,
            "statuses": [row for pipeline in pipelines for row in _statuses(pipeline)],
            "loss_reasons": self._optional("leads/loss_reasons", "loss_reasons"),
            "users": self._optional("users", "users"),
            "custom_fields": fields,
            "custom_field_options": options,
        }
        return {name: _table(name, rows) for name, rows in made.items() if name not in self.unavailable}

    def _row(self) -> Row:
        return {**self._about, "url": f"https://{self._client.portal}", "timezone": self.zone}

    def _optional(self, path: str, name: str, tables: Sequence[str] | None = None) -> list[Row]:
        """Return the rows of a list; where the account does not give it, its tables stay as they are."""
        try:
            return list(rows_of(self._client, path, name))
        except (PermissionDeniedError, PortalMethodError) as error:
            log.warning("the account does not give a dictionary; its table stays as it is", list=path, why=str(error))
        self.unavailable = [*self.unavailable, *((name,) if tables is None else tables)]
        return []


def rows_of(client: KommoClient, path: str, name: str, params: list[tuple[str, str]] | None = None) -> Iterator[Row]:
    """Yield the rows of a list from its first page to its last.

    Raises:
        LeadhouseError: the account refused, or cannot be read.
    """
    reply = client.get(path, [_PAGE, *(params or [])])
    while reply.status != 204:
        told = _object(reply, client.portal, path)
        embedded = told.get("_embedded")
        rows = embedded.get(name) if isinstance(embedded, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise PortalFaultError("the list has another shape", portal=client.portal, method=path)
        yield from rows
        links = told.get("_links")
        link = links.get("next") if isinstance(links, dict) else None
        href = link.get("href") if isinstance(link, dict) else None
        if not isinstance(href, str):
            return
        reply = client.follow(href)
        if reply.status == 204:  # a list that ends behind a promised page is asked for once more
            reply = client.follow(href)


def zone_of(name: str) -> tzinfo | None:
    """Return a time zone by its IANA name or by its offset, None where it is unknown here."""
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(name)
    with suppress(ValueError):
        return datetime.strptime(name, "%z").tzinfo
    return None


def _object(reply: Reply, portal: str, method: str) -> Row:
    told: Any = None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        told = msgspec.json.decode(reply.body) if reply.status != 204 else None
    if not isinstance(told, dict):
        raise PortalFaultError("the answer has another shape", portal=portal, method=method)
    return told


def _statuses(pipeline: Row) -> list[Row]:
    embedded = pipeline.get("_embedded")
    rows = embedded.get("statuses") if isinstance(embedded, dict) else None
    return [
        {"pipeline_id": pipeline.get("id"), **row, "kind": _KINDS.get(row.get("id", 0), "open")}
        for row in rows or ()
        if isinstance(row, dict)
    ]


def _table(name: str, rows: list[Row]) -> pa.Table:
    """Return rows as the account sent them as a table of the contract.

    Raises:
        OperatorError: a key of a row is missing.
    """
    contract = tables("kommo")[name]
    paths = [contract.columns[column].field or column for column in contract.key]
    # A row comes twice where the list changes between two of its pages.
    rows = list({tuple(str(_member(row, path)) for path in paths): row for row in rows}.values())
    made: dict[str, pa.Array] = {}
    for told in contract.columns.values():
        values = [_plain(_member(row, told.field or told.name)) for row in rows]
        if told.kind is Kind.TIMESTAMP and told.field:
            made[told.name], misfits = unix_seconds(values)
        elif told.kind is Kind.TIMESTAMP:
            made[told.name], misfits = pa.array(values, contract.schema().field(told.name).type), []
        else:
            made[told.name], misfits = column(values, told.kind)
        if told.name in contract.key and (made[told.name].null_count or misfits):
            raise OperatorError(f"rows of {name} without {told.name}; report this to leadhouse")
        for misfit in misfits:
            log.warning("a value of a dictionary did not fit its column", table=name, column=told.name, row=misfit.row)
    return pa.table(made, schema=contract.schema())


def _member(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _plain(value: Any) -> Any:
    if is_empty(value) and value is not False:
        return None
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value
