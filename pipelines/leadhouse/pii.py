"""What becomes of personal data in a dataset: as a person asks for it, and as the dataset remembers it."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.errors import ConfigurationError, StateError
from leadhouse.masking import Mask, Mode, Pseudonyms
from leadhouse.redact import register_secrets
from leadhouse.settings import PortalSettings, configured_value

if TYPE_CHECKING:
    from leadhouse.crm import Crm
    from leadhouse.rewriting import Rewriting
    from leadhouse.session import Session
    from leadhouse.warehouse import Warehouse

log = logs.get_logger("leadhouse.pii")

_SHORTEST_KEY = 16
# Leads that tell whether a dataset without a memory is masked.
_LOOKED_AT = 100
# What a key that is made from a portal's access is for.
_PURPOSE = b"leadhouse: pseudonyms"
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_MODES = ", ".join(Mode)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a dataset remembers of personal data.

    Attributes:
        mode: what becomes of it.
        key_check: tells one key from another, "" where there is none.
        changing: another mode or key was in force before, and not every row was written again since.
        forgotten: ids by root table, of rows whose personal values are dropped in any mode.
    """

    mode: Mode = Mode.KEEP
    key_check: str = ""
    changing: bool = False
    forgotten: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, slot: Mapping[str, Any]) -> "Memory":
        """Read what `to_slot` wrote; a slot without it gives `keep`.

        Raises:
            StateError: it is damaged, or from a newer release.
        """
        problem = ""
        try:
            told = slot.get("pii", {})
            forgotten = {
                str(root): frozenset(int(number) for number in ids) for root, ids in slot.get("forgotten", {}).items()
            }
            return cls(
                Mode(told.get("mode", Mode.KEEP)), str(told.get("key", "")), bool(told.get("changing")), forgotten
            )
        except (ValueError, TypeError, AttributeError) as error:
            problem = f"{type(error).__name__}: {error}"
        raise StateError(
            f"what is remembered of personal data cannot be read ({problem}); upgrade leadhouse on this machine, "
            "or restore the warehouse from a backup"
        )

    def to_slot(self) -> dict[str, Any]:
        """Return the parts of the state's slot."""
        told = {"mode": self.mode.value, "key": self.key_check, "changing": self.changing}
        return {"pii": told, "forgotten": {root: sorted(ids) for root, ids in self.forgotten.items()}}


def asked_for(flag: str | None) -> Mode | None:
    """Return the mode that a person asks for: the flag, else LEADHOUSE__PII or `pii` under [leadhouse] in `.dlt/`.

    Raises:
        ConfigurationError: it is none.
    """
    told = flag or configured_value("leadhouse.pii", secret=False)
    if not told:
        return None
    if str(told) not in list(Mode):
        raise ConfigurationError(f"pii is {told!r}; it is one of {_MODES}")
    return Mode(str(told))


def pseudonyms(mode: Mode, settings: PortalSettings) -> Pseudonyms | None:
    """Return what makes pseudonyms where the mode is `hash`: by the configured key, else by one from the access.

    Raises:
        ConfigurationError: there is no key, or it is too short.
    """
    if mode is not Mode.HASH:
        return None
    told = _configured_key()
    if told is None and settings.secret:
        return Pseudonyms(hmac.digest(settings.secret.encode(), _PURPOSE, "sha256").hex())
    if told is None or len(told.strip()) < _SHORTEST_KEY:
        lack = "has no key" if told is None else f"has a key of fewer than {_SHORTEST_KEY} characters"
        raise ConfigurationError(
            f"pii is hash and {lack}; set LEADHOUSE__PII_KEY, or pii_key under [leadhouse] in .dlt/secrets.toml, to a "
            f"secret of {_SHORTEST_KEY} characters or more (`openssl rand -hex 32` makes one), and keep a copy of it"
        )
    register_secrets([told])
    return Pseudonyms(told)


def _configured_key() -> str | None:
    told = configured_value("leadhouse.pii_key", secret=True)
    return None if told is None else str(told)


def configured(crm: "Crm", settings: PortalSettings) -> Mask:
    """Return the mask of a pipeline that leadhouse does not run: as configured; such a pipeline remembers nothing.

    Args:
        crm: the source.
        settings: of the portal.

    Raises:
        ConfigurationError: the mode is none, or has no key.
    """
    mode = asked_for(None) or Mode.KEEP
    return Mask(crm, mode, pseudonyms(mode, settings))


def settle(session: "Session", flag: str | None, *, full: bool) -> None:
    """Give a run its mask: as asked for where a sync may, else as the dataset remembers.

    Another mode or key than the one in force is remembered before the first row is written in it, and what the
    warehouse holds is masked where it lies. The full read that follows is known to be unfinished until it ends.

    Args:
        session: the run.
        flag: the mode that was asked for.
        full: everything is read again.

    Raises:
        ConfigurationError: another mode or key than the one in force, without a full read; no key; rows that are masked
            and a state that does not tell how.
        WarehouseRefusedError: the destination's rows cannot be masked where they lie.
    """
    slot = session.slot
    fresh, before = not slot, Memory.of(slot)
    asked = asked_for(flag) if session.summary.command == "sync" or fresh else None
    if fresh and asked is None and _looks_masked(session):
        raise ConfigurationError(
            f"the dataset {session.warehouse.dataset} of {session.warehouse.target.label} holds hashed or dropped "
            "personal data, and its state, which remembered that, was lost; say with --pii what is to become of it"
        )
    mode = asked or before.mode
    made = pseudonyms(mode, session.settings)
    memory = replace(before, mode=mode, key_check=made.check if made else "")
    session.mask = mask = Mask(session.crm, mode, made, memory.forgotten)
    if memory == before and not before.changing:
        return
    if memory != before and not fresh and not full:
        raise ConfigurationError(_refusal(session.warehouse, session.summary.source, before, memory))
    if session.warehouse.read_only or (session.summary.command != "sync" and not fresh):
        return
    rewriting = _rewriting(session, mask)
    if memory != before:
        # Rows without a memory: the state was reset, or the first run died.
        session.remember(replace(memory, changing=not fresh or rewriting is not None), anew=not fresh)
        if mode is Mode.HASH and _configured_key() is None:
            log.warning(
                "the key of pseudonyms is made from the webhook or token, and another one of these will want --full; "
                "set LEADHOUSE__PII_KEY to be independent of them"
            )
    if rewriting is not None:
        log.info("personal data in the warehouse is masked", mode=mode.value)
        rewriting.everything()


def settled(session: "Session") -> None:
    """Every row was written again: the mode in force is that of all."""
    memory = Memory.of(session.slot)
    if memory.changing:
        session.remember(replace(memory, changing=False))


def _looks_masked(session: "Session") -> bool:
    """Tell whether the warehouse has leads, and none of the first has a readable title."""
    from leadhouse.rewriting import holds  # noqa: PLC0415 - rarely needed

    chain, contract = session.crm.leads, session.crm.contract
    title = next((told.name for told in contract[chain.root].columns.values() if told.personal), None)
    if title is None or not holds(session.warehouse, session.pipeline, chain.root):
        return False
    with session.warehouse.held(), session.pipeline.sql_client() as client:
        table = client.make_qualified_table_name(chain.root)
        rows = client.execute_sql(f"SELECT {title} FROM {table} ORDER BY id LIMIT {_LOOKED_AT}") or ()  # noqa: S608 - of the contract
    return bool(rows) and all(row[0] is None or _PSEUDONYM.fullmatch(row[0]) for row in rows)


def _rewriting(session: "Session", mask: Mask) -> "Rewriting | None":
    """Return what masks the warehouse's rows where they lie, None where there is nothing to mask."""
    from leadhouse.rewriting import Rewriting, holds  # noqa: PLC0415 - rarely needed

    if mask.mode is Mode.KEEP or not holds(session.warehouse, session.pipeline, session.crm.leads.root):
        return None
    return Rewriting(session.crm, session.warehouse, session.pipeline, mask)


def outlook(slot: Mapping[str, Any], warehouse: "Warehouse", source: str, settings: PortalSettings) -> str:
    """Return in words what the next sync does with personal data.

    Raises:
        ConfigurationError: it would be refused.
        StateError: what is remembered cannot be read.
    """
    before = Memory.of(slot)
    mode = asked_for(None) or before.mode
    made = pseudonyms(mode, settings)
    memory = replace(before, mode=mode, key_check=made.check if made else "")
    if slot and memory != before:
        raise ConfigurationError(_refusal(warehouse, source, before, memory))
    forgotten = sum(map(len, before.forgotten.values()))
    told = {Mode.KEEP: "kept", Mode.HASH: "hashed", Mode.DROP: "dropped"}[mode]
    rest = "; the next sync is a full one, which ends a change of mode" if before.changing else ""
    return f"it is {told}{f', {forgotten:,} rows are forgotten' if forgotten else ''}{rest}"


def _refusal(warehouse: "Warehouse", source: str, before: Memory, memory: Memory) -> str:
    place = f"the dataset {warehouse.dataset} of {warehouse.target.label}"
    if before.mode is memory.mode:
        return (
            f"{place} was hashed with another key (LEADHOUSE__PII_KEY, or one from the webhook or token of then); set "
            f"LEADHOUSE__PII_KEY to that one, or hash everything anew with `leadhouse sync {source} --full`"
        )
    return (
        f"{place} is in the mode {before.mode} of personal data, and {memory.mode} was asked for; to change it for "
        f"all rows run `leadhouse sync {source} --pii {memory.mode} --full`, else leave --pii and LEADHOUSE__PII out"
    )
