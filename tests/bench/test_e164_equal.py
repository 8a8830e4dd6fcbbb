"""The short way to E.164 gives what the phonenumbers library gives, to the last number."""

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.phone import e164

_REGIONS = (None, "US", "GB", "KZ", "RU", "IT", "AR", "MX", "DE", "BR", "CN")
_NUMBERS_A_REGION = 150
_MADE = 40_000


def _library(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _spelled(dice: random.Random, digits: str) -> str:
    """Put punctuation into digits, as people do."""
    marks = dice.choice(("", " ", "-", ".", " -", " ()", " ().-/", "\xa0 ", " x~"))
    share = dice.choice((0.0, 0.15, 0.5))
    return "".join(digit + (dice.choice(marks) if marks and dice.random() < share else "") for digit in digits)


def _varied() -> Iterator[tuple[str, str | None]]:
    """Yield numbers of all regions in all lengths, valid or not, and sequences of signs that look like numbers."""
    dice = random.Random(7)  # noqa: S311 - the same numbers each time
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(region)
        assert example is not None
        known = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]
        code = str(example.country_code)
        for number in range(_NUMBERS_A_REGION):
            tail = "".join(dice.choices("0123456789", k=dice.randint(1, 14)))
            national = dice.choice(("", "0", "8", "1", "00", "9")) + tail
            digits = known[: -dice.randint(1, 5)] + tail if number % 3 else code + national
            yield (
                dice.choice(("+", "", "00", "+0", "++", "(+", "+ ", " +")) + _spelled(dice, digits),
                dice.choice(_REGIONS),
            )
            yield "+" + _spelled(dice, digits), dice.choice((None, region))
    for calling_code in range(1, 1000):
        for _ in range(10):
            yield f"+{calling_code}{dice.randrange(10 ** dice.randint(3, 14))}", dice.choice(_REGIONS)
    for _ in range(_MADE):
        text = "".join(
            dice.choices("0123456789+ ()-./x#;,~\u0661\uff11", weights=[8] * 10 + [2] * 14, k=dice.randint(1, 24))
        )
        yield text, dice.choice(_REGIONS)


def test_a_hundred_thousand_varied_numbers_are_as_the_library_has_them() -> None:
    numbers = list(_varied())
    differing = [(text, region) for text, region in numbers if e164(text, region) != _library(text, region)]

    assert len(numbers) > 100_000
    assert differing == []
    assert len({e164(text, region) for text, region in numbers}) > 15_000


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text("0123456789+ ().-\t\n", max_size=45), st.sampled_from(_REGIONS))
def test_any_sequence_of_digits_and_punctuation_is_as_the_library_has_it(text: str, region: str | None) -> None:
    assert e164(text, region) == _library(text, region)


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_every_calling_code_has_its_numbers_in_all_lengths(code: int) -> None:
    dice = random.Random(code)  # noqa: S311 - the same numbers each time
    for length in range(2, 17):
        for first in "0123456789":
            text = f"+{code}{first}{''.join(dice.choices('0123456789', k=length - 1))}"

            assert e164(text, None) == _library(text, None), text
