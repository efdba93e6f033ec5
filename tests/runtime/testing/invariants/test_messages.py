"""Rules 2, 3 and 4: no message vanishes, is handled twice, overtakes another or has no room."""

from __future__ import annotations

import pytest

from duenna.testing.invariants import MailboxBound, MessageLife, MessageOrder

from .support import Story

# -- 2: no message vanishes --------------------------------------------------------


@pytest.mark.parametrize(
    "life",
    [
        ["sent", "received", "handled"],
        ["sent", "dropped"],
        ["sent", "dead_letter"],
        ["sent", "received", "dead_letter"],
        ["sent", "received", "stashed", "redelivered", "received", "handled"],
        ["sent", "received", "stashed", "redelivered", "dead_letter"],
    ],
)
def test_a_life_with_one_end_is_right(life: list[str]) -> None:
    story = Story()
    for kind in life:
        if kind == "stashed":
            story.letter("handled", 1, outcome="stashed")
        else:
            story.letter(kind, 1, **({"outcome": "done"} if kind == "handled" else {}))

    assert story.add("runtime_stopped", "/").found(MessageLife()) == []


def test_a_message_that_vanishes_is_found() -> None:
    story = Story().at(2.0).letter("sent", 1).letter("received", 1).at(9.0).add("runtime_stopped", "/")

    assert story.found(MessageLife()) == [
        (
            "message_life: 9.000 s, record 3, /bot/a: message 1 from /bot/b (Order), sent at 2.000 s (record 1), was "
            "received at 2.000 s (record 2): it has vanished: the runtime has stopped, and nobody said what became "
            "of it"
        )
    ]


def test_a_message_that_is_handled_twice_is_found() -> None:
    story = Story().letter("sent", 1).letter("received", 1).letter("handled", 1, outcome="done").letter("received", 1)

    assert story.found(MessageLife()) == [
        (
            "message_life: 0.000 s, record 4, /bot/a: message 1 from /bot/b (Order) is received, but was never sent, "
            "or has come to its end before"
        )
    ]


def test_a_message_that_skips_a_step_is_found() -> None:
    story = Story().letter("sent", 1, sender="").letter("handled", 1, sender="", outcome="done")

    assert story.found(MessageLife()) == [
        (
            "message_life: 0.000 s, record 2, /bot/a: message 1 from outside (Order), sent at 0.000 s (record "
            "1), was sent at 0.000 s (record 1): now it is handled"
        )
    ]


def test_two_messages_of_one_number_are_found() -> None:
    assert "another of the same number" in Story().letter("sent", 1).letter("sent", 1).found(MessageLife())[0]


def test_the_event_that_counts_dead_letters_is_none() -> None:
    assert Story().add("dead_letter", "/bot/a", message_type="Order", why="", count=2).found(MessageLife()) == []


def test_a_mailbox_may_be_full_where_a_trace_ends() -> None:
    assert Story().letter("sent", 1).found(MessageLife()) == []


# -- 3: in order -------------------------------------------------------------------


def received(*numbers: int, overflow: str = "fail") -> Story:
    story = Story().worker("/bot/a", overflow=overflow).at(1.0)
    for number in numbers:
        story.letter("received", number)
    return story


def test_growing_numbers_are_right() -> None:
    assert received(1, 2, 5).letter("received", 1, sender="/bot/c").found(MessageOrder()) == []


def test_a_message_that_overtakes_is_found() -> None:
    assert received(2, 1).found(MessageOrder()) == [
        (
            "message_order: 1.000 s, record 3, /bot/a: it receives message 1 from /bot/b (Order) after message 2 "
            "(record 2, 1.000 s), which was sent later"
        )
    ]


def test_what_was_stashed_may_come_late() -> None:
    assert received(1, 2).letter("redelivered", 1).letter("received", 1).found(MessageOrder()) == []


def test_it_may_come_late_once_for_each_stash() -> None:
    story = received(1, 2).letter("redelivered", 1).letter("received", 1).letter("received", 1)

    assert len(story.found(MessageOrder())) == 1


def test_a_mailbox_of_latest_messages_has_its_own_order() -> None:
    assert received(2, 1, overflow="latest").found(MessageOrder()) == []


def test_a_child_that_is_added_again_is_another() -> None:
    assert received(2).add("child_removed", "/bot/a").letter("received", 1).found(MessageOrder()) == []


# -- 4: bounded --------------------------------------------------------------------


def test_a_full_mailbox_is_right() -> None:
    assert Story().bot("a").letter("sent", 1, length=3).letter("received", 1).found(MailboxBound()) == []


@pytest.mark.parametrize("follows", [True, False])
def test_one_too_many_is_found(follows: bool) -> None:
    story = Story().bot("a").letter("sent", 1, length=4)
    if follows:
        story.at(1.0).letter("received", 1)

    assert story.found(MailboxBound()) == [
        (
            "mailbox_bound: 0.000 s, record 3, /bot/a: message 1 from /bot/b (Order) makes 4 in a mailbox of 3, "
            "and nothing is dropped"
        )
    ]


@pytest.mark.parametrize("kind", ["dropped", "dead_letter"])
def test_a_message_that_does_not_get_in_is_none_too_many(kind: str) -> None:
    """Down notices and what came back from the stash may fill a mailbox beyond its bound."""
    assert Story().bot("a").letter("sent", 1, length=4).letter(kind, 1).found(MailboxBound()) == []


def test_a_message_that_takes_the_place_of_another_is_none_too_many() -> None:
    assert Story().bot("a").letter("dropped", 1).letter("sent", 2, length=4).found(MailboxBound()) == []


def test_the_drop_of_another_mailbox_makes_no_room() -> None:
    story = Story().bot("a", "b").letter("dropped", 1, path="/bot/b").letter("sent", 2, length=4)

    assert len(story.found(MailboxBound())) == 1
