"""`leadhouse sync` as a process, and what it may say when it fails."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import oracle
from crash.processes import environment
from leadhouse.sandbox.bitrix24 import Portal


@dataclass
class Ended:
    """How a `leadhouse` process ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines for people on stderr, without log lines."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]

    def assert_failed(self, status: int, *words: str) -> None:
        """One line that holds all the words, no traceback, nothing on stdout."""
        assert self.status == status, self.err
        assert len(self.said) == 1, self.err
        assert self.said[0].startswith("leadhouse: ")
        for word in words:
            assert word in self.said[0]
        assert "Traceback" not in self.err
        assert self.out == ""


@dataclass
class Command:
    """`leadhouse sync` of one portal, as a process."""

    portal: Portal
    url: str
    folder: Path

    def start(self, to: str, *flags: str, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
        """Start it; `before` runs in the new process before leadhouse does."""
        env = environment(SOURCES__BITRIX24__WEBHOOK_URL=self.url, DLT_DATA_DIR=str(self.folder / "work"))
        return subprocess.Popen(
            [sys.executable, "-m", "leadhouse", "sync", "bitrix24", "--to", to, *flags],
            env=env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 - the child does one system call and goes on to exec
        )

    def run(self, to: str, *flags: str, before: Callable[[], None] | None = None) -> Ended:
        """Run it to its end."""
        process = self.start(to, *flags, before=before)
        out, err = process.communicate(timeout=300)
        return Ended(process.returncode, out, err)

    def assert_heals(self, to: str) -> None:
        """The next run completes the tables."""
        ended = self.run(to)
        assert ended.status == 0, ended.err
        oracle.assert_equal(self.portal, to)
