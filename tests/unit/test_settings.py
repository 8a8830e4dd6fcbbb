"""Settings: flags before the environment before files, and each portal its own secrets."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from leadhouse import files, settings
from leadhouse.bitrix24.settings import Application, Bitrix24Settings
from leadhouse.errors import ConfigurationError
from leadhouse.settings import data_dir, dataset_name, destination_url, known_source, portal_settings

URL = "https://acme.bitrix24.com/rest/1/{}/".format
FLAG, ENV, TOML = URL("fromaflag"), URL("fromtheenvironment"), URL("fromafile")
Write = Callable[[str, str], None]


def bitrix24(portal: str | None, given: dict[str, Any]) -> Bitrix24Settings:
    """Return the settings of a Bitrix24 portal."""
    made = portal_settings("bitrix24", portal, given)
    assert isinstance(made, Bitrix24Settings)
    return made


def test_a_flag_wins_over_the_environment_and_that_over_a_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("secrets.toml", f'[sources.bitrix24]\nwebhook_url = "{TOML}"\n')
    write("config.toml", "[sources.bitrix24]\nburst = 70\nrequests_per_second = 3.5\n")
    told = bitrix24(None, {})
    assert (told.webhook_url, told.burst, told.requests_per_second) == (TOML, 70.0, 3.5)
    monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", ENV)
    monkeypatch.setenv("SOURCES__BITRIX24__BURST", "80")
    told = bitrix24(None, {"webhook_url": None, "burst": None})
    assert (told.webhook_url, told.burst, told.requests_per_second) == (ENV, 80.0, 3.5)
    told = bitrix24(None, {"webhook_url": FLAG, "burst": 90})
    assert (told.webhook_url, told.burst) == (FLAG, 90.0)


def test_defaults_are_those_of_an_ordinary_portal() -> None:
    told = bitrix24(None, {"webhook_url": FLAG})
    assert (told.api, told.overlap, told.phone_region) == ("lead", timedelta(minutes=5), None)
    assert (told.requests_per_second, told.burst) == (2.0, 50.0)


def test_a_named_portal_has_its_own_settings_and_else_those_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__WEBHOOK_URL", ENV)
    monkeypatch.setenv("SOURCES__BITRIX24__ACME__PHONE_REGION", "kz")
    monkeypatch.setenv("SOURCES__BITRIX24__PHONE_REGION", "DE")
    monkeypatch.setenv("SOURCES__BITRIX24__BURST", "250")
    told = bitrix24("acme", {})
    assert (told.webhook_url, told.phone_region, told.burst) == (ENV, "KZ", 250.0)


def test_the_secret_of_one_portal_never_stands_in_for_anothers(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        "secrets.toml", f'[sources.bitrix24]\nwebhook_url = "{TOML}"\n[sources.bitrix24.acme]\nwebhook_url = "{ENV}"\n'
    )
    monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", FLAG)
    monkeypatch.setenv("SOURCES__WEBHOOK_URL", FLAG)
    monkeypatch.setenv("WEBHOOK_URL", FLAG)
    assert bitrix24("acme", {}).webhook_url == ENV
    with pytest.raises(ConfigurationError, match="set SOURCES__BITRIX24__OTHER__WEBHOOK_URL"):
        bitrix24("other", {})


def test_a_missing_webhook_names_where_to_put_it() -> None:
    with pytest.raises(ConfigurationError, match=r"SOURCES__BITRIX24__WEBHOOK_URL.*\[sources.bitrix24\].*secrets.toml"):
        bitrix24(None, {})


def test_the_webhook_is_not_in_the_settings_repr() -> None:
    assert "fromaflag" not in repr(bitrix24(None, {"webhook_url": FLAG}))


APPLICATION = {"client_id": "local.app", "client_secret": "key-of-it", "refresh_token": "refresh-of-it"}


def test_an_application_stands_in_for_a_webhook(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        "secrets.toml", "[sources.bitrix24]\n" + "".join(f'{name} = "{text}"\n' for name, text in APPLICATION.items())
    )
    monkeypatch.setenv("SOURCES__BITRIX24__REFRESH_TOKEN", "refresh-of-the-environment")
    monkeypatch.setenv("SOURCES__BITRIX24__OAUTH_SERVER", "https://oauth.example.com")
    told = bitrix24(None, {})
    assert told.access == Application(
        "local.app", "key-of-it", "refresh-of-the-environment", "https://oauth.example.com"
    )
    for secret in ("key-of-it", "refresh-of-the-environment"):
        assert secret not in f"{told!r} {told.access!r}"


def test_a_named_portal_has_an_application_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in APPLICATION.items():
        monkeypatch.setenv(f"SOURCES__BITRIX24__{name.upper()}", text)
    with pytest.raises(ConfigurationError, match="set SOURCES__BITRIX24__ACME__WEBHOOK_URL"):
        bitrix24("acme", {})
    for name, text in APPLICATION.items():
        monkeypatch.setenv(f"SOURCES__BITRIX24__ACME__{name.upper()}", f"{text}-acme")
    assert bitrix24("acme", {}).client_secret == "key-of-it-acme"


@pytest.mark.parametrize("name", APPLICATION)
def test_a_webhook_beside_any_of_an_applications_settings_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", ENV)
    monkeypatch.setenv(f"SOURCES__BITRIX24__{name.upper()}", APPLICATION[name])
    with pytest.raises(
        ConfigurationError, match=f"webhook_url and {name} are both set for .sources.bitrix24."
    ) as caught:
        bitrix24(None, {})
    assert "fromtheenvironment" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="are both set"):
        bitrix24(None, {"webhook_url": FLAG, name: APPLICATION[name]})


def test_a_flag_of_one_way_in_puts_the_other_ways_configuration_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in APPLICATION.items():
        monkeypatch.setenv(f"SOURCES__BITRIX24__{name.upper()}", text)
    assert bitrix24(None, {"webhook_url": FLAG}).access == FLAG
    monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", ENV)
    told = bitrix24(None, {"refresh_token": "refresh-of-a-flag"})
    assert told.access == Application("local.app", "key-of-it", "refresh-of-a-flag")


@pytest.mark.parametrize("name", APPLICATION)
def test_an_application_in_part_is_told_what_it_lacks(name: str) -> None:
    given = {key: value for key, value in APPLICATION.items() if key != name}
    with pytest.raises(
        ConfigurationError, match=f"lacks {name}; set SOURCES__BITRIX24__{name.upper()}, or {name} under"
    ):
        bitrix24(None, given)


@pytest.mark.parametrize(
    ("name", "value"),
    [("api", "deal"), ("phone_region", "KAZ"), ("phone_region", "+7"), ("overlap_minutes", "five"),
     ("overlap_minutes", -1),
     ("requests_per_second", 0), ("burst", "0"), ("burst", "nan"), ("burst", 1e9)],
)  # fmt: skip
def test_a_malformed_setting_is_named_with_its_value(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is "):
        bitrix24(None, {"webhook_url": FLAG, name: value})


def test_no_overlap_at_all_can_be_asked_for() -> None:
    assert bitrix24(None, {"webhook_url": FLAG, "overlap_minutes": 0}).overlap == timedelta()


def test_an_unreadable_file_is_named(write: Write) -> None:
    write("secrets.toml", f'[sources.bitrix24\nwebhook_url = "{TOML}"')
    with pytest.raises(ConfigurationError, match=r"\.dlt/ cannot be read.*secrets.toml") as caught:
        bitrix24(None, {})
    assert "fromafile" not in str(caught.value)


def test_the_destination_is_the_flag_else_the_configured_else_a_file_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert destination_url(None) == "duckdb:leadhouse.duckdb"
    monkeypatch.setenv("LEADHOUSE__TO", "duckdb:crm.duckdb")
    assert destination_url(None) == "duckdb:crm.duckdb"
    assert destination_url("duckdb:other.duckdb") == "duckdb:other.duckdb"


@pytest.mark.parametrize(
    ("portal", "dataset", "name"),
    [(None, None, "bitrix24"), ("acme", None, "acme"), ("acme", "crm", "crm"), (None, "CRM_2", "crm_2")],
)
def test_the_dataset_is_as_given_else_the_portals_name_else_the_sources(
    portal: str | None, dataset: str | None, name: str
) -> None:
    assert dataset_name("bitrix24", portal, dataset) == name


@pytest.mark.parametrize(
    "dataset", ["1crm", "crm-leads", "crm_", "crm__leads", "x" * 60, "crm leads", "лиды", 'x"; --']
)
def test_a_name_that_databases_or_dlt_would_change_is_refused(dataset: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a dataset"):
        dataset_name("bitrix24", None, dataset)


def test_only_sources_that_exist_are_known() -> None:
    assert known_source("bitrix24") == "bitrix24"
    with pytest.raises(ConfigurationError, match="leadhouse reads bitrix24"):
        known_source("bitrix42")


def test_the_working_directory_is_the_configured_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", "work")
    assert data_dir() == tmp_path / "work"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DLT_DATA_DIR", "~/work")
    assert data_dir() == tmp_path / "work"


def test_without_one_a_checkout_works_in_its_own_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLT_DATA_DIR")
    monkeypatch.setattr(settings, "in_checkout", lambda: True)
    assert data_dir() == files.checkout() / "state" / "local"


def test_without_one_an_installed_package_works_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLT_DATA_DIR")
    monkeypatch.setattr(settings, "in_checkout", lambda: False)
    assert data_dir() == Path(platformdirs.user_state_dir("leadhouse", appauthor=False))


@pytest.mark.parametrize(
    ("source", "told", "secret"),
    [
        ("bitrix24", {"webhook_url": "https://one.example.com/rest/1/the-code/"}, "the-code"),
        ("bitrix24", {"webhook_url": "https://two.example.com/rest/9/the-code/profile.json"}, "the-code"),
        (
            "bitrix24",
            {"client_id": "an-application", "client_secret": "its-secret", "refresh_token": "of-today"},
            "its-secret",
        ),
        (
            "kommo",
            {
                "base_url": "https://acme.kommo.com",
                "client_id": "an-application",
                "client_secret": "its-secret",
                "refresh_token": "of-today",
                "redirect_uri": "https://acme.example.com",
            },
            "its-secret",
        ),
    ],
)
def test_the_secret_of_an_access_stays_when_the_portal_moves(source: str, told: dict[str, str], secret: str) -> None:
    assert portal_settings(source, None, told).secret == secret
