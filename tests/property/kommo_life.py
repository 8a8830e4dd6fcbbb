"""Random life on a Kommo account, whose ways are drawn, too."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

import kommo_oracle
from contents import Tables
from kommo_scene import OLD, KommoScene, small_account
from leadhouse.kommo.client import KommoClient
from leadhouse.sandbox.kommo import serve
from property.life import LifeAndSyncs, picks

PAGE_ROWS = 20
# Ways in which accounts differ. An end that comes early on the first page of a later run cannot be told from quiet.
WAYS: dict[str, Any] = {
    "bounds": ["inclusive", "exclusive"],
    "next_on_exact_multiple": [False, True],
    "short_pages": [False, True],
    "early_204_at_page": [None, 2, 3],
    "only_deleted_filtered": [True, False],
    "loss_reason": ["array", "object"],
    "cfv_empty": ["null", "list"],
    "enum_key": ["enum_code", "enum"],
    "dates": ["unix", "day", "rfc3339"],
    "events_order": ["desc", "asc", "mixed"],
    "merge_event_on": ["winner", "loser"],
    "merge_emits_deleted": [False, True],
    "restore_touches": [True, False],
    "links_touch": [True, False],
}
MOMENTS = ("edit", "contact", "phone", "delete", "restore", "merge", "storm", "hide", "reveal", "old", "link", "come")


class KommoLife(LifeAndSyncs):
    """An account in pages so small that a second holds more leads than a page."""

    scene: KommoScene
    families = kommo_oracle.FAMILIES
    prompt = frozenset({"leads", "contacts"})
    request = (KommoClient, "_read")

    @initialize(
        leads=st.sampled_from([0, 1, 20, 21, 130]),
        seed=st.integers(1, 99),
        ways=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in WAYS.items()}),
    )
    def open(self, leads: int, seed: int, ways: dict[str, Any]) -> None:
        """An account with leads."""
        account = small_account(leads, seed)
        for name, value in ways.items():
            setattr(account.switches, name, value)
        self.server = serve(account)
        self.scene = KommoScene(account, self.server.__enter__().url, self.to)
        self.scene.in_small_packages(self.patch, leads=50, pages=1)
        for module in ("walk", "entities"):
            self.patch.setattr(f"leadhouse.kommo.{module}.PAGE_ROWS", PAGE_ROWS)
        self.begin()

    def truth(self) -> Tables:
        """Return leads, contacts and companies with their child rows."""
        return kommo_oracle.expected(self.scene.account)

    def edit_during(self, pick: int) -> None:
        """Let something happen to some lead, contact or company."""
        self.happen(MOMENTS[pick % len(MOMENTS)], pick // len(MOMENTS))

    def hidden(self) -> list[int]:
        """Return the leads that may not be read."""
        return sorted(self.scene.account.stores["leads"].hidden)

    def reconciling(self, patch: pytest.MonkeyPatch, *, otherwise: bool) -> None:
        """Let the token lack the right to read events."""
        patch.setattr(self.scene.account.switches, "events_forbidden", otherwise)

    def close_server(self) -> None:
        """Stop serving."""
        self.server.__exit__(None, None, None)

    def contact(self, pick: int) -> int | None:
        """Return the id of some contact, None where there are none."""
        ids = self.scene.account.stores["contacts"].ids
        return ids[pick % len(ids)] if ids else None

    @rule(kind=st.sampled_from(MOMENTS), pick=picks)
    def something_happens(self, kind: str, pick: int) -> None:
        """To some lead, contact or company."""
        self.happen(kind, pick)
        self.note()

    def happen(self, kind: str, pick: int) -> None:
        """Let one of MOMENTS happen."""
        account, lead_id, contact = self.scene.account, self.some(pick), self.contact(pick)
        if kind == "reveal":
            self.reveal()
        elif kind == "come":
            self.scene.invent(1 + pick % 3)
        elif kind == "restore" and account.stores["leads"].bin:
            gone = sorted(account.stores["leads"].bin)
            self.scene.restore(gone[pick % len(gone)])
        elif contact is not None and kind in {"contact", "phone"}:
            self._strike_contact(kind, contact)
        elif lead_id is not None:
            self._strike_lead(kind, lead_id, pick)

    def _strike_contact(self, kind: str, contact: int) -> None:
        if kind == "contact":
            self.scene.account.update_contact(contact, {"name": self.title()})
        elif self.edits % 2:
            self.scene.drop_phones(contact, 1)
        else:
            self.scene.add_phone(contact, f"+44 7700 900{self.edits % 1000:03d}")
        self.edits += 1

    def _strike_lead(self, kind: str, lead_id: int, pick: int) -> None:
        account, contact = self.scene.account, self.contact(pick)
        others = [number for number in self.scene.ids() if number != lead_id]
        if kind == "edit":
            fields = {"name": self.title(), "tags_to_add": [{"name": "during"}], "price": pick}
            account.update_lead(lead_id, fields)
        elif kind == "delete":
            self.scene.delete(lead_id)
        elif kind == "merge" and others:
            account.merge_leads(others[pick % len(others)], lead_id)
        elif kind == "storm":
            self.scene.storm([lead_id, *others[: pick % 90]], self.title())
        elif kind == "hide":
            self.scene.hide(lead_id)
        elif kind == "old":
            self.scene.edit_quietly(lead_id, self.title(), at=OLD)
        elif kind == "link" and contact is not None:
            account.link_contact(lead_id, contact, is_main=bool(pick % 2))

    @rule(pick=picks, closed=st.sampled_from([142, 143, 0]))
    def a_lead_moves(self, pick: int, closed: int) -> None:
        """To won, to lost with a reason, or back to work."""
        lead_id, account = self.some(pick), self.scene.account
        if lead_id is not None:
            stages = account.stages[account.lead(lead_id)["pipeline_id"]]
            reason = {"loss_reason_id": account.loss_reasons()[0]["id"]} if closed == 143 else {}
            account.update_lead(lead_id, {"status_id": closed or stages[1], "name": self.title(), **reason})
            self.note()

    @rule(pick=picks)
    def a_contact_goes(self, pick: int) -> None:
        """Its leads lose it, and their times do not move."""
        contact = self.contact(pick)
        if contact is not None:
            self.scene.account.delete_contact(contact)
            self.note()

    @rule(pick=picks, old=st.booleans())
    def a_company_is_edited(self, pick: int, old: bool) -> None:
        """Now, or with an old date."""
        ids = self.scene.account.stores["companies"].ids
        if ids:
            self.scene.account.update_company(ids[pick % len(ids)], {"name": self.title()}, at=OLD if old else None)
            self.note()

    def teardown(self) -> None:
        """The account has no more surprises."""
        if hasattr(self, "scene"):
            self.scene.account.switches.early_204_at_page = None
        super().teardown()
