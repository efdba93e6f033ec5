"""A large actor is encoded a little at a time, as it was at one moment."""

from __future__ import annotations

import datetime as dt
import gc
import sys
import typing
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NewType

import attrs
import msgspec
import pytest

from duenna import Actor, persistent
from duenna.fields import UnencodableStateError, _limits
from duenna.fields._order import SetOrder
from duenna.fields._output import Output
from duenna.fields._parts import Part
from tests.runtime.fields.kit import Box, Candle, Leg, Limit, Order, Quote, Stop, Trade, actor_with, all_slices, codec

if TYPE_CHECKING:
    from collections.abc import Callable

Levels = NewType("Levels", list[float])
MANY = 5_000


class Bot(msgspec.Struct, tag="bot"):
    """Everything in one object."""

    orders: dict[str, Order]
    name: str = "bot"
    prices: list[float] | msgspec.UnsetType = msgspec.UNSET
    seen: set[int] = set()


class Node(msgspec.Struct):
    """Holds others of its kind."""

    value: int
    children: list[Node] = []
    next: Node | None = None


def orders(count: int) -> dict[str, Order]:
    return {f"order {number}": Order(str(number), filled=[Decimal(number)]) for number in range(count)}


LARGE: list[tuple[Any, Callable[[], Any]]] = [
    (dict[str, int], lambda: {str(number): number for number in range(MANY)}),
    (list[str], lambda: ["text"] * MANY),
    (tuple[float, ...], lambda: tuple(number / 3 for number in range(MANY))),
    (set[int], lambda: set(range(MANY))),
    (set[tuple[int, int]], lambda: {(number, 1) for number in range(600)}),
    (frozenset[str], lambda: frozenset(map(str, range(MANY)))),
    (dict[str, Quote], lambda: {str(number): Quote(number, 2.0) for number in range(MANY)}),
    (dict[str, Order], lambda: orders(MANY)),
    (list[Trade], lambda: [Trade(number, ["a"]) for number in range(MANY)]),
    (list[Candle], lambda: [Candle(number, 1, {1, 2}) for number in range(MANY)]),
    (list[Limit | Stop], lambda: [Limit(number) if number % 2 else Stop(number) for number in range(MANY)]),
    (dict[str, list[float]], lambda: {str(number): [1.0] * number for number in range(100)}),
    (dict[int, dict[str, float] | None], lambda: {1: None, 2: dict.fromkeys(map(str, range(MANY)), 1.0), 3: {}}),
    (list[dict[str, list[int]]], lambda: [{"a": list(range(MANY)), "b": []}, {}]),
    (Any, lambda: {str(number): [number, {"a": None}] for number in range(MANY)}),
    (object, lambda: [{}, list(range(MANY))]),
    (dict, lambda: {"a": list(range(MANY))}),
    (tuple, lambda: ()),
    (Bot | None, lambda: Bot(orders(MANY), "x", [1.0] * MANY, set(range(MANY)))),
    (Bot, lambda: Bot(orders(MANY), seen={8, 1})),  # iterated over in this order
    (list[Bot], lambda: [Bot({}), Bot(orders(MANY))]),
    (Box[list[int]], lambda: Box(list(range(MANY)), {"a": [1]})),
    (Node, lambda: Node(1, [Node(number, [Node(1)]) for number in range(MANY)], Node(2, next=Node(3)))),
    (Levels, lambda: [1.0] * MANY),
    (dict[str, Annotated[int, msgspec.Meta(description="a note")]], lambda: {str(number): 1 for number in range(MANY)}),
    (list[Annotated[set[int], msgspec.Meta(description="a note")]], lambda: [set(range(500)) for _ in range(5)]),
    (Annotated[list[int], "a note"], lambda: list(range(MANY))),
    (Annotated[list[int], msgspec.Meta(max_length=MANY)], lambda: list(range(MANY))),
    (Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], {"un": "hashable"}], lambda: list(range(MANY))),
    (list[dt.datetime], lambda: [dt.datetime.fromtimestamp(number, dt.UTC) for number in range(MANY)]),
    (dict[str, set[str]], lambda: {str(number): {"a", "b", str(number)} for number in range(MANY)}),
]
IDS = [str(hint).removeprefix("<class '") for hint, _ in LARGE]


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize(("hint", "make"), LARGE, ids=IDS)
def test_slices_amount_to_what_is_encoded_at_once(hint: Any, make: Callable[[], Any], is_held: bool) -> None:
    actor = actor_with(hint, make())

    data, _ = all_slices(actor, is_held=is_held)

    assert data == codec(actor).encode(actor)


@pytest.mark.parametrize(("hint", "make"), LARGE, ids=IDS)
def test_a_large_value_can_be_sliced(hint: Any, make: Callable[[], Any]) -> None:
    """What fails in slices is encoded at once by a codec, which would hide it."""
    output = Output()
    value = make()

    for _ in Part(hint, {}).slices(value, output):
        pass

    assert codec(actor_with(hint, value)).encode(actor_with(hint, value)) == b"\x81\xa5value" + output.value()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="has no such aliases")
def test_an_alias_is_sliced_as_what_it_stands_for() -> None:
    alias: Any = vars(typing)["TypeAliasType"]("alias", list[int])
    actor = actor_with(alias, list(range(MANY)))

    data, pauses = all_slices(actor)

    assert pauses > 1
    assert data == codec(actor).encode(actor)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 999, 1_000, 1_001, 65_535, 65_536])
def test_the_heads_of_containers_of_any_length(count: int) -> None:
    """They are of one, three or five bytes."""
    for hint, value in ((list[int], list(range(count))), (dict[int, None], dict.fromkeys(range(count)))):
        actor = actor_with(hint, value)
        assert all_slices(actor)[0] == codec(actor).encode(actor) == msgspec.msgpack.encode({"value": value})


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (dict[str, float], {str(number): 1.0 for number in range(100_000)}),
        (list[int], list(range(100_000))),
        (dict[str, list[int]], {str(number): list(range(10_000)) for number in range(10)}),
        (list[list[list[int]]], [[[1] * 10 for _ in range(10)] for _ in range(1_000)]),
        (Box[dict[str, int]], Box({str(number): number for number in range(100_000)})),
    ],
)
@pytest.mark.parametrize("is_held", [False, True])
def test_no_slice_has_many_more_values_than_it_should(hint: Any, value: Any, is_held: bool) -> None:
    _, pauses = all_slices(actor_with(hint, value), is_held=is_held)

    assert pauses >= 100_000 / _limits.LARGE / 2


def test_no_slice_is_much_longer_than_it_should_be() -> None:
    data, pauses = all_slices(actor_with(dict[str, str], {str(number): "x" * 1_000 for number in range(2_000)}))

    assert pauses >= len(data) / _limits.SLICE / 2


def test_slices_are_larger_if_nothing_is_read_back() -> None:
    actor = actor_with(dict[str, float], {str(number): 1.0 for number in range(100_000)})

    _, pauses = all_slices(actor, is_read_back=False)

    assert 100_000 / _limits.LARGE / 16 <= pauses <= 100_000 / _limits.LARGE / 3


def test_a_small_actor_is_encoded_at_once() -> None:
    actor = actor_with(dict[str, list[int]], {str(number): [number] for number in range(_limits.LARGE // 2 - 1)})

    assert all_slices(actor) == (codec(actor).encode(actor), 0)


@attrs.define
class Ledger(Actor):
    """Large in several ways, and small in one."""

    orders: dict[str, Order] = persistent(factory=dict)
    fills: int = persistent(default=0)
    quotes: dict[str, Quote] = persistent(factory=dict)
    levels: list[float] = persistent(factory=list)
    seen: set[int] = persistent(factory=set)
    books: dict[str, list[float]] = persistent(factory=dict)
    legs: dict[str, Leg] = persistent(factory=dict)
    bot: Bot = persistent(factory=lambda: Bot({}))


def ledger() -> Ledger:
    numbers = range(2_000)
    return Ledger(
        orders(2_000),
        5,
        {str(number): Quote(number) for number in numbers},
        [float(number) for number in numbers],
        set(numbers),
        {"BTC": [1.0] * 2_000, "ETH": [2.0]},
        {str(number): Leg(number) for number in numbers},
        Bot({"a": Order("a")}, prices=[0.5] * 2_000),
    )


def change(one: Ledger) -> None:
    """Change everything that there is to change."""
    one.orders["order 7"].order_id = "changed"
    one.orders["order 8"].filled.append(Decimal("0.5"))
    del one.orders["order 1999"]
    one.fills += 1
    one.quotes["0"] = Quote(-1.0)
    one.quotes["new"] = Quote(-2.0)
    one.levels.clear()
    one.seen.add(-1)
    one.books["BTC"].append(3.0)
    one.books["ETH"][0] = 4.0
    one.legs["1000"].size = -1
    one.bot.name = "changed"
    if isinstance(one.bot.prices, list):
        one.bot.prices[-1] = 9.0
    one.bot.orders["a"].filled.append(Decimal(2))


@pytest.mark.parametrize("after", [1, 2, 4, 8, 12])
def test_the_bytes_are_of_the_first_moment_whatever_the_actor_does_in_between(after: int) -> None:
    one = ledger()
    expected = codec(one).encode(one)

    slices = codec(one).slices(one)
    for _ in range(after):
        assert next(slices) is None
    change(one)
    *_, data = slices

    assert data == expected
    assert codec(one).encode(one) != expected


def test_what_moves_in_between_is_in_one_place_in_the_bytes() -> None:
    """An order is looked at where it was, and again where it went: all is encoded at once, of a later moment."""
    numbers = range(2_000)
    before = [Order(str(number)) for number in numbers]
    books = {"open": before, "closed": [Order("last")]}
    one = actor_with(dict[str, list[Order]], books)

    slices = codec(one).slices(one)
    assert [next(slices) for _ in range(4)] == [None] * 4
    books["closed"].append(before.pop(0))
    *_, data = slices

    assert data == codec(one).encode(one)


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("is_read_back", [False, True])
def test_a_large_container_in_two_places_is_not_saved_as_two(is_held: bool, is_read_back: bool) -> None:
    one = ledger()
    one.books["SOL"] = one.levels

    with pytest.raises(UnencodableStateError, match=r"^Ledger\.books\['SOL'\] .+: it is in levels as well"):
        list(codec(one).slices(one, is_held=is_held, is_read_back=is_read_back))


def test_the_collector_is_left_as_it_was() -> None:
    """What is read back shall not set it off, and whoever has turned it off has it off."""
    one = ledger()
    was_enabled = gc.isenabled()
    try:
        for turn, is_enabled in ((gc.enable, True), (gc.disable, False)):
            turn()
            for _ in codec(one).slices(one):
                assert gc.isenabled() is is_enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_what_has_no_type_and_changes_in_between_is_encoded_again() -> None:
    """That the same bytes would be made of what comes back says nothing of a tuple."""
    value: Any = {str(number): [number] for number in range(3_000)}
    one = actor_with(Any, value)
    value["2999"].append((1, 2))

    slices = codec(one).slices(one)
    next(slices)
    value["2999"].append(3)
    with pytest.raises(UnencodableStateError):
        list(slices)


def test_what_is_wrong_is_found_in_a_late_slice() -> None:
    one = ledger()
    one.bot.orders["a"].filled = "text"  # type: ignore[assignment]  # wrong on purpose

    slices = codec(one).slices(one)
    with pytest.raises(
        UnencodableStateError, match=r"^Ledger\.bot cannot be saved: got Bot\(.+: Expected `array`, got `str`"
    ):
        list(slices)


def test_what_is_wrong_and_is_put_right_in_between_is_saved() -> None:
    one = ledger()
    one.bot.orders["a"].filled = "text"  # type: ignore[assignment]  # wrong on purpose

    slices = codec(one).slices(one)
    next(slices)
    one.bot.orders["a"].filled = []
    *_, data = slices

    assert data == codec(one).encode(one)


def test_a_large_set_is_not_put_in_order() -> None:
    words = {f"word {number}" for number in range(_limits.LARGE)}
    order = SetOrder(msgspec.inspect.type_info(str))

    assert order.arranged(words) == list(words) != sorted(words)
    words.pop()
    assert order.arranged(words) == sorted(words)


M = 2**61 - 1  # numbers that differ by it have the same hash


def test_sets_have_the_same_bytes_in_whatever_order_they_were_filled() -> None:
    """Each of these has at least two numbers of the same hash, which are iterated over in the order they came in."""
    one, other = [1, 3 * M, 32], [2 * M, 8, M]
    make: list[tuple[Any, Callable[[list[int], list[int]], Any]]] = [
        (set[int], lambda one, other: {*one, *other}),
        (dict[str, set[int]] | None, lambda one, other: {"a": set(one), "b": set(other)}),
        (list[tuple[int, frozenset[int]]], lambda one, other: [(1, frozenset(one)), (2, frozenset(other))]),
        (set[frozenset[int]], lambda one, other: {frozenset(one), frozenset(other)}),
    ]

    for hint, of in make:
        forward, backward = actor_with(hint, of(one, other)), actor_with(hint, of(one[::-1], other[::-1]))
        assert codec(forward).encode(forward) == codec(backward).encode(backward)
