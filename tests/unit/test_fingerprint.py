"""A lead's fingerprint changes with the lead or its child rows, and with nothing else."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.fingerprint import Fingerprinter
from unit.fuzz import QUICK


@pytest.fixture(scope="module")
def prints() -> Iterator[Fingerprinter]:
    fingerprinter = Fingerprinter()
    yield fingerprinter
    fingerprinter.close()


Lead = tuple[int, str | None, list[str]]


def of(prints: Fingerprinter, leads: list[Lead], table: str = "lead_phones") -> dict[int, int]:
    """Return the fingerprints of leads, each an id, a title and phones."""
    rows = pa.table(
        {"id": pa.array([lead[0] for lead in leads], pa.int64()), "title": pa.array([x[1] for x in leads], pa.string())}
    )
    phones = [(lead[0], place, phone) for lead in leads for place, phone in enumerate(lead[2])]
    child = pa.table(
        {
            "lead_id": pa.array([phone[0] for phone in phones], pa.int64()),
            "position": pa.array([phone[1] for phone in phones], pa.int64()),
            "value": pa.array([phone[2] for phone in phones], pa.string()),
        }
    )
    found = prints.of(rows, {table: child}, "lead_id")
    assert found.type == pa.int64()
    return dict(zip(rows.column("id").to_pylist(), found.to_pylist(), strict=True))


BASE: Lead = (7, "Site form", ["+7 700 000 00 01", "+7 700 000 00 02"])


@pytest.mark.parametrize(
    "changed",
    [(7, "site form", BASE[2]), (7, None, BASE[2]), (7, "", BASE[2]), (7, BASE[1], []), (7, BASE[1], BASE[2][:1]),
     (7, BASE[1], BASE[2][::-1]), (7, BASE[1], [*BASE[2], BASE[2][0]]), (8, BASE[1], BASE[2])],
    ids=["title", "no title", "empty title", "no phones", "a phone gone", "phones swapped", "a phone twice", "id"],
)  # fmt: skip
def test_any_change_of_a_lead_or_its_child_rows_changes_it(prints: Fingerprinter, changed: Lead) -> None:
    assert of(prints, [changed])[changed[0]] != of(prints, [BASE])[7]


def test_null_and_empty_text_differ(prints: Fingerprinter) -> None:
    assert of(prints, [(1, None, [])]) != of(prints, [(1, "", [])])


def test_the_same_value_in_another_child_table_is_a_change(prints: Fingerprinter) -> None:
    assert of(prints, [BASE], "lead_phones") != of(prints, [BASE], "lead_emails")


def test_it_is_a_positive_number_that_every_database_holds(prints: Fingerprinter) -> None:
    found = of(prints, [(number, f"lead {number}", []) for number in range(200)])
    assert all(0 <= value < 2**63 for value in found.values())
    assert len(set(found.values())) == 200


def test_another_run_finds_the_same_number(prints: Fingerprinter) -> None:
    other = Fingerprinter()
    try:
        assert of(other, [BASE]) == of(prints, [BASE])
    finally:
        other.close()


LEADS = st.lists(
    st.tuples(st.integers(1, 99), st.none() | st.text(max_size=4), st.lists(st.text(max_size=4), max_size=2)),
    min_size=1,
    max_size=6,
    unique_by=lambda lead: lead[0],
).map(sorted)


@settings(QUICK, max_examples=30)
@given(leads=LEADS, cut=st.integers(0, 6))
def test_it_does_not_depend_on_the_other_leads_of_the_batch(prints: Fingerprinter, leads: list[Any], cut: int) -> None:
    apart = [of(prints, part) for part in (leads[:cut], leads[cut:]) if part]
    assert {number: found for part in apart for number, found in part.items()} == of(prints, leads)


def test_the_answer_is_in_the_order_of_the_ids(prints: Fingerprinter) -> None:
    leads: list[Lead] = [(number, str(number), ["1"] * (number % 3)) for number in range(1, 3000)]
    together = of(prints, leads)
    assert all(together[number] == of(prints, [leads[number - 1]])[number] for number in (1, 2, 3, 1500, 2999))


def test_equal_values_of_two_fields_that_change_alike_are_a_change(prints: Fingerprinter) -> None:
    leads = pa.table({"id": pa.array([1], pa.int64())})

    def found(value: str) -> list[int]:
        values = pa.table(
            {"lead_id": [1, 1], "field": ["uf_crm_1", "uf_crm_2"], "position": [0, 0], "value": [value] * 2}
        )
        return list(prints.of(leads, {"lead_custom_values": values}, "lead_id").to_pylist())

    assert found("45") != found("46")
