"""What the wheel and the sdist hold."""

import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from leadhouse import __version__

CHECKOUT = Path(__file__).resolve().parents[2]

# One worker builds the distributions, once.
pytestmark = pytest.mark.xdist_group("packaging")


def _sources(folder: str) -> set[str]:
    root = CHECKOUT / folder
    return {
        str(file.relative_to(root)) for file in root.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.fixture(scope="session")
def shipped(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_brings_only_one_top_level_name(shipped: set[str]) -> None:
    assert {name.split("/")[0] for name in shipped} == {"leadhouse", f"leadhouse-{__version__}.dist-info"}


def test_wheel_holds_the_package_and_the_reviewed_schemas_and_nothing_else(shipped: set[str]) -> None:
    package = {f"leadhouse/{name}" for name in _sources("pipelines/leadhouse")}
    schemas = {f"leadhouse/_files/schemas/{name}" for name in _sources("schemas")}

    assert {name for name in shipped if ".dist-info/" not in name} == package | schemas
    assert {"leadhouse/py.typed", "leadhouse/_files/schemas/bitrix24/tables.toml"} <= shipped
    assert "leadhouse/_files/schemas/views/crm/leads.kommo.sql" in shipped


def test_wheel_carries_the_licence_and_the_command(wheel: Path, shipped: set[str]) -> None:
    info = f"leadhouse-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        commands = archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()

    assert f"{info}/licenses/LICENSE" in shipped
    assert "leadhouse = leadhouse.cli:main" in commands
    assert "License-Expression: Apache-2.0" in metadata


def test_sdist_holds_what_a_rebuild_needs_and_no_working_files(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}

    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "state/slots.toml"} <= names
    assert {f"schemas/{name}" for name in _sources("schemas")} <= names
    assert not [name for name in names if name.startswith(("state/local", ".venv", "dist/")) or ".duckdb" in name]


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    changelog = (CHECKOUT / "CHANGELOG.md").read_text()

    assert project["version"] == __version__
    assert f"\n## {__version__}" in changelog
