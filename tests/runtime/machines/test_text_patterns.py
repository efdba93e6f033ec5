"""Patterns over words: what they mean, what is refused, and that their cost is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.text_patterns import MOST_WORDS, PatternIndex, parse_pattern, words


def found(pattern: str, text: str) -> bool:
    return PatternIndex([parse_pattern(pattern)]).found(words(text)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orderNotFound", "order not found"),
        ("ORDER_NOT_FOUND", "order not found"),
        ("Order not found!", "order not found"),
        ("EOrder:Insufficient funds", "e order insufficient funds"),
        ("APIKey invalid", "api key invalid"),
        ("don't", "dont"),
        ("waited 1000ms", "waited 1000 ms"),
        ("", ""),
        ("\u4f59\u989d\u4e0d\u8db3", ""),
    ],
)
def test_a_text_is_its_words(text: str, expected: str) -> None:
    """However it is spelt."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("insufficient balance", "Insufficient available balance", True),
        ("insufficient balance", "balance: insufficient", True),
        ("insufficient balance", "insufficient", False),
        ("insufficient|low balance|funds", "funds are low", True),
        ("suspend*", "trading suspended", True),
        ("suspend*", "sus pend", False),
        ("not-found", "order not found", True),
        ("not-found", "found not", False),
        ("not-found", "not to be found", False),
        ("does-not-exist*", "it does not existed", True),
        ("does-not-exist", "it does not existed", False),
        ("no-such-file", "no such thing", False),
        ("order !market", "order refused", True),
        ("order !market|index", "index order refused", False),
        ("order !not-found", "order not found", False),
        ("@silent", "silent", False),
    ],
)
def test_a_pattern_fits(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text) is expected


def test_every_pattern_that_fits_is_told() -> None:
    index = PatternIndex([parse_pattern(text) for text in ("a1 b", "order", "order found", "order !found")])

    assert index.found(words("order found")) == 0b0110
    assert index.found(words("nothing")) == 0


def test_an_index_of_nothing_finds_nothing() -> None:
    assert PatternIndex([]).found("order") == 0


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "one group at least that does not begin with '!', got ''"),
        ("!order", "one group at least that does not begin with '!', got '!order'"),
        ("Order", "words in lower case, joined by '-', parted by '|', a stem ending in '*', got 'Order'"),
        ("(a+)+$", "words in lower case, joined by '-', parted by '|', a stem ending in '*', got '(a+)+$'"),
        ("a||b", "words in lower case, joined by '-', parted by '|', a stem ending in '*', got 'a||b'"),
        ("n*", "stems of at least 2 letters, got 'n*'"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_pattern(pattern)

    assert str(caught.value) == message


def test_what_is_remembered_is_bounded() -> None:
    """Made-up words, as in ids and addresses, do not fill the memory, and long ones are not kept at all."""
    index = PatternIndex([parse_pattern("not-found"), parse_pattern("order")])

    for number in range(MOST_WORDS + 10):
        index.found(f"w{number} not w{number}")
    index.found("x" * 1_000)
    index.found("not " + "x" * 1_000)

    assert len(index._known) <= MOST_WORDS
    assert len(index._pairs) <= MOST_WORDS
    assert all(len(word) <= 32 for word in index._known)


@given(
    st.text(), st.lists(st.sampled_from(["order", "not-found", "suspend*", "order !not-found", "a b|c d"]), unique=True)
)
def test_many_patterns_find_what_each_finds_alone(text: str, patterns: list[str]) -> None:
    together = PatternIndex([parse_pattern(pattern) for pattern in patterns]).found(words(text))

    assert together == sum(found(pattern, text) << number for number, pattern in enumerate(patterns))
