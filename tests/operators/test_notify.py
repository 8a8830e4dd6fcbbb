"""Messages to people: the first failure, a worse one, one a day, and that it is over."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import structlog.testing

import leadhouse
from crash.processes import environment
from forks import Leadhouse
from leadhouse.errors import CredentialsError, OperatorError, RunLockedError, TransientError, WarehouseUnavailableError
from leadhouse.notify import Channel, channels, telling, worth_telling
from leadhouse.outage import Outage, Outages
from leadhouse.pace import Pause
from leadhouse.summary import SyncSummary
from leadhouse.warehouse import Target
from operators.conftest import Call
from operators.inbox import Inbox, receiving
from operators.warehouses import age
from scene import Scene

_HOOK = "invented-hook-secret-key"
_AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with receiving() as found:
        yield found


@pytest.fixture
def told(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """Failures are told through Apprise; faults are repeated at once."""
    monkeypatch.setenv("LEADHOUSE__NOTIFY", f"json://loader:{_HOOK}@{inbox.url}/{_HOOK}")
    monkeypatch.setattr(Pause, "for_retry", lambda *_: None)
    return inbox


def _refuse() -> None:
    raise NotImplementedError("this file system knows no locks")


def _sync(to: str) -> str:
    """Sync; return the outcome."""
    try:
        return leadhouse.sync("bitrix24", to=to).outcome
    except TransientError:
        return "transient"
    except OperatorError:
        return "operator"


def test_a_night_of_failures_is_told_once_and_its_end(told: Inbox, to: str, bitrix24_scene: Scene) -> None:
    assert _sync(to) == "done"
    fault = bitrix24_scene.portal.faults.add("html_502", times=None)
    assert [_sync(to) for _ in range(3)] == ["transient"] * 3
    bitrix24_scene.portal.faults.clear()
    assert [_sync(to) for _ in range(2)] == ["done"] * 2

    assert fault.fired > 3
    first, over = told.texts
    assert "sync of bitrix24 fails" in first
    assert bitrix24_scene.url.split("/")[2] in first
    assert "Exit status 1: the next run may heal it" in first
    assert "sync of bitrix24 works again" in over
    assert "It had been failing since 20" in over


def test_another_machine_knows_what_was_told(told: Inbox, to: str, bitrix24_scene: Scene, tmp_path: Path) -> None:
    assert _sync(to) == "done"
    bitrix24_scene.refuse()
    assert _sync(to) == "operator"
    (tmp_path / "dlt").rename(tmp_path / "first-machine")
    assert _sync(to) == "operator"
    (tmp_path / "dlt").rename(tmp_path / "second-machine")
    bitrix24_scene.portal.quirks.webhook_expired = False
    assert _sync(to) == "done"

    assert [text.split("bitrix24 ")[1].split()[0] for text in told.texts] == ["fails", "works"]


def test_a_failure_that_now_needs_a_person_is_told_again(told: Inbox, file: str, bitrix24_scene: Scene) -> None:
    assert _sync(file) == "done"
    bitrix24_scene.portal.faults.add("html_502", times=7)
    assert _sync(file) == "transient"
    bitrix24_scene.refuse()
    assert [_sync(file) for _ in range(2)] == ["operator"] * 2

    assert ["Exit status 1" in told.texts[0], "Exit status 2: a person must act" in told.texts[1]] == [True, True]
    assert "make a new one" in told.texts[1]
    assert len(told.texts) == 2


def test_a_failure_that_cannot_be_recorded_is_told_once_too(told: Inbox, bitrix24_scene: Scene) -> None:
    nowhere = "postgresql://loader:invented-secret@127.0.0.1:9/crm"
    assert bitrix24_scene.url
    assert [_sync(nowhere) for _ in range(3)] == ["transient"] * 3

    (text,) = told.texts
    assert "connection refused" in text.lower()
    assert "postgresql://127.0.0.1:9/crm" in text


def test_a_warehouse_that_is_down_is_one_piece_of_news_for_all_its_datasets(
    told: Inbox, postgres_url: str, bitrix24_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(target: Target) -> None:
        raise WarehouseUnavailableError(f"{target.label}: connection refused; start the server")

    assert bitrix24_scene.url
    with monkeypatch.context() as down:
        down.setattr("leadhouse.warehouse.connect_postgres", refuse)
        for dataset in ("acme", "globex"):
            with pytest.raises(WarehouseUnavailableError):
                leadhouse.sync("bitrix24", to=postgres_url, dataset=dataset)
    for dataset in ("acme", "globex"):
        leadhouse.sync("bitrix24", to=postgres_url, dataset=dataset)

    assert len(told.texts) == 2
    assert "sync into postgresql://localhost/crm_" in told.texts[0]
    assert "works again" in told.texts[1]


def _down_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let four runs find the warehouse down at the same moment."""
    at_once = threading.Barrier(4, timeout=60)

    def together() -> list[Channel]:
        at_once.wait()
        return channels()

    @telling
    def run(*_: str, to: str, **__: str | None) -> SyncSummary:
        raise WarehouseUnavailableError(f"{to}: connection refused; start the server")

    def fail(dataset: str) -> None:
        with pytest.raises(WarehouseUnavailableError):
            run("sync", "bitrix24", to="postgresql://127.0.0.1:9/crm", portal=None, dataset=dataset)

    monkeypatch.setattr("leadhouse.notify.channels", together)
    with ThreadPoolExecutor(4) as side_by_side:
        list(side_by_side.map(fail, ("acme", "globex", "hooli", "initech")))


def test_runs_side_by_side_that_find_the_warehouse_down_tell_it_once(
    told: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    _down_side_by_side(monkeypatch)

    (text,) = told.texts
    assert "sync into postgresql://127.0.0.1:9/crm fails" in text


@pytest.mark.parametrize("hindered", ["held by another", "no file"])
def test_a_lock_that_cannot_be_had_hinders_no_message(
    hindered: str, told: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outages = Outages(Target.parse("postgresql://127.0.0.1:9/crm"), "", "sync")
    monkeypatch.setattr("leadhouse.notify.TURN_S", 0.0)
    with ExitStack() as holding:
        if hindered == "no file":
            monkeypatch.setattr("leadhouse.lock.FileLock.acquire", lambda *_, **__: _refuse())
        else:
            holding.enter_context(outages.one_teller(0.0))
        _down_side_by_side(monkeypatch)

    assert len(told.texts) >= 1


@pytest.mark.parametrize("to", ["duckdb:leads.duckdb", "mysql://db.example.com/crm"])
def test_a_configuration_that_is_broken_is_told(told: Inbox, to: str) -> None:
    assert _sync(to) == "operator"

    assert ("set SOURCES__BITRIX24__WEBHOOK_URL" if "duckdb" in to else "is no destination") in told.texts[0]


def test_each_channel_is_told(told: Inbox, file: str, bitrix24_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADHOUSE__NOTIFY", f"json://{told.url}/one json://127.0.0.1:9/two json://{told.url}/three")
    bitrix24_scene.refuse()
    with structlog.testing.capture_logs() as logs:
        assert [_sync(file) for _ in range(2)] == ["operator"] * 2

    assert sorted(path for path, _ in told.messages) == ["/one", "/three"]
    assert [one["event"] for one in logs].count("a message could not be sent") == 1


def test_a_good_run_on_another_machine_ends_what_this_one_noted(
    told: Inbox, file: str, bitrix24_scene: Scene, tmp_path: Path
) -> None:
    assert _sync(file) == "done"
    bitrix24_scene.refuse()
    assert _sync(file) == "operator"
    bitrix24_scene.portal.quirks.webhook_expired = False
    (tmp_path / "dlt").rename(tmp_path / "here")
    assert _sync(file) == "done"
    (tmp_path / "dlt").rename(tmp_path / "elsewhere")
    (tmp_path / "here").rename(tmp_path / "dlt")
    bitrix24_scene.refuse()
    assert _sync(file) == "operator"

    assert [text.split("bitrix24 ")[1].split()[0] for text in told.texts] == ["fails", "works", "fails"]


def test_a_day_of_failures_is_told_again(told: Inbox, file: str, bitrix24_scene: Scene, tmp_path: Path) -> None:
    assert _sync(file) == "done"
    bitrix24_scene.refuse()
    assert _sync(file) == "operator"
    age(file, "bitrix24", hours=25)
    (noted,) = (tmp_path / "dlt" / "outages").glob("*.json")
    noted.unlink()
    assert [_sync(file) for _ in range(2)] == ["operator"] * 2

    assert len(told.texts) == 2
    assert told.texts[0].split("Failing since")[1][:11] != told.texts[1].split("Failing since")[1][:11]


@pytest.mark.parametrize(
    ("before", "hours", "status", "worth"),
    [
        (None, 0, 1, True),
        ((0, 1), 1, 1, False),
        ((0, 1), 1, 2, True),
        ((0, 2), 1, 1, False),
        ((23, 2), 24, 2, True),
        ((24, 2), 25, 2, False),
        ((47, 1), 49, 1, True),
        ((1, 0), 2, 1, True),
    ],
)
def test_what_is_worth_telling(before: tuple[int, int] | None, hours: int, status: int, worth: bool) -> None:
    ago = Outage(_AT, _AT + timedelta(hours=before[0]), before[1]) if before else None

    assert worth_telling(ago, Outage(_AT, _AT + timedelta(hours=hours), status)) is worth


def test_a_message_that_does_not_arrive_changes_nothing_and_is_tried_again(
    told: Inbox, file: str, bitrix24_scene: Scene
) -> None:
    told.status = 500
    bitrix24_scene.refuse()
    with structlog.testing.capture_logs() as logs, pytest.raises(CredentialsError):
        leadhouse.sync("bitrix24", to=file)
    told.status = 200
    assert [_sync(file) for _ in range(2)] == ["operator"] * 2

    assert [(one["log_level"], one["to"]) for one in logs if one["event"] == "a message could not be sent"] == [
        ("warning", "JSON")
    ]
    assert _HOOK not in str(logs)
    assert len(told.messages) == 2


def test_a_service_that_never_answers_holds_no_run_up(
    told: Inbox, file: str, bitrix24_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadhouse.notify.PATIENCE_S", 0.1)
    told.status = 0
    bitrix24_scene.refuse()
    with structlog.testing.capture_logs() as logs:
        assert _sync(file) == "operator"

    assert not told.released.is_set()
    assert [one["why"] for one in logs if one["event"] == "a message could not be sent"] == ["no answer in time"]


def test_slack_is_told_through_dlts_own_setting(
    inbox: Inbox, file: str, bitrix24_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME__SLACK_INCOMING_HOOK", f"http://{inbox.url}/services/{_HOOK}")
    bitrix24_scene.refuse()
    assert _sync(file) == "operator"

    ((path, body),) = inbox.messages
    assert path == f"/services/{_HOOK}"
    assert body["mrkdwn"] is False
    assert "Developer resources &gt; Inbound webhook" in body["text"]


def test_no_secret_and_nothing_personal_is_in_a_message_or_in_a_log(
    told: Inbox, file: str, bitrix24_scene: Scene, tmp_path: Path
) -> None:
    bitrix24_scene.refuse()
    ended = Leadhouse(["sync", "bitrix24", "--to", file, "--verbose"], environment(), tmp_path).end()
    bodies = json.dumps([body for _, body in told.messages])

    assert ended.status == 2
    assert len(told.messages) == 1
    for secret in (_HOOK, bitrix24_scene.url.rstrip("/").rpartition("/")[2]):
        assert secret not in bodies + ended.out + ended.err


def test_commands_that_people_run_tell_nobody(told: Inbox, file: str, bitrix24_scene: Scene, call: Call) -> None:
    assert _sync(file) == "done"
    bitrix24_scene.refuse()
    assert call("lead", "bitrix24", "3", "--to", file)[0] == 2
    assert call("verify", "bitrix24", "--to", file)[0] == 2

    assert told.messages == []


def test_a_run_that_finds_another_at_work_is_no_outage(told: Inbox, postgres_url: str, bitrix24_scene: Scene) -> None:
    import psycopg2  # noqa: PLC0415

    assert _sync(postgres_url) == "done"
    with psycopg2.connect(postgres_url) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('leadhouse'), hashtext('bitrix24'))")
        with pytest.raises(RunLockedError):
            leadhouse.sync("bitrix24", to=postgres_url, lock_timeout=0.0)
    other.close()

    assert bitrix24_scene.url
    assert told.messages == []


@pytest.mark.parametrize("address", ["nonsense", "slack://", "https://example.com/hook"])
def test_an_address_that_is_none_is_a_warning_of_the_run_and_the_doctors_finding(
    address: str, file: str, bitrix24_scene: Scene, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__NOTIFY", address)
    with structlog.testing.capture_logs() as logs:
        assert _sync(file) == "done"

    assert bitrix24_scene.url
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["nobody was told"]
    assert (
        "ACT   messages           an address in LEADHOUSE__NOTIFY is none that Apprise knows"
        in call("doctor", "bitrix24")[1]
    )


def test_without_the_extra_the_warning_names_it(
    file: str, bitrix24_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__NOTIFY", "json://127.0.0.1:9")
    monkeypatch.setattr("leadhouse.notify.find_spec", lambda _: None)
    with structlog.testing.capture_logs() as logs:
        assert _sync(file) == "done"

    assert bitrix24_scene.url
    assert [one["why"] for one in logs if one["log_level"] == "warning"] == [
        "LEADHOUSE__NOTIFY needs Apprise; pip install 'leadhouse[notify]'"
    ]


def test_where_nothing_is_configured_no_warehouse_is_looked_into(
    file: str, bitrix24_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadhouse.outage.Outages.before", lambda *_: pytest.fail("looked"))

    assert bitrix24_scene.url
    assert _sync(file) == "done"
    assert duckdb.connect(file.removeprefix("duckdb:")).sql("SELECT count(*) FROM bitrix24.leads").fetchall() == [(30,)]
