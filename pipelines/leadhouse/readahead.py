"""Read on while the rows before are being loaded: an iterator that works in a thread of its own."""

import gc
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


# JSON becomes millions of short-lived lists and dicts without cycles: looking for cycles among them every 700 objects,
# as Python does, takes a fifth of a load's processor time.
_COLLECT_AFTER = (50_000, 20, 100)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """Iterates over `make()` in a daemon thread, at most `depth` items ahead; its errors are raised here.

    Args:
        make: makes the iterator; called in the thread.
        depth: items that may wait.
        cancel: called by `close`, so that the thread's sleeps end.
    """

    def __init__(self, make: Callable[[], Iterator[T]], *, depth: int, cancel: Callable[[], None]) -> None:
        self._make = make
        self._cancel = cancel
        self._items: queue.Queue[T | _End] = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="leadhouse-reader", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while True:
            item = self._items.get()
            if isinstance(item, _End):
                self._items.put(item)
                if item.error is not None:
                    raise item.error
                return
            yield item

    def close(self) -> None:
        """Stop the thread, if it is still at work, and wait for it."""
        self._closed.set()
        self._thread.join(0.01)
        if self._thread.is_alive():
            self._cancel()
        while self._thread.is_alive():
            try:
                self._items.get_nowait()
            except queue.Empty:
                self._thread.join(0.05)

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            with _rare_collections():
                for item in self._make():
                    self._put(item)
                    if self._closed.is_set():
                        return
        except BaseException as raised:  # noqa: BLE001 - raised again by the reader of the queue
            error = raised
        self._put(_End(error))

    def _put(self, item: T | _End) -> None:
        while not self._closed.is_set():
            try:
                self._items.put(item, timeout=0.2)
            except queue.Full:
                continue
            return


@contextmanager
def _rare_collections() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
