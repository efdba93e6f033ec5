"""Whether silent streams are the fault of their websocket."""

from __future__ import annotations

from duenna_actors.binance._silence import Silence

FEW, MANY = ["a"], ["b", "c", "d", "e"]


def test_a_stream_that_falls_silent_may_be_the_websockets_fault() -> None:
    assert Silence().is_websockets(FEW, MANY, 0.0)


def test_what_is_silent_again_on_the_next_websocket_is_not() -> None:
    silence = Silence()
    silence.given_up(FEW, 0.0)

    assert not silence.is_websockets(FEW, MANY, 10.0)
    assert not silence.is_websockets(FEW, MANY, 100_000.0)


def test_when_nothing_delivers_it_is_always_the_websocket() -> None:
    silence = Silence()
    silence.given_up(FEW, 0.0)

    assert silence.is_websockets(FEW, [], 10.0)


def test_for_a_few_of_many_a_websocket_is_given_up_once_an_hour() -> None:
    silence = Silence()
    silence.given_up(FEW, 0.0)

    assert not silence.is_websockets(["a", "f"], MANY, 3599.0)
    assert silence.is_websockets(["a", "f"], MANY, 3600.0)


def test_for_more_than_deliver_it_is_given_up_at_once() -> None:
    silence = Silence()
    silence.given_up(FEW, 0.0)

    assert not silence.is_websockets(["a", "f"], ["b"], 10.0)
    assert silence.is_websockets(["a", "f", "g"], ["b"], 10.0)


def test_what_has_delivered_since_counts_again() -> None:
    by_message, by_state = Silence(), Silence()
    for silence in (by_message, by_state):
        silence.given_up(FEW, 0.0)

    by_message.delivers("a")
    by_state.is_websockets(["b"], ["a"], 10.0)

    assert by_message.is_websockets(FEW, MANY, 3600.0)
    assert by_state.is_websockets(FEW, MANY, 3600.0)
