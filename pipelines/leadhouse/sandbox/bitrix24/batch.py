"""``batch``: up to 50 commands in one request, chained by references (reference: bitrix24 section 8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from .answers import Answer, Page, descend
from .errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .portal import Portal

MAX_COMMANDS = 50
_REFERENCE = re.compile(r"^\$(result|next|total|error|time)((?:\[[^\]]*\])+)$")
_KEY = re.compile(r"\[([^\]]*)\]")


class BatchRun:
    """The members of a batch answer while its commands run one after another."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}
        self.error: dict[str, Any] = {}
        self.total: dict[str, Any] = {}
        self.next: dict[str, Any] = {}
        self.time: dict[str, Any] = {}

    def resolve(self, value: Any) -> Any:
        """Replace references by what earlier commands answered.

        A path that does not lead anywhere resolves to the last level that exists, an array.
        """
        if isinstance(value, dict):
            return {key: self.resolve(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.resolve(entry) for entry in value]
        match = _REFERENCE.match(value) if isinstance(value, str) and value.startswith("$") else None
        if match is None:
            return value
        found = descend(getattr(self, match[1]), _KEY.findall(match[2]))
        # Only whether the array is empty matters to whoever receives it, see php.integer.
        return [True] * bool(found) if isinstance(found, Page) else found


def _admit(position: int) -> None:
    if position >= MAX_COMMANDS:
        raise Refusal(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")


def run_batch(
    portal: Portal, params: php.Params, execute: Callable[[str, php.Params, bool], tuple[Answer, Any]]
) -> Answer:
    """Run the commands of a batch; ``execute`` runs one and returns its answer and time."""
    halt = php.truthy(php.pick(params, "halt", "HALT"))
    commands = php.entries(php.pick(params, "cmd", "CMD"))
    run = BatchRun()
    cut = portal.faults.take(("cut",), "batch")
    for position, (key, command) in enumerate(commands):
        if cut is not None and position >= int(cut.details.get("keep", 1)):
            break
        method, _, query = str(command).partition("?")
        if portal.faults.take(("missing",), method.lower()):
            continue
        try:
            _admit(position)
            arguments = run.resolve(php.nest(php.split_query(query)))
            answer, time = execute(method, arguments, True)
        except Refusal as refusal:
            run.error[key] = refusal.body
            if halt:
                break
            continue
        run.result[key] = answer.result
        run.time[key] = time
        if answer.total is not None:
            run.total[key] = answer.total
        if answer.next is not None:
            run.next[key] = answer.next
    members = {
        "result": {key: Answer(value).encoded() for key, value in run.result.items()},
        "result_error": run.error,
        "result_total": run.total,
        "result_next": run.next,
        "result_time": run.time,
    }
    lists = portal.quirks.batch_lists
    return Answer({name: php.keyed(member) if lists or not member else member for name, member in members.items()})
