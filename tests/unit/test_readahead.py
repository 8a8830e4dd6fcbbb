"""Reading on in a thread: order, errors, and an end that never hangs."""

import gc
import threading
from collections.abc import Iterator

import pytest

from leadhouse.readahead import ReadAhead

PATIENCE_S = 30.0


def test_items_come_in_order_and_all_of_them() -> None:
    ahead = ReadAhead(lambda: iter(range(500)), depth=3, cancel=lambda: None)
    assert list(ahead) == list(range(500))
    assert list(ahead) == []
    ahead.close()


def test_the_iterator_is_made_and_run_in_its_own_thread() -> None:
    names: list[str] = []

    def make() -> Iterator[int]:
        names.append(threading.current_thread().name)
        yield 1

    assert list(ReadAhead(make, depth=1, cancel=lambda: None)) == [1]
    assert names == ["leadhouse-reader"]


def test_no_more_than_the_depth_is_read_ahead() -> None:
    read: list[int] = []
    enough = threading.Event()

    def make() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            if len(read) == 4:
                enough.set()
            yield number

    ahead = ReadAhead(make, depth=2, cancel=lambda: None)
    items = iter(ahead)
    assert next(items) == 0
    assert enough.wait(PATIENCE_S)
    assert len(read) == 4
    ahead.close()
    assert len(read) <= 6


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()], ids=["Exception", "BaseException"])
def test_an_error_is_raised_behind_the_items_before_it_and_again(error: BaseException) -> None:
    def make() -> Iterator[int]:
        yield 1
        raise error

    ahead = ReadAhead(make, depth=5, cancel=lambda: None)
    items = iter(ahead)
    assert next(items) == 1
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            next(iter(ahead))
        assert caught.value is error
    ahead.close()


def test_an_error_while_the_iterator_is_made_is_raised() -> None:
    def make() -> Iterator[int]:
        raise RuntimeError("no portal")

    with pytest.raises(RuntimeError, match="no portal"):
        list(ReadAhead(make, depth=1, cancel=lambda: None))


def test_closing_ends_a_reader_that_waits_for_room() -> None:
    closed = threading.Event()

    def make() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    ahead = ReadAhead(make, depth=1, cancel=lambda: None)
    assert next(iter(ahead)) == 1
    ahead.close()
    gc.collect()
    assert closed.wait(PATIENCE_S)


def test_closing_cancels_a_reader_that_sleeps() -> None:
    woken, asleep = threading.Event(), threading.Event()

    def make() -> Iterator[int]:
        asleep.set()
        woken.wait(PATIENCE_S)
        yield from ()

    ahead = ReadAhead(make, depth=1, cancel=woken.set)
    assert asleep.wait(PATIENCE_S)
    ahead.close()
    assert woken.is_set()


def test_closing_what_has_ended_cancels_nothing() -> None:
    cancelled: list[bool] = []
    ahead = ReadAhead(lambda: iter([1]), depth=2, cancel=lambda: cancelled.append(True))
    assert list(ahead) == [1]
    ahead.close()
    ahead.close()
    assert cancelled == []


def test_the_garbage_collectors_pace_is_as_before_when_the_reader_ends() -> None:
    before = gc.get_threshold()
    ahead = ReadAhead(lambda: iter([1, 2, 3]), depth=1, cancel=lambda: None)
    assert list(ahead) == [1, 2, 3]
    ahead.close()
    assert gc.get_threshold() == before
