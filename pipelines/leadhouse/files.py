"""Find the reviewed files of `schemas/`, in an installed package as in a checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_PACKAGED = files("leadhouse") / "_files"
_CHECKOUT = Path(__file__).resolve().parents[2]


def reviewed(name: str) -> Traversable:
    """Return a reviewed file, for example `reviewed("schemas/bitrix24/tables.toml")`.

    Raises:
        FileNotFoundError: the installation lacks the file.
    """
    found = _root().joinpath(*name.split("/"))
    if not found.is_file():
        raise FileNotFoundError(f"{name} is missing from this installation of leadhouse; reinstall it")
    return found


def reviewed_files(folder: str) -> list[Traversable]:
    """Return the reviewed files of a folder by name, for example `reviewed_files("schemas/views/crm")`."""
    files_there = _root().joinpath(*folder.split("/")).iterdir()
    return sorted((file for file in files_there if file.is_file()), key=lambda file: file.name)


def _root() -> Traversable:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def in_checkout() -> bool:
    """True when this package runs from a checkout (its `state/` folder is beside it)."""
    return not _PACKAGED.is_dir() and (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "state").is_dir()


def checkout() -> Path:
    """Return the root of the checkout."""
    return _CHECKOUT
