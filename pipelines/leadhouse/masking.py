"""Personal values on their way into the warehouse: kept, replaced by pseudonyms, or dropped.

A pseudonym is 32 hex digits: 24 of the HMAC-SHA256 of the value under the secret key, and 8 of the HMAC of these, by
which it is known again. So a value that is a pseudonym already stays what it is: masking twice is masking once.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from leadhouse.fingerprint import FINGERPRINT, Fingerprinter
from leadhouse.personal import PersonalTable, Reviewed, personal_tables, reviewed, shape, types_of

if TYPE_CHECKING:
    from leadhouse.crm import Chain, Crm

_DIGITS = 32
_PROOF = 8
# A messenger's account behind an open line; the kind of messenger is nobody's.
_OPEN_LINE = re.compile(r"(imol\|[a-z0-9_]+\|)(.+)", re.DOTALL)
_EMAIL = re.compile(r"\s*[^\s@]+@[^\s@]+\s*")
_WHICH_KEY = "leadhouse: which key is this?"
# Columns of a root table that do not come from the portal.
_NOT_COUNTED = (FINGERPRINT, "synced_at")


class Mode(StrEnum):
    """What becomes of personal values."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"


class Pseudonyms:
    """Makes pseudonyms: the same value has the same one in every table, portal and CRM under one key.

    Args:
        key: the secret.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    @property
    def check(self) -> str:
        """What tells one key from another, and does not tell the key."""
        return self._hash(_WHICH_KEY)[:_DIGITS]

    def of(self, text: str | None) -> str | None:
        """Return the pseudonym of a value; None, or "", has none.

        E-mail addresses have one for all spellings; an open line's account shows its kind of messenger before it.
        """
        if not text:
            return None
        line = _OPEN_LINE.fullmatch(text)
        if line is not None:
            return f"{line[1]}{self.of(line[2])}"
        if len(text) == _DIGITS and text[-_PROOF:] == self._proof(text[:-_PROOF]):
            return text
        plain = text.strip().casefold() if _EMAIL.fullmatch(text) else text
        head = self._hash(plain)[: _DIGITS - _PROOF]
        return head + self._proof(head)

    def _proof(self, head: str) -> str:
        return self._hash(head)[:_PROOF]

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


class Mask:
    """Masks the tables of one dataset.

    Args:
        crm: the source.
        mode: what becomes of personal values.
        pseudonyms: where the mode is `hash`.
        forgotten: ids by root table; of these rows personal values are dropped whatever the mode.
    """

    def __init__(
        self,
        crm: "Crm",
        mode: Mode = Mode.KEEP,
        pseudonyms: Pseudonyms | None = None,
        forgotten: Mapping[str, Iterable[int]] | None = None,
    ) -> None:
        self.mode = mode
        self._crm = crm
        self._pseudonyms = pseudonyms
        self._forgotten = {root: pa.array(sorted(ids), pa.int64()) for root, ids in (forgotten or {}).items() if ids}
        self._personal = personal_tables(crm)
        self._fingerprinter: Fingerprinter | None = None

    @property
    def idle(self) -> bool:
        """True when every value stays as it is."""
        return self.mode is Mode.KEEP and not self._forgotten

    def read(self, tables: Mapping[str, pa.Table], dictionaries: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Return what was read of a portal, masked, with fingerprints of what is left.

        Args:
            tables: roots, each with its child tables.
            dictionaries: what the portal told of its fields.
        """
        if self.idle:
            return dict(tables)
        return self.decoded(tables, reviewed(self._crm, types_of(self._crm, dictionaries)))

    def decoded(self, tables: Mapping[str, pa.Table], spared: Reviewed) -> dict[str, pa.Table]:
        """Return tables masked, with fingerprints of what is left; `spared` are fields that hold no free text."""
        if self.idle:
            return dict(tables)
        made = {name: self.table(name, table, spared) for name, table in tables.items()}
        for chain in self._crm.chains:
            if any(made[name] is not tables[name] for name in chain.tables if name in made):
                made[chain.root] = self._fingerprinted(chain, made)
        return made

    def table(self, name: str, table: pa.Table, spared: Reviewed = Reviewed()) -> pa.Table:  # noqa: B008 - frozen
        """Return one table masked; its fingerprints, if it has any, stay those of before."""
        personal = self._personal.get(name)
        if self.idle or personal is None or not table.num_rows:
            return table
        columns = shape(table)
        gone = self._gone(personal, table)
        if self.mode is Mode.KEEP and (gone is None or not pc.any(gone).as_py()):
            return table
        plain, made = self._plain(personal, table, spared), table
        for column in personal.texts(columns, spared):
            masked = self._texts(personal, table, column)
            if gone is not None:
                masked = pc.if_else(gone, None, masked)
            if plain is not None:
                masked = pc.if_else(plain, table.column(column), masked)
            made = _with(made, column, masked)
        for column in personal.others(columns):
            hidden = pa.array([self.mode is not Mode.KEEP] * table.num_rows)
            made = _with(
                made, column, pc.if_else(hidden if gone is None else pc.or_(hidden, gone), None, table.column(column))
            )
        return made

    def _texts(self, personal: PersonalTable, table: pa.Table, column: str) -> Any:
        """Return a column of texts in this mode."""
        told = table.column(column)
        if self.mode is Mode.KEEP:
            return told
        if self.mode is Mode.DROP or self._pseudonyms is None:
            return pa.nulls(table.num_rows, pa.string())
        if column == "value" and personal.is_phones:
            told = pc.if_else(pc.is_null(told), None, pc.coalesce(table.column("e164"), told))
        return pa.array([self._pseudonyms.of(text) for text in told.to_pylist()], pa.string())

    def _plain(self, personal: PersonalTable, table: pa.Table, spared: Reviewed) -> Any:
        """Return which rows hold a value of a field without free text, None where the table does not tell."""
        plain = {"type": self._crm.codes | self._crm.figures, "code": self._crm.campaigns}
        told = [pc.is_in(table.column(name), _texts_of(plain[name])) for name in personal.told_by]
        if personal.field_column:
            told.append(pc.is_in(table.column(personal.field_column), _texts_of(spared.fields)))
        if not told:
            return None
        found = told[0]
        for more in told[1:]:
            found = pc.or_(found, more)
        return found

    def _gone(self, personal: PersonalTable, table: pa.Table) -> Any:
        """Return which rows belong to forgotten ones, None where none can."""
        forgotten = self._forgotten.get(personal.root)
        return None if forgotten is None else pc.is_in(table.column(personal.id_column), forgotten)

    def _fingerprinted(self, chain: "Chain", tables: Mapping[str, pa.Table]) -> pa.Table:
        root = tables[chain.root]
        if FINGERPRINT not in root.column_names:
            return root
        if self._fingerprinter is None:
            self._fingerprinter = Fingerprinter()
        counted = root.drop_columns([name for name in _NOT_COUNTED if name in root.column_names])
        children = {name: tables[name] for name in chain.children if name in tables}
        made = self._fingerprinter.of(counted, children, chain.parent)
        gone = self._gone(self._personal[chain.root], root)
        if self.mode is Mode.KEEP and gone is not None:  # the others are as they were read
            made = pc.if_else(gone, made, root.column(FINGERPRINT))
        return _with(root, FINGERPRINT, made)

    def close(self) -> None:
        """Free the memory."""
        if self._fingerprinter is not None:
            self._fingerprinter.close()


def _texts_of(told: Iterable[str]) -> pa.Array:
    return pa.array(sorted(told), pa.string())


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values)
