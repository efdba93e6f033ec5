"""Last good values outlive the process with their age, as far as they come back as they were."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from duenna.recovery import LastGoodData
from duenna.recovery._plain import MOST_BYTES, MOST_ITEMS, encoded
from duenna.recovery.data import MOST_KEPT, GoodMemory

from .lives import Lives, settle

if TYPE_CHECKING:
    from duenna import Runtime


class Quote(msgspec.Struct):
    bid: float


class Side(IntEnum):
    BUY = 1


class Text(str):
    __slots__ = ()


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


# -- which values -----------------------------------------------------------------------


@given(value=PLAIN)
def test_a_plain_value_comes_back_as_it_was(value: object) -> None:
    back = msgspec.msgpack.decode(encoded(value))

    assert back == value
    assert type(back) is type(value)


def test_nan_is_a_number() -> None:
    back = msgspec.msgpack.decode(encoded([float("nan"), float("-inf")]))

    assert str(back) == "[nan, -inf]"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Decimal(1), "a Decimal in it would not come back as it was"),
        (Quote(1.0), "a Quote in it would not come back as it was"),
        ([1, (2,)], "a tuple in it would not come back as it was"),
        ({"a": {1: 2}}, "a dict whose keys are no texts in it would not come back as it was"),
        ({Text("a"): 1}, "a dict whose keys are no texts in it would not come back as it was"),
        (Side.BUY, "a Side in it would not come back as it was"),
        (Text("a"), "a Text in it would not come back as it was"),
        ("x" * (MOST_BYTES + 1), f"it has more than {MOST_BYTES} bytes"),
        (["x" * 10_000] * 2, f"it has 20007 bytes, at most {MOST_BYTES} are kept"),
        ([0] * MOST_ITEMS, f"it has more than {MOST_ITEMS} items"),
        ([[0] * 600] * 2, f"it has more than {MOST_ITEMS} items"),
        (dict.fromkeys(map(str, range(5000))), f"it has more than {MOST_ITEMS} items"),
        (deep(40), "it is nested more than 32 deep"),
        (2**64, "can't serialize ints < -2**63 or > 2**64 - 1"),
        ("\udcff", "'utf-8' codec can't encode character '\\udcff' in position 0: surrogates not allowed"),
    ],
)
def test_what_would_come_back_as_something_else_is_refused(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        encoded(value)


def test_what_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(ValueError, match=r"^it is nested more than 32 deep$"):
        encoded(endless)


def test_the_largest_that_are_taken() -> None:
    assert encoded([0] * (MOST_ITEMS - 1))
    assert encoded(deep(32))
    assert encoded("x" * (MOST_BYTES - 3))


# -- in the next process ----------------------------------------------------------------


def test_a_value_has_its_real_age_in_the_next_process() -> None:
    lives = Lives()

    async def puts(runtime: Runtime) -> None:
        runtime.recovery.data.put("ticker", {"bid": 1.5, "levels": [1, 2]})
        await trio.sleep(20.0)

    lives.live(puts)
    lives.later(100.0)

    async def body(runtime: Runtime) -> tuple[Any, float, bool, bool]:
        data = runtime.recovery.data
        known = data.get("ticker")
        assert known is not None
        age = runtime.now() - known.time
        return known.value, age, data.get("ticker", max_age=119.0) is None, data.fall_back("ticker", "down")

    value, age, is_too_old, stands_in = lives.live(body)
    assert (value, is_too_old, stands_in) == ({"bid": 1.5, "levels": [1, 2]}, True, True)
    assert age == pytest.approx(120.0)


def test_a_wall_clock_that_was_set_back_makes_none_younger_than_it_was() -> None:
    lives = Lives()

    async def puts(runtime: Runtime) -> None:
        runtime.recovery.data.put("ticker", 1)
        await trio.sleep(30.0)

    lives.live(puts)
    lives.later(-1e6)

    async def body(runtime: Runtime) -> float:
        known = runtime.recovery.data.get("ticker")
        assert known is not None
        return runtime.now() - known.time

    assert lives.live(body) == pytest.approx(30.0)


def test_what_is_not_kept_is_said() -> None:
    lives = Lives()

    async def puts(runtime: Runtime) -> list[dict[str, str]]:
        data = runtime.recovery.data
        data.put("quote", Quote(1.0))
        data.put("plain", 1)
        await settle(runtime)
        said = [data.unsaved]
        data.put("quote", 2.0)
        await settle(runtime)
        return [*said, data.unsaved]

    assert lives.live(puts) == [{"quote": "a Quote in it would not come back as it was"}, {}]

    async def body(runtime: Runtime) -> list[Any]:
        known = [runtime.recovery.data.get(source) for source in ("quote", "plain")]
        return [each.value for each in known if each is not None]

    assert lives.live(body) == [2.0, 1]


def test_an_older_value_never_passes_for_one_that_is_not_kept() -> None:
    data = LastGoodData(lambda: 0.0)
    data.put("a", 1)
    assert data.dump(float) is not None

    data.put("a", Quote(1.0))

    assert data.dump(float) is None
    assert data.unsaved == {"a": "a Quote in it would not come back as it was"}


def test_more_than_there_is_room_for_is_said_and_those_used_last_are_kept() -> None:
    data = LastGoodData(lambda: 0.0)
    big = b"x" * 16_000
    for number in range(20):
        data.put(f"s{number}", big)
    data.get("s0")
    kept: dict[str, GoodMemory] = {}
    for _ in range(20):
        kept = data.dump(float) or {}

    assert sum(len(each.value) for each in kept.values()) <= MOST_KEPT
    assert "s0" in kept
    assert "s1" not in kept
    assert data.unsaved["s1"] == f"there is no room: {MOST_KEPT} bytes are kept in all"
    assert set(data.unsaved) | set(kept) == {f"s{number}" for number in range(20)}


def test_one_save_encodes_so_much_and_the_rest_has_its_turn() -> None:
    data = LastGoodData(lambda: 0.0)
    for number in range(10):
        data.put(f"s{number}", b"x" * 10_000)

    counts = [len(data.dump(float) or {}) for _ in range(4)]

    assert counts == [4, 8, 10, 10]


def test_a_value_is_encoded_once() -> None:
    """What is the same as at the last save costs nothing, and is not written again."""
    data = LastGoodData(lambda: 0.0)
    value = [1]
    data.put("a", value)
    first = data.dump(float)
    value.append(2)

    assert data.dump(float) == first


def test_what_is_forgotten_is_stored_no_more() -> None:
    data = LastGoodData(lambda: 0.0)
    data.put("first", 1)
    data.put("worst", Quote(1.0))
    data.dump(float)
    for number in range(1000):
        data.put(f"s{number}", number)

    kept = data.dump(float) or {}

    assert "first" not in kept
    assert data.unsaved == {}
    assert len(kept) == 1000


def test_what_this_process_has_is_newer() -> None:
    data = LastGoodData(lambda: 100.0)
    data.put("a", "new")

    data.load({"a": GoodMemory("old", 1.0), "b": GoodMemory("other", 2.0)}, lambda at: 100.0 - at)

    found = [data.get(source) for source in "ab"]
    assert [(each.value, each.time) for each in found if each is not None] == [("new", 100.0), ("other", 2.0)]
