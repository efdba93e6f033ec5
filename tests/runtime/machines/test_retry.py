"""Whether a failed call is tried again, and when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.backoff import Backoff
from duenna.machines.retry import Rehearsal, Retry, Stop, StopReason, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = Retry(6, backoff=Backoff.exponential(1, jitter="none"))

draws = st.floats(0, 1, exclude_max=True)
seconds = st.floats(0, 1000)
backoffs = st.one_of(
    st.builds(
        Backoff.exponential,
        st.floats(0.001, 10),
        st.floats(1, 10),
        st.floats(10, 1000),
        st.sampled_from(["none", "equal", "full"]),
    ),
    st.builds(Backoff.decorrelated, st.floats(0.001, 10), st.floats(10, 1000)),
    st.builds(lambda waits: Backoff.steps(*waits), st.lists(seconds, min_size=1, max_size=5)),
    st.just(Backoff.none()),
)
retries = st.builds(
    Retry, st.integers(1, 20), backoff=backoffs, patience=st.one_of(st.just(math.inf), st.floats(0, 100))
)


@pytest.mark.parametrize(
    ("attempt", "delay"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)],
)
def test_a_retry_waits_for_the_backoff(attempt: int, delay: float) -> None:
    assert PLAIN.next(attempt) == Wait(delay)


@pytest.mark.parametrize("attempt", [6, 7, 10**6])
def test_the_last_attempt_is_the_last(attempt: int) -> None:
    """Attempts counts tries, not retries: hyx makes one more."""
    assert PLAIN.next(attempt, elapsed=31) == Stop(StopReason.ATTEMPTS, attempt, 31)


def test_one_attempt_is_no_retry() -> None:
    assert Retry.none().next(1) == Stop(StopReason.ATTEMPTS, 1, 0)


@pytest.mark.parametrize(
    ("patience", "deadline_left", "retry_after", "verdict"),
    [
        (math.inf, math.inf, 0, Wait(2)),
        (math.inf, math.inf, 1, Wait(2)),  # the backoff waits for longer anyway
        (math.inf, math.inf, 7, Wait(7)),  # a floor
        (10, math.inf, 10, Wait(10)),
        (10, math.inf, 10.1, Stop(StopReason.PATIENCE, 2, 5)),
        (0, math.inf, 0, Wait(2)),  # it says nothing about the backoff
        (0, math.inf, 0.1, Stop(StopReason.PATIENCE, 2, 5)),
        (math.inf, 7, 7, Stop(StopReason.DEADLINE, 2, 5)),
        (math.inf, 7.5, 7, Wait(7)),
        (math.inf, 2.5, 0, Wait(2)),
        (math.inf, 2, 0, Stop(StopReason.DEADLINE, 2, 5)),  # woken at the deadline, it could do nothing
        (math.inf, 1, 0, Stop(StopReason.DEADLINE, 2, 5)),
        (math.inf, 0, 0, Stop(StopReason.DEADLINE, 2, 5)),
        (math.inf, -1, 0, Stop(StopReason.DEADLINE, 2, 5)),
        (10, 5, 20, Stop(StopReason.PATIENCE, 2, 5)),  # patience is asked first
        (math.inf, math.inf, math.inf, Stop(StopReason.DEADLINE, 2, 5)),  # nobody waits for ever
        (math.inf, math.nan, 0, Stop(StopReason.DEADLINE, 2, 5)),
        (math.inf, math.inf, math.nan, Wait(2)),
    ],
)
def test_retry_after_is_a_floor_and_patience_and_deadline_are_limits(
    patience: float, deadline_left: float, retry_after: float, verdict: Wait | Stop
) -> None:
    assert attrs.evolve(PLAIN, patience=patience).next(2, 5, deadline_left, retry_after) == verdict


@given(retries, st.integers(1, 10**6), seconds, st.one_of(seconds, st.just(math.inf)), seconds, draws, seconds)
def test_a_wait_keeps_every_bound(  # noqa: PLR0917 - hypothesis passes them by position
    retry: Retry, attempt: int, elapsed: float, left: float, hint: float, draw: float, previous: float
) -> None:
    """Cap after jitter, Retry-After respected, patience respected, over before the deadline."""
    verdict = retry.next(attempt, elapsed, left, hint, draw=draw, previous_delay=previous)

    drawn = retry.backoff.delay(attempt, draw, previous)
    if isinstance(verdict, Wait):
        assert attempt < retry.attempts
        assert hint <= retry.patience
        assert verdict.delay == max(drawn, hint) < left
    else:
        assert (verdict.attempts, verdict.elapsed) == (attempt, elapsed)
        broken = {
            StopReason.ATTEMPTS: attempt >= retry.attempts,
            StopReason.PATIENCE: hint > retry.patience,
            StopReason.DEADLINE: max(drawn, hint) >= left,
        }
        assert broken[verdict.why]


@given(retries, st.lists(st.tuples(draws, seconds, st.floats(0, 10)), min_size=20, max_size=20), st.floats(0, 500))
def test_the_sum_of_the_waits_stays_within_the_deadline(
    retry: Retry, steps: list[tuple[float, float, float]], deadline: float
) -> None:
    slept, elapsed, previous = 0.0, 0.0, 0.0
    for attempt, (draw, hint, takes) in enumerate(steps, 1):
        elapsed += takes
        verdict = retry.next(attempt, elapsed, deadline - elapsed, hint, draw=draw, previous_delay=previous)
        if isinstance(verdict, Stop):
            break
        previous = verdict.delay
        slept += previous
        elapsed += previous
        assert slept <= elapsed <= deadline


@given(backoffs, draws, seconds)
def test_a_million_attempts_overflow_nothing(backoff: Backoff, draw: float, previous: float) -> None:
    """Stamina raised OverflowError past attempt 1024."""
    retry = Retry(10**9, backoff=backoff)

    for attempt in (1023, 1024, 1025, 10**6):
        verdict = retry.next(attempt, draw=draw, previous_delay=previous)
        assert isinstance(verdict, Wait)
        assert 0 <= verdict.delay <= 1000


@pytest.mark.parametrize(
    ("retry", "attempts", "backoff"),
    [
        (Retry(), 3, Backoff.exponential(0.5, maximum=30)),
        (Retry.api(), 6, Backoff.exponential(2, maximum=120)),
        (Retry.database(), 4, Backoff.exponential(0.5, maximum=10)),
        (Retry.read(), 4, Retry().backoff),
        (Retry.read(5), 6, Retry().backoff),
        (Retry.write(), 2, Retry().backoff),
        (Retry.write(2), 3, Retry().backoff),
        (Retry.critical(), 1, Retry().backoff),
        (Retry.critical(1), 2, Retry().backoff),
        (Retry.none(), 1, Backoff.none()),
    ],
)
def test_presets(retry: Retry, attempts: int, backoff: Backoff) -> None:
    """All are full jitter, without a limit of patience of their own."""
    assert retry == Retry(attempts, backoff=backoff, patience=math.inf)
    assert hash(retry) == hash(Retry(attempts, backoff=backoff))


def test_a_preset_makes_the_class_that_it_is_asked_of() -> None:
    @attrs.frozen
    class Wider(Retry):
        on: tuple[type[Exception], ...] = attrs.field(default=(OSError,), kw_only=True)

    assert Wider.api() == Wider(6, backoff=Retry.api().backoff, on=(OSError,))


@pytest.mark.parametrize(
    ("retry", "options", "text"),
    [
        (
            PLAIN,
            {},
            (
                "attempt 1, wait 1.0, attempt 2, wait 2.0, attempt 3, wait 4.0, attempt 4, wait 8.0, "
                "attempt 5, wait 16.0, attempt 6, gives up at 31 s"
            ),
        ),
        (Retry(), {}, "attempt 1, wait 0.5, attempt 2, wait 1.0, attempt 3, gives up at 1.5 s"),
        (Retry(), {"draws": [0.5]}, "attempt 1, wait 0.25, attempt 2, wait 0.5, attempt 3, gives up at 0.75 s"),
        (Retry(), {"draws": [0, 0.1]}, "attempt 1, wait 0.0, attempt 2, wait 0.1, attempt 3, gives up at 0.1 s"),
        (Retry.none(), {}, "attempt 1, gives up at 0 s"),
        (Retry.none(), {"takes": 2}, "attempt 1, gives up at 2 s"),
        (
            Retry(3, backoff=Backoff.steps(10, 30, 60)),
            {"takes": 1},
            "attempt 1, wait 10.0, attempt 2, wait 30.0, attempt 3, gives up at 43 s",
        ),
        (
            Retry(3, backoff=Backoff.decorrelated(1, 20)),
            {"draws": [0.5]},
            "attempt 1, wait 2.0, attempt 2, wait 3.5, attempt 3, gives up at 5.5 s",
        ),
        (
            PLAIN,
            {"deadline": 8},
            (
                "attempt 1, wait 1.0, attempt 2, wait 2.0, attempt 3, wait 4.0, attempt 4, gives up at 7 s, "
                "for the deadline is too near"
            ),
        ),
        (PLAIN, {"deadline": 8, "takes": 10}, "attempt 1, gives up at 8 s, for the deadline is too near"),
        (
            attrs.evolve(PLAIN, patience=5),
            {"retry_after": 6},
            "attempt 1, gives up at 0 s, asked for more patience than there is",
        ),
        (Retry(2), {"retry_after": 6}, "attempt 1, wait 6.0, attempt 2, gives up at 6 s"),
        (Retry(2), {"draws": [1 / 3]}, "attempt 1, wait 0.167, attempt 2, gives up at 0.167 s"),
        (
            Retry(1000, backoff=Backoff.steps(2)),
            {},
            "".join(f"attempt {n}, wait 2.0, " for n in range(1, 11)) + "..., attempt 1000, gives up at 1998 s",
        ),
        (
            Retry(1001, backoff=Backoff.steps(2)),
            {},
            "".join(f"attempt {n}, wait 2.0, " for n in range(1, 11)) + "..., and so on",
        ),
    ],
)
def test_the_plan_in_words(retry: Retry, options: dict[str, float], text: str) -> None:
    """Without draws it tells the longest waits; with some, exactly those."""
    assert retry.describe(**options) == text  # type: ignore[arg-type]  # the table mixes draws with seconds


def test_without_a_word_nothing_is_drawn_and_nothing_is_asked_for() -> None:
    assert Retry().next(1) == Wait(0)
    assert Retry(backoff=Backoff.decorrelated(0.5)).next(1, draw=0.5) == Wait(1)
    assert Retry.none().next(1) == Stop(StopReason.ATTEMPTS, 1, 0)
    assert Retry(2).rehearse() == Rehearsal((0.5,), Stop(StopReason.ATTEMPTS, 2, 0.5))
    assert Retry(2).rehearse([1]) == Retry(2).rehearse()


@pytest.mark.parametrize(("attempts", "is_cut"), [(12, False), (13, True)])
def test_a_long_plan_is_cut_in_the_middle(attempts: int, is_cut: bool) -> None:
    assert ("..., attempt" in Retry(attempts).describe()) is is_cut


def test_a_rehearsal_is_the_plan_in_numbers() -> None:
    rehearsal = Retry(3).rehearse([0.5], takes=0.25, deadline=10)

    assert rehearsal == Rehearsal((0.25, 0.5), Stop(StopReason.ATTEMPTS, 3, 1.5))


def test_a_denial_by_the_budget_has_its_words() -> None:
    """The machine never says so; whoever asks the budget does."""
    assert str(Rehearsal((), Stop(StopReason.BUDGET, 1, 0.5))) == "attempt 1, gives up at 0.5 s, denied by the budget"


@given(retries, st.lists(draws, max_size=5), st.floats(0, 10), st.floats(0, 500))
def test_a_rehearsal_ends_within_the_attempts_and_the_deadline(
    retry: Retry, chances: list[float], takes: float, deadline: float
) -> None:
    rehearsal = retry.rehearse(chances, takes=takes, deadline=deadline)

    assert rehearsal == retry.rehearse(chances, takes=takes, deadline=deadline)
    assert rehearsal.stop is not None
    assert rehearsal.stop.attempts == len(rehearsal.waits) + 1 <= retry.attempts
    assert sum(rehearsal.waits) <= rehearsal.stop.elapsed + 1e-9
    assert rehearsal.stop.elapsed <= deadline


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Retry(0), ValueError, "Retry: attempts must be >= 1, got 0"),
        (lambda: Retry(2.0), TypeError, "Retry: attempts must be a whole number, got 2.0"),  # type: ignore[arg-type]
        (lambda: Retry(True), TypeError, "Retry: attempts must be a whole number, got True"),
        (lambda: Retry(None), TypeError, "Retry: attempts must be a whole number, got None"),  # type: ignore[arg-type]
        (lambda: Retry(backoff=2.0), TypeError, "Retry: backoff must be a Backoff, got 2.0"),  # type: ignore[arg-type]
        (lambda: Retry(patience=-1), ValueError, "Retry: patience must be >= 0 seconds, got -1"),
        (lambda: Retry(patience=math.nan), ValueError, "Retry: patience must be a number, got nan"),
        (lambda: Retry.read(2), ValueError, "Retry.read: retries must be >= 3, got 2"),
        (lambda: Retry.read(6), ValueError, "Retry.read: retries must be <= 5, got 6"),
        (lambda: Retry.write(0), ValueError, "Retry.write: retries must be >= 1, got 0"),
        (lambda: Retry.write(3), ValueError, "Retry.write: retries must be <= 2, got 3"),
        (lambda: Retry.critical(-1), ValueError, "Retry.critical: retries must be >= 0, got -1"),
        (lambda: Retry.critical(2), ValueError, "Retry.critical: retries must be <= 1, got 2"),
        (lambda: Retry().rehearse([0.5, 2]), ValueError, "Retry.rehearse: draw 2 must be within [0, 1], got 2.0"),
        (lambda: Retry().rehearse([-1]), ValueError, "Retry.rehearse: draw 1 must be within [0, 1], got -1.0"),
        (
            lambda: Retry().rehearse(["1"]),  # type: ignore[list-item]
            TypeError,
            "Retry.rehearse: draw 1 must be a number, got '1'",
        ),
        (lambda: Retry().rehearse(takes=-1), ValueError, "Retry.rehearse: takes must be >= 0 seconds, got -1"),
        (
            lambda: Retry().rehearse(takes=math.inf),
            ValueError,
            "Retry.rehearse: takes must be a finite number of seconds, got inf",
        ),
        (lambda: Retry().describe(deadline=-1), ValueError, "Retry.rehearse: deadline must be >= 0 seconds, got -1"),
        (
            lambda: Retry().describe(retry_after=-1),
            ValueError,
            "Retry.rehearse: retry_after must be >= 0 seconds, got -1",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], error: type[Exception], message: str) -> None:
    """Stamina's `timeout=0` switched retries off in silence, and no limit at all was no limit."""
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message
