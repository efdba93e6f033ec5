"""Weight per second: turns in order, bans, and what the exchange has counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from duenna.machines.token_bucket import Refused, TokenBucket, Turn

if TYPE_CHECKING:
    from collections.abc import Callable


def turn(bucket: TokenBucket, weight: float, now: float, max_wait: float = math.inf) -> Turn:
    taken = bucket.take(weight, now, max_wait)
    assert isinstance(taken, Turn)
    return taken


@pytest.mark.parametrize(
    ("rate", "burst", "asks", "waits"),
    [
        (1, 1, [(0, 1), (0, 1), (0, 1)], [0, 1, 2]),
        (1, 1, [(0, 1), (1, 1), (2, 1)], [0, 0, 0]),
        (1, 1, [(0, 1), (0.75, 1), (0.75, 1)], [0, 0.25, 1.25]),
        (2, 4, [(0, 4), (0, 1), (0, 3), (0, 4)], [0, 0.5, 2, 4]),
        (2, 4, [(0, 4), (100, 4), (100, 1)], [0, 0, 0.5]),  # never fuller than full
        (8, 400, [(0, 400), (1, 8), (1, 1)], [0, 0, 0.125]),
        (1, 10, [(0, 10), (0, 5), (0, 0)], [0, 5, 5]),  # in order, so even what costs nothing waits
        (1, 10, [(5, 10), (4, 1)], [0, 2]),  # a clock read in another thread may be behind
    ],
)
def test_turns_come_in_the_order_of_asking(
    rate: float, burst: float, asks: list[tuple[float, float]], waits: list[float]
) -> None:
    bucket = TokenBucket(rate, burst)

    turns = [turn(bucket, weight, now) for now, weight in asks]

    assert [t.wait for t in turns] == waits
    assert [t.at for t in turns] == [now + wait for (now, _), wait in zip(asks, waits, strict=True)]


def test_whoever_cannot_wait_takes_nothing() -> None:
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)

    assert bucket.take(1, 0, max_wait=0.5) == Refused(1)
    assert bucket.take(1, 0.25, max_wait=0.5) == Refused(0.75)
    assert turn(bucket, 1, 0.5, max_wait=0.5).wait == 0.5
    assert bucket.take(1, 0.5) == Refused(1.5)  # a second, if nothing is said

    assert bucket.refused == 3


def test_refusals_leave_no_debt() -> None:
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)
    for _ in range(1000):
        bucket.take(1, 0, max_wait=0)

    assert bucket.available(0) == 0
    assert turn(bucket, 1, 1).wait == 0


def test_available_counts_who_is_waiting() -> None:
    bucket = TokenBucket(2, 4)
    assert bucket.available(0) == 4

    turn(bucket, 3, 0)
    assert [bucket.available(now) for now in (0, 0.5, 1.5, 100)] == [1, 2, 4, 4]
    turn(bucket, 4, 0)
    assert [bucket.available(now) for now in (0, 0.5, 1.5, 100)] == [-3, -2, 0, 4]


@pytest.mark.parametrize("weight", [4.5, -1, math.nan, math.inf])
def test_no_call_outweighs_the_burst(weight: float) -> None:
    with pytest.raises(ValueError, match=rf"^TokenBucket: weight must be within \[0, 4.0\], got {weight}$"):
        TokenBucket(1, 4.0).take(weight, 0)


def test_a_block_holds_everybody() -> None:
    bucket = TokenBucket(1, 2)

    bucket.block_until(10)

    assert bucket.take(1, 3) == Refused(7)
    assert bucket.take(0, 3) == Refused(7)
    assert [turn(bucket, 1, 3).wait for _ in range(4)] == [7, 7, 8, 9]
    assert bucket.available(3) == -2
    assert turn(bucket, 1, 10).wait == 3


def test_a_block_is_never_shortened() -> None:
    bucket = TokenBucket(1, 1)

    bucket.block_until(10)
    bucket.block_until(5)

    assert bucket.blocked_until == 10
    assert turn(bucket, 1, 10).wait == 0


def test_a_block_ended_by_hand() -> None:
    bucket = TokenBucket(1, 1)
    bucket.block_until(10**9)
    assert isinstance(bucket.take(1, 0), Refused)

    bucket.unblock()

    assert turn(bucket, 1, 0).wait == 0


@pytest.mark.parametrize("when", [math.inf, math.nan])
def test_a_block_must_end(when: float) -> None:
    with pytest.raises(ValueError, match=rf"^TokenBucket: the end of a block must be finite, got {when}$"):
        TokenBucket(1, 1).block_until(when)


def test_whoever_slept_through_the_beginning_of_a_block_is_held() -> None:
    """Sent during a ban, a call makes it longer."""
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)
    waited = turn(bucket, 1, 0)
    bucket.block_until(5)

    assert bucket.confirm(waited, 3.5) == Refused(1.5)  # a second, if nothing is said


def test_whoever_can_wait_out_the_block_gets_another_turn() -> None:
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)
    waited = turn(bucket, 1, 0)
    bucket.block_until(5)

    again = bucket.confirm(waited, 1, max_wait=4)

    assert isinstance(again, Turn)
    assert (again.at, again.wait) == (5, 4)
    assert bucket.confirm(again, 5) is again
    assert again.wait == 0


def test_a_turn_that_has_come_is_confirmed() -> None:
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)
    waited = turn(bucket, 1, 0)

    assert bucket.confirm(waited, 1) is waited
    assert (waited.at, waited.wait) == (1, 0)


@pytest.mark.parametrize(
    ("given_back", "next_at"),
    [
        ([], 9),
        ([2], 8),  # the last: all of it
        ([1], 8),  # 2, of which 1 was promised on
        ([0], 9),  # 3, all promised on
        ([2, 1], 7),
        ([1, 2], 7),
        ([0, 1, 2], 7),
    ],
)
def test_what_was_promised_on_is_not_given_back(given_back: list[int], next_at: float) -> None:
    """3, 2 and 1 wait, at 3, 5 and 6; the next asks for 3."""
    bucket = TokenBucket(1, 3)
    turn(bucket, 3, 0)
    waiting = [turn(bucket, weight, 0) for weight in (3, 2, 1)]
    assert [w.at for w in waiting] == [3, 5, 6]

    for index in given_back:
        bucket.give_back(waiting[index], 0)

    assert turn(bucket, 3, 0).at == next_at


def test_a_turn_that_has_come_cannot_be_given_back() -> None:
    """It may have been sent."""
    bucket = TokenBucket(1, 1)
    bucket.give_back(turn(bucket, 1, 0), 0)

    assert bucket.available(0) == 0


def test_a_turn_is_used_once() -> None:
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)
    one, other = turn(bucket, 1, 0), turn(bucket, 1, 0)
    bucket.give_back(other, 0)
    bucket.confirm(one, 1)

    for used in (one, other):
        for use in (bucket.give_back, bucket.confirm):
            with pytest.raises(RuntimeError, match=r"^TokenBucket: a turn can be confirmed or given back only once$"):
                use(used, 1)
    assert bucket.available(1) == 0


@pytest.mark.parametrize(
    ("feeds", "wait"),
    [
        ([], 0),
        ([(0, 100)], 0),
        ([(95, 100)], 0),  # just enough
        ([(96, 100)], 60),
        ([(96, 100), (10, 100)], 60),  # an answer that was late
        ([(96, 100), (96, 100), (96, 100)], 60),
        ([(10, 100), (96, 100)], 60),
        ([(100, 100)], 60),
        ([(150, 100)], 60),
    ],
)
def test_the_exchange_counts_what_others_send(feeds: list[tuple[float, float]], wait: float) -> None:
    bucket = TokenBucket(1, 50)
    for used, limit in feeds:
        bucket.feed(used, limit, now=0, resets_at=60)

    assert turn(bucket, 5, 0).wait == wait
    assert turn(bucket, 5, 60).wait == 0


def test_what_is_taken_since_the_report_counts() -> None:
    bucket = TokenBucket(1, 50)
    bucket.feed(90, 100, now=0, resets_at=60)

    assert [turn(bucket, 5, 1).wait for _ in range(2)] == [0, 0]
    assert bucket.take(5, 1) == Refused(59)
    assert turn(bucket, 0, 1).wait == 0


def test_a_turn_after_the_window_is_not_counted_in_it() -> None:
    bucket = TokenBucket(1, 50)
    turn(bucket, 50, 0)
    bucket.feed(99, 100, now=0, resets_at=5)

    assert turn(bucket, 7, 0).at == 7
    assert turn(bucket, 1, 0).at == 8


def test_a_full_window_holds_whoever_waits_already() -> None:
    bucket = TokenBucket(1, 1)
    turn(bucket, 1, 0)
    waiting = turn(bucket, 1, 0)

    bucket.feed(100, 100, now=0, resets_at=60)

    assert bucket.confirm(waiting, 1) == Refused(59)


@pytest.mark.parametrize("resets_at", [9, 10, math.nan, math.inf, -math.inf])
def test_a_report_of_a_window_that_is_over_is_passed_over(resets_at: float) -> None:
    bucket = TokenBucket(1, 50)

    bucket.feed(100, 100, now=10, resets_at=resets_at)

    assert turn(bucket, 5, 10).wait == 0


def test_an_old_window_is_not_prolonged_by_a_new_one() -> None:
    """The end that we know may be a little late: what was left of the old window holds until then, no longer."""
    bucket = TokenBucket(1, 50)
    bucket.feed(98, 100, now=0, resets_at=60.5)
    bucket.feed(1, 100, now=60, resets_at=120)

    assert turn(bucket, 5, 60).at == 60.5
    bucket.feed(96, 100, now=61, resets_at=120)
    assert turn(bucket, 5, 61).at == 120


def test_a_new_window_forgets_the_old_one() -> None:
    bucket = TokenBucket(1, 50)
    bucket.feed(100, 100, now=0, resets_at=60)
    bucket.feed(50, 100, now=60, resets_at=120)

    assert turn(bucket, 50, 60).wait == 0


def test_a_window_begins_where_the_last_one_ends() -> None:
    bucket = TokenBucket(1, 50)
    bucket.feed(50, 100, now=0, resets_at=60)
    bucket.feed(96, 100, now=60, resets_at=120)

    assert turn(bucket, 5, 60).at == 120


def test_two_buckets_are_two() -> None:
    assert TokenBucket(1, 1) != TokenBucket(1, 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TokenBucket(0, 1), ValueError, "TokenBucket: rate must be > 0 and finite, got 0"),
        (lambda: TokenBucket(math.inf, 1), ValueError, "TokenBucket: rate must be > 0 and finite, got inf"),
        (lambda: TokenBucket(1, -1), ValueError, "TokenBucket: burst must be > 0 and finite, got -1"),
        (lambda: TokenBucket(1, None), TypeError, "TokenBucket: burst must be a number, got None"),  # type: ignore[arg-type]
        (
            lambda: TokenBucket.at_most(10, burst=10),
            ValueError,
            "TokenBucket.at_most: limit must be > burst (10), got 10",
        ),
        (
            lambda: TokenBucket.at_most(10, 0, burst=1),
            ValueError,
            "TokenBucket.at_most: per must be > 0 seconds, got 0",
        ),
        (lambda: TokenBucket.at_most(10, burst=0), ValueError, "TokenBucket: burst must be > 0 and finite, got 0"),
    ],
)
def test_what_is_no_limit_is_refused(make: Callable[[], TokenBucket], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message
