"""Markdown documents of the project: their runnable blocks and their tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
_RUNNABLE = re.compile(r"^<!-- runnable -->\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    text: str
    line: int


def read(name: str) -> str:
    """Return the text of a document, for example `README.md`."""
    return (CHECKOUT / name).read_text(encoding="utf-8")


def runnable(text: str) -> list[Block]:
    """Return the blocks that are marked as runnable, in order."""
    return [
        Block(found["language"], found["text"], text[: found.start()].count("\n") + 2)
        for found in _RUNNABLE.finditer(text)
    ]


def fenced(text: str, language: str) -> list[str]:
    """Return the contents of all blocks of a language."""
    return [found["text"] for found in _FENCED.finditer(text) if found["language"] == language]


def rows(text: str, first_header: str) -> Iterator[tuple[str, ...]]:
    """Yield the body rows of the table whose first column is headed so."""
    _, _, rest = text.partition(f"\n| {first_header} |")
    for line in rest.split("\n")[2:]:
        if not line.startswith("|"):
            return
        yield tuple(cell.strip() for cell in line[1:-1].split("|"))
