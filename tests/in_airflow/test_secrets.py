"""Nothing secret or personal leaves a task: not in its log, nor in its results or anywhere in Airflow's database."""

import os
import sqlite3
from typing import Any

import pytest

from in_airflow.home import DATABASE
from in_airflow.office import Office, Runs
from leadhouse.logs import get_logger

PERSON = "olga.kim@example.com"


def kept() -> str:
    """Return all that Airflow's database holds."""
    with sqlite3.connect(DATABASE) as database:
        return "\n".join(database.iterdump())


def assert_nowhere(secrets: list[str], **places: str) -> None:
    """None of the secrets stands in any of the places; all of them tell of the run."""
    assert all("leadhouse_sync" in text for text in places.values())
    for secret in secrets:
        for place, text in places.items():
            assert secret not in text, f"a secret in the {place}"


@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_refused_credentials_fail_at_once_with_their_cure_and_tell_nothing(
    runs: Runs, office: Office, capfd: pytest.CaptureFixture[str], source: str
) -> None:
    runs.retries = 2
    office.portal.quirks.webhook_expired = True
    office.account.switches.token_expired = True
    label = {"bitrix24": "bitrix24.acme"}.get(source, source)
    done = runs("leadhouse_sync", portals=[label])
    out, err = capfd.readouterr()
    assert done.state == "failed"
    task = done.task(f"portal.sync[{label}]")
    assert (str(task.state), task.try_number) == ("failed", 1)
    cure = {"bitrix24": "make a new one (Developer resources > Inbound webhook)", "kommo": "token"}[source]
    (line,) = [line for line in (out + err).splitlines() if "task failed" in line]
    assert cure in line
    assert "a person must act" in line
    assert_nowhere(office.secrets, log=out + err, database=kept())


def test_a_run_leaves_no_secret_behind(runs: Runs, office: Office, capfd: pytest.CaptureFixture[str]) -> None:
    person = next(lead["EMAIL"][0]["VALUE"] for lead in office.portal.leads() if lead.get("EMAIL"))
    assert runs("leadhouse_sync").state == "success"
    out, err = capfd.readouterr()
    assert "bitrix24.acme" in out + err
    assert_nowhere([*office.secrets, person], log=out + err, database=kept())


def test_a_connections_secrets_are_masked_in_whatever_a_task_logs(
    runs: Runs, office: Office, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also in what a team's own code logs beside leadhouse: Airflow's mask, which workers log through, knows them."""
    office.configure(
        AIRFLOW_CONN_OFFICE=f'{{"conn_type": "bitrix24", "password": "{office.acme.url}", "extra": {{"burst": 1000}}}}',
        AIRFLOW_VAR_LEADHOUSE_CONNECTIONS='["office"]',
    )
    for name in list(os.environ):
        if name.startswith("SOURCES__"):
            monkeypatch.delenv(name)
    from airflow.sdk.log import mask_logs  # noqa: PLC0415

    from leadhouse.airflow import operators  # noqa: PLC0415

    masked: list[Any] = []
    sync = operators.LeadhouseSyncOperator.run

    def loud(self: Any, context: Any, source: str, keywords: dict[str, Any]) -> Any:
        masked.append(mask_logs(None, "info", {"event": f"asked {office.acme.url}", "code": office.secrets[0]}))
        get_logger("leadhouse.sync").info(f"asked for {PERSON}", person=PERSON)
        return sync(self, context, source, keywords)

    monkeypatch.setattr(operators.LeadhouseSyncOperator, "run", loud)
    done = runs("leadhouse_sync")
    out, err = capfd.readouterr()
    assert done.state == "success"
    assert done.states["portal.sync[office]"] == "success"
    assert masked == [{"event": "asked ***", "code": "***"}]
    assert "<e-mail>" in out + err
    assert_nowhere([office.secrets[0], PERSON], log=out + err, database=kept())
    office.assert_equal("office")


def test_a_run_looks_up_no_variable_but_its_own(runs: Runs, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import Variable  # noqa: PLC0415

    asked: list[str] = []
    get = Variable.get

    def counted(key: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(key)
        return get(key, *args, **kwargs)

    monkeypatch.setattr(Variable, "get", counted)
    assert runs("leadhouse_sync").state == "success"
    office.assert_equal()
    assert asked == ["leadhouse_connections"]
