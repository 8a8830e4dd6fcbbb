"""Independent commands, as many as one likes: sent in batches of 50, and asked again where one was not executed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from leadhouse.bitrix24.client import MAX_COMMANDS, Bitrix24Client, Command
from leadhouse.errors import LeadhouseError, PortalFaultError, TransientError
from leadhouse.lots import lots
from leadhouse.retry import Trouble


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command: a result with the list's total, or the error that the portal has for good."""

    result: msgspec.Raw | None = None
    total: int | None = None
    error: LeadhouseError | None = None


def ask(client: Bitrix24Client, commands: Mapping[str, Command]) -> Iterator[tuple[str, Reply]]:
    """Yield the reply to each command, in the order of `commands` within each batch.

    Raises:
        LeadhouseError: a batch failed, or commands met a fault again and again.
    """
    for keys in lots(list(commands), MAX_COMMANDS):
        pending = {key: commands[key] for key in keys}
        trouble = Trouble()
        while pending:
            batch = client.batch(pending, halt=False)
            problem: TransientError | None = None
            answered = len(pending)
            for key, command in list(pending.items()):
                error = batch.errors.get(key)
                if key in batch.results:
                    yield key, Reply(batch.results[key], batch.totals.get(key))
                elif error is not None and not isinstance(error, TransientError):
                    yield key, Reply(error=error)
                else:
                    problem = error or PortalFaultError(
                        "a command was not executed", portal=client.portal, method=command.method
                    )
                    continue
                del pending[key]
            if problem is not None:
                if len(pending) < answered:
                    trouble = Trouble()
                client.stalled(problem, trouble)
