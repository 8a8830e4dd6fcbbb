"""Find the reviewed files of `schemas/`, in an installed package as in a checkout; take care of files of others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from leadhouse.errors import ConfigurationError

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


def replaceable(path: str, option: str) -> Path:
    """Return the path of a file that may be replaced, where it really lies: a link to it stays.

    Raises:
        ConfigurationError: something else than a file is there, a device or a folder, which a rename would replace; or
            its folder cannot be entered.
    """
    problem = "is no file"
    try:
        found = Path(path).resolve()
        if found.is_file() or not found.exists():
            return found
    except OSError as error:
        problem = f"cannot be looked at ({error.strerror})"
    raise ConfigurationError(f"{path} {problem}; give another one with {option}")


@contextmanager
def in_one_step(place: Path) -> Iterator[Path]:
    """Give a path to write to; what is there at the end replaces `place`, and nothing else stays.

    Raises:
        OSError: it cannot be replaced.
    """
    part = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        yield part
        part.replace(place)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: str, text: str, option: str) -> None:
    """Write a file in one step: whoever opens it meanwhile sees the old one.

    Args:
        path: the file.
        text: what is to stand in it.
        option: that named it, for the message.

    Raises:
        ConfigurationError: it cannot be written.
    """
    place, problem = replaceable(path, option), ""
    try:
        with in_one_step(place) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigurationError(f"{path} cannot be written ({problem}); give another file with {option}")


def in_checkout() -> bool:
    """True when this package runs from a checkout (its `state/` folder is beside it)."""
    return not _PACKAGED.is_dir() and (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "state").is_dir()


def checkout() -> Path:
    """Return the root of the checkout."""
    return _CHECKOUT
