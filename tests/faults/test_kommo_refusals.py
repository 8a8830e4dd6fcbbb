"""An account that refuses: too many requests, blocked, unpaid, no rights, tokens that end, an address that moved."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from any_scene import crash_at
from crash.processes import environment
from faults.conftest import Waits
from forks import Ended, Leadhouse
from kommo_scene import KommoScene, small_account
from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalFaultError,
    StateError,
)
from leadhouse.sandbox.kommo import Account, Limits, serve
from leadhouse.transport import Transport

LEADS = "/api/v4/leads"
TOKENS = "/oauth2/access_token"


@pytest.fixture
def elsewhere() -> Iterator[tuple[Account, str]]:
    """Another account, which must not be asked for anything."""
    account = small_account(leads=10, seed=5)
    with serve(account) as served:
        yield account, served.url


@pytest.fixture
def applied(kommo_scene: KommoScene, monkeypatch: pytest.MonkeyPatch) -> KommoScene:
    """The way in is an integration's."""
    told = {"base_url": kommo_scene.url, **kommo_scene.account.oauth.authorise()}
    monkeypatch.setattr(kommo_scene, "way_in", lambda: told)
    return kommo_scene


def _refused(scene: KommoScene, error: type[LeadhouseError], words: str, *, exit_code: int = 2) -> LeadhouseError:
    """A run fails in this way, tells no token, and moves no cursor."""
    before = _cursor(scene)
    with pytest.raises(error, match=words) as failed:
        scene.sync()
    assert failed.value.exit_code == exit_code
    assert not any(token in str(failed.value) for token in (scene.account.token, *scene.account.oauth.issued))
    assert _cursor(scene) == before
    return failed.value


def _cursor(scene: KommoScene) -> Any:
    """Return the stored cursor, None before the first run."""
    with suppress(StateError):
        return scene.state()["cursor"]
    return None


# Too many requests


@pytest.mark.parametrize("body", ["json", "html"])
@pytest.mark.parametrize("told", ["body", "header", "none"])
def test_a_storm_of_429_is_waited_out_as_told_and_never_becomes_a_block(
    kommo_scene: KommoScene, account_waits: Waits, monkeypatch: pytest.MonkeyPatch, told: Any, body: Any
) -> None:
    scene, account = kommo_scene, kommo_scene.account
    scene.in_small_packages(monkeypatch)
    monkeypatch.setattr("leadhouse.sandbox.kommo.throttle.time", SimpleNamespace(monotonic=account.clock.timestamp))
    account.switches.retry_after, account.switches.body_429 = told, body
    account.limits = Limits(requests_per_second=2, retry_after=7, block_after=20)
    assert scene.sync().outcome == "done"
    assert not account.gate.blocked
    shortest = 7 if told == "header" or (told, body) == ("body", "json") else 10
    waited = [seconds for seconds in account_waits.limits if seconds > 0.1]
    assert waited
    assert min(waited) >= shortest
    account.limits = None
    scene.check()


def test_an_account_that_is_always_too_busy_is_left_long_before_it_blocks(
    kommo_scene: KommoScene, account_waits: Waits
) -> None:
    scene = kommo_scene
    scene.account.faults.add("rate_limited", times=None, match=LEADS, retry_after=1)
    with pytest.raises(LeadhouseError) as failed:
        scene.sync()
    assert failed.value.exit_code == 1
    assert scene.account.http_requests < 20
    assert max(account_waits.limits) > 60
    scene.account.faults.clear()
    scene.sync()
    scene.check()


# Blocked, unpaid, without rights


def _switch(**switches: Any) -> Callable[[KommoScene], None]:
    def throw(scene: KommoScene) -> None:
        for name, value in switches.items():
            setattr(scene.account.switches, name, value)

    return throw


def _fault(kind: str, match: str) -> Callable[[KommoScene], None]:
    def add(scene: KommoScene) -> None:
        scene.account.faults.add(kind, None, match=match)

    return add


_FATAL: dict[str, tuple[Callable[[KommoScene], None], type[LeadhouseError], str]] = {
    "blocked": (_switch(blocked_403=True), PortalBlockedError, "write to its support"),
    "blocked as a gateway says it": (_fault("bare_403", LEADS), PortalBlockedError, "write to its support"),
    "unpaid": (_switch(account_unpaid=True), PortalBlockedError, "renew it"),
    "token ended": (_switch(token_expired=True), CredentialsError, "make a new long-lived token"),
    "no rights on leads": (_fault("forbidden", LEADS), PermissionDeniedError, "lacks a scope"),
    "no rights on contacts": (_fault("forbidden", "/api/v4/contacts"), PermissionDeniedError, "lacks a scope"),
}


@pytest.mark.parametrize("when", ["first", "later", "between pages"])
@pytest.mark.parametrize("case", sorted(_FATAL))
def test_a_refusal_for_a_person_stops_the_run_at_once_and_nothing_is_lost(
    kommo_scene: KommoScene, account_waits: Waits, monkeypatch: pytest.MonkeyPatch, case: str, when: str
) -> None:
    scene, (refuse, error, cure) = kommo_scene, _FATAL[case]
    scene.in_small_packages(monkeypatch, leads=50, pages=1)
    if when == "later":
        scene.synced().later().life(create=5, edit=5, phone_add=3, seed=4)
    asked: list[int] = []

    def begin() -> None:
        asked.append(scene.account.http_requests)
        refuse(scene)

    if when == "between pages":
        scene.before_page(2, begin)
    else:
        begin()
    _refused(scene, error, cure)
    refused = scene.account.faults.fired() or scene.account.http_requests - asked[0]
    assert 1 <= refused <= 2, "one that was let in before the refusals began, and one that was refused"
    assert account_waits.retries == []
    scene.account.faults.clear()
    _switch(blocked_403=False, account_unpaid=False, token_expired=False)(scene)
    scene.quiet().sync()
    scene.check()


@pytest.mark.usefixtures("account_waits")
def test_a_token_without_rights_on_users_brings_all_else(kommo_scene: KommoScene) -> None:
    scene = kommo_scene
    scene.account.switches.non_admin = True
    assert scene.sync().unavailable == ["users"]
    scene.check()
    scene.account.switches.non_admin = False
    scene.later(2).life(edit=3, seed=4)
    assert scene.sync().unavailable == []
    assert scene.one("SELECT count(*) FROM {users}") > 0


@pytest.mark.usefixtures("account_waits")
def test_a_token_without_rights_on_events_leaves_deletions_to_reconcile(kommo_scene: KommoScene) -> None:
    scene = kommo_scene
    scene.synced().later()
    scene.account.switches.events_forbidden = True
    gone = scene.ids()[7]
    scene.delete(gone)
    scene.delete(scene.add("Never held"))
    scene.life(edit=3, seed=4)
    scene.sync()
    assert scene.marks() == (set(), set())
    scene.reconcile()
    scene.check(ignoring_deleted=False)
    assert scene.marks() == ({gone}, set())


# Links and redirects


@pytest.mark.usefixtures("account_waits")
def test_a_link_to_another_host_is_never_followed(
    kommo_scene: KommoScene, elsewhere: tuple[Account, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, (other, url) = kommo_scene, elsewhere
    scene.in_small_packages(monkeypatch, leads=100)
    scene.sync()
    scene.later().storm(scene.ids()[:70], "Once more")
    scene.account.faults.add("foreign_next", times=None, to=url)
    _refused(scene, PortalFaultError, "a link to another host", exit_code=1)
    with pytest.raises(PortalFaultError, match="a link to another host"):
        scene.reconcile()
    assert other.http_requests == 0
    scene.account.faults.clear()
    scene.sync()
    scene.check()


@pytest.mark.usefixtures("account_waits")
@pytest.mark.parametrize("match", [LEADS, "/api/v4/account", "/api/v4/users"])
def test_a_redirect_elsewhere_takes_no_token_there(
    kommo_scene: KommoScene, elsewhere: tuple[Account, str], match: str
) -> None:
    other, url = elsewhere
    kommo_scene.account.faults.add("redirect", times=None, match=match, to=url)
    _refused(kommo_scene, ConfigurationError, "check base_url")
    assert other.http_requests == 0
    kommo_scene.account.faults.clear()
    kommo_scene.sync()
    kommo_scene.check()


@pytest.mark.usefixtures("account_waits")
def test_a_renamed_account_is_named(kommo_scene: KommoScene) -> None:
    kommo_scene.account.faults.add("redirect", times=None, to="https://acme-renamed.kommo.com")
    _refused(kommo_scene, ConfigurationError, "set base_url to https://acme-renamed.kommo.com")


@pytest.mark.usefixtures("account_waits")
def test_a_redirect_to_plain_http_or_to_itself_is_not_followed_for_ever(kommo_scene: KommoScene) -> None:
    kommo_scene.account.faults.add("redirect", times=None, to=kommo_scene.url)
    _refused(kommo_scene, PortalFaultError, "too many redirects", exit_code=1)
    assert kommo_scene.account.http_requests < 60


# An integration's tokens


def _stored(tmp_path: Path) -> str:
    (found,) = (tmp_path / "dlt" / "tokens").glob("*.json")
    assert found.stat().st_mode & 0o777 == 0o600
    return found.read_text()


@pytest.mark.usefixtures("account_waits")
def test_an_access_token_that_ends_between_pages_is_renewed_once_and_the_pair_kept(
    applied: KommoScene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    oauth = applied.account.oauth
    applied.in_small_packages(monkeypatch)
    applied.before_page(2, oauth.expire)
    assert applied.sync().outcome == "done"
    # The request whose hook ended the tokens had been let in already.
    assert oauth.renewals == 2
    assert all(token in _stored(tmp_path) for token in oauth.issued[-2:])
    applied.quiet().later().life(create=5, edit=5, seed=4)
    applied.sync()
    assert oauth.renewals == 2
    applied.check()


@pytest.mark.usefixtures("account_waits")
@pytest.mark.parametrize("kind", ["reset", "truncated_json", "empty_body", "html_502", "rate_limited"])
def test_an_answer_with_tokens_that_was_lost_costs_nothing(applied: KommoScene, kind: str, tmp_path: Path) -> None:
    applied.account.faults.add(kind, match=TOKENS)
    applied.sync()
    applied.account.oauth.expire()
    applied.account.faults.add(kind, match=TOKENS)
    applied.later().life(edit=5, seed=4)
    applied.sync()
    assert applied.account.oauth.issued[-1] in _stored(tmp_path)
    applied.check()


@pytest.mark.usefixtures("account_waits")
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_dies_while_tokens_are_renewed_is_followed_by_one_that_goes_on(
    applied: KommoScene, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    with monkeypatch.context() as dying:
        crash_at(dying, Transport, "post_json", 1, after=after)
        with pytest.raises(BaseException, match="post_json"):
            applied.sync()
    applied.sync()
    applied.check()


@pytest.mark.usefixtures("account_waits")
def test_where_a_lost_answer_killed_the_refresh_token_a_person_is_told_and_a_new_one_heals(
    applied: KommoScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied.sync()
    applied.account.switches.old_refresh = "dead"
    applied.account.oauth.expire()
    applied.account.faults.add("reset", match=TOKENS)
    applied.later().life(edit=5, seed=4)
    _refused(applied, CredentialsError, "set its new refresh_token$")
    told = {"base_url": applied.url, **applied.account.oauth.authorise()}
    monkeypatch.setattr(applied, "way_in", lambda: told)
    applied.sync()
    applied.check()


def _started(scene: KommoScene, folder: Path, number: int) -> Ended:
    told = {f"SOURCES__KOMMO__{name.upper()}": value for name, value in scene.way_in().items()}
    env = environment(**told, SOURCES__KOMMO__REQUESTS_PER_SECOND="1000", DLT_DATA_DIR=str(folder / "work"))
    return Leadhouse(["sync", "kommo", "--to", f"duckdb:{folder / str(number)}.duckdb"], env, folder).end()


def test_runs_that_begin_at_once_share_one_renewal(applied: KommoScene, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda number: _started(applied, tmp_path, number), range(3)))
    assert [end.status for end in ended] == [0, 0, 0], [end.err for end in ended]
    assert applied.account.oauth.renewals == 1
    for number in range(3):
        applied.to = f"duckdb:{tmp_path / str(number)}.duckdb"
        applied.check()
