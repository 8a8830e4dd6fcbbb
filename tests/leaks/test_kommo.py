"""Kommo: tokens, the integration's secret, and people's phones and e-mails stay inside, whatever succeeds or fails."""

import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

import leadhouse
from crash.processes import environment
from forks import Leadhouse
from kommo_scene import NOON, KommoScene
from leadhouse import pipeline
from leadhouse.errors import LeadhouseError
from leadhouse.sandbox.kommo import Account, Clock, serve
from leadhouse.verdict import render
from leaks.traces import Heard, of_error, of_files, of_warehouse

TOKEN = "eyJ0eXAi.h7q2zv-only-here.91"
_PLACES = {"PHONE", "EMAIL"}


@pytest.fixture
def account() -> Account:
    return Account(leads=120, seed=13, token=TOKEN, clock=Clock.frozen(NOON))


@pytest.fixture
def kommo_scene(account: Account, tmp_path: Path) -> Iterator[KommoScene]:
    with serve(account) as served:
        yield KommoScene(account, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}", verifiable=False)


@pytest.fixture
def applied(kommo_scene: KommoScene, monkeypatch: pytest.MonkeyPatch) -> KommoScene:
    """The way in is an integration's."""
    told = {"base_url": kommo_scene.url, **kommo_scene.account.oauth.authorise()}
    monkeypatch.setattr(kommo_scene, "way_in", lambda: told)
    return kommo_scene


@pytest.fixture
def seen(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What lay in the working directory before each request, and before it was emptied; tokens have a file there."""
    looks: list[str] = []

    def look(*_: object) -> None:
        looks.append(left(tmp_path))

    wipe = pipeline._wipe

    def look_and_wipe(folder: Path) -> None:
        look()
        wipe(folder)

    account.before_request.append(look)
    monkeypatch.setattr(pipeline, "_wipe", look_and_wipe)
    return looks


def left(tmp_path: Path) -> str:
    """Return what lies in the working directory, without the token file."""
    return "".join(of_files(folder) for folder in (tmp_path / "dlt").glob("*") if folder.name != "tokens")


def people(account: Account) -> set[str]:
    """Return phones and e-mails of contacts and companies, but those too short to be told from numbers."""
    cards = [*account.contacts(), *account.companies()]
    fields = [field for card in cards for field in card["custom_fields_values"] or () if field["field_code"] in _PLACES]
    values = {item["value"] for field in fields for item in field["values"]}
    assert len(values) > 100
    return {value for value in values if len(value) > 6}


def secrets(account: Account) -> list[str]:
    """Return every token and the integration's secret."""
    return [TOKEN, account.oauth.client_secret, *account.oauth.issued]


def assert_silent(text: str, *hidden: str) -> None:
    for secret in hidden:
        place = text.find(secret)
        assert place < 0, f"{secret!r} in …{text[max(0, place - 200) : place + 100]}…"


def _all(scene: KommoScene) -> str:
    """Run every command; return what they tell."""
    told = [str(scene.sync()), str(scene.sync(full=True).to_dict())]
    scene.later().life(create=10, edit=10, phone_add=5, phone_remove=5, seed=1)
    scene.delete(scene.ids()[3])
    told += [render(scene.verify()), str(scene.verify().to_dict()), str(scene.sync()), str(scene.reconcile(deep=True))]
    return "\n".join([*told, str(scene.fetch(scene.ids()[5]))])


@pytest.mark.parametrize("way", ["token", "application"])
def test_runs_tell_nobody_a_token_nor_a_contact(
    kommo_scene: KommoScene,
    request: pytest.FixtureRequest,
    heard: Heard,
    *,
    seen: list[str],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    way: str,
) -> None:
    scene: KommoScene = kommo_scene if way == "token" else request.getfixturevalue("applied")
    told = _all(scene)
    if way == "application":
        scene.account.oauth.expire()
        told += str(scene.sync())
        (file,) = (tmp_path / "dlt" / "tokens").glob("*.json")
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    out, err = capfd.readouterr()
    hidden = secrets(scene.account)
    assert_silent(told + heard.text + out + err, *hidden, *people(scene.account))
    assert any("trace" in look for look in seen), "the working directory was looked at while it had files"
    assert_silent("\n".join(seen), *hidden)
    assert_silent(left(tmp_path), *hidden, *people(scene.account))
    assert_silent(of_warehouse(scene.to), *hidden)
    scene.check()


def _fault(kind: str, **details: Any) -> Callable[[KommoScene, pytest.MonkeyPatch], None]:
    def add(scene: KommoScene, _: pytest.MonkeyPatch) -> None:
        scene.account.faults.add(kind, None, match="/api/v4/leads", **details)

    return add


def _switch(name: str) -> Callable[[KommoScene, pytest.MonkeyPatch], None]:
    return lambda scene, _: setattr(scene.account.switches, name, True)


def _address(url: str) -> Callable[[KommoScene, pytest.MonkeyPatch], None]:
    def move(scene: KommoScene, monkeypatch: pytest.MonkeyPatch) -> None:
        told = {**scene.way_in(), "base_url": url}
        monkeypatch.setattr(scene, "way_in", lambda: told)

    return move


def _nameless(scene: KommoScene, monkeypatch: pytest.MonkeyPatch) -> None:
    _address("https://no-such-account.kommo.com")(scene, monkeypatch)

    def unknown(host: str, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, f"Name or service not known: {host}")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def _tokenless(token: str) -> Callable[[KommoScene, pytest.MonkeyPatch], None]:
    def spoil(scene: KommoScene, monkeypatch: pytest.MonkeyPatch) -> None:
        told = {**scene.way_in(), "access_token": token}
        monkeypatch.setattr(scene, "way_in", lambda: told)

    return spoil


def _revoked(scene: KommoScene, _: pytest.MonkeyPatch) -> None:
    scene.account.oauth.expire()
    scene.account.oauth.revoke()


def _half_renewed(scene: KommoScene, _: pytest.MonkeyPatch) -> None:
    scene.account.oauth.expire()
    scene.account.faults.add("truncated_json", None, match="/oauth2/access_token", keep=0.9)


_BOTH: dict[str, Callable[[KommoScene, pytest.MonkeyPatch], None]] = {
    "403": _fault("forbidden"),
    "a block": _fault("bare_403"),
    "unpaid": _switch("account_unpaid"),
    "429 for ever": _fault("rate_limited"),
    "500 for ever": _fault("error_500"),
    "a page in HTML": _fault("html_200"),
    "nothing": _fault("empty_body"),
    "half an answer": _fault("truncated_json"),
    "reset": _fault("reset"),
    "no filters": _fault("filter_ignored"),
    "redirect to plain http": _fault("redirect", to="http://crm.example.com"),
    "redirect elsewhere": _fault("redirect", to="https://crm.example.com"),
    "refused connection": _address("http://127.0.0.1:9"),
    "unknown name": _nameless,
    "plain http": _address("http://acme.kommo.com"),
    "a token in the address": _address(f"https://{TOKEN}@acme.kommo.com/{TOKEN}?t={TOKEN}"),
}
_OF_TOKENS = {"401": _switch("token_expired"), "no token": _tokenless(f"{TOKEN} {TOKEN}"), "é": _tokenless(f"é{TOKEN}")}
_OF_APPLICATIONS = {"revoked": _revoked, "half an answer of the token endpoint": _half_renewed}
_FAILURES = {
    **{("token", name): fail for name, fail in {**_BOTH, **_OF_TOKENS}.items()},
    **{("application", name): _BOTH[name] for name in ("403", "reset", "redirect elsewhere", "unknown name")},
    **{("application", name): fail for name, fail in _OF_APPLICATIONS.items()},
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("way", "failure"), sorted(_FAILURES))
def test_a_failure_tells_nobody_a_token_nor_a_contact(
    kommo_scene: KommoScene,
    request: pytest.FixtureRequest,
    heard: Heard,
    *,
    seen: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    way: str,
    failure: str,
) -> None:
    scene: KommoScene = kommo_scene if way == "token" else request.getfixturevalue("applied")
    if way == "application":
        scene.sync()
    else:
        scene.synced()
    scene.later(2).life(create=10, edit=10, seed=1)
    _FAILURES[way, failure](scene, monkeypatch)
    with pytest.raises(LeadhouseError) as failed:
        scene.sync()
    out, err = capfd.readouterr()
    hidden = secrets(scene.account)
    assert_silent(heard.text + out + err + of_error(failed.value), *hidden, *people(scene.account))
    assert_silent("\n".join(seen), *hidden)
    assert_silent(left(tmp_path), *hidden, *people(scene.account))
    assert_silent(of_warehouse(scene.to), *hidden)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("given", ["argument", "environment"])
@pytest.mark.parametrize("fault", [None, "forbidden", "reset", "html_502"])
@pytest.mark.parametrize("way", ["token", "application"])
def test_dlt_keeps_no_token(
    kommo_scene: KommoScene,
    heard: Heard,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    way: str,
    fault: str | None,
    given: str,
) -> None:
    account, work = kommo_scene.account, tmp_path / "own"
    told: dict[str, Any] = {"access_token": TOKEN} if way == "token" else account.oauth.authorise()
    told["base_url"] = kommo_scene.url
    if given == "environment":
        for name, value in told.items():
            monkeypatch.setenv(f"SOURCES__KOMMO__{name.upper()}", value)
    if fault:
        account.faults.add(fault, None, match="/api/v4/leads")
    own = dlt.pipeline(
        "own", pipelines_dir=str(work), destination=dlt.destinations.duckdb(str(tmp_path / "own.duckdb"))
    )
    source = leadhouse.kommo(requests_per_second=1000, **(told if given == "argument" else {}))
    if fault:
        with pytest.raises(PipelineStepFailed) as failed:
            own.run(source)
        shown = of_error(failed.value) + "".join(traceback.format_exception(failed.value))
    else:
        shown = str(own.run(source)) + of_warehouse(f"duckdb:{tmp_path / 'own.duckdb'}")
    trace = own.last_trace
    assert trace is not None
    out, err = capfd.readouterr()
    shown += trace.asstr(verbosity=2) + str(trace.asdict()) + heard.text + out + err + of_files(work)
    assert_silent(shown, *secrets(account))


@pytest.mark.parametrize("flags", [["--json"], ["--verbose"], ["--verbose", "--access-token", TOKEN]])
@pytest.mark.parametrize("broken", [None, "token_expired", "account_unpaid"])
def test_the_command_tells_neither_token_nor_contact(
    kommo_scene: KommoScene, tmp_path: Path, flags: list[str], broken: str | None
) -> None:
    if broken:
        setattr(kommo_scene.account.switches, broken, True)
    told = {"SOURCES__KOMMO__BASE_URL": kommo_scene.url, "SOURCES__KOMMO__REQUESTS_PER_SECOND": "1000"}
    if "--access-token" not in flags:
        told["SOURCES__KOMMO__ACCESS_TOKEN"] = TOKEN
    env = environment(**told, DLT_DATA_DIR=str(tmp_path / "work"))
    done = Leadhouse(["sync", "kommo", "--to", kommo_scene.to, *flags], env, tmp_path).end()
    assert done.status == (2 if broken else 0), done.err
    assert_silent(done.out + done.err + of_files(tmp_path / "work"), TOKEN, *people(kommo_scene.account))
