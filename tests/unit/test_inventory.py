"""What the warehouse is asked of leads that come, and how often it is opened for that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from leadhouse.crm import Chain
from leadhouse.inventory import Inventory

LEADS = Chain("leads", ("lead_phones",), "lead_id", "date_modify")


class Shelf:
    """A warehouse that counts how often it is held, and no more."""

    def __init__(self) -> None:
        self.held_times = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Count."""
        self.held_times += 1
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[int]]:
    """Return the ids that are looked up."""
    ids: list[Sequence[int]] = []

    def versions(_: Inventory, told: Sequence[int]) -> dict[int, Any]:
        ids.append(told)
        return {}

    monkeypatch.setattr(Inventory, "versions", versions)
    return ids


def _inventory(monkeypatch: pytest.MonkeyPatch, *newest: int | None, exists: bool = True) -> tuple[Inventory, Shelf]:
    answers, shelf = iter(newest), Shelf()
    monkeypatch.setattr(Inventory, "exists", exists)
    monkeypatch.setattr(Inventory, "newest_id", lambda _: next(answers))
    made: Any = Inventory(LEADS, {}, shelf, None)  # type: ignore[arg-type]  # what a lookup needs of them is played
    return made, shelf


def test_ids_above_the_newest_of_the_beginning_are_not_looked_up(
    monkeypatch: pytest.MonkeyPatch, asked: list[Sequence[int]]
) -> None:
    inventory, shelf = _inventory(monkeypatch, 2)

    inventory.versions_before([1, 2, 3])
    inventory.versions_before([3, 2])

    assert asked == [[1, 2], [2]]
    assert shelf.held_times == 1, "the first look asks both in one opening"


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_warehouse_is_asked_once_and_a_new_one_not_even_opened(
    monkeypatch: pytest.MonkeyPatch, asked: list[Sequence[int]], *, exists: bool
) -> None:
    inventory, shelf = _inventory(monkeypatch, None, exists=exists)

    inventory.versions_before([1, 2])
    inventory.versions_before([3])

    assert asked == [[], []]
    assert shelf.held_times == exists
