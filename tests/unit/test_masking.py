"""Pseudonyms: one a person, known again, nothing of the value in them; and which fields hold free text."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadhouse.crm import crm
from leadhouse.fingerprint import FINGERPRINT
from leadhouse.masking import Mask, Mode, Pseudonyms
from leadhouse.personal import Reviewed, personal_tables, reviewed
from leadhouse.phone import e164
from leadhouse.tables import tables
from unit.fuzz import QUICK

BITRIX24 = crm("bitrix24")
KOMMO = crm("kommo")
NAMES = Pseudonyms("a key of sixteen characters and more")


@QUICK
@given(st.text(min_size=1) | st.from_regex(r"[0-9a-f]{32}", fullmatch=True))
def test_a_pseudonym_is_32_hex_digits_and_masking_twice_is_masking_once(text: str) -> None:
    told = NAMES.of(text)

    assert told is not None
    assert re.fullmatch(r"[0-9a-f]{32}", told)
    assert told != text
    assert NAMES.of(told) == told
    assert Pseudonyms("another key of sixteen characters").of(told) != told


def test_an_account_behind_an_open_line_shows_its_messenger_only() -> None:
    one, other = NAMES.of("imol|livechat|1|67|21"), NAMES.of("imol|telegrambot|1|67|21")

    assert one is not None
    assert re.fullmatch(r"imol\|livechat\|[0-9a-f]{32}", one)
    assert NAMES.of(one) == one
    assert other is not None
    assert other.split("|")[2] == one.split("|")[2]


@QUICK
@given(st.emails(), st.sampled_from(["", " ", "\t "]))
def test_an_address_has_one_pseudonym_in_every_spelling(address: str, blank: str) -> None:
    assert NAMES.of(f"{blank}{address.upper()}{blank}") == NAMES.of(address.lower())


@pytest.mark.parametrize(("one", "other"), [("Ada", "ada"), ("Ada @ home", "ada @ home"), ("Ada", "Ada ")])
def test_other_text_has_a_pseudonym_a_spelling(one: str, other: str) -> None:
    assert NAMES.of(one) != NAMES.of(other)


@QUICK
@given(st.integers(100_000, 999_999), st.lists(st.sampled_from(" -.()"), min_size=6, max_size=6))
def test_a_number_has_one_pseudonym_in_every_format(number: int, marks: list[str]) -> None:
    typed = "".join(digit + mark for digit, mark in zip(str(number), marks, strict=True))
    numbers = [f"+447700{number}", f"07700 {number}", f"+44 7700 {typed}"]

    made = Mask(BITRIX24, Mode.HASH, NAMES).table(
        "lead_phones", _phones(*((told, e164(told, "GB")) for told in numbers))
    )

    assert set(made.column("value").to_pylist()) == set(made.column("e164").to_pylist()) == {NAMES.of(numbers[0])}


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_has_no_pseudonym(text: str | None) -> None:
    assert NAMES.of(text) is None


def test_the_check_value_tells_keys_apart_and_is_no_pseudonym() -> None:
    assert NAMES.check != Pseudonyms("another key of sixteen characters").check
    assert len(NAMES.check) == 32
    assert NAMES.of(NAMES.check) != NAMES.check


def _phones(*rows: tuple[str | None, str | None]) -> pa.Table:
    schema = tables("bitrix24")["lead_phones"].schema()
    cells = [
        {"id": at, "lead_id": at, "position": 0, "value": value, "value_type": "WORK", "e164": e164}
        for at, (value, e164) in enumerate(rows, 1)
    ]
    return pa.Table.from_pylist(cells, schema=schema)


def test_a_phone_is_hashed_by_its_e164_form_and_as_typed_where_it_has_none() -> None:
    typed = _phones(
        ("07700 900123", "+447700900123"), ("+44 7700 900123", "+447700900123"), ("ask Ada", None), (None, None)
    )

    made = Mask(BITRIX24, Mode.HASH, NAMES).table("lead_phones", typed)

    one = NAMES.of("+447700900123")
    assert made.column("value").to_pylist() == [one, one, NAMES.of("ask Ada"), None]
    assert made.column("e164").to_pylist() == [one, one, None, None]
    assert made.schema == typed.schema
    assert made.column("value_type").to_pylist() == ["WORK"] * 4


def test_dropped_rows_stay_without_their_values_and_forgotten_ones_in_any_mode() -> None:
    typed = _phones(("a", None), ("b", None))

    assert Mask(BITRIX24, Mode.DROP).table("lead_phones", typed).column("value").to_pylist() == [None, None]
    for mode, left in ((Mode.KEEP, "b"), (Mode.HASH, NAMES.of("b"))):
        mask = Mask(BITRIX24, mode, NAMES, {"leads": [1]})
        assert mask.table("lead_phones", typed).column("value").to_pylist() == [None, left]


def test_what_is_kept_is_the_same_table() -> None:
    typed = {"lead_phones": _phones(("a", None))}

    assert Mask(BITRIX24).read(typed, {})["lead_phones"] is typed["lead_phones"]


def test_fields_that_hold_codes_are_left_alone() -> None:
    types = [
        *(("uf_a", "string"), ("uf_b", "crm"), ("uf_c", "money"), ("uf_d", "enumeration"), ("uf_e", "rest_12_app")),
        *(("uf_f", "crm"), ("uf_f", "string")),
    ]

    told = reviewed(BITRIX24, types)

    assert told.columns == {"uf_b", "uf_c_currency"}
    assert told.fields == {"uf_b", "uf_c", "uf_d"}


def test_a_field_with_the_name_of_a_currency_is_not_taken_for_one() -> None:
    assert reviewed(BITRIX24, [("uf_c", "money"), ("uf_c_currency", "string")]).columns == frozenset()


def test_values_of_variants_numbers_and_campaigns_are_left_alone() -> None:
    schema = tables("kommo")["lead_custom_values"].schema()
    kinds = [
        ("select", None),
        ("text", None),
        ("numeric", "X"),
        ("text", "select"),
        ("tracking_data", "UTM_SOURCE"),
        ("tracking_data", "GCLID"),
    ]
    rows = [
        {"lead_id": 1, "field_id": at, "position": 0, "type": kind, "code": code, "value": "said"}
        for at, (kind, code) in enumerate([*kinds, (None, None)])
    ]

    made = Mask(KOMMO, Mode.DROP).table("lead_custom_values", pa.Table.from_pylist(rows, schema=schema))

    assert made.column("value").to_pylist() == ["said", None, "said", None, "said", None, None]


def test_a_lead_without_its_values_has_another_fingerprint_and_nothing_else_changed() -> None:
    schema = tables("bitrix24")["leads"].schema()
    row = dict.fromkeys(schema.names) | {"id": 1, "title": "Ada calls", "status_id": "NEW", FINGERPRINT: 7}
    leads = pa.Table.from_pylist([row, row | {"id": 2, "title": "Bob calls"}], schema=schema)

    def fingerprints(mask: Mask, table: pa.Table) -> list[int]:
        made = mask.decoded({"leads": table}, Reviewed())["leads"]
        assert made.drop_columns(["title", FINGERPRINT]) == table.drop_columns(["title", FINGERPRINT])
        found: list[int] = made.column(FINGERPRINT).to_pylist()
        return found

    dropped = fingerprints(Mask(BITRIX24, Mode.DROP), leads)
    assert 7 not in dropped
    assert (
        fingerprints(Mask(BITRIX24, Mode.DROP), pa.Table.from_pylist([row | {"title": "Zoe"}], schema=schema))
        == dropped[:1]
    )
    assert fingerprints(Mask(BITRIX24, Mode.HASH, NAMES), leads) != dropped


@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_every_personal_column_is_in_a_table_that_is_masked(source: str) -> None:
    known = crm(source)
    marked = {name for name, table in known.contract.items() if any(told.personal for told in table.columns.values())}

    assert marked <= personal_tables(known).keys()
    assert {"leads", "lead_versions"} <= personal_tables(known).keys()
