"""Mend JSON in which PHP cut an emoji in half, so that one lead's text does not spoil a page."""

import re

# Any escape of JSON; a pair of surrogates counts as one. Half a pair is text that PHP cut through.
_ESCAPE = re.compile(rb"(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)")
_LONE = len(rb"\ud83d")


def mended(body: bytes) -> bytes:
    """Return JSON with every half of a surrogate pair replaced by U+FFFD."""
    return _ESCAPE.sub(_whole, body)


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if len(escape[0]) == _LONE else escape[0]
