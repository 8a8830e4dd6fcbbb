"""What the doctor looks at in every portal: its clock beside this machine's, an application's tokens."""

from datetime import datetime
from typing import NoReturn

from leadhouse.errors import InternalError
from leadhouse.findings import OPERATOR, Findings
from leadhouse.pace import Pause
from leadhouse.times import in_words
from leadhouse.token_chain import TokenChain
from leadhouse.token_file import Tokens

_SKEW_S = 60.0


def clock(found: Findings, portal_now: datetime, asked: float) -> None:
    """Compare clocks; `asked` is this machine's (unix) when the portal told its own."""
    ahead = asked - portal_now.timestamp()
    told = f"this machine's clock is {in_words(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the portal's"
    if abs(ahead) > _SKEW_S:
        found.add("clock", OPERATOR, f"{told}; set it, with NTP: ages, times of runs and the end of tokens go by it")
    else:
        found.ok("clock", told if abs(ahead) >= 1 else "this machine's clock agrees with the portal's")


def tokens(client_id: str, client_secret: str, refresh_token: str) -> Tokens | None:
    """Return an application's tokens in force, None before the first renewal.

    Raises:
        StateError: what is stored is damaged.
    """
    return TokenChain(client_id, client_secret, refresh_token, _ask_nobody, Pause()).stored()


def _ask_nobody(*_: object) -> NoReturn:
    raise InternalError("the doctor renews no tokens")
