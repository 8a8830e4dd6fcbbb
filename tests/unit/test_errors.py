"""The tree of errors is the one that its docstring draws, and every error survives a pickle."""

import inspect
import pickle
import re

import pytest

from leadhouse import errors
from leadhouse.errors import LeadhouseError, OperatorError, PortalBusyError, TransientError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, LeadhouseError)]


def drawn() -> dict[str, str]:
    """Return the parent of each class as the docstring draws it, "" for the root."""
    tree: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+Error)\b", line)
        if found:
            path = [*path[: len(found[1]) // 4], found[2]]
            tree[path[-1]] = path[-2] if len(path) > 1 else ""
    return tree


def test_the_docstring_draws_the_classes_as_they_are() -> None:
    parents = {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}
    assert drawn() == {name: "" if name == "LeadhouseError" else parent for name, parent in parents.items()}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_person_must_act_is_2_and_everything_else_1(cls: type[LeadhouseError]) -> None:
    assert cls.exit_code == (2 if issubclass(cls, OperatorError) else 1)
    assert cls.__doc__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_survives_a_pickle_whole(cls: type[LeadhouseError]) -> None:
    error = cls("the words", portal="acme.bitrix24.com", method="crm.lead.list", code="CODE")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is cls
    assert vars(again) == vars(error)
    assert str(again) == str(error) == "acme.bitrix24.com crm.lead.list CODE: the words"


def test_how_long_to_wait_survives_a_pickle() -> None:
    error = PortalBusyError("the limit", code="OPERATION_TIME_LIMIT", retry_after=12.5)
    assert pickle.loads(pickle.dumps(error)).retry_after == 12.5  # noqa: S301 - our own


def test_a_message_without_a_place_is_just_the_words() -> None:
    assert str(TransientError("the words")) == "the words"
    assert str(TransientError("the words", method="batch")) == "batch: the words"
