"""The tokens in force of an application's access: a file that only its owner reads, replaced as a whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from filelock import FileLock, Timeout

from leadhouse.errors import ConfigurationError, RunLockedError, StateError
from leadhouse.redact import register_secrets

LOCK_S = 120.0
# Bytes that are on the disk before a refresh token is spent; a pair takes 400 (Bitrix24) to 3,000 (Kommo).
_ROOM = 16384


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens, and the addresses that came with it.

    Attributes:
        access_token: what a request carries.
        refresh_token: what the next pair is asked for with; good for one renewal.
        expires_at: when another access token is to be asked for, by this machine's clock (unix).
        client_endpoint: where the portal's methods are called, "" where no answer tells.
        server_endpoint: names the OAuth server's host, "" where no answer tells.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    client_endpoint: str = ""
    server_endpoint: str = ""

    def __post_init__(self) -> None:
        register_secrets((self.access_token, self.refresh_token))


class TokenFile:
    """Tokens on the disk.

    Args:
        path: the file; its folder is made, for its owner alone, when the lock is first held.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process and thread from renewing.

        Raises:
            RunLockedError: another one held it all the time.
            ConfigurationError: the folder cannot be written.
        """
        lock, problem = FileLock(self._path.with_suffix(".lock")), ""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire(timeout=LOCK_S)
        except Timeout:
            problem = "locked"
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem == "locked":
            raise RunLockedError("another process has been renewing the application's tokens all the time; run again")
        if problem:
            raise ConfigurationError(f"the folder {self._path.parent} cannot be used ({problem}); set DLT_DATA_DIR")
        try:
            yield
        finally:
            lock.release()

    def read(self) -> Tokens | None:
        """Return what is stored, None where there is no file yet.

        Raises:
            StateError: the file is damaged or cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Tokens)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        except (msgspec.MsgspecError, UnicodeDecodeError):
            problem = "is damaged"
        raise StateError(
            f"the token file {self._path} {problem}; remove it, authorise the application in the portal again and set "
            "its new refresh_token"
        )

    def replace(self, renew: Callable[[], Tokens]) -> Tokens:
        """Store what `renew` returns, and return it; room for it is on the disk before `renew` spends the old pair.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        new, problem = self._path.with_suffix(".new"), ""
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                _write(file, b" " * _ROOM)
                tokens = renew()
                file.seek(0)
                _write(file, msgspec.json.encode(tokens).ljust(_ROOM))
            new.replace(self._path)
            with suppress(OSError):  # not every file system knows it
                _keep_name(self._path.parent)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)
        if problem:
            raise ConfigurationError(
                f"the token file {self._path} cannot be written ({problem}); correct that, and authorise the "
                "application again if its tokens are then refused"
            )
        return tokens


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _keep_name(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
