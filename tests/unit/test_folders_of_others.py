"""A folder that the user of a run may not enter, like another one's home, gets a line with the cure."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadhouse.doctor_configuration import disk, working_directory
from leadhouse.errors import ConfigurationError
from leadhouse.files import replaceable
from leadhouse.findings import Findings
from leadhouse.target import Target

_NOBODY = 65534


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that this process may not enter, whoever runs the suite."""
    folder = tmp_path / "of others"
    folder.mkdir(mode=0)
    root = os.geteuid() == 0
    if root:
        os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield folder
    finally:
        if root:
            os.setresuid(0, 0, 0)
        folder.chmod(0o700)


def test_a_duckdb_file_there_is_refused(forbidden: Path) -> None:
    with pytest.raises(ConfigurationError, match="Permission denied; correct the rights of its folder, or name"):
        Target.parse(f"duckdb:{forbidden}/crm.duckdb")


def test_a_file_to_write_there_is_refused(forbidden: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot be looked at \(Permission denied\); give another one with --html"
    ):
        replaceable(str(forbidden / "status.html"), "--html")


def test_a_working_directory_there_is_told_by_the_doctor(forbidden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(forbidden / "work"))
    found = Findings()

    disk(found, None)
    with pytest.raises(ConfigurationError, match="cannot be written by this user; set DLT_DATA_DIR"):
        working_directory(found)

    assert [finding.check for finding in found.found] == ["disk"]
