"""An account that ignores filters is noticed: what it sends cannot be told from what changed."""

import pytest
from click.testing import CliRunner

from kommo_scene import KommoScene
from leadhouse import cli
from leadhouse.errors import OperatorError, PortalFilterError


@pytest.mark.parametrize("size", [150, 300])
def test_an_account_without_filters_is_refused_at_the_first_sync(kommo_scene: KommoScene) -> None:
    kommo_scene.account.switches.filter_enabled = False
    with pytest.raises(PortalFilterError, match="is_api_filter_enabled") as refused:
        kommo_scene.sync()
    assert isinstance(refused.value, OperatorError)
    assert kommo_scene.one("SELECT count(*) FROM {sync_runs} WHERE outcome = 'failed'") == 1
    assert kommo_scene.state()["cursor"] is None


def test_filters_that_go_off_between_runs_leave_everything_as_it_was(kommo_scene: KommoScene) -> None:
    scene = kommo_scene.synced()
    before, written = scene.state(), scene.written_at()
    scene.later().life(seed=4, create=3, edit=5, delete=1)
    scene.account.switches.filter_enabled = False
    with pytest.raises(PortalFilterError):
        scene.sync()
    assert (scene.state(), scene.written_at()) == (before, written)
    scene.account.switches.filter_enabled = True
    scene.sync()
    scene.check(ignoring_deleted=False)


def test_filters_that_go_off_while_nothing_happens_are_noticed(kommo_scene: KommoScene) -> None:
    scene = kommo_scene.synced()
    before = scene.state()
    scene.later().account.switches.filter_enabled = False
    with pytest.raises(PortalFilterError):
        scene.sync()
    assert scene.state() == before


def test_filters_that_go_off_between_two_pages_are_noticed(
    kommo_scene: KommoScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = kommo_scene.synced()
    scene.in_small_packages(monkeypatch, leads=100, pages=1)
    cursor = scene.state()["cursor"]
    scene.later().storm(scene.ids(), "all of them")

    def go_off() -> None:
        scene.account.switches.filter_enabled = False

    scene.before_page(3, go_off)
    with pytest.raises(PortalFilterError):
        scene.sync()
    assert scene.state()["cursor"] == cursor
    scene.account.switches.filter_enabled = True
    scene.quiet().sync()
    scene.check(ignoring_deleted=False)


@pytest.mark.parametrize(("path", "after"), [("/api/v4/leads", 0), ("/api/v4/leads", 1), ("/api/v4/contacts", 0)])
def test_one_answer_without_filter_is_survived(kommo_scene: KommoScene, path: str, after: int) -> None:
    scene = kommo_scene.synced()
    scene.later().life(seed=4, create=3, edit=5, phone_add=2)
    struck = scene.account.faults.add("filter_ignored", match=path, after=after)
    for _ in range(3):
        summary = scene.sync()
    assert struck.fired == 1
    assert summary.rows_written == 0
    scene.check(ignoring_deleted=False)


def test_the_command_exits_with_2_and_tells_what_to_do(
    kommo_scene: KommoScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    kommo_scene.synced()
    kommo_scene.account.switches.filter_enabled = False
    monkeypatch.setattr("leadhouse.logs.configure", lambda **_: None)
    monkeypatch.setenv("SOURCES__KOMMO__BASE_URL", kommo_scene.url)
    monkeypatch.setenv("SOURCES__KOMMO__ACCESS_TOKEN", kommo_scene.account.token)
    told = CliRunner().invoke(cli.main, ["sync", "kommo", "--to", kommo_scene.to, "--json"])
    assert told.exit_code == 2, told.output
    assert "filters" in told.stderr
    assert kommo_scene.account.token not in told.output


def test_reconcile_needs_no_filters(kommo_scene: KommoScene) -> None:
    """It reads rows one by one where the account ignores lists of ids."""
    scene = kommo_scene.synced()
    gone, *_ = scene.ids()
    scene.delete(gone)
    new = scene.import_old(3)
    scene.account.switches.filter_enabled = False
    assert scene.reconcile().leads_recovered == len(new)
    assert scene.marks() == ({gone}, set())
    assert scene.differences(ignoring_deleted=False) == []
