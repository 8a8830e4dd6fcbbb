"""How many leads may vanish before it is not believed: rights that are lost look like a mass deletion."""

_SPARED = 100
_SHARE = 0.10


def believable(leads: int) -> int:
    """Return how many of `leads` may vanish: a tenth, or 100 where that is more."""
    return max(_SPARED, int(leads * _SHARE))
