"""Random life on a Bitrix24 portal."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

import oracle
from contents import Tables
from difference import Family
from leadhouse.bitrix24 import census
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.sandbox.bitrix24 import serve
from property.life import LifeAndSyncs, picks
from scene import Scene, small_portal

# No boolean: a new one is false at once for every lead, without an edit that a cursor could see.
CUSTOM_TYPES = ("string", "integer", "double", "money", "date", "datetime")
CUSTOM_VALUES = {
    "string": "Σ text",
    "integer": "7",
    "double": "1.5",
    "money": "12.50|EUR",
    "date": "2026-02-03",
    "datetime": "2026-02-03T04:05:06+03:00",
}


class Bitrix24Life(LifeAndSyncs):
    """A portal over either family of methods."""

    scene: Scene
    families = (Family("leads", (*oracle.MULTIFIELD_TABLES.values(), "lead_custom_values"), "lead_id"),)
    prompt = frozenset({"leads"})
    request = (Bitrix24Client, "batch")

    def __init__(self) -> None:
        super().__init__()
        self.fields = 0

    @initialize(
        leads=st.sampled_from([0, 1, 50, 51, 130]), seed=st.integers(1, 99), api=st.sampled_from(["lead", "item"])
    )
    def open(self, leads: int, seed: int, api: str) -> None:
        """A portal with leads."""
        portal = small_portal(leads, seed)
        self.server = serve(portal)
        self.scene = Scene(portal, self.server.__enter__().url, self.to, api=api)
        self.scene.in_small_packages(self.patch, leads=50, pages=1)
        self.begin()

    def truth(self) -> Tables:
        """Return leads and their child rows."""
        return self.scene.expected()

    def edit_during(self, pick: int) -> None:
        """Edit some lead."""
        self.edit(pick, {"EMAIL": [{"VALUE": "during@example.org"}]})

    def hidden(self) -> list[int]:
        """Return the leads that may not be read."""
        return sorted(self.scene.portal.store.hidden)

    def reconciling(self, patch: pytest.MonkeyPatch, *, otherwise: bool) -> None:
        """Let the small portal be counted as large ones are."""
        if otherwise:
            patch.setattr(census, "_SMALL_REQUESTS", 0)
            patch.setattr(census, "_MARGIN_IDS", 10)
            patch.setattr(census, "_requests_to_come", lambda *_: 0)

    def close_server(self) -> None:
        """Stop serving."""
        self.server.__exit__(None, None, None)

    def edit(self, pick: int, fields: dict[str, Any]) -> None:
        """Edit some lead."""
        lead_id = self.some(pick)
        if lead_id is not None:
            self.scene.portal.update_lead(lead_id, {"POST": self.title(), **fields})
            self.note()

    @rule(pick=picks, stage=st.sampled_from(["NEW", "IN_PROCESS", "JUNK", "CONVERTED"]))
    def a_lead_moves(self, pick: int, stage: str) -> None:
        """Another stage."""
        self.edit(pick, {"STATUS_ID": stage})

    @rule(pick=picks, kind=st.sampled_from(["PHONE", "EMAIL", "IM", "WEB"]))
    def a_value_is_added(self, pick: int, kind: str) -> None:
        """A phone, an address."""
        self.edit(pick, {kind: [{"VALUE": f"+44 7700 900{self.edits % 1000:03d}"}]})

    @rule(pick=picks, all_of_them=st.booleans())
    def phones_go(self, pick: int, all_of_them: bool) -> None:
        """One or all."""
        lead_id = self.some(pick)
        phones = self.scene.portal.lead(lead_id).get("PHONE", []) if lead_id is not None else []
        self.edit(pick, {"PHONE": [{"ID": p["ID"], "DELETE": "Y"} for p in (phones if all_of_them else phones[:1])]})

    @rule(kind=st.sampled_from(CUSTOM_TYPES), multiple=st.booleans())
    def a_custom_field_is_made(self, kind: str, multiple: bool) -> None:
        """No lead has a value yet."""
        self.fields += 1
        self.scene.portal.add_userfield(f"UF_CRM_NEW{self.fields}", kind, multiple=multiple)

    @precondition(lambda self: self.fields)
    @rule(pick=picks, number=picks)
    def a_custom_value_is_set(self, pick: int, number: int) -> None:
        """Once, or twice in a multiple field."""
        field = self.scene.portal.userfield_map[f"UF_CRM_NEW{1 + number % self.fields}"]
        value = CUSTOM_VALUES[field.user_type]
        self.edit(pick, {field.name: [value, value] if field.multiple else value})
