"""What of the demo's story is the CRM's own; `leadhouse/sandbox/{source}/story.py` tells it as STORY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager


@dataclass(frozen=True)
class Question:
    """A question of an analyst and the query that answers it; `words` are the columns that are not numbers."""

    text: str
    query: str
    words: frozenset[str]


@dataclass(frozen=True)
class Story:
    """How a CRM plays its part.

    Attributes:
        portal: makes a sandbox portal with so many leads.
        serve: serves it.
        access: settings of the source by name, from the portal and where it is served.
        speaks: what it speaks.
        brings: what a first sync brings beside leads.
        phones_of: how a phone belongs to a lead.
        phones: query for lead and phones, a list in the portal's order.
        deletions: what tells a sync of deleted leads, before the comparison of ids.
        questions: what an analyst asks.
    """

    portal: Callable[[int], Any]
    serve: Callable[[Any], AbstractContextManager[Any]]
    access: Callable[[Any, Any], Mapping[str, str]]
    speaks: str
    brings: str
    phones_of: str
    phones: str
    deletions: str
    questions: Sequence[Question]
