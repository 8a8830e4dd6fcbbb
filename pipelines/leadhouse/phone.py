"""Phone numbers in E.164 form, as the phonenumbers library has them.

The library decides; for the two plain cases that make up most of a CRM its answer is known from its metadata alone, at
a third of its parser's cost. A test holds both ways against each other.
"""

import re
from functools import cache, lru_cache

import phonenumbers

# Digits with the punctuation that no rule of the parser gives a meaning to; the parser looks for no extension in these.
_PLAIN = re.compile(r"(\+?)[0-9][0-9 ().-]*", re.ASCII)
_NO_PUNCTUATION = {ord(char): None for char in "+ ().-"}
_LONGEST = 40
# Below this many digits the parser has rules of its own for what a number is.
_FEWEST = 7


@lru_cache(maxsize=1 << 16)
def e164(text: str, region: str | None) -> str | None:
    """Return a phone number in E.164 form, None where it cannot be one.

    Args:
        text: as typed.
        region: where it is a local number, the region that it is local to.
    """
    plain = _PLAIN.fullmatch(text) if len(text) <= _LONGEST else None
    if plain is not None:
        if not plain[1]:
            if region is None:
                return None
        else:
            digits = text.translate(_NO_PUNCTUATION)
            if len(digits) >= _FEWEST and _is_whole(digits):
                return "+" + digits
    return _parsed(text, region)


def _is_whole(digits: str) -> bool:
    """True for a calling code and a number of a possible length that has no national prefix to strip."""
    for length in (1, 2, 3):
        plan = _plan(digits[:length])
        if plan is not None:
            lengths, prefix = plan
            national = digits[length:]
            return len(national) in lengths and (prefix is None or prefix.match(national) is None)
    return False


@cache
def _plan(code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """Return the possible lengths of a calling code's numbers and what a national prefix looks like there."""
    if code.startswith("0") or int(code) not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        return None
    region = phonenumbers.region_code_for_country_code(int(code))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if metadata is None or metadata.general_desc is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    possible = frozenset(metadata.general_desc.possible_length) - {-1}
    return possible, re.compile(prefix) if prefix else None


def _parsed(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
