"""Virtual environments and commands of the packaging tests, away from the checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CHECKOUT = Path(__file__).resolve().parents[1]


def run(
    *command: str | Path, cwd: Path | None = None, status: int = 0, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without the checkout on its path and expect its exit status."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=clean | dict(settings or {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Venv:
    """A virtual environment."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Make an empty one."""
        run(sys.executable, "-m", "venv", folder)
        return cls(folder)

    def copy(self, folder: Path) -> "Venv":
        """Return a copy that shares its files; pip replaces files, it does not write into them."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=os.link)
        return Venv(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def command(self) -> Path:
        """Its `leadhouse`."""
        return self.folder / "bin" / "leadhouse"

    def install(self, what: str) -> None:
        """Install with pip under the project's constraints."""
        run(self.python, "-m", "pip", "install", "-q", "-c", CHECKOUT / "constraints.txt", what)
