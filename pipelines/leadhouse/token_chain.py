"""The tokens of an OAuth application: each renewal spends one refresh token and brings the next.

Whoever renews holds the store's lock and looks into the store first, so no refresh token is spent twice, and a new
pair is stored before it is used. The configured refresh token only begins the chain: what is stored bears its hash,
so another one, set after the chain broke, begins another chain.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from hashlib import blake2b
from typing import Protocol

from leadhouse.errors import PortalBusyError, TransientError
from leadhouse.pace import Pause
from leadhouse.retry import backoff
from leadhouse.settings import data_dir
from leadhouse.token_file import TokenFile, Tokens

ATTEMPTS = 5
_LIMIT_S = 10.0


class TokenStore(Protocol):
    """Where the pair in force lies: a file, or a table of the warehouse."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep everybody else from renewing."""

    def read(self) -> Tokens | None:
        """Return the pair in force, None before the first renewal."""

    def replace(self, renew: Callable[[], Tokens]) -> Tokens:
        """Store what `renew` returns, and return it."""


def token_file(seed: str, _: str = "") -> TokenFile:
    """Return the file of a chain in the working directory."""
    return TokenFile(data_dir() / "tokens" / f"{seed}.json")


# What gives the store of a chain, by its seed and the application's secret; a run with a warehouse sets its own.
STORE: ContextVar[Callable[[str, str], TokenStore]] = ContextVar("store", default=token_file)


@contextmanager
def stored_in(store: Callable[[str, str], TokenStore]) -> Iterator[None]:
    """Let the chains that are made within the block lie in what `store` gives."""
    before = STORE.set(store)
    try:
        yield
    finally:
        STORE.reset(before)


class TokenChain:
    """The pairs of tokens that follow from one authorisation.

    Args:
        client_id, client_secret: the application.
        refresh_token: what its authorisation gave.
        ask: asks the OAuth server for the next pair, given a refresh token and the pair that it is of, if any.
        pause: where waiting happens.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        ask: Callable[[str, Tokens | None], Tokens],
        pause: Pause,
    ) -> None:
        seed = blake2b(f"{client_id} {refresh_token}".encode(), digest_size=8).hexdigest()
        self._first = refresh_token
        self._ask = ask
        self._pause = pause
        self._store = STORE.get()(seed, client_secret)

    def stored(self) -> Tokens | None:
        """Return the pair in force, None before the first renewal.

        Raises:
            StateError: what is stored is damaged.
        """
        return self._store.read()

    def renewed(self, refused: str | None) -> Tokens:
        """Return the pair that another process has got meanwhile, else ask for a new one and store it.

        Args:
            refused: the access token that the portal refused, None where there was none.

        Raises:
            TransientError: the OAuth server does not answer, or another process renews all the time.
            OperatorError: it refuses; a person must act.
        """
        with self._store.lock():
            tokens = self._store.read()
            if tokens is None or tokens.access_token == refused or tokens.expires_at <= time.time():
                tokens = self._store.replace(partial(self._asked, tokens))
        return tokens

    def _asked(self, old: Tokens | None) -> Tokens:
        """Ask until there is an answer; where one was lost, the same refresh token is all there is to ask with."""
        refresh_token = old.refresh_token if old else self._first
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask(refresh_token, old)
            except TransientError as error:
                problem = error
            if attempt == ATTEMPTS or self._pause.cancelled:
                break
            if isinstance(problem, PortalBusyError):
                self._pause.for_limit(problem.retry_after or _LIMIT_S)
            else:
                self._pause.for_retry(backoff(attempt))
        raise problem
