"""`leadhouse … kommo` given what cannot be, and accounts that refuse it: one clear line, the right exit status."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from crash.processes import environment
from forks import Ended, Leadhouse
from kommo_scene import KommoScene

TOKEN = "eyJ0-invented-token-of-nobody"
BASE = {"BASE_URL": "https://acme.kommo.com"}
OTHER = {"ACME__BASE_URL": "https://acme.kommo.com"}
GOOD = {**BASE, "ACCESS_TOKEN": TOKEN}
APPLICATION = {"CLIENT_ID": "5f0c-nobodys", "CLIENT_SECRET": "k3y-of-nobody", "REFRESH_TOKEN": "def50200-of-nobody"}

# Arguments behind the source, settings, and words of the line.
_MISTAKES: dict[str, tuple[list[str], Mapping[str, str], str]] = {
    "no address": ([], {"ACCESS_TOKEN": TOKEN}, "set SOURCES__KOMMO__BASE_URL"),
    "no token": ([], BASE, "set SOURCES__KOMMO__ACCESS_TOKEN"),
    "no token of that portal": (["--portal", "acme"], {**GOOD, **OTHER}, "__ACME__ACCESS_TOKEN"),
    "half an application": ([], {**BASE, **APPLICATION}, "lacks redirect_uri; set SOURCES__KOMMO__REDIRECT_URI"),
    "two ways in": ([], {**GOOD, **APPLICATION}, "keep the one or the other"),
    "plain http": (["--base-url", "http://acme.kommo.com"], GOOD, "plain http would send the token in the open"),
    "a path": (["--base-url", "https://acme.kommo.com/leads/list"], GOOD, "with nothing behind the host"),
    "a query": (["--base-url", "https://acme.kommo.com?a=1"], GOOD, "with nothing behind the host"),
    "nobody's address": (["--base-url", "https://www.kommo.com"], GOOD, "is not an account's address"),
    "no scheme": (["--base-url", "acme.kommo.com"], GOOD, "is not an account's address"),
    "a token in the address": (["--base-url", f"https://{TOKEN}@acme.kommo.com"], GOOD, "is not an account's address"),
    "no text for a token": ([], {**BASE, "ACCESS_TOKEN": "two words"}, "access_token is no token"),
    "no number": ([], {**GOOD, "REQUESTS_PER_SECOND": "fast"}, "requests_per_second"),
    "no pace": ([], {**GOOD, "REQUESTS_PER_SECOND": "0"}, "requests_per_second"),
    "no minutes": ([], {**GOOD, "OVERLAP_MINUTES": "-5"}, "overlap_minutes"),
    "no country": (["--phone-region", "Atlantis"], GOOD, "phone_region"),
    "the other source's way in": (["--webhook-url", "https://x.example.com"], GOOD, "--webhook-url is no option of"),
    "the other source's choice": (["--api", "item"], GOOD, "--api is no option of kommo"),
    "no time": (["--since", "soon"], GOOD, "soon"),
    "a time without a zone": (["--since", "2026-13-01T00:00:00Z"], GOOD, "2026-13-01"),
    "the wrong way round": (["--since", "2026-02-01", "--until", "2026-01-01"], GOOD, "must lie before --until"),
    "no dataset": (["--dataset", "a b"], GOOD, "cannot name a dataset"),
    "no destination": (["--to", "mysql://db/crm"], GOOD, "is no destination"),
    "a file named like the dataset": (["--to", "duckdb:kommo.duckdb"], GOOD, "kommo"),
}  # fmt: skip


def _lead(folder: Path, arguments: list[str], settings: Mapping[str, str]) -> Ended:
    told = {f"SOURCES__KOMMO__{name}": value for name, value in settings.items()}
    env = environment(**told, DLT_DATA_DIR=str(folder / "work"))
    return Leadhouse([arguments[0], "kommo", *arguments[1:]], env, folder).end()


def _assert_silent(ended: Ended, settings: Mapping[str, str]) -> None:
    for name in ("ACCESS_TOKEN", "CLIENT_SECRET", "REFRESH_TOKEN"):
        assert settings.get(name, TOKEN) not in ended.out + ended.err


@pytest.mark.parametrize("mistake", sorted(_MISTAKES))
def test_a_mistake_is_one_line_that_names_it_and_status_2(tmp_path: Path, mistake: str) -> None:
    arguments, settings, words = _MISTAKES[mistake]
    to = [] if "--to" in arguments else ["--to", "duckdb:leads.duckdb"]
    ended = _lead(tmp_path, ["sync", *to, *arguments], settings)
    assert ended.status == 2, ended.err
    assert words in ended.said[-1]
    assert len(ended.said) == 1 or ended.said[0].startswith("Usage:")
    assert "Traceback" not in ended.err
    assert ended.out == ""
    _assert_silent(ended, settings)
    assert not list(tmp_path.glob("*.duckdb")), "nothing was begun"


@pytest.mark.parametrize("command", ["reconcile", "verify", "lead"])
@pytest.mark.parametrize("mistake", ["no address", "no token", "plain http"])
def test_every_command_says_it_alike(tmp_path: Path, command: str, mistake: str) -> None:
    arguments, settings, words = _MISTAKES[mistake]
    ended = _lead(tmp_path, [command, *(["9000001"] if command == "lead" else []), *arguments], settings)
    ended.assert_failed(2, words)
    _assert_silent(ended, settings)


_REFUSALS = {
    "token_expired": "make a new long-lived token",
    "account_unpaid": "renew it in the account",
    "blocked_403": "write to its support",
}


@pytest.mark.parametrize("command", ["sync", "verify"])
@pytest.mark.parametrize("switch", sorted(_REFUSALS))
def test_an_account_that_refuses_is_one_line_with_its_cure(
    kommo_scene: KommoScene, tmp_path: Path, switch: str, command: str
) -> None:
    kommo_scene.synced()
    setattr(kommo_scene.account.switches, switch, True)
    settings = {"BASE_URL": kommo_scene.url, "ACCESS_TOKEN": kommo_scene.account.token}
    ended = _lead(tmp_path, [command, "--to", kommo_scene.to], settings)
    ended.assert_failed(2, _REFUSALS[switch])
    _assert_silent(ended, settings)


def test_a_first_and_a_second_run_by_the_command_are_complete(kommo_scene: KommoScene, tmp_path: Path) -> None:
    settings = {"BASE_URL": kommo_scene.url, "ACCESS_TOKEN": kommo_scene.account.token, "REQUESTS_PER_SECOND": "1000"}
    for _ in range(2):
        ended = _lead(tmp_path, ["sync", "--to", kommo_scene.to], settings)
        assert ended.status == 0, ended.err
        assert ended.said == []
        kommo_scene.check()
        kommo_scene.later().life(create=3, edit=3, phone_add=2, seed=1)
