"""A piece of random life on a portal, as an office makes it in a minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.people import LOCALES, phone

if TYPE_CHECKING:
    import random

    from .portal import Portal


@dataclass
class Changes:
    """Ids of the leads that were created, edited, given a phone, rid of one, moved to another stage, deleted."""

    created: list[int] = field(default_factory=list)
    edited: list[int] = field(default_factory=list)
    phone_added: list[int] = field(default_factory=list)
    phone_removed: list[int] = field(default_factory=list)
    stage_moved: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)


def _edit(rng: random.Random) -> dict[str, Any]:
    locale = rng.choice(LOCALES)
    return {
        "TITLE": f"{rng.choice(locale.companies)} / {rng.randrange(10**6)}",
        "COMMENTS": rng.choice(locale.comments),
        "OPPORTUNITY": f"{rng.randrange(10**7) / 100:.2f}",
    }


def live(
    portal: Portal,
    rng: random.Random,
    *,
    create: int,
    edit: int,
    delete: int,
    phone_add: int,
    phone_remove: int,
    stage: int,
) -> Changes:
    """Create, edit, re-stage and delete leads, add and remove phones: each lead is struck once at most."""
    free = list(portal.store.ids)
    rng.shuffle(free)
    changes = Changes()

    def take(count: int) -> list[int]:
        return [free.pop() for _ in range(min(count, len(free)))]

    if phone_remove:
        wanted = [id_ for id_ in free if b'"PHONE":[' in portal.store.rows[id_].body][:phone_remove]
        free = [id_ for id_ in free if id_ not in set(wanted)]
        for id_ in wanted:
            first = portal.lead(id_)["PHONE"][0]["ID"]
            portal.update_lead(id_, {"PHONE": [{"ID": first, "DELETE": "Y"}]})
        changes.phone_removed = wanted
    changes.created = portal.invent_leads(create)
    for id_ in take(edit):
        portal.update_lead(id_, _edit(rng), by=rng.randint(1, 12))
        changes.edited.append(id_)
    for id_ in take(phone_add):
        number = phone(rng.choice(LOCALES), rng)
        portal.update_lead(id_, {"PHONE": [{"VALUE": number, "VALUE_TYPE": "MOBILE"}]})
        changes.phone_added.append(id_)
    for id_ in take(stage):
        now = portal.lead(id_)["STATUS_ID"]
        portal.update_lead(id_, {"STATUS_ID": rng.choice([name for name in portal.semantics if name != now])})
        changes.stage_moved.append(id_)
    for id_ in take(delete):
        portal.delete_lead(id_)
        changes.deleted.append(id_)
    return changes
