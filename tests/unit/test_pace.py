"""Pacing against a simulation of the vendor's own counters; nothing here sleeps."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadhouse.pace import Distance, LeakyBucket, OperatingBudget, Pause
from unit.fuzz import QUICK


class VendorBucket:
    """The portal's counter: +1 a request, minus `drain` a second, 503 when it exceeds `burst`."""

    def __init__(self, drain: float, burst: float) -> None:
        self.drain, self.burst, self.level, self.at = drain, burst, 0.0, 0.0

    def accepts(self, now: float) -> bool:
        """Count a request and tell whether the portal answers it."""
        self.level = max(0.0, self.level - (now - self.at) * self.drain) + 1
        self.at = now
        return self.level <= self.burst + 1e-6


@QUICK
@given(
    st.sampled_from([(2.0, 50.0), (5.0, 250.0), (0.5, 3.0), (10.0, 4.0)]),
    st.lists(st.floats(0, 5) | st.just(0.0), min_size=1, max_size=200),
)
def test_the_vendors_counter_never_exceeds_its_burst(plan: tuple[float, float], idle: list[float]) -> None:
    now = 0.0
    bucket, vendor = LeakyBucket(*plan, monotonic=lambda: now), VendorBucket(*plan)
    for seconds in idle:
        now += seconds
        now += bucket.take()
        assert vendor.accepts(now)


def test_a_burst_is_free_and_then_the_drain_sets_the_pace() -> None:
    now = 0.0
    bucket = LeakyBucket(2.0, 50.0, lambda: now)
    assert [bucket.take() for _ in range(48)] == [0.0] * 48
    waits = []
    for _ in range(10):
        waits.append(bucket.take())
        now += waits[-1]
    assert waits == [0.5] * 10


def test_idle_time_empties_the_bucket_and_not_more() -> None:
    now = 0.0
    bucket = LeakyBucket(2.0, 10.0, lambda: now)
    for _ in range(8):
        bucket.take()
    now = 1e6
    assert [bucket.take() for _ in range(9)] == [0.0] * 8 + [0.5]


def test_a_refusal_counts_the_bucket_as_full() -> None:
    now = 0.0
    bucket = LeakyBucket(2.0, 50.0, lambda: now)
    bucket.overflowed()
    assert bucket.take() == 0.5
    bucket.overflowed()
    assert bucket.take() == 1.0


def test_a_bucket_smaller_than_the_margin_still_lets_one_through() -> None:
    bucket = LeakyBucket(1.0, 1.0, lambda: 0.0)
    assert bucket.take() == 0.0
    assert bucket.take() == 1.0


def test_a_budget_below_its_threshold_asks_for_no_wait() -> None:
    budget = OperatingBudget(480.0)
    budget.note("crm.lead.list", 383.9, 1000.0)
    assert budget.wait(900.0) == 0.0


def test_a_budget_at_its_threshold_waits_for_the_oldest_minute_and_asks_once() -> None:
    budget = OperatingBudget(480.0)
    budget.note("crm.lead.list", 384.0, 1000.0)
    assert budget.wait(900.0) == 101.0
    assert budget.wait(900.0) == 0.0


def test_the_method_that_needs_longest_decides() -> None:
    budget = OperatingBudget(480.0)
    budget.note("crm.lead.list", 400.0, 950.0)
    budget.note("crm.item.list", 400.0, 970.0)
    budget.note("batch", 1.0, 990.0)
    assert budget.wait(900.0) == 71.0
    assert budget.wait(900.0) == 0.0


@pytest.mark.parametrize(
    ("reset_at", "wait"),
    [(None, 60.0), (899.0, 0.0), (0.5, 0.0), (9000.0, 600.0)],
    ids=["unknown", "past", "old", "far"],
)
def test_a_wait_is_never_negative_nor_longer_than_the_window(reset_at: float | None, wait: float) -> None:
    budget = OperatingBudget(480.0)
    budget.note("batch", 480.0, reset_at)
    assert budget.wait(900.0) == wait


def test_a_later_answer_replaces_an_earlier_one() -> None:
    budget = OperatingBudget(480.0)
    budget.note("batch", 480.0, 1000.0)
    budget.note("batch", 3.0, 1000.0)
    assert budget.wait(900.0) == 0.0


def test_only_waits_for_limits_are_counted_as_throttled() -> None:
    slept: list[float] = []
    pause = Pause(sleep=slept.append)
    pause.for_limit(2.5)
    pause.for_retry(4.0)
    pause.for_limit(0.0)
    pause.for_limit(-1.0)
    pause.for_retry(0.0)
    assert slept == [2.5, 4.0]
    assert pause.throttled_s == 2.5


def test_cancelling_ends_a_sleep_and_every_later_one() -> None:
    pause = Pause()
    sleeper = threading.Thread(target=pause.for_limit, args=(3600.0,))
    sleeper.start()
    assert not pause.cancelled
    pause.cancel()
    sleeper.join(30)
    assert not sleeper.is_alive()
    pause.for_retry(3600.0)
    assert pause.cancelled


@QUICK
@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from([0.1, 0.5])), min_size=2, max_size=60))
def test_whoever_takes_a_moment_keeps_the_next_one_away(requests: list[tuple[float, float]]) -> None:
    now = 100.0
    distance, sent = Distance(lambda: now), [(-1.0, 0.0)]
    for idle, apart in requests:
        now += idle
        sent.append((now + distance.take(apart), apart))
        (before, kept), (at, _) = sent[-2:]
        assert at >= before + kept - 1e-9
        assert at == pytest.approx(max(now, before + kept))


def test_moments_taken_by_threads_at_once_are_all_different() -> None:
    distance, together = Distance(lambda: 5.0), threading.Barrier(8)
    waits: list[float] = []

    def take() -> None:
        together.wait(30)
        waits.extend(distance.take(1.0) for _ in range(50))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(waits) == [float(number) for number in range(400)]
