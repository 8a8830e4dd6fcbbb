"""Secrets and personal data leave no text; what a person needs for diagnosis stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadhouse import redact as redacting
from leadhouse.redact import MASK, redact, register_secrets, share_secrets
from unit.fuzz import QUICK

CODE = "q7w8e9r0t1y2u3i4"
PLACES = [
    f"https://acme.bitrix24.com/rest/1/{CODE}/",
    f"https://acme.bitrix24.com/rest/1/{CODE}",
    f"https://acme.bitrix24.com/rest/12345/{CODE}/crm.lead.list.json?start=-1",
    f"https://acme.bitrix24.com/rest/api/1/{CODE}/tasks.list",
    f"POST /rest/1/{CODE}/batch.json HTTP/1.1",
    f"'url': 'https://acme.bitrix24.com/rest/1/{CODE}'",
    f'{{"url":"https:\\/\\/acme.bitrix24.com\\/rest\\/1\\/{CODE}\\/"}}',
    f"next=https%3A%2F%2Facme.bitrix24.com%2Frest%2F1%2F{CODE}%2Fprofile",
    f"https://acme.bitrix24.com/rest/1/{CODE}?auth={CODE}",
    f"Max retries exceeded with url: /rest/1/{CODE}/batch.json (Caused by timeout)",
    f"https://acme.bitrix24.com/rest/crm.lead.list?auth={CODE}&start=0",
    f"access_token={CODE}",
    f"refresh_token: '{CODE}'",
    f'{{"client_secret": "{CODE}", "expires": 3600}}',
    f"Authorization: Bearer {CODE}",
    f"authorization: bearer {CODE}==",
]


@pytest.mark.parametrize("text", PLACES)
def test_a_webhooks_code_or_token_is_masked_wherever_it_stands(text: str) -> None:
    shown = redact(text)
    assert CODE not in shown
    assert MASK in shown


def test_the_portal_the_user_and_the_method_stay() -> None:
    shown = redact(f"https://acme.bitrix24.com/rest/1/{CODE}/crm.lead.list.json?start=-1")
    assert shown == "https://acme.bitrix24.com/rest/1/***/crm.lead.list.json?start=-1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://etl:s3cr:e/t@db.example.com:5432/crm", "postgresql://etl:***@db.example.com:5432/crm"),
        ("postgresql+psycopg2://etl:p@ss@w@db/crm failed", "postgresql+psycopg2://etl:***@db/crm failed"),
        ("redis://:pw12@cache", "redis://:***@cache"),
        ("host=db user=etl password=s3cret dbname=crm", "host=db user=etl password=*** dbname=crm"),
        ("password='two words' dbname=crm", "password=*** dbname=crm"),
        ('{"password": "two words", "host": "db"}', '{"password": ***, "host": "db"}'),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
    ],
)
def test_passwords_of_databases_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "address", ["olga.kim@example.com", "a+b@mail.example.co.uk", "Kim_1@ex-ample.org", "жанна@пример.рф"]
)
def test_e_mail_addresses_are_masked(address: str) -> None:
    assert redact(f"lead of <{address}>, twice {address}") == "lead of <<e-mail>>, twice <e-mail>"


@pytest.mark.parametrize("number", ["+7 (700) 000-00-01", "+77000000001", "+1-202-555-0100", "+49 30 901820"])
def test_international_phone_numbers_are_masked(number: str) -> None:
    assert redact(f"call {number}!") == "call <phone>!"


@pytest.mark.parametrize(
    "text",
    [
        "lead 1000983 of 8640000, run 9f86d081884c",
        "2026-11-21T12:00:00+03:00 2026-11-21 12:00:00.123456+00:00 2026-11-21T09:00:00Z",
        "crm.lead.list QUERY_LIMIT_EXCEEDED: waited 12.5 s, 1763712000",
        "password authentication failed for user etl",
        "the author of rest, 15 of 20",
        "duckdb:/var/data/leadhouse.duckdb",
        "https://acme.bitrix24.com:8443/crm/lead/details/15/",
    ],
)
def test_ids_times_and_plain_words_survive(text: str) -> None:
    assert redact(text) == text


def test_a_registered_secret_is_masked_as_it_is_and_short_ones_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_secrets", set())
    register_secrets([CODE, "1", "", "abcde"])
    assert redact(f"code {CODE[:8]}, {CODE}, 1, abcde") == f"code {CODE[:8]}, ***, 1, abcde"


@QUICK
@given(
    st.text(max_size=20), st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=6, max_size=32), st.text(max_size=20)
)
def test_no_surroundings_bring_a_code_back(before: str, code: str, after: str) -> None:
    code = f"zq{code}"
    path = f"{before}/rest/1/{code}/{after}"
    assert redact(path).count(code) <= (before + after).count(code)


@QUICK
@given(st.text(max_size=60))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_a_host_is_told_every_secret_those_of_later_on_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_told", set())
    told: list[str] = []
    register_secrets(["first-secret"])
    share_secrets(told.append)
    register_secrets(["second-secret", "first-secret", "short"])
    assert {"first-secret", "second-secret"} <= set(told)
    assert told.count("first-secret") == 1
    assert "short" not in told
