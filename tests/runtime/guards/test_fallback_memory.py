"""The last good answers: of the same arguments, of the same function, not too old, not too many."""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.guards import Fallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.guards._last_good import LastGood


def memory_of(max_age: float = 60.0, **settings: Any) -> LastGood:
    memory = Fallback.last_good(max_age, **settings).memory()
    assert memory is not None
    return memory


def fetch(*args: Any, **kwargs: Any) -> None: ...


def lookup(symbol: str, limits: object) -> None: ...


def other(*args: Any, **kwargs: Any) -> None: ...


def test_an_answer_is_recalled_with_its_age_until_it_is_too_old() -> None:
    memory = memory_of(60.0)
    memory.remember(fetch, (1,), {"limit": 5}, "good", 100.0)

    assert memory.recall(fetch, (1,), {"limit": 5}, 100.0) == ("good", 0.0)
    assert memory.recall(fetch, (1,), {"limit": 5}, 159.5) == ("good", 59.5)
    assert memory.recall(fetch, (1,), {"limit": 5}, 160.0) is None
    assert len(memory) == 0  # it can only grow older


def test_a_clock_that_is_behind_makes_nobody_younger_than_new() -> None:
    memory = memory_of()
    memory.remember(fetch, (), {}, "good", 100.0)

    assert memory.recall(fetch, (), {}, 99.0) == ("good", 0.0)


def test_a_newer_answer_takes_the_place_of_the_old() -> None:
    memory = memory_of()
    memory.remember(fetch, (), {}, "old", 0.0)
    memory.remember(fetch, (), {}, "new", 10.0)

    assert memory.recall(fetch, (), {}, 10.0) == ("new", 0.0)
    assert len(memory) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ((2,), {}),
        ((), {}),
        ((1, 2), {}),
        ((1,), {"a": 1}),
        ((), {"a": 1}),
        ((True,), {}),
        ((1.0,), {}),
        ((Fraction(1),), {}),
        (((1,),), {}),
    ],
)
def test_other_arguments_are_other_arguments(arguments: tuple[Any, Any]) -> None:
    memory = memory_of()
    memory.remember(fetch, (1,), {}, "good", 0.0)

    assert memory.recall(fetch, *arguments, 0.0) is None


def test_types_are_told_apart_inside_of_tuples_and_frozensets_too() -> None:
    memory = memory_of()
    memory.remember(fetch, ((1, frozenset({0})),), {}, "good", 0.0)

    assert memory.recall(fetch, ((True, frozenset({0})),), {}, 0.0) is None
    assert memory.recall(fetch, ((1, frozenset({False})),), {}, 0.0) is None
    assert memory.recall(fetch, ((1, frozenset({0})),), {}, 0.0) == ("good", 0.0)


def test_the_order_of_names_makes_no_difference() -> None:
    memory = memory_of()
    memory.remember(fetch, (), {"a": 1, "b": None}, "good", 0.0)

    assert memory.recall(fetch, (), {"b": None, "a": 1}, 0.0) == ("good", 0.0)


def test_another_function_is_another_function() -> None:
    memory = memory_of()
    memory.remember(fetch, (), {}, "good", 0.0)

    assert memory.recall(other, (), {}, 0.0) is None


@attrs.define
class Client:
    """Has no hash, and is equal to others."""

    url: str

    def fetch(self, symbol: str) -> None: ...

    def __call__(self, symbol: str) -> None: ...


def test_methods_are_known_by_their_object_and_not_by_what_that_is_equal_to() -> None:
    memory, here, there = memory_of(), Client("x"), Client("x")
    memory.remember(here.fetch, (f"B{str.upper('tc')}",), {}, "by bound method", 0.0)  # equal, but not the same object
    memory.remember(Client.fetch, (here, "BTC"), {}, "by self", 0.0)
    memory.remember(here, ("BTC",), {}, "by object", 0.0)

    assert memory.recall(here.fetch, ("BTC",), {}, 0.0) == ("by bound method", 0.0)
    assert memory.recall(Client.fetch, (here, "BTC"), {}, 0.0) == ("by self", 0.0)
    assert memory.recall(here, ("BTC",), {}, 0.0) == ("by object", 0.0)
    assert memory.recall(there.fetch, ("BTC",), {}, 0.0) is None
    assert memory.recall(Client.fetch, (there, "BTC"), {}, 0.0) is None
    assert memory.recall(there, ("BTC",), {}, 0.0) is None


def test_an_object_is_not_kept_alive_and_none_that_comes_after_it_gets_its_answers() -> None:
    memory = memory_of()
    for number in range(5):  # one of them gets the place in memory of another
        client = Client("x")
        assert memory.recall(Client.fetch, (client, "BTC"), {}, 0.0) is None
        memory.remember(Client.fetch, (client, "BTC"), {}, number, 0.0)
        watch = weakref.ref(client)
        del client
        gc.collect()
        assert watch() is None


@attrs.define(weakref_slot=False)
class Stiff:
    def fetch(self) -> None: ...


def test_an_object_that_cannot_be_watched_is_known_all_the_same() -> None:
    memory, here, there = memory_of(), Stiff(), Stiff()
    memory.remember(here.fetch, (), {}, "good", 0.0)

    assert memory.recall(here.fetch, (), {}, 0.0) == ("good", 0.0)
    assert memory.recall(there.fetch, (), {}, 0.0) is None


def test_partials_are_known_by_what_they_call_with_which_arguments() -> None:
    memory = memory_of()
    memory.remember(partial(fetch, 1, limit=5), (2,), {}, "good", 0.0)

    assert memory.recall(partial(fetch, 1, limit=5), (2,), {}, 0.0) == ("good", 0.0)
    for another in partial(fetch, 1), partial(other, 1, limit=5), partial(fetch, True, limit=5), fetch:
        assert memory.recall(another, (2,), {}, 0.0) is None


def test_a_key_stands_for_the_arguments() -> None:
    memory = memory_of(key=lambda symbols, **_: tuple(symbols))
    memory.remember(fetch, (["BTC"],), {"nonce": 1}, "good", 0.0)

    assert memory.recall(fetch, (["BTC"],), {"nonce": 2}, 0.0) == ("good", 0.0)
    assert memory.recall(fetch, (["ETH"],), {"nonce": 2}, 0.0) is None
    assert memory.recall(other, (["BTC"],), {"nonce": 2}, 0.0) is None


class Moody:
    """Has a hash, but not at once."""

    def __init__(self) -> None:
        self.asked = 0

    def __hash__(self) -> int:
        self.asked += 1
        if self.asked % 2:
            raise TypeError("not now")
        return 1


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "message"),
    [
        (
            fetch,
            (1, [2]),
            {},
            r"argument 2 of fetch has no hash, got \[2\]: give key=, a function of the call's arguments",
        ),
        (
            fetch,
            (),
            {"limit": {}},
            r"limit of fetch has no hash, got \{\}: give key=, a function of the call's arguments",
        ),
        (fetch, ((1, [2]),), {}, r"argument 1 of fetch has no hash, got \(1, \[2\]\): give key=, .*"),
        (lookup, ("BTC", [2]), {}, r"limits of lookup has no hash, got \[2\]: give key=, .*"),
        (Client("x").fetch, ([],), {}, r"symbol of Client.fetch has no hash, got \[\]: give key=, .*"),
        (Client.fetch, (Client("x"), []), {}, r"symbol of Client.fetch has no hash, got \[\]: give key=, .*"),
        (Client("x"), ([],), {}, r"argument 1 of Client\(.*\) has no hash, got \[\]: give key=, .*"),
        (partial(Client.fetch), (Client("x"), "a"), {}, r"self of Client.fetch has no hash, got Client\(.*\): give .*"),
        (fetch, (Moody(),), {}, r"an argument of fetch has no hash: give key=, .*"),
        (partial(fetch, []), (1,), {}, r"argument 1 of fetch has no hash, got \[\]: give key=, .*"),
        (partial(fetch, limit=[]), (1,), {}, r"limit of fetch has no hash, got \[\]: give key=, .*"),
    ],
)
def test_arguments_without_a_hash_need_a_key(function: Any, args: Any, kwargs: Any, message: str) -> None:
    memory = memory_of()

    uses: list[Callable[[], object]] = [
        lambda: memory.key(function, args, kwargs),
        lambda: memory.remember(function, args, kwargs, 1, 0.0),
        lambda: memory.recall(function, args, kwargs, 0.0),
    ]
    for use in uses:
        with pytest.raises(TypeError, match=f"^Fallback.last_good: {message}$"):
            use()
    assert len(memory) == 0


def test_a_key_needs_a_hash_itself() -> None:
    memory = memory_of(key=lambda symbols: symbols)

    with pytest.raises(
        TypeError,
        match=r"^Fallback.last_good: key= must return something that has a hash, for fetch it returned \['BTC'\]$",
    ):
        memory.key(fetch, (["BTC"],), {})


def test_what_was_used_least_recently_is_forgotten_first() -> None:
    memory = memory_of(max_keys=2)
    memory.remember(fetch, ("a",), {}, 1, 0.0)
    memory.remember(fetch, ("b",), {}, 2, 0.0)
    memory.recall(fetch, ("a",), {}, 0.0)
    memory.remember(fetch, ("c",), {}, 3, 0.0)

    assert len(memory) == 2
    assert memory.recall(fetch, ("b",), {}, 0.0) is None
    assert memory.recall(fetch, ("a",), {}, 0.0) == (1, 0.0)
    assert memory.recall(fetch, ("c",), {}, 0.0) == (3, 0.0)

    memory.remember(fetch, ("a",), {}, 4, 0.0)
    memory.remember(fetch, ("d",), {}, 5, 0.0)
    assert memory.recall(fetch, ("c",), {}, 0.0) is None
    assert memory.recall(fetch, ("a",), {}, 0.0) == (4, 0.0)


def test_a_memory_can_be_emptied() -> None:
    memory = memory_of()
    memory.remember(fetch, (), {}, 1, 0.0)

    memory.clear()

    assert memory.recall(fetch, (), {}, 0.0) is None


atoms = st.sampled_from([0, 1, True, False, 0.5, 1.0, "a", "b", None, (), (1,), (True,), frozenset({1})])
calls = st.tuples(
    st.sampled_from([fetch, other]),
    st.lists(atoms, max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(["x", "y"]), atoms, max_size=1),
)


@given(
    st.sampled_from([0.5, 1.0, 4.0]),
    st.integers(1, 4),
    st.lists(st.tuples(st.booleans(), calls, st.integers(0, 8).map(lambda n: n / 8)), max_size=40),
)
def test_what_is_recalled_is_the_last_answer_to_this_call_young_enough_and_used_lately(
    max_age: float, max_keys: int, steps: list[tuple[bool, tuple[Any, Any, Any], float]]
) -> None:
    """Against a list, in the order of use, of calls compared by what they look like."""
    memory, model, now = memory_of(max_age, max_keys=max_keys), dict[str, tuple[int, float]](), 0.0
    for number, (is_good, call, gap) in enumerate(steps):
        now += gap
        known = model.pop(repr(call), None)
        if is_good:
            memory.remember(*call, number, now)
            model[repr(call)] = (number, now)
            if len(model) > max_keys:
                del model[next(iter(model))]
        elif known is not None and now - known[1] < max_age:
            assert memory.recall(*call, now) == (known[0], now - known[1])
            model[repr(call)] = known
        else:
            assert memory.recall(*call, now) is None
        assert len(memory) == len(model) <= max_keys
