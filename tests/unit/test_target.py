"""Destinations as users name them."""

from pathlib import Path
from urllib.parse import unquote

import pytest
import structlog
from psycopg2.extensions import parse_dsn

from leadhouse import redact as redacting
from leadhouse.errors import ConfigurationError, InternalError, WarehouseRefusedError, WarehouseUnavailableError
from leadhouse.libpq import LibpqCredentials
from leadhouse.redact import redact
from leadhouse.warehouse import Target, Warehouse, explain


@pytest.fixture(autouse=True)
def _no_secrets_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_secrets", set())


@pytest.mark.parametrize("to", ["duckdb:crm.duckdb", "duckdb:./crm.duckdb", "duckdb://crm.duckdb"])
def test_a_duckdb_file_without_a_slash_is_relative_to_the_current_folder(to: str, tmp_path: Path) -> None:
    target = Target.parse(to)
    assert (target.kind, target.url, target.label) == (
        "duckdb",
        f"{tmp_path}/crm.duckdb",
        f"duckdb:{tmp_path}/crm.duckdb",
    )


@pytest.mark.parametrize("to", ["duckdb:///var/crm.duckdb", "duckdb:/var/crm.duckdb"])
def test_a_duckdb_file_with_a_slash_is_absolute(to: str) -> None:
    assert Target.parse(to).url == "/var/crm.duckdb"


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Target.parse("duckdb:~/crm.duckdb").url == f"{tmp_path}/crm.duckdb"


@pytest.mark.parametrize(
    ("to", "label"),
    [
        ("postgresql://etl:s3cret99@db.example.com:5433/crm", "postgresql://db.example.com:5433/crm"),
        ("postgres://etl:s3cret99@db/crm?sslmode=require", "postgresql://db/crm"),
        ("postgresql://etl@[::1]:5433/crm", "postgresql://[::1]:5433/crm"),
        ("postgresql:///crm?host=/run/postgresql", "postgresql:///crm"),
        ("postgresql:///crm", "postgresql:///crm"),
    ],
)
def test_a_postgres_url_is_kept_whole_and_shown_without_its_secret(to: str, label: str) -> None:
    target = Target.parse(to)
    assert target.kind == "postgres"
    assert target.url == "postgresql:" + to.partition(":")[2]
    assert target.label == label


def test_a_password_is_a_secret_as_it_is_written_and_as_it_is_meant() -> None:
    Target.parse("postgresql://etl:p%40ss%2Fword@db/crm")
    assert redact("p%40ss%2Fword and p@ss/word") == "*** and ***"


@pytest.mark.parametrize(
    "to",
    ["postgresql://etl:pa/ssw0rd@db/crm", "postgresql://etl:12/ssw0rd@db/crm", "postgresql://etl:12#ssw0rd@db/crm",
     "postgresql://etl:12?ssw0rd@db/crm", "postgresql://etl:p[ssw0rd@db/crm", "postgresql://etl:ssw0rd@db:port/crm",
     "postgresql://"],
)  # fmt: skip
def test_a_postgres_url_that_cannot_be_read_is_refused_with_the_cure_and_without_a_word_of_it(to: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encoded") as caught:
        Target.parse(to)
    assert "ssw0rd" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    "to", ["", "duckdb:", "duckdb://", "duckdb:///", "duckdb:.", "mysql://db/crm", "crm.duckdb/x", "a b"]
)
def test_what_is_no_destination_is_refused_with_examples(to: str) -> None:
    with pytest.raises(ConfigurationError, match=r"use duckdb:file.duckdb, postgresql://user@host/database"):
        Target.parse(to)


def test_a_refused_destination_shows_no_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Target.parse("mysql://etl:s3cret99@db/crm")
    assert "s3cret99" not in str(caught.value)


def test_a_name_that_dlts_configuration_does_not_describe_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="dlt cannot resolve the destination 'nowhere'"):
        Target.parse("nowhere")


def test_a_name_of_a_duckdb_in_dlts_configuration_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__MART__DESTINATION_TYPE", "duckdb")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS", str(tmp_path / "mart.duckdb"))
    target = Target.parse("mart")
    assert (target.kind, target.url, target.name) == ("duckdb", str(tmp_path / "mart.duckdb"), "mart")


@pytest.mark.parametrize("to", ["postgresql://etl@db", "postgresql://etl:s3cret99@db/", "postgresql:///?host=/run"])
def test_a_postgres_url_without_a_database_is_refused_with_the_cure(to: str) -> None:
    with pytest.raises(ConfigurationError, match="names no database; add it"):
        Target.parse(to)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("postgresql://etl@db/crm", "postgresql://etl@db:5432/crm"),
        ("postgresql://db/crm", "postgresql://db:5432/crm"),
        ("postgresql:///crm?host=/run/postgresql", "postgresql://:5432/crm"),
    ],
)
def test_what_a_postgres_url_leaves_out_is_left_to_libpq(to: str, told: str) -> None:
    destination = Target.parse(to).destination()
    config = destination.configuration(destination.spec()._bind_dataset_name("crm"))
    assert config.credentials.to_native_representation().partition("?")[0] == told


def test_a_name_of_a_postgres_in_dlts_configuration_is_that_server_and_its_password_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESTINATION__MART__DESTINATION_TYPE", "postgres")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS", "postgresql://etl:s3cret99@db.example.com:5433/crm")
    target = Target.parse("mart")
    assert (target.kind, target.label, target.name) == ("postgres", "postgresql://db.example.com:5433/crm", "mart")
    assert redact("the password s3cret99 was wrong") == "the password *** was wrong"


def test_the_same_destination_has_one_identity_whoever_logs_in() -> None:
    one, other = Target.parse("postgresql://etl:s3cret99@db/crm"), Target.parse("postgres://you:other999@db/crm")
    assert one.identity == other.identity
    assert one.identity != Target.parse("postgresql://etl:s3cret99@db/crm2").identity
    assert Target.parse("duckdb:crm.duckdb").identity == Target.parse("duckdb:./crm.duckdb").identity


HERE = Target("duckdb", "/var/crm.duckdb")


@pytest.mark.parametrize(
    ("words", "cls", "cure"),
    [
        ("No space left on device", WarehouseUnavailableError, "free some space"),
        ('FATAL: password authentication failed for user "etl"', WarehouseRefusedError, "correct the destination"),
        ("Cannot open file: Permission denied", WarehouseRefusedError, "correct the destination"),
        ('Failed to download extension "ducklake" at URL', WarehouseRefusedError, "leadhouse[ducklake]"),
        ("[Errno 20] Not a directory", WarehouseRefusedError, "correct the destination"),
        ("server closed the connection unexpectedly", WarehouseUnavailableError, "the next run continues"),
    ],
)
def test_a_databases_words_decide_who_must_act(words: str, cls: type[Exception], cure: str) -> None:
    outer = RuntimeError("the load failed")
    outer.__cause__ = OSError(words)
    told = explain(outer, HERE)
    assert type(told) is cls
    assert cure in str(told)


def test_our_own_error_inside_dlts_is_found() -> None:
    ours = ConfigurationError("ours")
    outer = RuntimeError("the pipe failed")
    outer.__context__ = ours
    assert explain(outer, HERE) is ours


def test_a_fault_of_the_program_is_told_as_one_and_redacted() -> None:
    with pytest.raises(KeyError) as caught:
        vars(HERE.__class__)["https://acme.bitrix24.com/rest/1/q7w8e9r0/"]
    told = explain(caught.value, HERE)
    assert isinstance(told, InternalError)
    assert "test_target.py" in str(told)
    assert "q7w8e9r0" not in str(told)


def test_a_fault_of_the_program_names_places_and_no_value_in_log_and_message() -> None:
    people: dict[str, int] = {}
    with pytest.raises(KeyError) as caught:
        people["anna@example.org +44 7700 900123"]
    with structlog.testing.capture_logs() as logs:
        told = explain(caught.value, HERE)
    (entry,) = logs
    assert entry.keys() == {"event", "type", "places", "log_level"}
    assert entry["type"] == "KeyError"
    assert entry["places"][-1].startswith("test_target.py:")
    assert "anna" not in f"{told}{logs}"
    assert "7700" not in f"{told}{logs}"


def test_a_named_postgres_destination_is_spelled_for_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__MART__DESTINATION_TYPE", "postgres")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS__DRIVERNAME", "postgresql")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS__DATABASE", "crm")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS__USERNAME", "etl")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS__PASSWORD", "two words + more")
    monkeypatch.setenv("DESTINATION__MART__CREDENTIALS__HOST", "db.example.com")
    told = parse_dsn(Target.parse("mart").url)
    assert (told["password"], told["host"], told["dbname"]) == ("two words + more", "db.example.com", "crm")


@pytest.mark.parametrize("password", ["two words", "two%20words%20%2B%20", "a+b"])
def test_libpq_reads_the_same_password_from_our_url_and_from_dlts(password: str) -> None:
    target = Target.parse(f"postgresql://etl:{password}@db.example.com/crm?options=-c%20lock_timeout%3D5")
    dlts = LibpqCredentials(target.url).to_native_representation()
    for url in (target.url, dlts):
        told = parse_dsn(url)
        assert told["password"] == unquote(password)
        assert told["options"] == "-c lock_timeout=5"
        assert password not in redact(url)
        assert unquote(password) not in redact(url)


@pytest.mark.parametrize("file", ["kommo.duckdb", "KOMMO.db", "kommo"])
def test_a_file_with_the_datasets_name_is_refused_with_the_cure(file: str) -> None:
    with pytest.raises(ConfigurationError, match=r"bear one name.*name the file otherwise, or give --dataset"):
        Warehouse(Target.parse(f"duckdb:{file}"), "kommo", lock_timeout=1.0)
    assert Warehouse(Target.parse(f"duckdb:{file}"), "sales", lock_timeout=1.0).missing
