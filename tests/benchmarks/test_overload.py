"""A small fleet behaves under each policy as the large one of the benchmark does, and the same seed is the same run."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.benchmarks.kit import load

overload = load("overload")
fleet = load("_fleet")
brownout = load("_brownout")

SMALL = brownout.Scenario(
    rate=40.0, processes=4, capacity=50.0, browned=5.0, begins=5.0, lasts=20.0, queue=100, after=25.0, judged=15.0
)
"""The scenario of the benchmark, a tenth of everything."""


def result(recovered: float | None, **figures: float) -> Any:
    given = {"goodput": 1.0, "succeeded": 0.5, "wasted": 0.25, "sends": 2.0, "p99": 3.0} | figures
    return brownout.Result(**given, recovered=recovered)


@pytest.mark.parametrize("policy", [policy for policy in fleet.POLICIES if policy.recovers])
def test_the_defaults_recover(policy: Any) -> None:
    assert fleet.simulate(SMALL, policy, 0).recovered <= overload.LIMIT


def test_attempts_and_jitter_alone_do_not_recover() -> None:
    found = fleet.simulate(SMALL, fleet.JITTER, 0)

    assert found.recovered is None
    assert found.wasted > 0.9


def test_without_a_retry_each_call_is_sent_once() -> None:
    found = fleet.simulate(SMALL, fleet.NO_RETRY, 0)

    assert (found.sends, found.p99) == (1.0, 1.0)


@pytest.mark.parametrize("title", [fleet.DEFAULTS.title, "3 attempts, budget, throttle over 10 s"])
def test_the_same_seed_is_the_same_run(title: str) -> None:
    """Also the second time in one process: nothing is left of the first."""
    policy = next(policy for policy in fleet.POLICIES if policy.title == title)
    short = attrs.evolve(SMALL, lasts=8.0, after=6.0, judged=6.0)
    first, second = (fleet.simulate(short, policy, 7) for _ in range(2))

    assert first == second
    assert fleet.simulate(short, policy, 8) != first


def test_rejections_that_are_retried_are_told_apart_from_the_servers() -> None:
    """The outer guard waits its own backoff, not the breaker's opening, and then is refused or served."""
    policy = next(policy for policy in fleet.POLICIES if "3 attempts, breaker whose rejections" in policy.title)

    found = fleet.simulate(SMALL, policy, 0)

    assert found.p99 > fleet.simulate(SMALL, fleet.DEFAULTS, 0).p99


def test_a_median_is_of_a_column_and_the_recovery_is_the_worst() -> None:
    results = [result(3.0, p99=1.0), result(5.0, p99=9.0), result(4.0, p99=2.0)]

    assert overload.middle(results) == result(5.0, p99=2.0)
    assert overload.middle([*results, result(None)]).recovered is None


def test_complaints_name_the_run() -> None:
    first, many = brownout.Scenario(), brownout.Scenario(processes=400)
    results = {
        (first, fleet.DEFAULTS.title): result(11.0),
        (many, fleet.DEFAULTS.title): result(None),
        (first, fleet.JITTER.title): result(20.0),
        (many, fleet.JITTER.title): result(20.0),
        (first, fleet.BUDGET.title): result(None),
    }

    assert overload.complaints(results) == [
        f"{fleet.DEFAULTS.title}, 400 calls per second, 10 processes: recovered after 11 s, must within 10 s",
        f"{fleet.DEFAULTS.title}, 400 calls per second, 400 processes: recovered never, must within 10 s",
        "3 attempts, full jitter, 400 calls per second, 10 processes: recovered after 20 s, must never",
    ]


def test_the_table_is_markdown() -> None:
    made = overload.table(SMALL, {"a": result(4.0), "b": result(None)}, "who")

    assert made == (
        "| who | answered per second | succeeded | work wasted | sends per call | p99, s | recovered after, s |\n"
        "|---|--:|--:|--:|--:|--:|--:|\n"
        "| a | 1.0 | 50% | 25% | 2.00 | 3.00 | 4 |\n"
        "| b | 1.0 | 50% | 25% | 2.00 | 3.00 | not within 25 |"
    )


def test_the_page_is_written_between_its_marks() -> None:
    page = "before\n<!-- made by benchmarks/overload.py -->\nold\n\nolder\n<!-- end of overload -->\nafter\n"

    made = overload.written(page, r"new \1")

    assert made == "before\n<!-- made by benchmarks/overload.py -->\nnew \\1\n<!-- end of overload -->\nafter\n"
    assert overload.written(made, r"new \1") == made


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^docs/guards\.md: one block between the marks .* is expected, found 0$"):
        overload.written("no marks", "new")
