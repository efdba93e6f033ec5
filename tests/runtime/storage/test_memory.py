"""The store in memory keeps the contract, and what it holds for as long as it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna.storage import MemoryStore, StateLockedError
from tests.runtime.storage.store_contract import StoreContract, put

if TYPE_CHECKING:
    from tests.runtime.storage.store_contract import Place


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def place(self) -> Place:
        store = MemoryStore()
        return lambda: store


def test_it_says_that_it_does_not_last() -> None:
    assert not MemoryStore().is_durable


def test_two_of_them_are_two_states() -> None:
    first, second = MemoryStore(), MemoryStore()
    first.open()
    first.commit([put("a")], 1.0)

    assert dict(second.open().entries) == {}


def test_it_never_wants_compacting() -> None:
    store = MemoryStore()
    store.open()
    for version in range(100):
        store.commit([put("a", version, bytes(100_000))], 1.0)

    assert not store.wants_compacting
    assert store.compact(1.0) is None


def test_the_second_owner_is_named_it() -> None:
    store = MemoryStore("the demo's")
    store.open()

    with pytest.raises(
        StateLockedError,
        match=r"^the state in the demo's is in use by another runtime of this process: one at a time may write it$",
    ):
        store.open()
