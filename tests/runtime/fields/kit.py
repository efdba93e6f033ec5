"""Classes with persistent fields of any type, and what may be in them."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from decimal import Decimal
from types import new_class
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from uuid import UUID

import attrs
import msgspec
from hypothesis import strategies as st

from duenna import Actor, persistent
from duenna.fields import Codec, codec_of

T = TypeVar("T")
Typed: TypeAlias = "tuple[Any, st.SearchStrategy[Any]]"
"""A type, and its values."""


class Side(enum.Enum):
    """Text."""

    BUY = "buy"
    SELL = "sell"


class Level(enum.IntEnum):
    """Numbers."""

    LOW = 1
    HIGH = 2


class Quote(msgspec.Struct, frozen=True):
    """Cannot change, so it may be in a set."""

    bid: float
    ask: float = 0.0


class Order(msgspec.Struct, rename="camel"):
    """Can change, and has other names where it is stored."""

    order_id: str
    side: Side = Side.BUY
    filled: list[Decimal] = []
    parent: Order | None = None


class Leg(msgspec.Struct):
    """Can change, and has nothing in it that can."""

    size: int


class Market(msgspec.Struct, tag="market"):
    """One of two with a tag."""

    size: int
    tags: set[str] = set()


class Limit(msgspec.Struct, tag="limit", tag_field="kind"):
    """A tag under a name of its own."""

    size: int
    price: Decimal = Decimal(1)


class Stop(msgspec.Struct, tag="stop", tag_field="kind"):
    """The other of the two."""

    size: int


class Box(msgspec.Struct, Generic[T]):
    """Generic."""

    item: T
    more: dict[str, T] = {}


@attrs.define
class Trade:
    """An attrs class."""

    price: float
    notes: list[str] = attrs.field(factory=list[str])


@attrs.frozen
class Pair:
    """An attrs class that cannot change."""

    base: str
    quote: str = "USDT"


@dataclass
class Candle:
    """A dataclass, with a private field."""

    close: float
    _volume: int = 0
    seen: set[int] = field(default_factory=set[int])


def actor_class(hint: Any, /, *, schema: Any = None, migrations: Any = None, **options: Any) -> Any:
    """Make a class `Ledger` with the persistent field `value` of the type *hint*."""
    names = {"__annotations__": {"value": hint}, "__module__": __name__, "__qualname__": "Ledger"}
    extra = {name: value for name, value in (("schema", schema), ("migrations", migrations)) if value is not None}

    def fill(namespace: dict[str, Any]) -> None:
        namespace.update(names, value=persistent(**options), **extra)

    return attrs.define(new_class("Ledger", (Actor,), {}, fill))


def actor_with(hint: Any, value: Any) -> Any:
    """Make an actor whose persistent field `value`, of the type *hint*, holds *value*."""
    return actor_class(hint, factory=lambda: value)()


def codec(whose: Any) -> Codec:
    """Return the codec of a class, or of an actor's."""
    found = codec_of(whose if isinstance(whose, type) else type(whose))
    assert found is not None
    return found


def of(container: Any, *arguments: Any) -> Any:
    """Return the type of a *container* of what is only known now."""
    return container[arguments if len(arguments) > 1 else arguments[0]]


def all_slices(actor: Any, *, is_held: bool = False, is_read_back: bool = True) -> tuple[bytes, int]:
    """Return what the slices of *actor* amount to, and how many came before it."""
    *pauses, data = codec(actor).slices(actor, is_held=is_held, is_read_back=is_read_back)
    assert pauses == [None] * len(pauses)
    assert data is not None
    return data, len(pauses)


def spelt(value: Any) -> str:
    """Return *value* as text that is the same for the same value only: types, NaN and the order of sets included."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spelt(key)}: {spelt(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        parts = [spelt(item) for item in value]
        return f"{type(value).__name__}({', '.join(parts if isinstance(value, list | tuple) else sorted(parts))})"
    if isinstance(value, msgspec.Struct):
        names: Any = value.__struct_fields__
    else:
        names = getattr(type(value), "__match_args__", ()) if attrs.has(type(value)) else ()
        names = names or list(getattr(value, "__dataclass_fields__", ()))
    parts = [f"{name}={spelt(getattr(value, name))}" for name in names]
    return f"{type(value).__qualname__}({', '.join(parts)})" if parts else f"{type(value).__name__} {value!r}"


_DAYS = (dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001
_TIMES = st.datetimes(*_DAYS).map(lambda time: time.replace(fold=0))
_TEXT = st.text(max_size=6)
_SMALL: Any = {"max_size": 5}

scalars: list[Typed] = [
    (bool, st.booleans()),
    (int, st.integers(-(2**63), 2**64 - 1)),
    (float, st.floats()),
    (str, _TEXT),
    (bytes, st.binary(max_size=6)),
    (Decimal, st.decimals(allow_nan=False)),
    (UUID, st.uuids()),
    (dt.date, st.dates()),
    (dt.time, st.times().map(lambda time: time.replace(fold=0))),
    (dt.datetime, _TIMES | _TIMES.map(lambda time: time.replace(tzinfo=dt.UTC))),
    (dt.timedelta, st.timedeltas(dt.timedelta(days=-9_999), dt.timedelta(days=9_999))),
    (Side, st.sampled_from(Side)),
    (Level, st.sampled_from(Level)),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Quote, st.builds(Quote, st.floats(allow_nan=False), st.floats(allow_nan=False))),
    (Pair, st.builds(Pair, _TEXT, _TEXT)),
]
no_nan: Typed = (float, st.floats(allow_nan=False))  # in a set, or as a key, it would not be found again
hashable = st.sampled_from([no_nan if typed[0] is float else typed for typed in scalars])
keys = hashable.filter(lambda typed: typed[0] not in (Quote, Pair))

_orders = st.builds(Order, _TEXT, st.sampled_from(Side), st.lists(st.decimals(allow_nan=False), **_SMALL), st.none())
objects: list[Typed] = [
    (Order, _orders | st.builds(Order, _TEXT, parent=_orders)),
    (Market | None, st.none() | st.builds(Market, st.integers(0, 9), st.sets(_TEXT, **_SMALL))),
    (Limit | Stop, st.builds(Limit, st.integers(0, 9)) | st.builds(Stop, st.integers(0, 9))),
    (Box[int], st.builds(Box, st.integers(0, 9), st.dictionaries(_TEXT, st.integers(0, 9), **_SMALL))),
    (Trade, st.builds(Trade, st.floats(), st.lists(_TEXT, **_SMALL))),
    (Candle, st.builds(Candle, st.floats(), st.integers(0, 9), st.sets(st.integers(0, 99), max_size=3))),
]


def _containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def lists(typed: Typed) -> Typed:
        return of(list, typed[0]), st.lists(typed[1], **_SMALL)

    def rows(typed: Typed) -> Typed:
        return of(tuple, typed[0], ...), st.lists(typed[1], **_SMALL).map(tuple)

    def pairs(typed: tuple[Typed, Typed]) -> Typed:
        (one, ones), (other, others) = typed
        return of(tuple, one, other), st.tuples(ones, others)

    def dicts(typed: tuple[Typed, Typed]) -> Typed:
        (key, keyed), (item, items) = typed
        return of(dict, key, item), st.dictionaries(keyed, items, **_SMALL)

    def perhaps(typed: Typed) -> Typed:
        return typed[0] | None, st.none() | typed[1]

    return (
        inner.map(lists) | inner.map(rows) | st.tuples(inner, inner).map(pairs)
        | st.tuples(keys, inner).map(dicts) | inner.map(perhaps)
    )  # fmt: skip


def _sets(typed: Typed) -> Typed:
    return of(set, typed[0]), st.sets(typed[1], **_SMALL)


def _frozen_sets(typed: Typed) -> Typed:
    return of(set, of(frozenset, typed[0])), st.sets(st.frozensets(typed[1], max_size=3), max_size=3)


leaves = st.sampled_from([*scalars, *objects]) | hashable.map(_sets) | keys.map(_frozen_sets)
typed_values = st.recursive(leaves, _containers, max_leaves=6)
