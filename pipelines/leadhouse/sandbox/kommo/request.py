"""A request to an account's API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from leadhouse.sandbox import php

from .problems import Problem

if TYPE_CHECKING:
    from leadhouse.sandbox.faults import Fault

_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)")


@dataclass
class Request:
    """A request; ``base`` is scheme, host and port as its client names them, ``fault`` one that strikes its list."""

    verb: str
    path: str
    base: str
    query: str
    body: bytes
    fault: Fault | None = None

    def __post_init__(self) -> None:
        self.name = _NUMBER.sub("{id}", self.path)
        self.ids = [int(number) for number in _NUMBER.findall(self.path)]
        self.pairs = php.split_query(self.query)
        self.params = php.nest(self.pairs)
        self.flat = dict(self.pairs)

    @property
    def url(self) -> str:
        """The URL without its query."""
        return f"{self.base}{self.path}"

    @property
    def wanted(self) -> set[str]:
        """The names of ``with``."""
        given = self.params.get("with", "")
        return {name for text in php.values(given) for name in str(text).split(",")}

    def struck_by(self, kind: str) -> bool:
        """Tell whether a fault of the kind strikes this list."""
        return self.fault is not None and self.fault.kind == kind

    def json(self) -> Any:
        """Return the decoded body; Problem when it is none."""
        if not self.body:
            raise Problem(400, "Request data can not be empty")
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Problem(400, "Request body is not a valid JSON") from None
