"""One run at a time writes a dataset of a lake, whichever machine it is on: a lock file that its holder keeps fresh.

A holder that died lets go when the file has not been touched for half a minute. Machines' clocks and the store's must
agree better than that.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dlt.common.storages.transactional_file import TransactionalFile

from leadhouse.errors import RunLockedError, WarehouseUnavailableError
from leadhouse.lakes.destination import LakeClient


class _BucketFile(TransactionalFile):
    """dlt's file of locks, also where paths begin with the name of a bucket."""

    def __init__(self, path: str, fs: Any) -> None:
        super().__init__(f"/{path}", fs)
        self.path, self.lock_prefix = path, f"{path}.lock"


class RunLock:
    """The lock of a dataset.

    Args:
        client: of the lake.
        label: of the destination, for messages.
    """

    def __init__(self, client: LakeClient, label: str) -> None:
        self._client = client
        self._label = label
        self._file = _BucketFile(str(client.pathlib.join(client.own_folder, "run")), client.fs_client)

    @contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Hold it, waiting so many seconds for another run to end.

        Raises:
            RunLockedError: the other run is still at work.
        """
        client, file = self._client, self._file
        client.fs_client.makedirs(client.own_folder, exist_ok=True)
        if not file.acquire_lock(blocking=timeout > 0, timeout=timeout):
            raise RunLockedError(
                f"another run is writing dataset {client.dataset_name} of {self._label}, or died less than "
                f"{TransactionalFile.LOCK_TTL_SECONDS:.0f} s ago; wait for it to end, or raise --lock-timeout"
            )
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                file.release_lock()

    def check(self) -> None:
        """Fail where another run took the lock for a dead one's.

        Raises:
            WarehouseUnavailableError: so it is.
        """
        client, own = self._client, self._file.lock_path
        files: list[str] = client.fs_client.ls(client.own_folder, detail=False, refresh=True)
        if own != min((path for path in files if path.startswith(self._file.lock_prefix)), default=""):
            raise WarehouseUnavailableError(
                f"{self._label}: another run took the lock of this one, which slept for too long; "
                "the next run continues from the last checkpoint"
            )
