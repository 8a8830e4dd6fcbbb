"""`leadhouse sync` as a process, again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import oracle
from crash.processes import environment
from forks import Ended, Leadhouse
from leadhouse.sandbox.bitrix24 import Portal


@dataclass
class Command:
    """`leadhouse sync` of one portal, as a process."""

    portal: Portal
    url: str
    folder: Path

    def start(self, to: str, *flags: str, before: Callable[[], None] | None = None) -> Leadhouse:
        """Start it; `before` runs in the new process before leadhouse does."""
        env = environment(SOURCES__BITRIX24__WEBHOOK_URL=self.url, DLT_DATA_DIR=str(self.folder / "work"))
        return Leadhouse(["sync", "bitrix24", "--to", to, *flags], env, self.folder, before)

    def run(self, to: str, *flags: str, before: Callable[[], None] | None = None) -> Ended:
        """Run it to its end."""
        return self.start(to, *flags, before=before).end()

    def assert_heals(self, to: str) -> None:
        """The next run completes the tables."""
        ended = self.run(to)
        assert ended.status == 0, ended.err
        oracle.assert_equal(self.portal, to)
