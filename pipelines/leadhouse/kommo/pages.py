"""Pages of an entity: rows decoded with the fields known so far, which grow when a page shows a new one."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec
import pyarrow as pa

from leadhouse import logs
from leadhouse.columns import Kind
from leadhouse.errors import PortalFaultError
from leadhouse.kommo.decode import Decoder
from leadhouse.kommo.entity import Entity
from leadhouse.kommo.fields import Fields, is_told
from leadhouse.live import NEVER

log = logs.get_logger("leadhouse.kommo")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        rows: in the account's order, undecoded.
        next: link to the page behind it, None at the end.
    """

    rows: list[Any]
    next: str | None


class _Links(msgspec.Struct):
    next: Any = None


class _Envelope(msgspec.Struct):
    links: _Links | None = msgspec.field(name="_links", default=None)
    embedded: dict[str, msgspec.Raw] | list[Any] = msgspec.field(name="_embedded", default_factory=dict)


class Pages:
    """Decodes pages of one entity of one account.

    Args:
        entity: what it is.
        portal: the account's host, for messages.
        zone: the account's time zone; its date fields are days there.
        region: default region of phone numbers.
        stored: kinds that columns of the root table have in the warehouse already.
    """

    fields: Fields
    _decoder: Decoder

    def __init__(
        self, entity: Entity, portal: str, *, zone: tzinfo, region: str | None, stored: Mapping[str, Kind]
    ) -> None:
        self.entity = entity
        self._portal = portal
        self._zone = zone
        self._region = region
        self._stored = stored
        self._know(Fields(entity, stored))

    def page(self, body: bytes) -> Page:
        """Decode a list's answer.

        Raises:
            PortalFaultError: it is none.
        """
        problem = ""
        try:
            envelope = msgspec.json.decode(body, type=_Envelope)
            embedded = envelope.embedded
            if isinstance(embedded, dict) and self.entity.path in embedded:
                return Page(self._rows(embedded[self.entity.path]), _link(envelope.links))
            problem = "it has no rows"
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            problem = type(error).__name__
        raise PortalFaultError(f"the list has another shape ({problem})", portal=self._portal, method=self.entity.path)

    def one(self, body: bytes) -> Any:
        """Decode the answer for a single row.

        Raises:
            PortalFaultError: it is none.
        """
        rows: list[Any] = []
        with suppress(msgspec.MsgspecError, ValueError, TypeError):
            rows = self._rows(msgspec.Raw(b"[" + body + b"]"))
        if len(rows) == 1:
            return rows[0]
        raise PortalFaultError("a row has another shape", portal=self._portal, method=self.entity.path)

    def id_of(self, row: Any) -> int:
        """Return the id of a row."""
        return int(row.w_id)

    def modified(self, row: Any) -> int:
        """Return the modification time of a row (Unix seconds); NEVER where it has none."""
        told = row.w_updated_at
        return int(told) if told is not None else NEVER

    def extra_columns(self) -> list[tuple[str, Kind]]:
        """Return the columns of the root table beyond the contract, as far as known."""
        return self.fields.extra_columns()

    def decode(self, rows: Sequence[Any]) -> tuple[dict[str, pa.Table], int]:
        """Return rows, ids ascending, as tables, the root first, read now; and how many values fit no column."""
        met: dict[str, Any] = {}
        for name in self.fields.watched:
            attribute = self.fields.attributes[name]
            values = (getattr(row, attribute, None) for row in rows)
            value = next(filter(is_told, values), None)
            if value is not None:
                met[name] = value
        if met:
            self._learn(met)
        return self._decoder.decode(rows, datetime.now(UTC))

    def close(self) -> None:
        """Free the decoder's memory."""
        self._decoder.close()

    def _rows(self, raw: msgspec.Raw) -> list[Any]:
        try:
            rows = self.fields.rows.decode(raw)
        except msgspec.ValidationError:
            rows = self._learnt(raw)
        for row in rows:
            if not isinstance(row.w_id, int) or isinstance(row.w_id, bool):
                raise TypeError("a row without an id")
            if not isinstance(row.w_updated_at, int | None) or isinstance(row.w_updated_at, bool):
                raise TypeError("a row without a modification time")
        return rows

    def _learnt(self, raw: msgspec.Raw) -> list[Any]:
        told = json.loads(bytes(raw), parse_float=str)
        if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
            raise TypeError("not a list of rows")
        known = self.fields.attributes
        new: dict[str, Any] = {}
        for row in told:
            new |= {name: value for name, value in row.items() if name not in known and not is_told(new.get(name))}
        if new:
            self._learn(new)
        names = self.fields.attributes
        return [self.fields.row_type(**{names[name]: value for name, value in row.items()}) for row in told]

    def _learn(self, values: Mapping[str, Any]) -> None:
        log.info("the account has new fields", entity=self.entity.path, count=len(values))
        self._know(self.fields.with_new(values))

    def _know(self, fields: Fields) -> None:
        self.fields = fields
        if hasattr(self, "_decoder"):
            self._decoder.close()
        self._decoder = Decoder(fields, self._portal, self._zone, self._region)


def _link(links: _Links | None) -> str | None:
    told = links.next if links is not None else None
    href = told.get("href") if isinstance(told, dict) else told
    return href if isinstance(href, str) and href else None
