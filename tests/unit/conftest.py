"""Fixtures of the unit tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write a file of `.dlt/`; dlt reads them anew."""

    def forget() -> None:
        if PluggableRunContext in Container():
            del Container()[PluggableRunContext]

    def written(name: str, text: str) -> None:
        (tmp_path / ".dlt").mkdir(exist_ok=True)
        (tmp_path / ".dlt" / name).write_text(text, encoding="utf-8")
        forget()

    yield written
    forget()
