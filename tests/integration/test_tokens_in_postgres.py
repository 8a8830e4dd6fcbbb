"""An application's tokens lie in the Postgres warehouse, sealed: workers that share no disk share the chain of them."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import contents
from kommo_scene import KommoScene, small_account
from leadhouse import token_table
from leadhouse.errors import ConfigurationError, RunLockedError, StateError
from leadhouse.sandbox import bitrix24, kommo
from leadhouse.service import sync
from leadhouse.token_file import TokenFile, Tokens
from leadhouse.token_table import TokenTable
from scene import Scene, small_portal


class Applied:
    """A portal or an account, and the access of an application to it."""

    def __init__(self, scene: Scene | KommoScene, access: dict[str, Any]) -> None:
        self.scene = scene
        self.access = access
        self.oauth = scene.portal.oauth

    def sync(self, **options: Any) -> Any:
        """Sync, unpaced."""
        fast: dict[str, Any] = {"requests_per_second": 1000.0} | (
            {"burst": 10_000.0} if self.scene.source == "bitrix24" else {}
        )
        return sync(self.scene.source, to=self.scene.to, **fast, **self.access, **options)


@pytest.fixture(params=["bitrix24", "kommo"])
def applied(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Applied]:
    if request.param == "kommo":
        account = small_account(60)
        with kommo.serve(account) as sandbox:
            access = {**account.oauth.authorise(), "base_url": sandbox.url}
            yield Applied(KommoScene(account, sandbox.url, postgres_url), access)
        return
    portal = small_portal(60)
    with bitrix24.serve(portal) as served:
        access = {**portal.oauth.authorise(), "oauth_server": served.oauth_server}
        yield Applied(Scene(portal, served.url, postgres_url), access)


@pytest.fixture
def on_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Go to another machine: its own working directory."""

    def go(name: str) -> Path:
        monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / name))
        return tmp_path / name

    return go


def _rows(applied: Applied) -> list[Any]:
    return contents.query(applied.scene.to, f"SELECT chain, sealed FROM {applied.scene.dataset}.{token_table.TABLE}")  # noqa: S608


def test_machines_that_share_no_disk_go_on_with_each_others_tokens(
    applied: Applied, on_machine: Callable[[str], Path]
) -> None:
    for turn in range(4):
        folder = on_machine(f"machine-{turn}")
        applied.scene.life(seed=turn)
        applied.sync(reconcile=True)
        assert applied.oauth.renewals == turn + 1
        assert not (folder / "tokens").exists()
        applied.oauth.expire()
    assert len(_rows(applied)) == 1
    applied.scene.check()


def test_nobody_who_reads_the_warehouse_can_use_them(applied: Applied, tmp_path: Path) -> None:
    applied.sync()
    (row,) = _rows(applied)
    chain, sealed = row["chain"], row["sealed"]

    def stored(secret: str) -> Tokens | None:
        dataset, begun = applied.scene.dataset, TokenFile(tmp_path / "none.json")
        connect = partial(psycopg2.connect, applied.scene.to)
        return TokenTable(connect, label="db", dataset=dataset, seed=chain, secret=secret, begun=begun).read()

    pair = stored(applied.access["client_secret"])
    assert pair is not None
    for secret in (pair.access_token, pair.refresh_token, applied.access["client_secret"]):
        assert secret not in sealed
    with pytest.raises(StateError, match="client_secret; correct it, or authorise") as caught:
        stored("another")
    assert caught.value.exit_code == 2


def test_tokens_that_a_file_kept_before_are_gone_on_with(
    applied: Applied, on_machine: Callable[[str], Path], tmp_path: Path
) -> None:
    on_machine("machine")
    sync(
        applied.scene.source,
        to=f"duckdb:{tmp_path / 'leads.duckdb'}",
        **applied.access,
    )
    assert applied.oauth.renewals == 1
    applied.sync()
    assert applied.oauth.renewals == 1, "the file's access token is good still"
    applied.oauth.expire()
    applied.sync()
    assert applied.oauth.renewals == 2
    on_machine("another")
    applied.sync()
    assert applied.oauth.renewals == 2


def test_workers_that_need_new_tokens_together_renew_once(applied: Applied) -> None:
    applied.sync()
    applied.oauth.expire()
    barrier = threading.Barrier(2)
    problems: list[BaseException] = []

    def work() -> None:
        barrier.wait(60)
        try:
            applied.sync()
        except BaseException as error:  # noqa: BLE001 - told by the assert below
            problems.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert not problems
    assert applied.oauth.renewals == 2


def test_a_worker_that_renews_all_the_time_is_not_waited_for_for_ever(
    applied: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied.sync()
    applied.oauth.expire()
    monkeypatch.setattr(token_table, "LOCK_S", 0.0)
    chain = _rows(applied)[0]["chain"]
    with psycopg2.connect(applied.scene.to) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('leadhouse tokens'), hashtext(%s))", (chain,))
        with pytest.raises(RunLockedError, match="another worker has been renewing"):
            applied.sync()
    holder.close()
    applied.sync()


def test_a_role_that_may_make_no_schema_keeps_tokens_in_one_that_is_there(applied: Applied) -> None:
    owner, dataset = applied.scene.to, applied.scene.dataset
    role = owner.rpartition("/")[2].partition("?")[0] + "_loader"
    contents.execute(
        owner,
        f"CREATE ROLE {role} LOGIN PASSWORD 'unused'; CREATE SCHEMA {dataset} AUTHORIZATION {role}; "
        f"CREATE SCHEMA {dataset}_staging AUTHORIZATION {role}",
    )
    try:
        applied.scene.to = owner.replace("postgres:unused@", f"{role}:unused@")
        applied.sync()
        applied.oauth.expire()
        applied.sync()
        assert applied.oauth.renewals == 2
        assert len(_rows(applied)) == 1
    finally:
        applied.scene.to = owner
        contents.execute(owner, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_a_table_that_cannot_be_written_is_said_before_a_token_is_spent(applied: Applied) -> None:
    applied.sync()
    applied.oauth.expire()
    contents.execute(
        applied.scene.to,
        f"ALTER TABLE {applied.scene.dataset}.{token_table.TABLE} ADD COLUMN more int NOT NULL DEFAULT 0; "
        f"ALTER TABLE {applied.scene.dataset}.{token_table.TABLE} ADD CHECK (more > 0) NOT VALID",
    )
    with pytest.raises(ConfigurationError, match="tokens cannot be written"):
        applied.sync()
    assert applied.oauth.renewals == 1
