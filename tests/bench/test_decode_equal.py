"""Decoding column by column gives what decoding entry by entry gives, whatever a portal sends."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.bitrix24.decode import Decoder, LeadBatch
from leadhouse.bitrix24.families import LEAD
from leadhouse.bitrix24.fields import Fields

_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_FIELDS = Fields(LEAD, {"ID": {"type": "integer"}, "TITLE": {"type": "string"}})

_ODD: st.SearchStrategy[Any] = st.sampled_from([None, False, True, 0, 7, 1.5, "", [], {}, ["x"], {"a": "b"}])
_NUMBERS = st.one_of(
    st.integers(1, 10**12).map(str), st.sampled_from(["0", "", " 5", "0x1F", "1e3", "\u0663", str(2**63)]), _ODD
)
_TEXTS = st.one_of(
    st.sampled_from(["+44 7700 900123", "07700 900123", "\ud83d", "Ж", "WORK"]), st.text(max_size=12), _ODD
)
_PROMISED = st.fixed_dictionaries({
    "ID": st.integers(1, 10**12).map(str),
    "VALUE": st.one_of(st.just("+44 7700 900123"), st.text(max_size=12)),
    "VALUE_TYPE": st.sampled_from(["WORK", "HOME", ""]),
})  # fmt: skip
_ANY = st.one_of(
    _PROMISED, st.fixed_dictionaries({}, optional={"ID": _NUMBERS, "VALUE": _TEXTS, "VALUE_TYPE": _TEXTS}), _ODD
)
_LEADS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"PHONE": st.one_of(st.lists(_PROMISED, max_size=3), _ODD), "EMAIL": st.lists(_ANY)}
    ),
    min_size=1,
    max_size=6,
)


def _decoded(leads: list[dict[str, Any]], *, by_entry: bool) -> LeadBatch:
    names = _FIELDS.attributes
    rows = [
        _FIELDS.row_type(**{names[name]: value for name, value in {"ID": str(number), **lead}.items()})
        for number, lead in enumerate(leads, start=1)
    ]
    decoder = Decoder(_FIELDS, "GB")
    try:
        with pytest.MonkeyPatch.context() as patched:
            if by_entry:
                patched.setattr(Decoder, "_plain_multifield", lambda *_: None)
            return decoder.decode(rows, _AT)
    finally:
        decoder.close()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(_LEADS)
def test_multifields_are_the_same_column_by_column_and_entry_by_entry(leads: list[dict[str, Any]]) -> None:
    quick, careful = _decoded(leads, by_entry=False), _decoded(leads, by_entry=True)

    assert list(quick.children) == list(careful.children)
    assert all(quick.children[name].equals(careful.children[name]) for name in careful.children)
    assert quick.leads.equals(careful.leads)
    assert quick.misfits == careful.misfits


def test_leads_read_before_a_field_was_known_have_none_of_it() -> None:
    before = _FIELDS.page.decode(msgspec.json.encode([{"ID": "1", "TITLE": "Old"}]))
    known = Fields(LEAD, {"ID": {"type": "integer"}, "TITLE": {"type": "string"}, "UF_CRM_NEW": {"type": "string"}})
    after = known.page.decode(msgspec.json.encode([{"ID": "2", "TITLE": "New", "UF_CRM_NEW": "seen"}]))
    decoder = Decoder(known, None)
    try:
        leads = decoder.decode([*before, *after], _AT).leads
    finally:
        decoder.close()

    assert leads.select(["id", "title", "uf_crm_new"]).to_pylist() == [
        {"id": 1, "title": "Old", "uf_crm_new": None},
        {"id": 2, "title": "New", "uf_crm_new": "seen"},
    ]
