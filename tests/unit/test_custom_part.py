"""Titles of a portal's own fields become names of columns, whatever text they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadhouse.bitrix24.custom_part import custom_part
from leadhouse.columns import Kind
from leadhouse.custom_part import column_names
from unit.fuzz import QUICK

_TAKEN = ("id", "title", "stage")


def _names(*titles: str) -> list[str]:
    return column_names([(title, "", f"uf_crm_{number}") for number, title in enumerate(titles)], _TAKEN)


def test_a_title_is_the_name_as_it_stands() -> None:
    assert _names("Номер договора", 'R&D "lab"', "100%; --", "官公庁") == [
        "Номер договора", 'R&D "lab"', "100%; --", "官公庁",
    ]  # fmt: skip


@pytest.mark.parametrize("title", ["", "   ", "\n\t", "\0", "\u200b\u2028"])
def test_a_field_without_a_title_bears_its_own_name(title: str) -> None:
    assert _names(title) == ["uf_crm_0"]


def test_white_space_and_characters_that_do_not_print_are_one_space() -> None:
    assert _names(" Contract\n\n date\0 ") == ["Contract date"]


def test_fields_of_one_title_are_all_told_apart() -> None:
    assert _names("Phone", "Other", "phone") == ["Phone (uf_crm_0)", "Other", "phone (uf_crm_2)"]


def test_a_title_of_a_standard_column_is_told_apart() -> None:
    assert _names("Stage", "ID") == ["Stage (uf_crm_0)", "ID (uf_crm_1)"]


def test_a_title_that_looks_like_anothers_way_out_is_told_apart() -> None:
    assert _names("A", "A", "A (uf_crm_1)", "uf_crm_4", "") == [
        "A (uf_crm_0)", "A (uf_crm_1)", "A (uf_crm_1) (uf_crm_2)", "uf_crm_4 (uf_crm_3)", "uf_crm_4",
    ]  # fmt: skip


def test_a_long_title_ends_at_a_character_and_long_ones_that_begin_alike_are_told_apart() -> None:
    (long,) = _names("Ж" * 40)
    assert long == "Ж" * 31
    one, other = _names("Ж" * 40, "Ж" * 41)
    assert (one, other) == ("Ж" * 26 + " (uf_crm_0)", "Ж" * 26 + " (uf_crm_1)")


@QUICK
@given(st.lists(st.text(max_size=80), max_size=12))
def test_names_are_usable_unique_and_the_same_each_time(titles: list[str]) -> None:
    names = _names(*titles)
    assert names == _names(*titles)
    assert len({name.casefold() for name in (*names, *_TAKEN)}) == len(titles) + len(_TAKEN)
    assert all(name.strip() and len(name.encode("utf-8", "replace")) <= 63 and "\0" not in name for name in names)


def test_a_column_made_for_a_field_of_another_type_is_shown_as_it_is() -> None:
    rows = [("uf_crm_a", "UF_CRM_A", "Segment", "enumeration", False, None)]

    part = custom_part(lambda _: rows, {"id": Kind.BIGINT, "uf_crm_a": Kind.TEXT}, _TAKEN)

    assert part.columns.strip(", \n") == 'l."uf_crm_a" AS "Segment"'
    assert part.joins == ""


def test_a_column_of_a_field_that_the_portal_removed_stays() -> None:
    part = custom_part(lambda _: [], {"id": Kind.BIGINT, "uf_crm_gone": Kind.TEXT}, _TAKEN)

    assert part.columns.strip(", \n") == 'l."uf_crm_gone" AS "uf_crm_gone"'
    assert part.fields == {"uf_crm_gone": "UF_CRM_GONE: a field that the portal removed"}
