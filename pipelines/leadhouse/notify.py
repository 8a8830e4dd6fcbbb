"""Messages to people: when a dataset's runs begin to fail, and when they work again.

Runs come every few minutes, so a portal that is down all night would tell it sixty times. What a person wants is the
first failure, word that it has become worse (from what may heal by itself to what needs a person), a reminder a day,
and word that it is over. What was told is known from `sync_runs`, which every machine sees, and for failures that
cannot be recorded there from a small file in the working directory.
"""

import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any, ParamSpec
from urllib.parse import unquote, urlsplit

from leadhouse import logs
from leadhouse.errors import ConfigurationError, LeadhouseError, RunLockedError, WarehouseUnavailableError
from leadhouse.outage import Outage, Outages
from leadhouse.redact import redact, register_secrets
from leadhouse.settings import configured_value, dataset_name, destination_url
from leadhouse.summary import SyncSummary
from leadhouse.times import in_words
from leadhouse.warehouse import Target

P = ParamSpec("P")

log = logs.get_logger("leadhouse.notify")

# False where somebody else tells how runs end, Airflow for one, which tries again before it does.
TELLS: ContextVar[bool] = ContextVar("tells", default=True)
PATIENCE_S = 10.0
# Longer than one who tells the same news takes.
TURN_S = PATIENCE_S + 1
_REMIND = timedelta(days=1)
# Addresses that begin with a host; in others a key may stand there.
_HOSTS_FIRST = ("http", "https", "json", "jsons", "form", "forms", "xml", "xmls", "mailto", "mailtos")
_KEY_LENGTH = 16
_COMMANDS = ("sync", "reconcile")


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to people.

    Attributes:
        name: for the log, without secrets.
        send: sends a title and a text; raises what it will.
    """

    name: str
    send: Callable[[str, str], None]


def channels() -> list[Channel]:
    """Return the configured channels: dlt's Slack hook, and LEADHOUSE__NOTIFY, one or several of Apprise's addresses.

    Raises:
        ConfigurationError: one cannot be used.
    """
    found = []
    if configured_value("runtime.slack_incoming_hook", secret=True):
        found.append(_slack())
    told = configured_value("leadhouse.notify", secret=True)
    addresses = [told] if isinstance(told, str) else list(told or ())
    return [*found, *(_apprise(address) for text in addresses for address in str(text).split())]


def telling(run: Callable[P, SyncSummary]) -> Callable[P, SyncSummary]:
    """Let a run tell people that it failed, or works again; what the run does and raises stays as it is."""

    @functools.wraps(run)
    def told(*args: P.args, **kwargs: P.kwargs) -> SyncSummary:
        began = datetime.now(UTC)
        problem: LeadhouseError
        try:
            summary = run(*args, **kwargs)
        except LeadhouseError as error:
            problem = error
        else:
            _tell(began, None, args, kwargs)
            return summary
        _tell(began, problem, args, kwargs)
        raise problem

    return told


def _tell(began: datetime, problem: LeadhouseError | None, args: Sequence[Any], run: dict[str, Any]) -> None:
    """Tell what is worth telling; whatever hinders is a warning."""
    command, source = args[0], args[1]
    # A run that found another one at work says nothing of the portal; the other one tells how it ended.
    if not TELLS.get() or command not in _COMMANDS or isinstance(problem, RunLockedError):
        return
    try:
        ways = channels()
        if ways:
            target, dataset = _target(run["to"]), dataset_name(source, run["portal"], run["dataset"])
            # Where the warehouse is down all its datasets fail: that is one piece of news.
            of_all, of_one = Outages(target, "", command), Outages(target, dataset, command)
            if problem is not None:
                shared = isinstance(problem, WarehouseUnavailableError)
                _tell_failure(ways, of_all if shared else of_one, began, problem)
            else:
                _tell_end(ways, of_all, began)
                _tell_end(ways, of_one, began)
    except Exception as error:  # noqa: BLE001 - the run's own outcome stands
        log.warning("nobody was told", why=redact(str(error).split("\n", 1)[0]))


def _target(to: str | None) -> Target:
    """Return the destination; one that cannot be is what the run failed of."""
    with suppress(ConfigurationError):
        return Target.parse(destination_url(to))
    return Target("named", "an unknown destination")


def _tell_end(ways: list[Channel], outages: Outages, began: datetime) -> None:
    with outages.one_teller(TURN_S):
        outage = outages.before(began)
        outages.over()
    if outage is not None:
        lasted = in_words((began - outage.since).total_seconds())
        text = f"It had been failing since {_when(outage.since)}, for {lasted}."
        send(ways, f"leadhouse: {outages.what} works again", text)


def _tell_failure(ways: list[Channel], outages: Outages, began: datetime, problem: LeadhouseError) -> None:
    with outages.one_teller(TURN_S):
        before = outages.before(began)
        now = Outage(since=before.since if before else began, last=datetime.now(UTC), exit_status=problem.exit_code)
        told = not worth_telling(before, now) or send(
            ways, f"leadhouse: {outages.what} fails", _failure(outages, now, problem)
        )
        outages.keep(now if told else replace(now, exit_status=0))  # the next failure tries again


def worth_telling(before: Outage | None, now: Outage) -> bool:
    """Tell whether a failure is news: the first, a worse one than before, or the first after another day of it."""
    if before is None or now.exit_status > before.exit_status:
        return True
    return (now.last - now.since) // _REMIND > (before.last - now.since) // _REMIND


def send(ways: Sequence[Channel], title: str, text: str) -> bool:
    """Send a message to all channels at once, within PATIENCE_S seconds; return whether it reached any of them."""
    failed = dict.fromkeys(range(len(ways)), "no answer in time")

    def deliver(number: int) -> None:
        try:
            ways[number].send(redact(title), redact(text))
        except Exception as error:  # noqa: BLE001 - each service has its own
            failed[number] = redact(f"{type(error).__name__}: {error}".split("\n", 1)[0])
        else:
            del failed[number]

    threads = [threading.Thread(target=deliver, args=(number,), daemon=True) for number in failed.copy()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    missed = failed.copy()
    for number, why in missed.items():
        log.warning("a message could not be sent", to=ways[number].name, why=why)
    return len(missed) < len(ways)


def _failure(outages: Outages, outage: Outage, problem: LeadhouseError) -> str:
    meaning = "a person must act" if problem.exit_code == 2 else "the next run may heal it"
    lines = [
        str(problem),
        f"Exit status {problem.exit_code}: {meaning}. Failing since {_when(outage.since)}.",
        f"Destination {outages.target.label}, run on {socket.gethostname()}.",
        "You will hear when it works again, and once a day until then.",
    ]
    return "\n".join(lines)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _slack() -> Channel:
    from dlt.common.configuration.resolve import resolve_configuration  # noqa: PLC0415 - dlt costs half a second
    from dlt.common.configuration.specs import RuntimeConfiguration  # noqa: PLC0415
    from dlt.common.runtime.slack import send_slack_message  # noqa: PLC0415

    hook = resolve_configuration(RuntimeConfiguration()).slack_incoming_hook or ""
    _keep_secret(hook)

    def deliver(title: str, text: str) -> None:
        plain = f"{title}\n{text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        send_slack_message(hook, plain, is_markdown=False)

    return Channel("Slack", deliver)


def _apprise(address: str) -> Channel:
    _keep_secret(address)
    if find_spec("apprise") is None:
        raise ConfigurationError("LEADHOUSE__NOTIFY needs Apprise; pip install 'leadhouse[notify]'")
    import apprise  # noqa: PLC0415 - an extra

    logging.getLogger("apprise").addFilter(_redact_record)
    service = apprise.Apprise.instantiate(address)
    if service is None:
        raise ConfigurationError(
            "an address in LEADHOUSE__NOTIFY is none that Apprise knows; write it like slack://…, mailto://…, "
            "jsons://host/path for a webhook"
        )

    def deliver(title: str, text: str) -> None:
        if not service.notify(body=text, title=title, notify_type=apprise.NotifyType.WARNING):
            raise ConnectionError("the service did not take it")

    return Channel(str(service.service_name), deliver)


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), None
    return True


def _keep_secret(address: str) -> None:
    """Register an address, and what of it may be a key, as secrets; a mere host is none."""
    parts = urlsplit(address)
    path = parts.path.strip("/")
    told = [address, path, path.rpartition("/")[2], parts.query, parts.username or "", parts.password or ""]
    told += [part for part in path.split("/") if len(part) >= _KEY_LENGTH]
    if parts.scheme not in _HOSTS_FIRST:
        told.append(parts.netloc)
    register_secrets({form for part in told for form in (part, unquote(part))})
