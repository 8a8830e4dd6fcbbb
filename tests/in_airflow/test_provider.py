"""leadhouse as Airflow's providers manager sees it: listed, with forms for its connections, nothing loaded."""

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from leadhouse.airflow.provider_info import get_provider_info
from leadhouse.settings import setting_names

BIN = Path(sys.executable).parent
SECRETS = {"client_secret", "refresh_token"}


def airflow(*words: str) -> str:
    """Run a command of Airflow's; return what it printed."""
    done = subprocess.run([BIN / "airflow", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_provider_bears_the_distributions_name() -> None:
    assert get_provider_info()["package-name"] == distribution("leadhouse").metadata["Name"]


@pytest.mark.usefixtures("database")
def test_airflow_lists_the_provider_and_its_hooks() -> None:
    providers = {row["package_name"]: row for row in json.loads(airflow("providers", "list", "--output", "json"))}
    assert providers["leadhouse"]["version"] == distribution("leadhouse").version
    hooks = {row["connection_type"]: row for row in json.loads(airflow("providers", "hooks", "--output", "json"))}
    assert hooks["bitrix24"]["hook_name"] == "Bitrix24"
    assert hooks["kommo"]["hook_name"] == "Kommo, amoCRM"


def test_the_provider_info_loads_neither_airflow_nor_dlt() -> None:
    code = (
        "import sys; from leadhouse.airflow.provider_info import get_provider_info; get_provider_info(); "
        "print(*[name for name in ('airflow', 'dlt', 'structlog', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_everything_that_the_provider_names_is_there() -> None:
    info = get_provider_info()
    named = [
        *(kind["hook-class-name"] for kind in info["connection-types"]),
        *(uris["handler"] for uris in info["asset-uris"]),
        *info["extra-links"],
        *info["notifications"],
    ]
    for path in named:
        module, _, name = path.rpartition(".")
        assert getattr(import_module(module), name), path
    for kind in ("hooks", "operators"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                import_module(module)


@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_the_form_has_a_field_for_every_setting_and_hides_secrets(source: str) -> None:
    (kind,) = (kind for kind in get_provider_info()["connection-types"] if kind["connection-type"] == source)
    fields: dict[str, Any] = kind["conn-fields"]
    standard = {"webhook_url", "base_url", "access_token"}  # host, login and password
    assert set(fields) == {"dataset", *setting_names(source)} - standard
    assert {name for name, field in fields.items() if field["schema"].get("format") == "password"} == SECRETS


def test_the_forms_defaults_are_leadhouses_own() -> None:
    from leadhouse.settings import portal_settings  # noqa: PLC0415

    given = {
        "bitrix24": {"webhook_url": "https://example.bitrix24.com/rest/1/abcdef0123456789/"},
        "kommo": {"base_url": "https://example.kommo.com", "access_token": "a-long-lived-token"},
    }
    for kind in get_provider_info()["connection-types"]:
        settings = portal_settings(kind["connection-type"], None, given[kind["connection-type"]])
        for name, field in kind["conn-fields"].items():
            default = field["schema"].get("default")
            if name == "overlap_minutes":
                assert default == settings.overlap.total_seconds() / 60
            elif default is not None:
                assert default == getattr(settings, name), name


@pytest.mark.usefixtures("database")
def test_airflow_takes_the_forms_over() -> None:
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415

    manager: Any = ProvidersManager()  # type: ignore[no-untyped-call]
    manager.initialize_providers_hooks()
    widgets = manager._connection_form_widgets
    assert widgets["extra__bitrix24__client_secret"].is_sensitive
    assert widgets["extra__kommo__refresh_token"].is_sensitive
    assert not widgets["extra__bitrix24__phone_region"].is_sensitive
    assert manager.field_behaviours["bitrix24"]["relabeling"]["host"] == "Portal"


@pytest.mark.parametrize(
    "uri", ["leadhouse://acme", "leadhouse://Acme Shop/leads", "leadhouse://acme/leads/7", "leadhouse:///leads"]
)
def test_a_malformed_asset_is_refused_when_the_dag_is_parsed(uri: str) -> None:
    from airflow.sdk import Asset  # noqa: PLC0415

    with pytest.raises(ValueError, match="an asset of leadhouse is"):
        Asset(uri=uri)


def test_the_assets_are_well_formed() -> None:
    from leadhouse.airflow.assets import ALL_LEADS, portal_leads  # noqa: PLC0415

    assert ALL_LEADS.uri == "leadhouse://crm/leads"
    assert portal_leads("acme").uri == "leadhouse://acme/leads"
