"""Which positions are closed, and with which order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.monitors import Position, Threshold
from duenna_actors.monitors._enforcement import Close, Enforcement

from .kit import position

BIG, SMALL = position(3), position(1)


def enforcement(default: Threshold | None = None, **by_symbol: Threshold) -> Enforcement:
    default = Threshold(quantity=2) if default is None and not by_symbol else default
    return Enforcement(default, by_symbol, settle=2.0, forget_after=300.0)


@pytest.mark.parametrize(
    ("limits", "held", "why"),
    [
        ({"quantity": 3}, position(3), ""),
        ({"quantity": 3}, position("3.001"), "quantity 3.001 is more than 3"),
        ({"quantity": "0.1"}, position("-0.2"), "quantity 0.2 is more than 0.1"),
        ({"notional": 300}, position(3), ""),
        ({"notional": 299.5}, position(-3), "notional 300 is more than 299.5"),
        ({"loss": 20}, position(2, price=90, entry_price=Decimal(100)), ""),
        ({"loss": 19}, position(2, price=90, entry_price=Decimal(100)), "loss 20 is more than 19"),
        ({"loss": 19}, position(-2, price=90, entry_price=Decimal(100)), ""),
        ({"loss": 19}, position(-2, price=110, entry_price=Decimal(100)), "loss 20 is more than 19"),
        ({"loss": 0}, position(2), ""),
        ({"quantity": 1, "notional": 1}, position(2), "quantity 2 is more than 1, notional 200 is more than 1"),
    ],
)
def test_what_is_more_than_a_threshold_is_beyond_it(limits: dict[str, Any], held: Position, why: str) -> None:
    assert Threshold(**limits).breach(held) == why


@pytest.mark.parametrize("value", [-1, float("nan"), "x", True, [], Decimal("Infinity")])
def test_a_threshold_is_a_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^Threshold: notional must be a number of at least 0, got "):
        Threshold(notional=value)


def test_a_threshold_must_be_one() -> None:
    with pytest.raises(ValueError, match=r"^Threshold: quantity, notional or loss must be given$"):
        Threshold()


def test_a_symbol_has_its_own_threshold_or_the_default_or_none() -> None:
    machine = enforcement(Threshold(quantity=5), ETHUSDT=Threshold(quantity=1))
    found = machine.take([position(2, "ETHUSDT"), position(2), position(6, "SOLUSDT")], 0)
    assert [held.symbol for held, _ in found.breached] == ["ETHUSDT", "SOLUSDT"]
    machine = enforcement(ETHUSDT=Threshold(quantity=1))
    assert machine.take([position(1_000)], 0).breached == []


def test_a_breach_begins_once_and_ends_once() -> None:
    machine = enforcement()
    assert [why for _, why in machine.take([BIG], 0).breached] == ["quantity 3 is more than 2"]
    assert machine.take([BIG], 10).breached == []
    assert machine.take([SMALL], 20).ended == [("BTCUSDT", "BTCUSDT")]
    assert machine.take([], 30).ended == []
    assert len(machine.take([BIG], 40).breached) == 1


def test_nothing_is_due_while_somebody_is_at_work() -> None:
    machine = enforcement()
    assert machine.take([BIG], 0).due == [(BIG, None)]
    machine.begin(BIG, "a")
    assert machine.take([BIG], 10).due == []


def test_an_unknown_outcome_keeps_its_order() -> None:
    machine = enforcement()
    close = machine.begin(BIG, "a")
    close.was_sent = True
    assert machine.failed(close, 5) == 1
    assert machine.take([BIG], 10).due == [(BIG, close)]
    close.is_busy = True
    assert machine.failed(close, 15) == 2
    assert machine.take([position(5)], 20).due == [(position(5), close)]


def test_a_certain_failure_gets_another_order() -> None:
    machine = enforcement()
    assert machine.failed(machine.begin(BIG, "a"), 5) == 1
    assert machine.take([BIG], 10).due == [(BIG, None)]


def test_only_a_reading_that_is_younger_than_the_order_shows_what_it_left() -> None:
    """Carried out at 5, settled at 7: a reading of 7 may not show it, one of 7.1 does."""
    machine = enforcement()
    machine.done(machine.begin(BIG, "a"), 5)
    assert machine.take([BIG], 4).due == []
    assert machine.take([BIG], 7).due == []
    found = machine.take([BIG], 7.1)
    assert (found.due, found.is_changed) == ([(BIG, None)], True)


def test_what_is_gone_needs_no_order() -> None:
    machine = enforcement()
    machine.done(machine.begin(BIG, "a"), 5)
    assert machine.take([], 5).is_changed is False
    assert machine.take([], 5.1).is_changed is True
    assert machine.closes == {}


def test_an_unknown_order_is_kept_a_while_though_its_position_is_small() -> None:
    machine = enforcement()
    machine.restore([(BIG, "a")], 0)
    assert machine.take([SMALL], 300).is_changed is False
    assert machine.take([BIG], 300).due == [(BIG, Close(BIG, "a", was_sent=True, tried_at=0))]
    assert machine.take([SMALL], 300.1).is_changed is True
    assert machine.take([BIG], 301).due == [(BIG, None)]


def test_an_order_that_is_under_way_is_never_forgotten() -> None:
    machine = enforcement()
    machine.begin(BIG, "a")
    machine.take([], 10_000)
    assert list(machine.closes) == ["BTCUSDT"]


def test_failures_in_a_row_are_counted_until_one_is_carried_out() -> None:
    machine = enforcement()
    machine.take([BIG], 0)
    assert [machine.failed(machine.begin(BIG, "a"), 1) for _ in range(3)] == [1, 2, 3]
    machine.done(machine.begin(BIG, "a"), 1)
    assert machine.failed(machine.begin(BIG, "a"), 1) == 1
    machine.take([], 10)
    machine.take([BIG], 10)
    assert machine.failed(machine.begin(BIG, "a"), 11) == 1


@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.integers(-4, 4), st.sampled_from(["leave", "done", "unknown", "certain"])),
        max_size=60,
    )
)
def test_there_is_one_order_until_its_fate_is_known(moves: list[tuple[float, int, str]]) -> None:
    """Whatever happens: a new id only when the last one was carried out, certainly failed, or is long over."""
    machine, now, numbers = enforcement(), 0.0, iter(range(1_000))
    open_close: Close | None = None
    for wait, quantity, fate in moves:
        now += wait
        for held, pending in machine.take([position(quantity)] if quantity else [], now).due:
            if pending is None:
                assert (
                    open_close is None
                    or open_close.done_at is not None
                    or not open_close.was_sent
                    or (now > open_close.tried_at + 300)
                )
                open_close = machine.begin(held, str(next(numbers)))
            else:
                assert pending is open_close
                pending.is_busy = True
        if open_close is not None and open_close.is_busy:
            if fate == "done":
                machine.done(open_close, now)
            elif fate != "leave":
                open_close.was_sent = fate == "unknown"
                machine.failed(open_close, now)
    assert len(machine.closes) <= 1
