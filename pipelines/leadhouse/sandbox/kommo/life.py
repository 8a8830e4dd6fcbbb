"""A piece of random life on an account, as an office makes it in a minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.people import LOCALES, phone

from .dictionaries import COMMENT_FIELD

if TYPE_CHECKING:
    import random

    from .account import Account


@dataclass
class Changes:
    """Ids of the leads that were created, edited, given a phone, rid of one, moved to another stage, deleted.

    Phones are those of a lead's main contact; ``contacts`` are the contacts that were touched.
    """

    created: list[int] = field(default_factory=list)
    edited: list[int] = field(default_factory=list)
    phone_added: list[int] = field(default_factory=list)
    phone_removed: list[int] = field(default_factory=list)
    stage_moved: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    contacts: list[int] = field(default_factory=list)


def _edit(rng: random.Random) -> dict[str, Any]:
    locale = rng.choice(LOCALES)
    return {
        "name": f"{rng.choice(locale.companies)} / {rng.randrange(10**6)}",
        "price": rng.randrange(10**6),
        "custom_fields_values": [{"field_id": COMMENT_FIELD, "values": [{"value": rng.choice(locale.comments)}]}],
    }


def _main_contact(account: Account, lead_id: int) -> int | None:
    contacts = account.stores["leads"].rows[lead_id].card()["_embedded"]["contacts"]
    return next((item["id"] for item in contacts if item["is_main"]), None)


def _phones(account: Account, contact_id: int) -> list[dict[str, Any]]:
    values = account.stores["contacts"].rows[contact_id].card()["custom_fields_values"] or ()
    return next((list(entry["values"]) for entry in values if entry["field_code"] == "PHONE"), [])


class _Life:
    """Strikes leads and contacts, each once at most."""

    def __init__(self, account: Account, rng: random.Random) -> None:
        self._account = account
        self._free = list(account.stores["leads"].ids)
        rng.shuffle(self._free)
        self.changes = Changes()

    def take(self, count: int) -> list[int]:
        """Take leads out of those not struck yet."""
        return [self._free.pop() for _ in range(min(count, len(self._free)))]

    def take_contacts(self, count: int, *, with_phones: bool) -> list[tuple[int, int]]:
        """Take leads with their main contacts."""
        found: list[tuple[int, int]] = []
        for lead_id in reversed(self._free):
            if len(found) == count:
                break
            contact_id = _main_contact(self._account, lead_id)
            if contact_id is None or contact_id in self.changes.contacts:
                continue
            if with_phones and not _phones(self._account, contact_id):
                continue
            self.changes.contacts.append(contact_id)
            found.append((lead_id, contact_id))
        struck = {lead_id for lead_id, _ in found}
        self._free = [lead_id for lead_id in self._free if lead_id not in struck]
        return found

    def change_phones(self, rng: random.Random, add: int, remove: int) -> None:
        """Add and remove phones of main contacts."""
        for lead_id, contact_id in self.take_contacts(remove, with_phones=True):
            self._write(contact_id, _phones(self._account, contact_id)[1:])
            self.changes.phone_removed.append(lead_id)
        for lead_id, contact_id in self.take_contacts(add, with_phones=False):
            number = {"value": phone(rng.choice(LOCALES), rng), "enum_code": "MOB"}
            self._write(contact_id, [*_phones(self._account, contact_id), number])
            self.changes.phone_added.append(lead_id)

    def _write(self, contact_id: int, phones: list[dict[str, Any]]) -> None:
        values = [{"field_code": "PHONE", "values": phones or None}]
        self._account.update_contact(contact_id, {"custom_fields_values": values})


def live(
    account: Account,
    rng: random.Random,
    *,
    create: int,
    edit: int,
    delete: int,
    phone_add: int,
    phone_remove: int,
    stage: int,
) -> Changes:
    """Create, edit, re-stage and delete leads, add and remove phones: each lead and contact is struck once at most."""
    life = _Life(account, rng)
    changes = life.changes
    life.change_phones(rng, phone_add, phone_remove)
    changes.created = account.invent_leads(create)
    for id_ in life.take(edit):
        account.update_lead(id_, _edit(rng), by=account.user_id + rng.randrange(3))
        changes.edited.append(id_)
    for id_ in life.take(stage):
        facts = account.stores["leads"].rows[id_].facts()
        others = [status for status in account.stages[facts.pipeline_id or 0][1:] if status != facts.status_id]
        account.update_lead(id_, {"status_id": rng.choice(others), "pipeline_id": facts.pipeline_id})
        changes.stage_moved.append(id_)
    for id_ in life.take(delete):
        account.delete_lead(id_)
        changes.deleted.append(id_)
    return changes
