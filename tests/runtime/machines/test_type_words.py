"""What a type's name adds to the words of its text."""

from __future__ import annotations

import pytest

from duenna.machines.type_words import words_of_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ccxt.base.errors.InsufficientFunds", "@ccxt insufficient funds"),
        ("InsufficientFunds", "insufficient funds"),
        ("httpx.HTTPError", "@httpx"),
        ("ValueError", "@plain"),
        ("OSError", "@plain"),
        ("Exception", ""),
        ("pybit.exceptions.InvalidRequestError", "@pybit"),
        ("kraken.InvalidNonceError", "@kraken invalid nonce"),
        ("", ""),
    ],
)
def test_words_of_a_type(name: str, expected: str) -> None:
    assert words_of_type(name) == expected
