"""The tokens in force of an application's access, in the Postgres that is the warehouse: workers share them there.

They are sealed with the application's secret, which stands in the configuration alone: whoever reads the warehouse
cannot use them.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from typing import Any

import msgspec

from leadhouse.errors import ConfigurationError, LeadhouseError, RunLockedError, StateError
from leadhouse.lock import server_lock
from leadhouse.token_file import LOCK_S, TokenFile, Tokens

TABLE = "_leadhouse_tokens"


class TokenTable:
    """Tokens in a table of the dataset.

    Args:
        connect: opens a connection to the server; raises a LeadhouseError where it cannot.
        label: the server and its database, without secrets.
        dataset: the schema.
        seed: which chain of tokens: a hash of the refresh token that began it.
        secret: the application's, which seals them.
        begun: where this machine may have kept them before the table did.
    """

    def __init__(
        self, connect: Callable[[], Any], *, label: str, dataset: str, seed: str, secret: str, begun: TokenFile
    ) -> None:
        self._connect = connect
        self._label = label
        self._dataset = dataset
        self._seed = seed
        self._key = urlsafe_b64encode(blake2b(secret.encode(), digest_size=32, person=b"leadhouse").digest())
        self._begun = begun
        self._connection: Any = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other worker from renewing, whichever machine it is on.

        Raises:
            RunLockedError: another one held it all the time.
            WarehouseRefusedError, WarehouseUnavailableError: the server cannot be used.
        """
        with closing(self._connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                if not server_lock(cursor, "leadhouse tokens", self._seed, LOCK_S):
                    raise RunLockedError(
                        "another worker has been renewing the application's tokens all the time; run again"
                    )
            self._connection = connection
            try:
                yield
            finally:
                self._connection = None

    def read(self) -> Tokens | None:
        """Return what is stored, None before the first renewal.

        Raises:
            StateError: it cannot be read with the configured secret.
            WarehouseRefusedError, WarehouseUnavailableError: the server cannot be used.
        """
        with self._cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (f'"{self._dataset}".{TABLE}',))
            row = None
            if cursor.fetchone()[0] is not None:
                cursor.execute(f"SELECT sealed FROM {self._name} WHERE chain = %s", (self._seed,))  # noqa: S608 - our names
                row = cursor.fetchone()
        return self._begun.read() if row is None or row[0] is None else self._opened(row[0])

    def replace(self, renew: Callable[[], Tokens]) -> Tokens:
        """Store what `renew` returns, and return it; the row is there before `renew` spends the old pair.

        Raises:
            ConfigurationError: it cannot be written.
        """
        from cryptography.fernet import Fernet  # noqa: PLC0415 - for applications only
        from psycopg2 import Error  # noqa: PLC0415 - loaded with the first use

        problem = ""
        try:
            with self._cursor() as cursor:
                cursor.execute("SELECT to_regnamespace(%s)", (f'"{self._dataset}"',))
                if cursor.fetchone()[0] is None:  # the right to make it is asked for also where it is there
                    cursor.execute(f'CREATE SCHEMA IF NOT EXISTS "{self._dataset}"')
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {self._name} "
                    "(chain text PRIMARY KEY, sealed text, renewed_at timestamptz NOT NULL)"
                )
                cursor.execute(
                    f"INSERT INTO {self._name} AS old (chain, renewed_at) VALUES (%s, now()) "  # noqa: S608 - our names
                    "ON CONFLICT (chain) DO UPDATE SET sealed = old.sealed",
                    (self._seed,),
                )
                tokens = renew()
                sealed = Fernet(self._key).encrypt(msgspec.json.encode(tokens)).decode()
                cursor.execute(
                    f"UPDATE {self._name} SET sealed = %s, renewed_at = now() WHERE chain = %s",  # noqa: S608 - our names
                    (sealed, self._seed),
                )
                return tokens
        except Error as error:
            problem = str(error).split("\n", 1)[0]
        raise ConfigurationError(
            f"{self._label}: the application's tokens cannot be written to {self._dataset}.{TABLE} ({problem}); "
            "correct that, and authorise the application again if its tokens are then refused"
        )

    @property
    def _name(self) -> str:
        return f'"{self._dataset}".{TABLE}'

    def _opened(self, sealed: str) -> Tokens:
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - for applications only

        try:
            return msgspec.json.decode(Fernet(self._key).decrypt(sealed), type=Tokens)
        except (InvalidToken, msgspec.MsgspecError):
            problem: LeadhouseError = StateError(
                f"{self._label}: the tokens in {self._dataset}.{TABLE} cannot be read with this client_secret; correct "
                "it, or authorise the application again and set its new refresh_token"
            )
        raise problem

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Give a cursor that commits each statement: of the connection that holds the lock, or of one for this look."""
        if self._connection is not None:
            with self._connection.cursor() as cursor:
                yield cursor
            return
        with closing(self._connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
