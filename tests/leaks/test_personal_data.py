"""Where personal data is hashed or dropped, no byte of it touches the disk, also of a run that is killed half-way."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from any_scene import AnyScene
from crash.processes import environment
from forks import Leadhouse
from kommo_scene import KommoScene, small_account
from leadhouse.sandbox.bitrix24 import Portal
from leadhouse.sandbox.kommo import Account
from leaks.traces import of_files, of_warehouse
from scene import small_portal
from served import opened

FIRST, LAST = "Ottoline", "Quillfeather-Marchbanks"
PHONE, EMAIL = "+44 7700 900 457", "Ottoline.Quillfeather@example.org"
TRACES = (FIRST, LAST, PHONE, "447700900457", "7700 900 457", EMAIL, EMAIL.lower())
_WAIT_S = 120.0


def _small_packages() -> None:
    """Cut a small portal into many packages, in the new process."""
    from leadhouse import session  # noqa: PLC0415 - in the process that syncs
    from leadhouse.bitrix24 import reader  # noqa: PLC0415
    from leadhouse.kommo import reader as kommo_reader  # noqa: PLC0415
    from leadhouse.kommo import walk  # noqa: PLC0415

    reader._FIRST_PAGES = 1
    walk.PAGE_ROWS = kommo_reader.LOT_ROWS = 25
    session.PACKAGE_LEADS = 30


@pytest.fixture
def portal() -> Portal:
    return small_portal(150)


@pytest.fixture
def account() -> Account:
    return small_account(150)


@pytest.fixture(params=["lead", "kommo"])
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyScene]:
    """A portal where one person has entered a dozen leads, all over the reading order."""
    with opened(request.param, f"duckdb:{tmp_path / 'leads.duckdb'}", request) as scene:
        for lead in scene.ids()[::12]:
            _enter(scene, lead)
        yield scene


def _enter(scene: AnyScene, lead: int) -> None:
    if isinstance(scene, KommoScene):
        contact = int(scene.portal.contacts()[lead % 50]["id"])
        fields = [
            {"field_code": "PHONE", "values": [{"value": PHONE, "enum_code": "MOB"}]},
            {"field_code": "EMAIL", "values": [{"value": EMAIL, "enum_code": "WORK"}]},
        ]
        told = {"name": f"{FIRST} {LAST}", "first_name": FIRST, "last_name": LAST, "custom_fields_values": fields}
        scene.portal.update_contact(contact, told)
        scene.portal.update_lead(lead, {"name": f"{FIRST} {LAST} calls"})
        return
    scene.portal.update_lead(
        lead,
        {
            "TITLE": f"{FIRST} {LAST} calls",
            "NAME": FIRST,
            "LAST_NAME": LAST,
            "COMMENTS": f"nobody remembers {FIRST}",
            "PHONE": [{"VALUE": PHONE, "VALUE_TYPE": "WORK"}],
            "EMAIL": [{"VALUE": EMAIL, "VALUE_TYPE": "WORK"}],
            "UF_CRM_TAGS": [f"{FIRST}'s"],
            "UF_CRM_1706782596092": f"contract of {LAST}",
        },
    )


def _start(scene: AnyScene, folder: Path, *flags: str) -> Leadhouse:
    rate = {f"SOURCES__{scene.source.upper()}__REQUESTS_PER_SECOND": "1000"}
    key = {"LEADHOUSE__PII_KEY": "a key that only this test knows"}
    env = environment(**scene.environment(), **rate, **key, DLT_DATA_DIR=str(folder / "dlt"))
    return Leadhouse(["sync", scene.source, "--to", scene.to, "--verbose", *flags], env, folder, _small_packages)


def _left(folder: Path) -> list[str]:
    """Return which traces any file below the folder has: the warehouse, its log, working files, all unpacked."""
    held = of_files(folder)
    return [trace for trace in TRACES if trace in held]


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_a_killed_run_leaves_no_byte_of_a_person_and_the_next_none_either(
    planted: AnyScene, tmp_path: Path, mode: str
) -> None:
    logs = []
    for page in (1, 2, 5):
        reached, killed = Event(), Event()

        def stop(reached: Event = reached, killed: Event = killed) -> None:
            reached.set()
            assert killed.wait(_WAIT_S)

        happened = planted.before_page(page, stop)
        run = _start(planted, tmp_path, "--pii", mode)
        assert reached.wait(_WAIT_S), run.err
        assert happened
        working = [path for path in (tmp_path / "dlt").rglob("*") if path.is_file()]
        run.kill()
        killed.set()
        planted.quiet()
        assert working, "it was killed while it had files"
        assert _left(tmp_path) == []
        logs.append(run.err)

    ended = _start(planted, tmp_path).end()

    assert ended.status == 0, ended.err
    assert [trace for trace in TRACES if trace in "".join([*logs, ended.err, ended.out])] == []
    assert _left(tmp_path) == []
    assert [trace for trace in TRACES if trace in of_warehouse(planted.to)] == []


def test_without_a_mode_the_traces_are_found_where_they_are_looked_for(planted: AnyScene, tmp_path: Path) -> None:
    assert _start(planted, tmp_path).end().status == 0

    assert {FIRST, LAST} <= {trace for trace in TRACES if trace in of_warehouse(planted.to)}
    assert FIRST in _left(tmp_path)
