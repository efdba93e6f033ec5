"""The key figures, their targets, and the time to recovery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.kpis import MOST_RECOVERIES, Kpi, Outages, kpi, kpis


@pytest.mark.parametrize(
    ("name", "value", "met"),
    [
        ("error_rate", 0.99, True),
        ("error_rate", 1.0, False),
        ("success_rate", 99.0, False),
        ("success_rate", 99.1, True),
        ("success_rate", None, True),
        ("breaker_opens", 0.0, True),
        ("breaker_opens", 1.0, False),
        ("mean_time_to_recovery", 299.9, True),
        ("mean_time_to_recovery", 300.0, False),
        ("mean_time_to_recovery", None, True),
        ("error_diversity", 5.0, True),
        ("error_diversity", 6.0, False),
    ],
)
def test_targets(name: str, value: float | None, met: bool) -> None:
    assert kpi(name, value).met is met


def test_the_figures_of_a_quiet_bot_are_all_met() -> None:
    found = kpis(recent_errors=0, successes=0, calls=0, opens=0, recovery=None, types=0)

    assert [(each.name, each.value, each.met) for each in found] == [
        ("error_rate", 0.0, True),
        ("success_rate", None, True),
        ("breaker_opens", 0.0, True),
        ("mean_time_to_recovery", None, True),
        ("error_diversity", 0.0, True),
    ]


def test_the_figures_of_a_bad_day() -> None:
    """The error rate is that of five minutes."""
    found = kpis(recent_errors=10, successes=97, calls=100, opens=2, recovery=400.0, types=7)

    assert [(each.value, each.met) for each in found] == [
        (2.0, False),
        (97.0, False),
        (2.0, False),
        (400.0, False),
        (7.0, False),
    ]


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (kpi("success_rate", 97.5), "success_rate 97.5 % (target > 99): not met"),
        (kpi("mean_time_to_recovery", None), "mean_time_to_recovery - s (target < 300): met"),
    ],
)
def test_a_figure_is_a_line(figure: Kpi, line: str) -> None:
    assert figure.text() == line


def test_the_mean_of_recoveries() -> None:
    outages = Outages()
    outages.begin("a", 10.0)
    outages.begin("b", 20.0)
    outages.begin("a", 25.0)
    outages.end("a", 30.0)
    outages.end("b", 30.0)
    outages.end("c", 30.0)

    assert outages.mean(100.0) == 15.0
    assert outages.names == ()


def test_what_a_person_put_down_is_no_outage() -> None:
    outages = Outages()
    outages.begin("a", 10.0)
    outages.forget("a")
    outages.forget("b")
    outages.end("a", 30.0)

    assert outages.mean(100.0) is None


@pytest.mark.parametrize(("now", "mean"), [(100.0, 10.0), (110.0, 10.0), (130.0, 20.0)])
def test_an_outage_that_lasts_counts_once_it_is_longer_than_the_mean(now: float, mean: float) -> None:
    outages = Outages()
    outages.begin("a", 0.0)
    outages.end("a", 10.0)
    outages.begin("b", 100.0)

    assert outages.mean(now) == mean
    assert outages.names == ("b",)


def test_the_first_outage_counts_while_it_lasts() -> None:
    outages = Outages()
    outages.begin("a", 5.0)

    assert outages.mean(65.0) == 60.0


def test_old_recoveries_are_forgotten() -> None:
    outages = Outages()
    for start, lasts in [(0.0, 1000.0), *[(2000.0, 5.0)] * MOST_RECOVERIES]:
        outages.begin("a", start)
        outages.end("a", start + lasts)

    assert outages.mean(9999.0) == 5.0


@given(
    st.lists(st.tuples(st.sampled_from(["begin", "end", "forget"]), st.sampled_from("abc"), st.integers(0, 100))),
)
def test_the_mean_is_within_what_was_measured(steps: list[tuple[str, str, int]]) -> None:
    """Never below the mean of what is over, never above the longest outage."""
    outages, now, lasted, began = Outages(), 0.0, list[float](), dict[str, float]()
    for what, name, wait in steps:
        now += wait
        if what == "begin":
            outages.begin(name, now)
            began.setdefault(name, now)
        elif what == "end":
            outages.end(name, now)
            if name in began:
                lasted.append(now - began.pop(name))
        else:
            outages.forget(name)
            began.pop(name, None)
    found = outages.mean(now)
    everything = [*lasted, *(now - each for each in began.values())]

    if found is None:
        assert not everything
    else:
        assert found <= max(everything) + 1e-9
        assert not lasted or found >= sum(lasted) / len(lasted) - 1e-9
