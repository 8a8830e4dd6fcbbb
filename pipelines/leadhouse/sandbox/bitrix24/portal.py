"""The sandbox portal: its state, and the life that happens on it."""

from __future__ import annotations

import itertools
import random
from collections import Counter, deque
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from leadhouse.sandbox.clock import Clock, instant
from leadhouse.sandbox.collector import without_collector
from leadhouse.sandbox.faults import Faults
from leadhouse.sandbox.throttle import Bucket, Limits, OperatingBudget

from . import fields, times
from .edits import Editor, in_order
from .generate import Inventor
from .life import Changes, live
from .oauth import OAuthServer
from .office import Office, product_row
from .quirks import Quirks
from .stages import CREATED, StageHistory, change_type
from .store import LeadStore, Row, encode
from .userfields import TYPES, Option, UserField, default_userfields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from .store import Lead

    Time = datetime | float | str
    Hook = Callable[[str, dict[str, Any], "Portal"], None]

_DAY = 86_400
_LOG_LENGTH = 100_000


class Portal(Office):
    """A Bitrix24 portal with invented leads. All operations are thread-safe, also while it is served.

    ``leads`` are invented by ``seed``, over the two years before the portal's day; ``timezone`` (IANA name) is the
    portal's own; ``code`` and ``user_id`` make the webhook. Without ``limits`` nothing is throttled. ``latency`` is
    seconds added to each HTTP request. Times given to operations are aware datetimes, ISO texts with offset or Unix
    seconds. ``before_command`` hooks are called with method, parameters and portal before each executed
    command, in the server's thread: before ``batch`` itself and before each of its commands.
    """

    def __init__(
        self,
        leads: int = 0,
        seed: int = 1,
        timezone: str = "Europe/Moscow",
        code: str = "sandbox-secret-code",
        user_id: int = 1,
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        quirks: Quirks | None = None,
        latency: float = 0.0,
    ) -> None:
        super().__init__()
        self.code = code
        self.user_id = user_id
        self.clock = clock or Clock()
        self.zone = ZoneInfo(timezone)
        self.limits = limits
        self.quirks = quirks or Quirks()
        self.faults = Faults()
        self.latency = latency
        self.bucket = Bucket()
        self.budget = OperatingBudget()
        self.oauth = OAuthServer(self.clock)
        self.before_command: list[Hook] = []
        self.http_requests = 0
        self.commands: Counter[str] = Counter()
        self.log: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_LOG_LENGTH)
        self.busy_seconds = 0.0

        self.store = LeadStore()
        self.history = StageHistory()
        self.contacts: dict[int, list[int]] = {}
        self.productrows: dict[int, list[dict[str, Any]]] = {}
        self.oddities: dict[int, dict[str, bytes]] = {}
        self.schema_version = 0
        self.userfield_map = {field.name: field for field in default_userfields()}
        self._bin: dict[int, Row] = {}
        self._last_id = 0
        self._value_ids = itertools.count(9001)
        self._random = random.Random(seed)
        self._tools()
        with without_collector():
            self._populate(leads)

    def _tools(self) -> None:
        custom = list(self.userfield_map.values())
        self.inventor = Inventor(self._random, self.zone, custom, self.semantics, self._value_ids)
        self.editor = Editor(self.zone, self.userfield_map, self.semantics, self._value_ids)

    def _populate(self, count: int) -> None:
        until = self.clock.second() // _DAY * _DAY
        rows, events = [], []
        for id_, created, modified in self.inventor.history(count, until):
            lead = self.inventor.lead(id_, created, modified)
            rows.append(Row(id_, modified, encode(lead), self.schema_version))
            events.append((created, id_, CREATED, "P", "NEW"))
            stage, semantics = lead["STATUS_ID"], lead["STATUS_SEMANTIC_ID"]
            if stage != "NEW":
                events.append((times.epoch(lead["MOVED_TIME"]), id_, change_type(semantics), semantics, stage))
        self.store.add_all(rows)
        self.history.record_all(events)
        self._last_id = rows[-1].id if rows else 0

    # Reading

    def current(self, row: Row) -> Row:
        """Bring a row up to the portal's present user fields."""
        if row.version != self.schema_version:
            row.body = encode(in_order(row.lead(), self.userfield_map))
            row.version = self.schema_version
        return row

    def lead(self, id_: int) -> Lead:
        """Return a lead as ``crm.lead.get`` answers it; KeyError when there is none."""
        with self.lock:
            return self.current(self.store.rows[id_]).lead()

    def leads(self) -> list[Lead]:
        """Return all readable leads by ascending id."""
        with self.lock:
            return [self.current(row).lead() for row in self.store]

    def __len__(self) -> int:
        return len(self.store.ids)

    def stage_history(self) -> list[dict[str, Any]]:
        """Return the rows of ``crm.stagehistory.list`` by ascending id."""
        with self.lock:
            return [event.row(self.zone) for event in self.history]

    def lead_fields(self) -> dict[str, dict[str, Any]]:
        """Return the answer of ``crm.lead.fields``."""
        return fields.classic_fields() | {name: field.meta() for name, field in self.userfield_map.items()}

    def userfields(self) -> list[dict[str, Any]]:
        """Return the rows of ``crm.lead.userfield.list`` without labels."""
        return [field.row(None) for field in self.userfield_map.values()]

    def iso(self, second: int) -> str:
        """Render Unix seconds in the portal's offset."""
        return times.iso(second, self.zone)

    # Life on the portal

    def add_lead(
        self,
        fields: Mapping[str, Any] | None = None,
        *,
        date_create: Time | None = None,
        date_modify: Time | None = None,
        id: int | None = None,  # noqa: A002 - the portal's own word
    ) -> int:
        """Create a lead of the given fields and return its id; dates are the portal's now unless given."""
        with self.lock:
            now = self.clock.second()
            created = now if date_create is None else int(instant(date_create))
            lead_id = self._next_id(id)
            lead = self.editor.blank(lead_id, str(self.user_id), self.iso(created))
            self.editor.apply(lead, fields or {})
            self._enter(lead, created if date_modify is None else int(instant(date_modify)), created)
            return lead_id

    def invent_leads(
        self, count: int, *, date_create: Time | None = None, date_modify: Time | None = None
    ) -> list[int]:
        """Create leads with invented fields and return their ids; dates are the portal's now unless given."""
        with self.lock:
            now = self.clock.second()
            modified = now if date_modify is None else int(instant(date_modify))
            created = min(now, modified) if date_create is None else int(instant(date_create))
            ids = [self._next_id(None) for _ in range(count)]
            for id_ in ids:
                self._enter(self.inventor.lead(id_, created, modified), modified, created)
            return ids

    def import_leads(self, count: int, date_modify: Time) -> list[int]:
        """Import leads that carry a past date of creation and modification; return their ids."""
        return self.invent_leads(count, date_create=date_modify, date_modify=date_modify)

    def _next_id(self, wanted: int | None) -> int:
        if wanted is not None and wanted in self.store.rows:
            raise ValueError(f"Lead {wanted} exists.")
        id_ = self._last_id + 1 if wanted is None else wanted
        self._last_id = max(self._last_id, id_)
        return id_

    def _enter(self, lead: Lead, modified: int, created: int) -> None:
        stage, semantics = lead["STATUS_ID"], lead["STATUS_SEMANTIC_ID"]
        if semantics != "P" and not lead["DATE_CLOSED"]:
            lead["DATE_CLOSED"] = lead["MOVED_TIME"]
        lead["DATE_MODIFY"] = self.iso(modified)
        self._save(lead, modified)
        self.history.record(CREATED, int(lead["ID"]), created, semantics, stage)

    def _save(self, lead: Lead, modified: int) -> None:
        body = encode(in_order(lead, self.userfield_map))
        self.store.put(Row(int(lead["ID"]), modified, body, self.schema_version))

    def update_lead(
        self, id_: int, fields: Mapping[str, Any], *, touch: bool = True, by: int | None = None, at: Time | None = None
    ) -> bool:
        """Edit a lead as ``crm.lead.update`` does; return whether anything changed.

        ``touch=False`` leaves DATE_MODIFY alone; ``by`` is the acting user, ``at`` the moment.
        """
        with self.lock:
            row = self.current(self.store.rows[id_])
            lead, before = row.lead(), row.lead()
            self.editor.apply(lead, fields)
            if lead == before:
                return False
            now = self.clock.second() if at is None else int(instant(at))
            user = str(self.user_id if by is None else by)
            stage, semantics = lead["STATUS_ID"], lead["STATUS_SEMANTIC_ID"]
            if stage != before["STATUS_ID"]:
                lead["MOVED_TIME"], lead["MOVED_BY_ID"] = self.iso(now), user
                lead["DATE_CLOSED"] = "" if semantics == "P" else self.iso(now)
                self.history.record(change_type(semantics), id_, now, semantics, stage)
            if touch:
                lead["DATE_MODIFY"], lead["MODIFY_BY_ID"] = self.iso(now), user
            self._save(lead, now if touch else row.modified)
            return True

    def storm(self, ids: Iterable[int], fields: Mapping[str, Any]) -> None:
        """Edit many leads in the same second."""
        with self.lock:
            now = self.clock.second()
            for id_ in ids:
                self.update_lead(id_, fields, at=now)

    def delete_lead(self, id_: int) -> None:
        """Delete a lead: it goes to the recycle bin, its stage history is lost."""
        with self.lock:
            self._bin[id_] = self.store.remove(id_)
            self.history.forget(id_)
            self.contacts.pop(id_, None)

    def restore_lead(self, id_: int) -> int:
        """Restore a lead from the recycle bin: a new id with the old dates; return it."""
        with self.lock:
            row = self._bin.pop(id_)
            new = self._next_id(None)
            lead = row.lead() | {"ID": str(new)}
            for kind in fields.MULTIFIELDS:
                for entry in lead.get(kind, ()):
                    entry["ID"] = str(next(self._value_ids))
            self._save(lead, row.modified)
            return new

    def hide_lead(self, *ids: int) -> None:
        """Take the right to read leads away: lists leave them out, get answers Access denied."""
        with self.lock:
            for id_ in ids:
                self.store.hide(id_)

    def reveal_lead(self, *ids: int) -> None:
        """Give the right to read leads back."""
        with self.lock:
            for id_ in ids:
                self.store.reveal(id_)

    def distort_lead(self, id_: int, fragments: Mapping[str, bytes]) -> None:
        """Make answers carry raw JSON for fields of a lead, by classic name: values no well-kept portal holds.

        Names that the portal's settings do not know are fields of a newer portal, delivered with the select ``*``.
        """
        with self.lock:
            self.oddities.setdefault(id_, {}).update(fragments)
            self.store.forget_encoded()

    def set_contacts(self, id_: int, contacts: Iterable[int]) -> None:
        """Bind contacts to a lead, the first is primary; DATE_MODIFY stays (reference: bitrix24 6.7)."""
        with self.lock:
            self.contacts[id_] = list(contacts)
            self.store.forget_encoded()

    def contacts_of(self, id_: int) -> list[int]:
        """Return the contacts bound to a lead, the primary one first."""
        with self.lock:
            contact = self.lead(id_)["CONTACT_ID"]
            return self.contacts.get(id_, [int(contact)] if contact and contact != "0" else [])

    def set_productrows(self, id_: int, rows: Iterable[tuple[str, float, float]]) -> None:
        """Replace the product rows of a lead, given as name, price and quantity; DATE_MODIFY stays."""
        with self.lock:
            self.productrows[id_] = [product_row(id_, position, *row) for position, row in enumerate(rows)]

    def live(
        self,
        *,
        create: int = 0,
        edit: int = 0,
        delete: int = 0,
        phone_add: int = 0,
        phone_remove: int = 0,
        stage: int = 0,
        seed: int = 1,
    ) -> Changes:
        """Let a random, repeatable piece of life happen; return the ids it touched (see ``life``)."""
        with self.lock:
            return live(
                self,
                random.Random(seed),
                create=create,
                edit=edit,
                delete=delete,
                phone_add=phone_add,
                phone_remove=phone_remove,
                stage=stage,
            )

    # Settings

    def add_userfield(
        self,
        name: str,
        user_type: str,
        multiple: bool = False,
        options: Iterable[Option] = (),
        label: str = "",
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> UserField:
        """Add a user field (``UF_CRM_…``); all leads have it empty from now on, no DATE_MODIFY moves."""
        if not name.startswith("UF_"):
            raise ValueError("Names of user fields begin with UF_, for example UF_CRM_REGION.")
        if user_type not in TYPES:
            raise ValueError(f"Unknown user field type {user_type!r}. Known: {', '.join(TYPES)}.")
        with self.lock:
            id_ = 1 + max((field.id for field in self.userfield_map.values()), default=6798)
            field = UserField(id_, name, user_type, multiple, label, list(options), dict(settings or {}))
            self.userfield_map[name] = field
            self._schema_changed()
            return field

    def remove_userfield(self, name: str) -> None:
        """Remove a user field with its values."""
        with self.lock:
            del self.userfield_map[name]
            self._schema_changed()
            for row in (*self.store.rows.values(), *self._bin.values()):
                self.current(row)

    def _schema_changed(self) -> None:
        self.schema_version += 1
        self.store.forget_encoded()
        self._tools()

    def set_timezone(self, timezone: str) -> None:
        """Move the portal to another time zone: all datetimes are shown in its offset from now on."""
        with self.lock:
            self.zone = ZoneInfo(timezone)
            self._tools()
            for row in self.store.rows.values():
                row.body = encode(times.shown_in(self.zone, self.current(row).lead(), self.userfield_map))
            self.store.forget_encoded()
