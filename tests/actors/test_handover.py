"""From one websocket to the next: no gap, no message twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duenna_actors._handover import Handover
from duenna_actors.feed_protocol import Data


def data(order: int | None, key: str = "a") -> Data:
    return Data(key, order, None, order)


def test_the_present_line_passes() -> None:
    handover = Handover()
    handover.start("old")

    assert handover.offer("old", data(1))
    assert handover.offer("old", data(None))
    assert not handover.offer("stranger", data(2))


def test_the_next_line_is_held_until_the_present_one_has_caught_up_with_it() -> None:
    handover = Handover()
    handover.start("old")
    handover.offer("old", data(5))
    handover.prepare("new")

    assert not handover.offer("new", data(7))
    assert not handover.is_ready(["a"])
    handover.offer("old", data(6))
    assert not handover.is_ready(["a"])
    handover.offer("old", data(7))

    assert handover.is_ready(["a"])


def test_after_the_switch_nothing_comes_twice() -> None:
    handover = Handover()
    handover.start("old")
    handover.prepare("new")
    for order in (3, 4, 5):
        handover.offer("new", data(order))
    for order in (1, 2, 3, 4):
        handover.offer("old", data(order))

    assert [held.order for held in handover.switch()] == [5]
    assert not handover.offer("old", data(5))
    assert handover.offer("new", data(6))


def test_a_new_line_that_lags_behind_repeats_nothing() -> None:
    handover = Handover()
    handover.start("old")
    handover.prepare("new")
    handover.offer("new", data(3))
    for order in (3, 4, 5, 6):
        handover.offer("old", data(order))

    assert list(handover.switch()) == []
    assert [handover.offer("new", data(order)) for order in (4, 5, 6, 7)] == [False, False, False, True]


def test_an_exchange_that_counts_anew_is_believed_in_the_end() -> None:
    """Otherwise a feed would be silent for ever after a maintenance."""
    handover = Handover()
    handover.start("old")
    handover.offer("old", data(900))
    handover.prepare("new")
    handover.offer("new", data(1))
    assert list(handover.switch()) == []
    assert not handover.offer("new", data(2))

    handover.settle()

    assert handover.offer("new", data(3))


def test_what_has_no_number_is_passed_on_from_the_next_line() -> None:
    handover = Handover()
    handover.start("old")
    handover.prepare("new")
    handover.offer("new", data(None))

    assert handover.is_ready(["a"])
    assert len(list(handover.switch())) == 1


def test_a_key_that_the_next_line_does_not_deliver_is_not_ready() -> None:
    handover = Handover()
    handover.start("old")
    handover.prepare("new")
    handover.offer("new", data(1, "a"))
    handover.offer("old", data(1, "a"))

    assert handover.is_ready(["a"])
    assert not handover.is_ready(["a", "b"])


def test_abandoned_the_present_line_goes_on() -> None:
    handover = Handover()
    handover.start("old")
    handover.prepare("new")
    handover.offer("new", data(1))

    handover.abandon()

    assert handover.offer("old", data(1))
    assert not handover.offer("new", data(2))


def test_held_messages_are_bounded_and_the_lost_ones_counted() -> None:
    handover = Handover(capacity=2)
    handover.start("old")
    handover.prepare("new")
    for order in range(5):
        handover.offer("new", data(order))

    assert [held.order for held in handover.switch()] == [3, 4]
    assert handover.lost == 3


@given(
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_whatever_the_interleaving_every_message_comes_once(begins: int, extra: int, turns: list[bool]) -> None:
    """The old line delivers 0.., the new one from *begins* on; the switch comes as soon as it may."""
    old, new = iter(range(begins + 1)), iter(range(begins, begins + extra + 1))
    handover = Handover()
    handover.start("old")
    handover.prepare("new")
    delivered: list[int | None] = []
    switched = False
    for turn in [*turns, *[True] * 30, *[False] * 30]:
        order = next(old if turn else new, None)
        if order is not None and handover.offer("old" if turn else "new", data(order)):
            delivered.append(order)
        if not switched and handover.is_ready(["a"]):
            switched = True
            delivered.extend(held.order for held in handover.switch())

    assert switched
    assert delivered == list(range(begins + extra + 1))
