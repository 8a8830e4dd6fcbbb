"""The README agrees with the code: tables, commands, settings."""

import tomllib
from collections.abc import Iterator

import click
import pytest

import documents
from leadhouse.cli import main
from leadhouse.settings import VIEWS, setting_names, sources
from leadhouse.tables import tables

README = documents.read("README.md")
EVERYWHERE = "all that open a warehouse"


def _commands(group: click.Group = main, path: str = "leadhouse") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(_commands())


def _documented() -> dict[str, str]:
    """Return the options cell by command, without the command's arguments."""
    found = {}
    for command, _, options in documents.rows(README, "command"):
        name = " ".join(word for word in command.strip("`").split() if not word.strip("[]").isupper())
        found[name] = options
    return found


def test_every_command_is_documented_and_no_other() -> None:
    assert _documented().keys() == COMMANDS.keys() | {EVERYWHERE}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    documented = _documented()
    told = documented[name] + (documented[EVERYWHERE] if "dataset" in _names(COMMANDS[name]) else "")

    missing = [
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if f"`{option}" not in told
    ]

    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_documented_option_exists(name: str) -> None:
    existing = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    told = [word.strip("`,()") for word in _documented()[name].split() if word.strip("`,()").startswith("--")]

    assert set(told) <= existing


def _names(command: click.Command) -> set[str]:
    return {parameter.name or "" for parameter in command.params}


@pytest.mark.parametrize(
    ("header", "contract"),
    [
        ("table", "bitrix24"),
        ("Bitrix24 view", "views/bitrix24"),
        ("Kommo table", "kommo"),
        ("Kommo view", "views/kommo"),
        ("view", f"views/{VIEWS}"),
    ],
)
def test_the_table_list_is_that_of_the_schema(header: str, contract: str) -> None:
    told = [(name.strip("`"), grain, question) for name, grain, question in documents.rows(README, header)]

    assert told == [(table.name, table.grain, table.question) for table in tables(contract).values()]


@pytest.mark.parametrize(("header", "source"), [("setting", "bitrix24"), ("Kommo setting", "kommo")])
def test_every_setting_is_documented_with_its_environment_variable(header: str, source: str) -> None:
    told = {row[0].strip("`"): row[2].strip("`") for row in documents.rows(README, header)}
    wanted = {name: f"SOURCES__{source.upper()}__{name.upper()}" for name in setting_names(source)}

    assert {name: told[name] for name in wanted} == wanted
    assert {name for name in told if name.isidentifier() and name != "destination"} == wanted.keys()


def test_the_example_of_the_configuration_file_names_existing_settings() -> None:
    (text,) = documents.fenced(README, "toml")
    example = tomllib.loads(text)

    assert example.keys() == {"leadhouse", "sources"}
    assert example["leadhouse"].keys() == {"to"}
    assert example["sources"].keys() == set(sources())
    assert all(settings.keys() <= setting_names(source) for source, settings in example["sources"].items())


@pytest.mark.parametrize(
    ("dataset", "contracts"),
    [
        ("bitrix24", ["bitrix24", "views/bitrix24"]),
        ("kommo", ["kommo", "views/kommo"]),
        (VIEWS, [f"views/{VIEWS}"]),
    ],
)
def test_the_changelog_lists_every_table(dataset: str, contracts: list[str]) -> None:
    told = {table for table, *_ in _changes(dataset)}

    assert {table for contract in contracts for table in tables(contract)} == told


def _changes(dataset: str) -> Iterator[tuple[str, ...]]:
    """Yield the changelog's changes of a dataset's tables; what names no dataset is Bitrix24's."""
    for release in documents.read("CHANGELOG.md").split("\n## "):
        for table, *rest in documents.rows(release, "table"):
            name = table.strip("`")
            place, _, inner = name.rpartition(".")
            if (place or "bitrix24") == dataset:
                yield inner, *rest
