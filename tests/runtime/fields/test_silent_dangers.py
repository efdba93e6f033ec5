"""What msgspec does in silence, and what becomes of it here: an error, where it would have cost data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import msgspec
import pytest

from duenna import Actor, persistent
from duenna.fields import NewerSchemaError, StateMismatchError, UnencodableStateError
from tests.runtime.fields.kit import Leg, Order, Quote, Trade, actor_class, actor_with, codec

if TYPE_CHECKING:
    from decimal import Decimal


class Row(msgspec.Struct, array_like=True):
    """What a quote was."""

    bid: float
    ask: float


class Swapped(msgspec.Struct, array_like=True):
    """What it is in the next version."""

    ask: float
    bid: float


class Turned(msgspec.Struct):
    """A quote as a map, with its fields in another order."""

    ask: float
    bid: float


class Renamed(msgspec.Struct):
    """A quote whose ask has another name."""

    bid: float
    offer: float = 0.0


class Named(msgspec.Struct):
    """The same, and it says so."""

    bid: float
    offer: float = msgspec.field(default=0.0, name="ask")


class Wider(msgspec.Struct):
    """A quote with a field more."""

    bid: float
    ask: float = 0.0
    fee: float = 0.0


class Tagged(msgspec.Struct, tag=True):
    """Its tag is its name."""

    price: float


@attrs.define
class Private:
    """Its field is known to nobody else."""

    price: float
    _secret: int = 5


QUOTE = Quote(1.0, 2.0)


def move(value: Any, hint: Any, other: Any) -> Any:
    """Save *value* in a class whose field is a *hint*, and restore it in one whose field is an *other*."""
    data = codec(actor_with(hint, value)).encode(actor_with(hint, value))
    actor = actor_class(other, factory=list)()
    codec(actor).restore(actor, 1, data)
    return actor.value


def test_a_fields_by_position_are_refused_and_fields_by_name_may_move() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Row(1.0, 2.0)), type=Swapped) == Swapped(bid=2.0, ask=1.0)

    with pytest.raises(TypeError, match=r"array_like"):
        actor_class(list[Row], factory=list)
    assert move([QUOTE], list[Quote], list[Turned]) == [Turned(bid=1.0, ask=2.0)]


def test_b_a_renamed_field_does_not_take_its_default() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(QUOTE), type=Renamed) == Renamed(1.0, 0.0)

    for hint, other, value, field in (
        (Quote, Renamed, QUOTE, "value.ask"),
        (list[Quote], list[Renamed], [QUOTE], "value[0].ask"),
        (dict[str, tuple[Quote, int]], dict[str, tuple[Renamed, int]], {"BTC": (QUOTE, 1)}, "value['BTC'][0].ask"),
        (Quote | list[Quote], Renamed | list[Renamed], [QUOTE], "value[0].ask"),
        (list[Quote], list[Annotated[Renamed, msgspec.Meta(description="a note")]], [QUOTE], "value[0].ask"),
    ):
        with pytest.raises(StateMismatchError, match=rf"^Ledger\.{re.escape(field)} cannot be restored: got 2\.0: "):
            move(value, hint, other)
    assert move(QUOTE, Quote, Named) == Named(1.0, 2.0)


@attrs.define
class Ledger(Actor):
    """Two places for an order."""

    orders: dict[str, Order] = persistent(factory=dict)
    latest: Order | None = persistent(default=None)


def test_b_a_renamed_persistent_field_does_not_take_its_default() -> None:
    ledger = Ledger()

    with pytest.raises(StateMismatchError, match=r"^Ledger\.last cannot be restored: got None: "):
        codec(Ledger).restore(ledger, 1, msgspec.msgpack.encode({"orders": {}, "last": None}))


def test_c_what_a_later_version_added_is_not_lost_by_an_earlier_one() -> None:
    data = codec(actor_with(Wider, Wider(1.0, 2.0, 3.0))).encode(actor_with(Wider, Wider(1.0, 2.0, 3.0)))
    assert msgspec.msgpack.decode(data, type=dict[str, Quote]) == {"value": QUOTE}

    earlier = actor_class(Quote | None, default=None)()
    with pytest.raises(StateMismatchError, match=r"^Ledger\.value\.fee cannot be restored: got 3\.0: "):
        codec(earlier).restore(earlier, 1, data)
    with pytest.raises(NewerSchemaError):
        codec(earlier).restore(earlier, 2, data)
    assert earlier.value is None


def test_c_a_later_version_reads_what_an_earlier_one_stored() -> None:
    assert move(QUOTE, Quote, Wider) == Wider(1.0, 2.0, 0.0)


def test_d_private_fields_of_attrs_classes_are_refused() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Private(1.0, 9)), type=Private) == Private(1.0, 5)

    with pytest.raises(TypeError, match=r"Private\._secret is private, and msgspec would leave it out in silence"):
        actor_class(Private | None, default=None)


def test_e_a_tag_that_is_the_name_of_the_class_is_refused() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Tagged(1.0))) == {"type": "Tagged", "price": 1.0}

    with pytest.raises(TypeError, match=r"Tagged has its own name as its tag, and could not be renamed"):
        actor_class(Tagged | None, default=None)


@pytest.mark.parametrize("value", [{1}, (1, 2), {"a": [(1,)]}, {"a": {"b": frozenset()}}])
def test_f_a_set_or_a_tuple_of_no_type_does_not_become_a_list(value: Any) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value)) != value

    actor = actor_with(Any, value)
    with pytest.raises(UnencodableStateError, match=r"it would come back as "):
        codec(actor).encode(actor)


LEG = Leg(1)
LEVELS = [1.0]
BOOK = {"BTC": LEVELS}
ORDER = Order("a")
FILLED: list[Decimal] = []
BYTES = bytearray(b"x")
TRADE = Trade(1.0)
SHARED = [
    (dict[str, Leg], {"a": LEG, "last": LEG}, "value['a']", "value['last']", "Leg(size=1)"),
    (list[list[float]], [LEVELS, LEVELS], "value[0]", "value[1]", "[1.0]"),
    (dict[str, Order], {"a": ORDER, "last": ORDER}, "value['a']", "value['last']", ""),
    (tuple[dict[str, Order], list[Order]], ({"a": ORDER}, [ORDER]), "value[0]['a']", "value[1][0]", ""),
    (list[Trade], [TRADE, Trade(1.0), TRADE], "value[0]", "value[2]", "Trade(price=1.0, notes=[])"),
    (list[Order], [Order("a", filled=FILLED), Order("b", filled=FILLED)], "value[0].filled", "value[1].filled", "[]"),
    (Any, [BOOK, {"a": BOOK}], "value[0]", "value[1]['a']", "{'BTC': [1.0]}"),
    (list[bytearray], [BYTES, BYTES], "value[0]", "value[1]", "bytearray(b'x')"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "value", "first", "second", "text"), SHARED)
def test_f_an_object_in_two_places_does_not_become_two(
    hint: Any, value: Any, first: str, second: str, text: str
) -> None:
    actor = actor_with(hint, value)

    with pytest.raises(UnencodableStateError) as caught:
        codec(actor).encode(actor)

    assert caught.value.field == second
    assert caught.value.value == text or not text
    assert caught.value.expected == (
        f"it is in {first} as well, and would come back as two: keep it once, or make it immutable"
    )


def test_f_an_object_in_two_fields_does_not_become_two() -> None:
    ledger = Ledger({"a": ORDER}, ORDER)

    with pytest.raises(
        UnencodableStateError, match=r"^Ledger\.latest cannot be saved: got .+: it is in orders\['a'\] as well"
    ):
        codec(Ledger).encode(ledger)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (list[Quote], [QUOTE, QUOTE]),
        (list[str], ["text" * 50] * 2),
        (list[tuple[int, ...]], [(1, 2), (1, 2)]),
        (list[list[int]], [[], []]),
        (dict[str, frozenset[str]], dict.fromkeys("ab", frozenset("xy"))),
    ],
)
def test_f_what_cannot_change_may_be_in_two_places(hint: Any, value: Any) -> None:
    assert move(value, hint, hint) == value
