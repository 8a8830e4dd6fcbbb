"""Kommo: what people use today, and leadhouse, each as processes of their own that follow one account into a file."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from bench.child import Cost, cost
from leadhouse.sandbox.kommo import Account, Sandbox

_HERE = Path(__file__).parent
ENTITIES = ("leads", "contacts", "companies")


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to keep an account's leads.

    Attributes:
        name: of it.
        python: the Python that has it.
        commands: arguments of one run; {url}, {token} and {file} are filled in.
        settles: arguments of what finds deletions, where there is anything.
        held: query for id and name of the leads held as living.
    """

    name: str
    python: str
    command: Sequence[str]
    held: str
    settles: Sequence[str] = ()

    def at(self, account: Account, sandbox: Sandbox, folder: Path) -> "Follower":
        """Return it following an account, its files in `folder`."""
        return Follower(
            self, {"url": sandbox.url, "token": account.token, "file": str(folder / "leads.duckdb")}, folder
        )


@dataclass(frozen=True, slots=True)
class Follower:
    """A peer at work on one account."""

    peer: Peer
    places: Mapping[str, str]
    folder: Path

    def sync(self) -> Cost:
        """Read what changed since the last time.

        Raises:
            RuntimeError: it failed.
        """
        return self._run(self.peer.command)

    def settle(self) -> None:
        """Find deletions."""
        if self.peer.settles:
            self._run(self.peer.settles)

    def held(self) -> dict[int, str]:
        """Return the name of each lead held as living."""
        with duckdb.connect(self.places["file"], read_only=True) as file:
            return dict(file.execute(self.peer.held).fetchall())

    def _run(self, command: Sequence[str]) -> Cost:
        settings = {
            "SOURCES__KOMMO__BASE_URL": self.places["url"],
            "SOURCES__KOMMO__ACCESS_TOKEN": self.places["token"],
            "SOURCES__KOMMO__REQUESTS_PER_SECOND": "1000",
        }
        told = [argument.format(**self.places) for argument in command]
        return cost(told, self.folder, settings, python=self.peer.python)


def peers(sdk_python: str) -> list[Peer]:
    """Return the peers, leadhouse last.

    Args:
        sdk_python: a Python that has kommo_sdk_data_engineer.
    """
    rest_api = Peer(
        "dlt rest_api, leads alone",
        sys.executable,
        (str(_HERE / "kommo_rest_api.py"), "{url}", "{token}", "{file}", "leads"),
        "SELECT id, name FROM account.leads",
    )
    whole = replace(rest_api, name="dlt rest_api", command=(*rest_api.command, *ENTITIES[1:]))
    sdk = Peer(
        "kommo_sdk_data_engineer",
        sdk_python,
        (str(_HERE / "kommo_sdk.py"), "{url}", "{token}", "{file}"),
        "SELECT id, name FROM leads",
    )
    ours = Peer(
        "leadhouse",
        sys.executable,
        ("-m", "leadhouse", "sync", "kommo", "--to", "duckdb:{file}", "--json"),
        "SELECT id, name FROM kommo.leads WHERE deleted_at IS NULL",
        ("-m", "leadhouse", "reconcile", "kommo", "--to", "duckdb:{file}", "--json"),
    )
    return [rest_api, whole, sdk, ours]
