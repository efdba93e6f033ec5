"""The overloaded server is right about time and bounds, and its judge about who has recovered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.kit import load

brownout = load("_brownout")

CALM = brownout.Scenario(capacity=10.0, browned=1.0, begins=2.0, lasts=4.0, after=4.0, queue=5, judged=4.0)
"""Ten requests a second, one a second from 2 to 6 s, five may wait."""


def test_an_idle_server_takes_the_time_of_one_request() -> None:
    server = brownout.Server(CALM)

    assert server.offer(1.0) == pytest.approx(1.1)
    assert server.waiting(1.05) == 1
    assert server.waiting(1.1) == 0


def test_requests_are_served_one_after_the_other() -> None:
    server = brownout.Server(CALM)

    assert [server.offer(1.0) for _ in range(3)] == pytest.approx([1.1, 1.2, 1.3])


def test_the_queue_has_a_bound() -> None:
    """One is under way, five wait; there is room again when the first is done."""
    server = brownout.Server(CALM)

    assert [server.offer(0.0) is None for _ in range(7)] == [False] * 6 + [True]
    assert server.offer(0.1) == pytest.approx(0.7)


def test_a_request_under_way_when_the_brownout_begins_takes_longer() -> None:
    """Half of it is done at the old pace, half at the new."""
    assert brownout.Server(CALM).offer(1.95) == pytest.approx(2.5)


def test_a_request_under_way_when_the_brownout_ends_is_soon_done() -> None:
    assert brownout.Server(CALM).offer(5.5) == pytest.approx(6.05)


def test_an_idle_server_saves_nothing_up() -> None:
    """The time in which it was idle is lost."""
    server = brownout.Server(CALM)
    server.offer(0.0)

    assert [server.offer(7.0), server.offer(7.0)] == pytest.approx([7.1, 7.2])


def calls(*seconds: tuple[int, int]) -> list[tuple[float, float, bool]]:
    """Return ten calls in each second after the brownout, of which so many succeed."""
    return [(6.0 + second + n / 10, 0.1, n < good) for second, good in seconds for n in range(10)]


@pytest.mark.parametrize(
    ("goods", "expected"),
    [
        ([10, 10, 10, 10], 0.0),
        ([0, 10, 10, 10], 1.0),
        ([10, 10, 0, 10], 3.0),
        ([0, 0, 0, 0], None),
        ([10, 10, 10, 0], None),
        ([9, 10, 10, 10], 1.0),
    ],
    ids=["at once", "after a second", "after a relapse", "never", "relapsed at the end", "nine of ten are too few"],
)
def test_recovered_is_who_stays_healthy(goods: list[int], expected: float | None) -> None:
    assert brownout.recovery(CALM, calls(*enumerate(goods))) == expected


def test_calls_before_the_end_of_the_brownout_say_nothing_of_the_recovery() -> None:
    sick = [(5.9, 0.1, False), (0.5, 0.1, False)]

    assert brownout.recovery(CALM, [*sick, *calls((0, 10), (1, 10))]) == 0.0


def test_an_exact_share_is_healthy() -> None:
    made = [(6.0 + n / 20, 0.1, n < 19) for n in range(20)]

    assert brownout.recovery(CALM, made) == 0.0


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([1.0], 0.99, 1.0), (list(range(1, 101)), 0.99, 99), (list(range(1, 101)), 1.0, 100), ([3, 1, 2], 0.5, 2)],
)
def test_a_percentile_is_one_of_the_values(values: list[Any], share: float, expected: float) -> None:
    assert brownout.percentile(values, share) == expected


def test_a_result_counts_the_brownout_and_what_follows() -> None:
    """Of 2..6 s, and of the 4 s judged after it; nothing of before or later."""
    tally = brownout.Tally(
        sent=[1.0, 2.0, 3.0, 9.0, 10.0],
        served=[(1.0, True), (2.5, True), (3.0, False), (9.9, False), (10.0, True)],
        calls=[(1.0, 0.5, True), (2.0, 1.0, True), (3.0, 4.0, False), (7.0, 0.1, True), (8.0, 0.1, True)],
    )

    result = brownout.result_of(CALM, tally)

    assert (result.goodput, result.sends, result.p99) == (1 / 4, 3 / 4, 4.0)
    assert result.succeeded == 3 / 4
    assert result.wasted == pytest.approx(2 / 3)
    assert result.recovered == 0.0


def test_what_succeeds_after_the_brownout_is_no_goodput_of_it() -> None:
    tally = brownout.Tally(sent=[2.0], served=[(6.0, True)], calls=[(2.0, 4.0, True)])

    assert brownout.result_of(CALM, tally).goodput == 0.0
