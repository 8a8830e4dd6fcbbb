"""Kommo counts requests by the address they come from: accounts and processes of one machine share one pace."""

import fcntl
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from leadhouse.pace import Distance

_MOMENT = struct.Struct("d")
# No queue is as long: a moment further away was written before the machine was started anew.
_LONGEST_QUEUE_S = 600.0


def vendor_of(host: str) -> str:
    """Return the vendor's domain of an account's host: "kommo.com" of acme.kommo.com; ports keep sandboxes apart."""
    return ".".join(host.split(".")[-2:])


class SharedDistance:
    """Keeps requests apart, whichever process of the machine sends them.

    Args:
        path: a file that all of them have, made where it lacks; where it cannot be, this process keeps its own pace.
        monotonic: the machine's seconds, the same for all processes.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._alone = Distance(monotonic)

    def take(self, seconds: float) -> float:
        """Take the next free moment, which keeps the one after it `seconds` away; return how long it is until then."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                return self._next(file, seconds)
            finally:
                os.close(file)
        except OSError:
            return self._alone.take(seconds)

    def _next(self, file: int, seconds: float) -> float:
        written = os.pread(file, _MOMENT.size, 0)
        following: float = _MOMENT.unpack(written)[0] if len(written) == _MOMENT.size else 0.0
        now = self._monotonic()
        at = following if now <= following <= now + _LONGEST_QUEUE_S else now
        os.pwrite(file, _MOMENT.pack(at + seconds), 0)
        return at - now
