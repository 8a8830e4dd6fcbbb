"""Progress on stderr: a live bar on a terminal, log lines otherwise."""

import sys
import time
from typing import Protocol, Self

from leadhouse import logs

log = logs.get_logger("leadhouse.sync")

_LOG_EVERY_S = 10.0


class Progress(Protocol):
    """What a run tells while it works."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def step(self, doing: str, leads: int) -> None:
        """The run is `doing` something and has read `leads` leads."""


class Lines:
    """A log line now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def step(self, doing: str, leads: int) -> None:
        """Log at most every ten seconds."""
        if time.monotonic() - self._last >= _LOG_EVERY_S:
            self._last = time.monotonic()
            log.info("progress", doing=doing, leads_read=leads)


class Bar:
    """A live bar."""

    def __init__(self, title: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - only on a terminal
        from rich.progress import Progress as RichProgress  # noqa: PLC0415
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            TextColumn("{task.fields[doing]}"),
            TextColumn("{task.completed:,.0f} leads"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(title, total=None, doing="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def step(self, doing: str, leads: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=leads, doing=doing)


def for_terminal(title: str) -> Progress:
    """Return a bar if stderr is a terminal, log lines otherwise."""
    return Bar(title) if sys.stderr.isatty() else Lines()
