"""`leadhouse doctor`: every line says ok or the cure, one that fails keeps no other from being looked at."""

import base64
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

import leadhouse
from copies import administer
from crash.processes import environment
from forks import Leadhouse
from leadhouse import doctor_configuration
from leadhouse.sandbox import bitrix24, kommo
from leadhouse.sandbox.bitrix24 import Portal
from leadhouse.sandbox.throttle import Limits
from operators.conftest import Call
from operators.warehouses import change

SECRET = "invented-secret-code"
Checks = dict[str, tuple[str, str]]


def examined(call: Call, source: str, *arguments: str, status: int) -> Checks:
    """Run the doctor; return outcome and text of each check."""
    return _checks(*call("doctor", source, *arguments, "--json"), status=status)


def examined_anew(folder: Path, source: str, *arguments: str, status: int) -> Checks:
    """The same in a process of its own, which reads the configuration files."""
    ended = Leadhouse(["doctor", source, *arguments, "--json"], environment(), folder).end()
    return _checks(ended.status, ended.out, ended.err, status=status)


def _checks(ended: int, out: str, err: str, *, status: int) -> Checks:
    told: dict[str, Any] = json.loads(out)
    assert (ended, told["exit_status"]) == (status, status), out
    assert "invented-secret" not in out + err
    checks: Checks = {}
    for one in told["checks"]:
        _, text = checks.get(one["check"], ("", ""))
        checks[one["check"]] = (one["outcome"], f"{text} {one['text']}".strip())
    return checks


def outcomes(checks: Checks) -> dict[str, str]:
    """Return what is not ok."""
    return {name: outcome for name, (outcome, _) in checks.items() if outcome != "ok"}


@pytest.fixture
def live_bitrix24(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """A portal whose clock goes."""
    portal = Portal(leads=20, seed=3)
    with bitrix24.serve(portal) as served:
        monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", served.url)
        monkeypatch.setenv("SOURCES__BITRIX24__OAUTH_SERVER", served.oauth_server)
        yield portal


@pytest.fixture
def live_kommo(monkeypatch: pytest.MonkeyPatch) -> Iterator[kommo.Account]:
    """An account whose clock goes."""
    account = kommo.Account(leads=20, seed=3)
    with kommo.serve(account) as served:
        monkeypatch.setenv("SOURCES__KOMMO__BASE_URL", served.url)
        monkeypatch.setenv("SOURCES__KOMMO__ACCESS_TOKEN", account.token)
        yield account


@pytest.mark.usefixtures("live_bitrix24", "live_kommo")
@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_all_is_well_before_and_after_a_sync_and_nothing_is_changed(
    source: str, to: str, call: Call, tmp_path: Path
) -> None:
    before = examined(call, source, "--to", to, status=0)
    left = {file.relative_to(tmp_path).parent for file in tmp_path.rglob("*") if file.is_file()}
    assert left <= {Path("dlt/pace")}, "its requests count among those of the machine"
    assert call("sync", source, "--to", to)[0] == 0
    after = examined(call, source, "--to", to, status=0)

    assert "nothing was synced yet" in before["state"][1]
    assert after["state"][1].startswith("the cursor is 2")
    assert before.keys() == after.keys()
    assert outcomes(after) == ({} if source == "bitrix24" else {"token": "unknown"})
    assert call("doctor", source, "--to", to)[1].count("\n") == len(after)


@pytest.mark.usefixtures("live_bitrix24")
def test_a_mode_of_personal_data_that_the_next_sync_would_refuse_is_told(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__PII", "hash")
    monkeypatch.setenv("LEADHOUSE__PII_KEY", "short")
    too_short = examined(call, "bitrix24", status=2)
    monkeypatch.setenv("LEADHOUSE__PII_KEY", "a key that only this test knows")
    before = examined(call, "bitrix24", status=0)
    assert call("sync", "bitrix24")[0] == 0
    after = examined(call, "bitrix24", status=0)
    monkeypatch.setenv("LEADHOUSE__PII", "drop")
    refused = examined(call, "bitrix24", status=2)

    assert outcomes(too_short) == outcomes(refused) == {"personal data": "operator"}
    assert "set LEADHOUSE__PII_KEY" in too_short["personal data"][1]
    assert before["personal data"][1] == after["personal data"][1] == "it is hashed"
    assert "--pii drop --full" in refused["personal data"][1]


@pytest.mark.usefixtures("live_bitrix24")
@pytest.mark.parametrize(
    ("quirk", "failed", "told"),
    [
        (("webhook_expired", True), {"credentials": "operator"}, "make a new one"),
        (("scopes", ("user",)), {"scopes": "operator", "leads": "operator"}, "crm missing"),
        (("scopes", ("crm",)), {"scopes": "operator"}, "user missing"),
    ],
)
def test_what_a_webhook_lacks_is_told_with_its_cure(
    quirk: tuple[str, Any], failed: dict[str, str], told: str, live_bitrix24: Portal, call: Call
) -> None:
    setattr(live_bitrix24.quirks, *quirk)

    checks = examined(call, "bitrix24", status=2)

    assert {name: outcome for name, outcome in outcomes(checks).items() if outcome != "unknown"} == failed
    assert told in checks[next(iter(failed))][1]
    assert checks["disk"][0] == checks["warehouse"][0] == "ok"


@pytest.mark.usefixtures("live_bitrix24")
def test_a_user_who_is_no_administrator_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadhouse.sandbox.bitrix24 import answers, office_methods  # noqa: PLC0415

    profile = answers.Answer({"ID": "7", "ADMIN": False})
    monkeypatch.setitem(office_methods.METHODS, "profile", lambda *_: profile)
    monkeypatch.setitem(bitrix24.dispatch.METHODS, "profile", lambda *_: profile)

    checks = examined(call, "bitrix24", status=2)

    assert outcomes(checks) == {"rights": "operator"}
    assert "nothing tells which" in checks["rights"][1]


@pytest.mark.usefixtures("live_bitrix24")
@pytest.mark.parametrize(
    ("kind", "check"), [("rate_limited", "credentials"), ("html_502", "credentials"), ("reset", "credentials")]
)
def test_a_portal_that_is_busy_or_broken_is_transient(kind: str, check: str, live_bitrix24: Portal, call: Call) -> None:
    live_bitrix24.faults.add(kind, times=None)

    checks = examined(call, "bitrix24", status=1)

    assert checks[check][0] == "transient"
    assert checks["rights"] == ("unknown", "not checked: the portal refused to answer")
    assert live_bitrix24.http_requests <= 2


@pytest.mark.usefixtures("live_bitrix24")
def test_operating_time_that_is_nearly_used_up_is_transient(live_bitrix24: Portal, call: Call) -> None:
    live_bitrix24.limits = Limits(burst=10_000, drain=10_000)
    live_bitrix24.budget.bill("crm.lead.list", 400.0, live_bitrix24.clock.timestamp())

    checks = examined(call, "bitrix24", status=1)

    assert outcomes(checks) == {"limits": "transient"}
    assert "crm.lead.list has used 400.0 of 480 working seconds" in checks["limits"][1]


@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_a_clock_that_is_wrong_is_told_with_the_skew(
    source: str, live_bitrix24: Portal, live_kommo: kommo.Account, call: Call
) -> None:
    (live_bitrix24 if source == "bitrix24" else live_kommo).clock.advance(7200)

    checks = examined(call, source, status=2)

    assert checks["clock"][0] == "operator"
    assert "this machine's clock is 1 h 59 min behind" in checks["clock"][1] or "2 h 0 min" in checks["clock"][1]


@pytest.mark.usefixtures("live_kommo")
@pytest.mark.parametrize(
    ("switch", "failed", "status"),
    [
        (("token_expired", True), {"credentials"}, 2),
        (("account_unpaid", True), {"credentials"}, 2),
        (("blocked_403", True), {"credentials"}, 2),
        (("non_admin", True), {"rights"}, 2),
        (("filter_enabled", False), {"filters"}, 2),
        (("events_forbidden", True), set(), 0),
    ],
)
def test_what_an_account_refuses_is_told(
    switch: tuple[str, bool], failed: set[str], status: int, live_kommo: kommo.Account, call: Call
) -> None:
    setattr(live_kommo.switches, *switch)

    checks = examined(call, "kommo", status=status)

    assert {name for name, outcome in outcomes(checks).items() if outcome != "unknown"} == failed
    if switch[0] == "events_forbidden":
        assert "deletions are found by `leadhouse reconcile` alone" in checks["events"][1]


@pytest.mark.usefixtures("live_kommo")
@pytest.mark.parametrize(("days", "outcome"), [(400, "ok"), (3, "operator"), (-2, "operator")])
def test_a_long_lived_token_tells_when_it_ends(
    days: int, outcome: str, live_kommo: kommo.Account, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = json.dumps({"exp": live_kommo.clock.timestamp() + days * 86400 + 3600}).encode()
    live_kommo.token = f"invented-secret.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.invented-secret"
    monkeypatch.setenv("SOURCES__KOMMO__ACCESS_TOKEN", live_kommo.token)

    checks = examined(call, "kommo", status=0 if outcome == "ok" else 2)

    assert checks["token"][0] == outcome
    assert (f"{days} days" if days > 0 else "has ended") in checks["token"][1]


@pytest.mark.parametrize(
    ("webhook", "told"),
    [
        (f"https://no-such-portal.invalid/rest/1/{SECRET}/", "does not resolve"),
        (f"http://127.0.0.1:9/rest/1/{SECRET}/", "connection refused"),
    ],
)
def test_a_portal_that_is_not_reached_is_transient_and_the_rest_is_looked_at(
    webhook: str, told: str, call: Call
) -> None:
    checks = examined(call, "bitrix24", "--webhook-url", webhook, status=1)

    assert checks["reach"][0] == "transient"
    assert told in checks["reach"][1]
    assert {name for name, outcome in outcomes(checks).items() if outcome == "unknown"} == {
        "certificate", "credentials", "rights", "clock", "time zone", "limits",
    }  # fmt: skip


def test_a_certificate_that_is_not_trusted_is_told_and_one_that_is_tells_its_days(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bitrix24.serve(Portal(leads=5, seed=3), tls=True) as served:
        refused = examined(call, "bitrix24", "--webhook-url", served.url, status=2)
        monkeypatch.setenv("SSL_CERT_FILE", str(served.certificate))
        trusted = examined(call, "bitrix24", "--webhook-url", served.url, status=0)

    assert "is not trusted" in refused["certificate"][1]
    assert "SSL_CERT_FILE" in refused["certificate"][1]
    assert refused["credentials"][0] == "unknown"
    assert trusted["certificate"][1].startswith("trusted, good for ")


@contextmanager
def _silent() -> Iterator[str]:
    """Listen, take connections, and never speak: TLS cannot be made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_does_not_speak_tls_is_transient(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadhouse.doctor_network._PATIENCE_S", 0.2)
    with _silent() as host:
        checks = examined(call, "bitrix24", "--webhook-url", f"https://{host}/rest/1/{SECRET}/", status=1)

    assert checks["certificate"][0] == "transient"


def test_settings_that_nobody_reads_and_files_that_others_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dlt").mkdir()
    secrets = tmp_path / ".dlt" / "secrets.toml"
    secrets.write_text(
        f'[leadhouse]\nnotfy = "x"\n[sources.bitrix24]\nwebhok_url = "{SECRET}"\nacme.webhook_urll = "{SECRET}"\n'
    )
    secrets.chmod(0o644)
    monkeypatch.setenv("SOURCES__BITRIX24__REQUESTS_PER_SECONDS", "5")

    checks = examined_anew(tmp_path, "bitrix24", status=2)
    out = checks["names"][1]

    assert f"chmod 600 {secrets}" in checks["files"][1]
    assert f"{secrets}: leadhouse.notfy is no setting; did you mean notify?" in out
    assert f"{secrets}: sources.bitrix24.webhok_url is no setting; did you mean webhook_url?" in out
    assert f"{secrets}: sources.bitrix24.acme.webhook_urll is no setting; did you mean webhook_url?" in out
    assert "SOURCES__BITRIX24__REQUESTS_PER_SECONDS is no setting; did you mean requests_per_second?" in out
    assert checks["settings"][1].startswith("no webhook URL; set SOURCES__BITRIX24__WEBHOOK_URL")


def test_every_setting_of_leadhouse_that_the_package_reads_is_a_known_one() -> None:
    package = Path(leadhouse.__file__).parent
    read = {
        key
        for source in package.rglob("*.py")
        for key in re.findall(r'configured_value\(\s*"leadhouse\.(\w+)"', source.read_text(encoding="utf-8"))
    }

    assert read == doctor_configuration.LEADHOUSE


@pytest.mark.usefixtures("live_bitrix24")
def test_a_configuration_file_that_cannot_be_read_hides_nothing_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text("[leadhouse\n")
    (tmp_path / ".dlt" / "secrets.toml").chmod(0o600)

    checks = examined_anew(tmp_path, "bitrix24", status=2)

    assert checks["files"][0] == checks["settings"][0] == "operator"
    assert checks["disk"][0] == "ok"


@pytest.mark.usefixtures("live_bitrix24")
def test_a_file_that_another_process_has_open_is_told_with_its_process(call: Call, file: str, tmp_path: Path) -> None:
    call("sync", "bitrix24", "--to", file)
    with duckdb.connect(file.removeprefix("duckdb:")):
        checks = examined_anew(tmp_path, "bitrix24", "--to", file, "--lock-timeout", "0", status=1)

    assert checks["warehouse"][0] == "transient"
    assert f"(PID {os.getpid()})" in checks["warehouse"][1]
    assert (checks["state"][0], checks["credentials"][0]) == ("unknown", "ok")


@pytest.mark.usefixtures("live_bitrix24")
def test_a_warehouse_that_cannot_be_used_is_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("this is text, not a warehouse" * 500)
    nowhere = examined(call, "bitrix24", "--to", "duckdb:no/folder/x.duckdb", status=2)
    damaged = examined(call, "bitrix24", "--to", "duckdb:text.duckdb", status=2)
    down = examined(call, "bitrix24", "--to", "postgresql://loader:invented-secret@127.0.0.1:9/crm", status=1)
    clash = examined(call, "bitrix24", "--to", "duckdb:bitrix24.duckdb", status=2)

    assert "the folder is not there" in nowhere["warehouse"][1]
    assert damaged["warehouse"][0] == "operator"
    assert down["warehouse"][0] == "transient"
    assert "bear one name" in clash["destination"][1]
    assert all(checks["credentials"][0] == "ok" for checks in (nowhere, damaged, down, clash))


@pytest.mark.usefixtures("live_bitrix24")
def test_rights_that_a_postgres_role_lacks_are_told(call: Call, postgres_url: str) -> None:
    role = postgres_url.rpartition("/")[2].partition("?")[0] + "_reader"
    administer(postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'invented-secret'")
    reader = postgres_url.replace("postgres:unused@", f"{role}:invented-secret@")
    try:
        nothing = examined(call, "bitrix24", "--to", reader, status=2)
        assert call("sync", "bitrix24", "--to", postgres_url)[0] == 0
        no_schema = examined(call, "bitrix24", "--to", reader, status=2)
    finally:
        administer(postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert "GRANT CREATE ON DATABASE" in nothing["warehouse"][1]
    assert "may not write the schema bitrix24" in no_schema["warehouse"][1]


@pytest.mark.usefixtures("live_bitrix24")
def test_a_state_that_is_damaged_is_told(call: Call, file: str) -> None:
    call("sync", "bitrix24", "--to", file)
    change(file, "UPDATE bitrix24._dlt_pipeline_state SET state = 'no state'")

    checks = examined(call, "bitrix24", "--to", file, status=2)

    assert outcomes(checks) == {"state": "operator"}
    assert "run `leadhouse state reset`" in checks["state"][1]


def test_a_working_directory_that_cannot_be_made_is_told(
    live_bitrix24: Portal, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "occupied" / "work"))

    checks = examined(call, "bitrix24", status=2)

    assert outcomes(checks) == {"working directory": "operator"}
    assert "set DLT_DATA_DIR" in checks["working directory"][1]
    assert live_bitrix24.http_requests == 1


@pytest.mark.usefixtures("live_bitrix24")
def test_a_disk_that_is_nearly_full_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadhouse.doctor_configuration._ROOM_MB", 2**40)

    checks = examined(call, "bitrix24", status=2)

    assert outcomes(checks) == {"disk": "operator"}
    assert "make room" in checks["disk"][1]


@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_tokens_of_an_application_are_read_and_never_renewed(
    source: str, request: pytest.FixtureRequest, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal: Any = request.getfixturevalue(f"live_{source}")
    for name in ("SOURCES__BITRIX24__WEBHOOK_URL", "SOURCES__KOMMO__ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    settings = portal.oauth.authorise()
    for name, value in settings.items():
        monkeypatch.setenv(f"SOURCES__{source.upper()}__{name.upper()}", value)

    before = examined(call, source, status=0)
    assert portal.oauth.renewals == 0
    assert call("sync", source, "--to", "duckdb:leads.duckdb")[0] == 0
    after = examined(call, source, "--to", "duckdb:leads.duckdb", status=0)
    (tokens,) = (tmp_path / "dlt" / "tokens").glob("*.json")
    tokens.write_text("damaged")
    damaged = examined(call, source, "--to", "duckdb:leads.duckdb", status=2)

    assert "the first run spends refresh_token" in before["tokens"][1]
    assert before["credentials"][0] == "unknown"
    assert outcomes(after) == {}
    assert portal.oauth.renewals == 1
    assert damaged["tokens"][0] == "operator"


def test_a_source_that_is_none_is_refused(call: Call) -> None:
    assert call("doctor", "hubspot")[::2] == (2, "leadhouse: 'hubspot' is no source; leadhouse reads bitrix24, kommo\n")
