"""What every store promises: one suite for all of them.

A subclass gives the fixture `place`: a function that makes a store of the same state each time that it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duenna.storage import Change, Entry, StateLockedError, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Place: TypeAlias = "Callable[[], Store]"
Step: TypeAlias = "dict[str, Entry | None] | str"


def entry(version: int = 1, data: bytes = b"\x80", *, kind: str = "Ledger", money: bool = False) -> Entry:
    """Return an entry of no importance."""
    return Entry(kind=kind, schema=1, version=version, at=1_764_000_000.0 + version, data=data, money=money)


def put(key: str, version: int = 1, data: bytes = b"\x80") -> Change:
    """Return the change that sets *key*."""
    return Change(key, entry(version, data))


def gone(key: str) -> Change:
    """Return the change that removes *key*."""
    return Change(key, None)


def keys() -> st.SearchStrategy[str]:
    """Any key: short, so that they meet again, or any text that UTF-8 has."""
    return st.sampled_from(["actor:/a", "actor:/b", "part:guards", ""]) | st.text(
        st.characters(exclude_categories=["Cs"]), max_size=20
    )


def entries() -> st.SearchStrategy[Entry]:
    """Any entry."""
    return st.builds(
        Entry,
        kind=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        schema=st.integers(1, 2**31),
        version=st.integers(1, 2**53),
        at=st.floats(allow_nan=False),
        data=st.binary(max_size=60),
        money=st.booleans(),
    )


def steps() -> st.SearchStrategy[list[Step]]:
    """What an owner may do with a store, one thing after the other: changes to commit, or a word."""
    changes = st.dictionaries(keys(), st.none() | entries(), min_size=1, max_size=4)
    return st.lists(changes | st.sampled_from(["compact", "reopen", "reopen in order"]), max_size=12)


def apply(state: dict[str, Entry], changes: Iterable[Change]) -> None:
    """Do to *state* what *changes* say."""
    for change in changes:
        if change.entry is None:
            state.pop(change.key, None)
        else:
            state[change.key] = change.entry


class StoreContract:
    """The suite.

    Attributes:
        examples: How many random lives a state has.
    """

    examples: ClassVar[int] = 40

    def test_a_new_store_is_empty(self, place: Place) -> None:
        store = place()

        loaded = store.open()
        store.close(1.0, is_clean=True)

        assert (dict(loaded.entries), loaded.seq, loaded.existed, loaded.was_clean) == ({}, 0, False, False)
        assert (loaded.saved_at, loaded.damages, loaded.is_complete) == (None, (), True)

    def test_what_was_committed_is_there_again(self, place: Place) -> None:
        store = place()
        store.open()
        store.commit([put("actor:/a"), put("actor:/b"), put("actor:/c")], 5.0)
        store.commit([put("actor:/a", 2), gone("actor:/b")], 7.5)
        store.close(8.0, is_clean=False)

        store = place()
        loaded = store.open()
        store.close(9.0, is_clean=False)

        assert dict(loaded.entries) == {"actor:/a": entry(2), "actor:/c": entry()}
        assert (loaded.seq, loaded.existed, loaded.saved_at, loaded.damages) == (2, True, 7.5, ())

    def test_commits_are_counted_over_all_lives(self, place: Place) -> None:
        numbers = []
        for _ in range(3):
            store = place()
            store.open()
            numbers += [store.commit([put("a")], 1.0), store.commit([gone("nothing")], 1.0)]
            store.compact(1.0)
            store.close(1.0, is_clean=True)

        assert numbers == [1, 2, 3, 4, 5, 6]

    def test_what_was_loaded_stays_as_it_was(self, place: Place) -> None:
        store = place()
        store.open()
        store.commit([put("a")], 1.0)
        store.close(1.0, is_clean=True)

        store = place()
        loaded = store.open()
        store.commit([put("a", 2), put("b")], 1.0)
        store.close(1.0, is_clean=True)

        assert dict(loaded.entries) == {"a": entry()}

    @pytest.mark.parametrize("is_clean", [False, True])
    def test_an_orderly_end_is_told(self, place: Place, is_clean: bool) -> None:
        store = place()
        store.open()
        store.commit([put("a")], 1.0)
        store.close(1.0, is_clean=is_clean)

        store = place()
        loaded = store.open()
        store.close(1.0, is_clean=False)

        assert loaded.was_clean is is_clean

    @pytest.mark.parametrize("is_compacted", [False, True])
    def test_an_orderly_end_is_of_one_life_only(self, place: Place, is_compacted: bool) -> None:
        for is_clean in (True, False):
            store = place()
            store.open()
            store.commit([put("a")], 1.0)
            if is_compacted:
                store.compact(1.0)
            store.close(1.0, is_clean=is_clean)

        store = place()
        loaded = store.open()
        store.close(1.0, is_clean=False)

        assert not loaded.was_clean

    def test_it_has_one_owner(self, place: Place) -> None:
        """Whoever comes second is told who has it, and finds it as it is once the first has let go."""
        store, second = place(), place()
        store.open()
        store.commit([put("a")], 1.0)

        with pytest.raises(StateLockedError) as caught:
            second.open()

        assert caught.value.store == store.name
        assert caught.value.owner
        store.commit([put("b")], 1.0)
        store.close(1.0, is_clean=True)
        assert set(second.open().entries) == {"a", "b"}
        second.close(1.0, is_clean=True)

    def test_an_object_may_live_twice(self, place: Place) -> None:
        store = place()
        store.open()
        store.commit([put("a")], 1.0)
        store.close(1.0, is_clean=False)

        loaded = store.open()
        number = store.commit([put("b")], 2.0)
        store.close(2.0, is_clean=True)

        assert (dict(loaded.entries), loaded.was_clean, number) == ({"a": entry()}, False, 2)
        assert set(store.open().entries) == {"a", "b"}
        store.close(3.0, is_clean=True)

    def test_compacting_changes_nothing(self, place: Place) -> None:
        store = place()
        store.open()
        store.compact(1.0)
        for version in range(1, 30):
            store.commit([put("a", version), put(f"b{version}"), gone(f"b{version - 1}")], float(version))
        compacted = store.compact(30.0)
        store.commit([put("c")], 31.0)
        store.close(32.0, is_clean=False)

        store = place()
        loaded = store.open()
        store.close(33.0, is_clean=False)

        assert dict(loaded.entries) == {"a": entry(29), "b29": entry(), "c": entry()}
        assert (loaded.seq, loaded.saved_at) == (30, 31.0)
        assert compacted is None or compacted.entries == 2

    def test_a_state_of_nothing_is_a_state(self, place: Place) -> None:
        store = place()
        store.open()
        store.commit([put("a")], 1.0)
        store.commit([gone("a")], 2.0)
        store.compact(2.0)
        store.close(2.0, is_clean=True)

        store = place()
        loaded = store.open()
        store.close(3.0, is_clean=True)

        assert (dict(loaded.entries), loaded.existed, loaded.seq, loaded.is_complete) == ({}, True, 2, True)

    def test_large_entries_come_back(self, place: Place) -> None:
        sizes = [0, 1, 65_535, 65_536, 65_537, 1_000_000]
        expected = {f"actor:/{size}": entry(1, bytes([size % 251]) * size) for size in sizes}
        store = place()
        store.open()
        store.commit([Change(key, value) for key, value in expected.items()], 1.0)
        store.commit([put("small")], 1.0)
        store.compact(1.0)
        store.commit([Change("again", entry(2, bytes(300_000))), put("small", 2)], 1.0)
        store.close(1.0, is_clean=True)

        store = place()
        loaded = store.open()
        store.close(1.0, is_clean=True)

        assert dict(loaded.entries) == expected | {"again": entry(2, bytes(300_000)), "small": entry(2)}

    def test_it_is_a_map_that_lasts(self, place: Place) -> None:
        """All examples are lives of the same state, one after the other."""

        @settings(max_examples=self.examples)
        @given(steps())
        def lasts(steps: list[Step]) -> None:
            store = place()
            state = dict(store.open().entries)
            for step in steps:
                if isinstance(step, dict):
                    changes = [Change(key, value) for key, value in step.items()]
                    store.commit(changes, 1.0)
                    apply(state, changes)
                elif step == "compact":
                    store.compact(1.0)
                else:
                    store.close(1.0, is_clean=step != "reopen")
                    store = place()
                    assert dict(store.open().entries) == state
            store.close(1.0, is_clean=True)

            store = place()
            loaded = store.open()
            store.close(1.0, is_clean=True)

            assert dict(loaded.entries) == state
            assert loaded.damages == ()

        lasts()
