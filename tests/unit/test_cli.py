"""The command line: help with examples, one line for each mistake, the right exit status."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from leadhouse import __version__
from leadhouse.cli import main
from leadhouse.sandbox.bitrix24 import serve
from scene import small_portal

SECRET = "invented-secret-code"


def _paths(command: click.Command = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _paths(inner, (*path, name))


def leadhouse(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "leadhouse", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return its status, stdout and stderr."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    told = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, told.out, told.err


@pytest.mark.parametrize("path", list(_paths()), ids=lambda path: " ".join(("leadhouse", *path)))
def test_help_of_each_command_ends_with_an_example_of_it(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = call(capsys, *path, "--help")
    _, example, arguments = out.partition(" ".join(("Example: leadhouse", *path)))

    assert status == 0
    assert example
    assert "\n\n" not in arguments


@pytest.mark.parametrize("path", list(_paths()), ids=lambda path: " ".join(("leadhouse", *path)))
def test_the_example_in_a_help_text_is_accepted_by_the_parser(path: tuple[str, ...]) -> None:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert command.epilog is not None
    _, _, words = command.epilog.partition("Example: leadhouse ")
    command, arguments = main, words.split()
    while isinstance(command, click.Group):
        command = command.commands[arguments.pop(0)]

    assert command.make_context("leadhouse", arguments).params


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "--version") == (0, f"leadhouse, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sync"], "Missing argument 'SOURCE'"),
        (["sync", "bitrix24", "--apo", "item"], "No such option '--apo'"),
        (["sync", "bitrix24", "--api", "v3"], "'v3' is not one of"),
        (["sync", "bitrix24", "--lock-timeout", "-1"], "--lock-timeout"),
        (["sink", "bitrix24"], "No such command 'sink'"),
        (["state", "rewind", "bitrix24"], "Missing option '--to'"),
        (["state", "rewind", "bitrix24", "--to", "duckdb:x.duckdb"], "--to takes one time"),
        (["sandbox", "bitrix24", "--leads", "-5"], "--leads"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_ends_with_one_line_that_names_it_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = call(capsys, *arguments)

    assert (status, out) == (2, "")
    assert told in err.rstrip().split("\n")[-1]
    assert err.count(told) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sync", "hubspot"], "'hubspot' is no source; leadhouse reads bitrix24"),
        (["state", "show", "hubspot"], "'hubspot' is no source"),
        (["sandbox", "hubspot"], "'hubspot' is no source"),
        (["sync", "bitrix24"], "set SOURCES__BITRIX24__WEBHOOK_URL"),
        (["sync", "bitrix24", "--portal", "acme"], "set SOURCES__BITRIX24__ACME__WEBHOOK_URL"),
        (["sync", "bitrix24", "--portal", "a__b"], "'a__b' cannot name a dataset"),
        (["sync", "bitrix24", "--to", "mysql://db/crm"], "is no destination"),
        (["sync", "bitrix24", "--since", "2026-02-01", "--until", "2026-01-01"], "--since must lie before --until"),
        (["sync", "bitrix24", "--since", "soon"], "soon"),
        (["state", "rewind", "bitrix24", "--to", "yesterday"], "yesterday"),
        (["status", "--to", "duckdb:absent.duckdb"], "run `leadhouse sync` first"),
        (["state", "show", "bitrix24"], "run `leadhouse sync` first"),
        (["state", "reset", "bitrix24", "--yes"], "run `leadhouse sync` first"),
        (["demo", "--to", "postgresql://db.example.com/crm"], "the demo makes a DuckDB file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_of_the_operator_is_one_line_with_its_cure_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = call(capsys, *arguments)

    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("leadhouse: ")
    assert told in err
    assert not list(tmp_path.glob("*.duckdb"))


@pytest.mark.parametrize(
    ("webhook", "told"),
    [
        (f"http://crm.example.com/rest/1/{SECRET}/", "plain http would send"),
        (f"ftp://crm.example.com/rest/1/{SECRET}/", "webhook_url"),
        (f"crm.example.com {SECRET}", "is not a webhook's address"),
    ],
)
def test_a_webhook_that_would_leak_or_cannot_be_is_refused_without_repeating_it(webhook: str, told: str) -> None:
    done = leadhouse("sync", "bitrix24", "--webhook-url", webhook)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]
    assert SECRET not in done.stderr


def test_plain_http_is_spoken_on_loopback_and_json_stands_alone_on_stdout() -> None:
    with serve(small_portal(60)) as sandbox:
        done = leadhouse("sync", "bitrix24", "--webhook-url", sandbox.url, "--json")

    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert (summary["outcome"], summary["leads_read"], summary["portal"]) == ("done", 60, f"127.0.0.1:{sandbox.port}")
    (line,) = map(json.loads, done.stderr.splitlines())
    assert {line[name] == summary[name] for name in ("run_id", "leads_read", "requests", "cursor_to")} == {True}


@pytest.mark.long
def test_a_portal_that_is_not_there_is_status_1() -> None:
    with serve(small_portal(1)) as sandbox:
        url = sandbox.url
    done = leadhouse("sync", "bitrix24", "--webhook-url", url)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"leadhouse: 127.0.0.1:{sandbox.port}" in done.stderr.splitlines()[-1]


def test_a_reset_that_is_not_confirmed_changes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(small_portal(60)) as sandbox:
        assert call(capsys, "sync", "bitrix24", "--webhook-url", sandbox.url)[0] == 0
    before = json.loads(call(capsys, "state", "show", "bitrix24")[1])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")

    status, _, err = call(capsys, "state", "reset", "bitrix24")

    assert status == 1
    assert "stopped" in err
    assert before["cursor"] is not None
    assert json.loads(call(capsys, "state", "show", "bitrix24")[1]) == before


def test_state_is_shown_rewound_and_reset(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(small_portal(60)) as sandbox:
        assert call(capsys, "sync", "bitrix24", "--to", "duckdb:a.duckdb", "--webhook-url", sandbox.url)[0] == 0
    here = ("--destination", "duckdb:a.duckdb")

    rewound = call(capsys, "state", "rewind", "bitrix24", "--to", "2026-11-01T00:00:00+03:00", *here)
    shown = json.loads(call(capsys, "state", "show", "bitrix24", "--to", "duckdb:a.duckdb")[1])
    forward = call(capsys, "state", "rewind", "bitrix24", "--to", "2026-11-02", *here)
    reset = call(capsys, "state", "reset", "bitrix24", "--yes", *here)
    empty = json.loads(call(capsys, "state", "show", "bitrix24", *here)[1])

    assert rewound[:2] == (0, "the cursor of bitrix24 is 2026-10-31T21:00:00Z\n")
    assert shown["cursor"] == "2026-10-31T21:00:00Z"
    assert forward[0] == 2
    assert "a rewind only goes back" in forward[2]
    assert reset[0] == 0
    assert empty == {"pipeline": "leadhouse_bitrix24", "dataset": "bitrix24", "cursor": None}


def test_status_tells_a_person_and_a_program_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(small_portal(60)) as sandbox:
        assert call(capsys, "sync", "bitrix24", "--webhook-url", sandbox.url)[0] == 0

    told = call(capsys, "status")[1]
    machine = json.loads(call(capsys, "status", "--json")[1])

    assert machine["rows"]["leads"] == 60
    assert [run["outcome"] for run in machine["runs"]] == ["done"]
    assert "60  leads" in told
    assert machine["cursor"] in told
