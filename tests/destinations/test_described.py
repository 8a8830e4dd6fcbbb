"""Destinations that dlt's configuration describes badly: one line with the cure, status 2, nothing written."""

from pathlib import Path

import pytest

from leadhouse import target as target_module
from leadhouse.errors import ConfigurationError, WarehouseRefusedError
from leadhouse.redact import redact
from leadhouse.sandbox.bitrix24 import Portal, serve
from leadhouse.service import sync
from leadhouse.warehouse import Target


def _describe(monkeypatch: pytest.MonkeyPatch, name: str = "lake", **settings: str) -> None:
    for setting, value in settings.items():
        monkeypatch.setenv(f"DESTINATION__{name}__{setting}".upper(), value)


@pytest.mark.parametrize("told", [{}, {"table_format": "hudi"}, {"table_format": "parquet"}])
def test_a_folder_of_files_is_refused_with_the_table_formats(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: dict[str, str]
) -> None:
    _describe(monkeypatch, destination_type="filesystem", bucket_url=str(tmp_path / "bucket"), **told)
    with pytest.raises(ConfigurationError, match=r"set DESTINATION__LAKE__TABLE_FORMAT=delta or DESTINATION__LAKE"):
        Target.parse("lake")
    assert not (tmp_path / "bucket").exists()


def test_the_plain_filesystem_destination_is_a_lake_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _describe(monkeypatch, "filesystem", bucket_url=str(tmp_path), table_format="Iceberg")
    assert Target.parse("filesystem") == Target("lake", "filesystem", "filesystem", "iceberg")


def test_a_lake_without_a_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _describe(monkeypatch, destination_type="filesystem", table_format="delta")
    with pytest.raises(ConfigurationError, match="bucket_url"):
        Target.parse("lake")


@pytest.mark.parametrize("table_format", ["delta", "iceberg"])
def test_a_package_that_lacks_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table_format: str
) -> None:
    _describe(monkeypatch, destination_type="filesystem", bucket_url=str(tmp_path), table_format=table_format)
    monkeypatch.setattr(target_module, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=rf"run `pip install 'leadhouse\[{table_format}\]'`"):
        Target.parse("lake")


def test_a_destination_in_which_rows_cannot_be_replaced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _describe(monkeypatch, "nothing", destination_type="destination")
    with pytest.raises(ConfigurationError, match="rows cannot be replaced"):
        Target.parse("nothing")


def test_the_secrets_of_a_bucket_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _describe(
        monkeypatch,
        destination_type="filesystem",
        bucket_url="s3://leads",
        table_format="delta",
        credentials__aws_access_key_id="AKIAINVENTED",
        credentials__aws_secret_access_key="invented/s3cret",
    )
    assert Target.parse("lake").label == "lake"
    assert redact("refused: invented/s3cret") == "refused: ***"


@pytest.mark.parametrize("table_format", ["delta", "iceberg"])
def test_a_place_that_is_no_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table_format: str
) -> None:
    (tmp_path / "file").touch()
    _describe(
        monkeypatch, destination_type="filesystem", bucket_url=str(tmp_path / "file" / "b"), table_format=table_format
    )
    with (
        serve(Portal(leads=3, seed=1)) as served,
        pytest.raises(WarehouseRefusedError, match="correct the destination"),
    ):
        sync("bitrix24", to="lake", webhook_url=served.url)
