"""Since when the runs of a dataset have been failing.

`sync_runs` tells, which every machine sees; a small file tells of failures that could not be recorded there, and of
what people were told.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from leadhouse import logs
from leadhouse.datasets import looking
from leadhouse.errors import LeadhouseError
from leadhouse.files import in_one_step
from leadhouse.lock import folder_lock
from leadhouse.redact import redact
from leadhouse.settings import data_dir
from leadhouse.warehouse import Target

log = logs.get_logger("leadhouse.notify")

_LOCK_S = 2.0
_RUNS = 2000


@dataclass(frozen=True, slots=True)
class Outage:
    """Runs that fail, one after another.

    Attributes:
        since: start of the first (UTC).
        last: end of the last (UTC).
        exit_status: of the last, 1 or 2; 0 where nobody has been told of it yet.
    """

    since: datetime
    last: datetime
    exit_status: int


class Outages:
    """The outages of one command and dataset.

    Args:
        target: the warehouse.
        dataset: the schema there, "" for all of them.
        command: "sync" or "reconcile".
    """

    def __init__(self, target: Target, dataset: str, command: str) -> None:
        self.target = target
        self.dataset = dataset
        self.command = command
        self._file = data_dir() / "outages" / f"{target.identity}_{dataset}_{command}.json"

    @property
    def what(self) -> str:
        """What fails, for people."""
        return f"{self.command} of {self.dataset}" if self.dataset else f"{self.command} into {self.target.label}"

    @contextmanager
    def one_teller(self, timeout: float) -> Iterator[None]:
        """Let one at a time look and tell; where that cannot be had within `timeout` seconds, all tell."""
        with ExitStack() as held:
            with suppress(Exception):  # whatever hinders the lock hinders no message
                held.enter_context(folder_lock(self._file.with_suffix(".lock"), timeout, self.what))
            yield

    def before(self, began: datetime) -> Outage | None:
        """Return the outage that a run which began then came into, None where all was well."""
        noted, recorded = self._noted(), self._recorded(began)
        if recorded is None:
            return noted
        good, failed = recorded
        if noted is not None and (good is None or noted.last > good):
            return noted
        return failed

    def keep(self, outage: Outage) -> None:
        """Note an outage that goes on; where that cannot be done, it is told again."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with in_one_step(self._file) as part:
                part.write_bytes(msgspec.json.encode(outage))
        except OSError as error:
            log.warning("an outage cannot be noted", why=error.strerror)

    def over(self) -> None:
        """Forget the noted outage."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _noted(self) -> Outage | None:
        with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return msgspec.json.decode(self._file.read_bytes(), type=Outage)
        return None

    def _recorded(self, began: datetime) -> tuple[datetime | None, Outage | None] | None:
        """Return when a run was done last, and what failed since, before `began`; None where nobody can tell."""
        if (
            not self.dataset
            or not self.target.connects
            or (self.target.kind == "duckdb" and not Path(self.target.url).exists())
        ):
            return None
        try:
            with looking(self.target, lock_timeout=_LOCK_S) as cursor:
                cursor.execute(
                    f"SELECT outcome, started_at, finished_at, command FROM {self.dataset}.sync_runs "  # noqa: S608 - checked name
                    f"ORDER BY started_at DESC LIMIT {_RUNS:d}"
                )
                rows = [row for row in cursor.fetchall() if row[3] in (None, self.command)]
        except LeadhouseError as error:
            log.debug("the runs before cannot be read", why=redact(str(error)))
            return None
        failed: list[Any] = []
        for outcome, started, finished, _ in rows:
            if started.astimezone(UTC) >= began:
                continue
            if outcome == "done":
                return finished.astimezone(UTC), _of(failed)
            failed.append((started, finished))
        return None, _of(failed)


def _of(failed: list[Any]) -> Outage | None:
    """Return the outage of runs that failed, the newest first; which status they had is not recorded."""
    if not failed:
        return None
    return Outage(since=failed[-1][0].astimezone(UTC), last=failed[0][1].astimezone(UTC), exit_status=2)
