"""Which portals are configured: in files and in the environment, of both sources, each with a dataset of its own."""

from collections.abc import Callable

import pytest

import leadhouse
from leadhouse.configured_portals import portals
from leadhouse.errors import ConfigurationError

Write = Callable[[str, str], None]


def _labels(source: str | None = None) -> list[str]:
    return [f"{told.label} → {told.dataset}" for told in portals(source)]


def test_portals_of_both_sources_come_from_files_and_environment_alike(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "secrets.toml",
        '[sources.bitrix24]\nwebhook_url = "https://one.example.com/rest/1/secret/"\n'
        '[sources.bitrix24.acme]\nwebhook_url = "https://two.example.com/rest/1/secret/"\n'
        '[sources.kommo.globex]\naccess_token = "secret"\n',
    )
    write("config.toml", '[sources.kommo.globex]\nbase_url = "https://globex.example.com"\n')
    monkeypatch.setenv("SOURCES__BITRIX24__INITECH__WEBHOOK_URL", "https://three.example.com/rest/1/secret/")
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__PHONE_REGION", "DE")
    assert _labels() == [
        "bitrix24 → bitrix24",
        "bitrix24.acme → acme",
        "bitrix24.initech → initech",
        "kommo.globex → globex",
    ]
    assert _labels("kommo") == ["kommo.globex → globex"]


def test_defaults_of_a_source_are_no_portal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__BITRIX24__PHONE_REGION", "DE")
    monkeypatch.setenv("SOURCES__BITRIX24__REQUESTS_PER_SECOND", "5")
    monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", "")
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__WEBHOOK_URL", "https://two.example.com/rest/1/secret/")
    assert _labels() == ["bitrix24.acme → acme"]


def test_a_named_portal_without_access_is_one_so_that_its_sync_says_what_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__KOMMO__ACME__PHONE_REGION", "DE")
    assert _labels() == ["kommo.acme → acme"]


def test_what_is_no_setting_makes_no_portal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__WEBHOOK_URL", "https://two.example.com/rest/1/secret/")
    monkeypatch.setenv("SOURCES__BITRIX24__RESOURCE__MAX_TABLE_NESTING", "0")
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__DEEPER__WEBHOOK_URL", "https://two.example.com/rest/1/secret/")
    assert _labels() == ["bitrix24.acme → acme"]


@pytest.mark.parametrize("source", [None, "kommo"])
def test_where_none_is_configured_the_message_says_how(source: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"no portal .*\[sources\..*acme\].*SOURCES__.*__ACME__") as caught:
        portals(source)
    assert caught.value.exit_code == 2


def test_where_others_may_be_configured_elsewhere_none_is_an_empty_list() -> None:
    assert portals(required=False) == []


def test_two_that_would_share_a_dataset_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__WEBHOOK_URL", "https://two.example.com/rest/1/secret/")
    monkeypatch.setenv("SOURCES__KOMMO__ACME__ACCESS_TOKEN", "secret")
    with pytest.raises(
        ConfigurationError, match=r"bitrix24\.acme and kommo\.acme would share the dataset acme"
    ) as caught:
        portals()
    assert "secret" not in str(caught.value)
    assert [told.dataset for told in portals("kommo")] == ["acme"]


def test_an_unreadable_file_is_said_in_one_line(write: Write) -> None:
    write("secrets.toml", "[sources.bitrix24\n")
    with pytest.raises(ConfigurationError, match=r"\.dlt/ cannot be read .*correct the file"):
        portals()


def test_the_library_gives_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__KOMMO__ACCESS_TOKEN", "secret")
    assert [told.label for told in leadhouse.portals()] == ["kommo"]
