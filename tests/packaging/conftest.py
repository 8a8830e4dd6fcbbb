"""What a user gets: the built distributions, and a venv that holds nothing but the wheel."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadhouse.sandbox.bitrix24 import Portal, serve
from venvs import CHECKOUT, Venv, run


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, CHECKOUT)
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """A venv with the wheel and what it depends on, without extras."""
    venv = Venv.make(tmp_path_factory.mktemp("venv") / "plain")
    venv.install(str(wheel))
    return venv


@pytest.fixture
def webhook_url() -> Iterator[str]:
    """The webhook of a sandbox portal with 120 leads, served by the tests' own process."""
    with serve(Portal(leads=120, seed=5)) as sandbox:
        yield sandbox.url
