"""Pages of leads: decoded with what is known of the portal's fields, which grows when a page shows a new one."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from leadhouse import logs
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.decode import Decoder, LeadBatch
from leadhouse.bitrix24.dictionaries import Dictionaries
from leadhouse.bitrix24.families import ITEM, Family
from leadhouse.bitrix24.fields import Fields
from leadhouse.bitrix24.places import Remembered
from leadhouse.columns import Kind, storable
from leadhouse.live import NEVER

log = logs.get_logger("leadhouse.bitrix24")

_ROWS: msgspec.json.Decoder[list[dict[str, Any]]] = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)


class LeadPages:
    """Decodes pages of leads of one portal.

    Args:
        client: the portal, asked again for its fields when a page shows one that it did not describe.
        family: API family.
        dictionaries: where the user fields are.
        described: the fields' metadata, as the portal sent it.
        region: default region of phone numbers.
        stored: kinds that columns of `leads` have in the warehouse already.
        remembered: rows of `lead_fields`, as the warehouse holds them.

    Raises:
        msgspec.MsgspecError: the metadata has another shape.
    """

    fields: Fields
    _decoder: Decoder

    def __init__(
        self,
        client: Bitrix24Client,
        family: Family,
        dictionaries: Dictionaries,
        described: msgspec.Raw,
        *,
        region: str | None,
        stored: Mapping[str, Kind],
        remembered: Sequence[Remembered] = (),
    ) -> None:
        self._client = client
        self._family = family
        self._dictionaries = dictionaries
        self._region = region
        self._stored = stored
        self._remembered = remembered
        self._unknown: set[str] = set()
        self._know(described)

    def id_of(self, row: Any) -> int:
        """Return the id of a decoded lead."""
        return int(getattr(row, self.fields.id_attribute))

    def rows(self, result: msgspec.Raw) -> list[Any]:
        """Decode a page; a field that nobody described is learnt, and text that strict JSON refuses is repaired.

        Raises:
            msgspec.MsgspecError, TypeError, ValueError: the page is not a list of leads.
        """
        try:
            return self.fields.page.decode(self._family.rows(result))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            told = json.loads(bytes(result).decode("utf-8", "replace"), parse_float=str, parse_constant=str)
        if self._family is ITEM and isinstance(told, dict):
            told = told.get("items")
        if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
            raise TypeError("not a list of leads")
        strange = {name for row in told for name in row} - self.fields.attributes.keys()
        if strange:
            log.info("the portal has new fields", count=len(strange))
            self._unknown |= strange
            self._dictionaries.userfields_again()
            entity = {"entityTypeId": 1} if self._family is ITEM else {}
            self._know(self._client.call(self._family.fields_method, entity))
        names = self.fields.attributes
        return [self.fields.row_type(**{names[name]: value for name, value in row.items()}) for row in told]

    def newest_ids(self, result: msgspec.Raw) -> list[int]:
        """Return the ids of a page that lists ids only."""
        return [int(row[self._family.id_field]) for row in _ROWS.decode(self._family.rows(result))]

    def modified(self, result: msgspec.Raw) -> dict[int, datetime]:
        """Return the modification times by id of a page that lists both."""
        rows = _ROWS.decode(self._family.rows(result))
        return {
            int(row[self._family.id_field]): datetime.fromisoformat(str(row[self._family.modified_field]))
            for row in rows
        }

    def entries(self, result: msgspec.Raw) -> list[tuple[int, int]]:
        """Return id and modification time (Unix seconds) of a page that lists both, in its order."""
        rows = _ROWS.decode(self._family.rows(result))
        return [(int(row[self._family.id_field]), _seconds(row.get(self._family.modified_field))) for row in rows]

    def decode(self, rows: list[Any]) -> LeadBatch:
        """Return leads as tables, read now."""
        try:
            return self._decoder.decode(rows, datetime.now(UTC))
        except UnicodeError:
            return self._decoder.decode([_storable_row(row) for row in rows], datetime.now(UTC))

    def close(self) -> None:
        """Free the decoder's memory."""
        self._decoder.close()

    def _know(self, described: msgspec.Raw) -> None:
        told = self._family.descriptions(described)
        userfields = self._dictionaries.userfields
        self.fields = Fields(self._family, told, userfields, self._unknown, self._stored, remembered=self._remembered)
        if hasattr(self, "_decoder"):
            self._decoder.close()
        self._decoder = Decoder(self.fields, self._region)


def _seconds(told: Any) -> int:
    """Return a time as Unix seconds; NEVER where there is none, or none that a column holds."""
    with suppress(TypeError, ValueError, OverflowError):
        return int(datetime.fromisoformat(told).timestamp())
    return NEVER


def _storable_row(row: Any) -> Any:
    """Return a lead whose every text any encoding can hold."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, list):
            return [clean(entry) for entry in value]
        if isinstance(value, dict):
            return {clean(name): clean(entry) for name, entry in value.items()}
        return value

    return type(row)(**{name: clean(getattr(row, name)) for name in row.__struct_fields__})
