"""Encoding a large value a little at a time, to the same bytes as at once.

MessagePack makes it simple: a map or an array is its length, and then its items one after the
other, so that slices of it are encoded as maps and arrays of their own, and lose their heads.
"""

from __future__ import annotations

from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
from msgspec import inspect as types

from duenna.fields import _limits
from duenna.fields._hints import containers
from duenna.fields._kinds import Look, inner_types, is_fixed, is_sure, kind_of, look_of
from duenna.fields._order import SetOrder, ordering
from duenna.fields._output import Decode, Piece, Sink

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

_FIRST: Final = 16
_encode: Final = msgspec.msgpack.Encoder().encode


@attrs.frozen
class _Items:
    """The items of a container: what reads a slice of it back, and how each item and each key is encoded."""

    decode: Decode
    item: Part
    key: Part | None

    def take(self, source: Iterator[Any], count: int) -> Any:
        """Return the next *count* items of *source* as a container."""
        return dict(islice(source, count)) if self.key else list(islice(source, count))

    def of(self, container: Any) -> Iterator[Any]:
        """Iterate over the items of *container*."""
        return iter(container.items() if self.key else container)

    def values(self, container: Any) -> list[Any]:
        """Return the values in *container*."""
        return list(container.values() if self.key else container)

    def slices(self, value: Any, sink: Sink) -> Iterator[None]:
        """Encode the container *value*, and yield after each slice.

        Raises:
            Exception: It would not come back as it was.
        """
        sink.add(head(len(value), is_map=self.key is not None))
        source = self.of(value)
        waiting: list[Any] = []
        count = _FIRST
        while chunk := waiting.pop() if waiting else self.take(source, count):
            weight = self.item.weigh(self.values(chunk))
            if weight > _limits.LARGE and len(chunk) > 1:
                halves = self.of(chunk)
                first = self.take(halves, len(chunk) // 2)
                waiting += [self.take(halves, len(chunk)), first]
            elif weight > _limits.LARGE:
                yield from self._slices_of_one(chunk, sink)
            else:
                size = self._put(chunk, weight, sink)
                count = max(1, int(len(chunk) * min(_limits.SLICE / size, 0.8 * _limits.LARGE / weight)))
                if sink.is_due():
                    yield

    def _slices_of_one(self, chunk: Any, sink: Sink) -> Iterator[None]:
        (item,) = self.values(chunk)
        if self.key is not None:
            (key,) = chunk
            self.key.write(key, sink)
        yield from self.item.slices(item, sink)

    def _put(self, chunk: Any, weight: int, sink: Sink) -> int:
        skip = len(head(len(chunk), is_map=self.key is not None))
        item = self.item
        looked_at = () if item.look is Look.NOTHING else self.values(chunk)
        is_deep, is_sure = item.look is Look.ALL, item.is_sure and (self.key is None or self.key.is_sure)
        piece = Piece(chunk, self._encode, self.decode, looked_at, is_deep, is_sure, weight, skip)
        sink.put(piece)
        return len(piece.data)

    def _encode(self, chunk: Any) -> bytes:
        order = self.item.order
        if order is None:
            return _encode(chunk)
        if self.key is not None:
            return _encode({key: order(item) for key, item in chunk.items()})
        return _encode(list(map(order, chunk)))


@attrs.frozen
class _Field:
    """A field of an object."""

    name: str
    encoded_name: bytes
    part: Part


class Part:
    """How values of one type are encoded, at once or in slices, and read back."""

    def __init__(self, hint: Any, known: dict[Any, Part], *, is_ordered: bool = True) -> None:
        """Prepare for values of the type *hint*.

        Args:
            hint: The type.
            known: The parts that there are, by their hints: a type may hold itself.
            is_ordered: Whether sets are put in order; not so those inside of objects.
        """
        known[_key(hint, is_ordered=is_ordered)] = self
        self._decode: Final = msgspec.msgpack.Decoder(hint).decode
        info = types.type_info(hint)
        self.order: Final = ordering(info) if is_ordered else None
        self._sets: Final = _set_order(info) if is_ordered else None
        self.is_fixed: Final = is_fixed(info)
        self.is_sure: Final = is_sure(info)
        self.look: Final = look_of(info)
        self._grows: bool | None = None
        self._items: Final[dict[type, _Items]] = {}
        self._objects: Final[dict[type, list[_Field]]] = {}

        def part(inner: Any, *, is_ordered: bool = is_ordered) -> Part:
            return known.get(_key(inner, is_ordered=is_ordered)) or Part(inner, known, is_ordered=is_ordered)

        for kind, arguments in containers(hint):
            if kind is dict:
                whole: Any = dict.__class_getitem__(arguments)
                key, item = map(part, arguments)
                self._items[kind] = _Items(msgspec.msgpack.Decoder(whole).decode, item, key)
            elif issubclass(kind, msgspec.Struct):
                self._objects[kind] = [
                    _Field(field.name, _encode(field.encode_name), part(field.type, is_ordered=False))
                    for field in msgspec.structs.fields(arguments[0])
                ]
            else:
                whole = list.__class_getitem__(arguments)
                self._items[kind] = _Items(msgspec.msgpack.Decoder(whole).decode, part(arguments[0]), None)

    @property
    def grows(self) -> bool:
        """Whether a value may hold any number of others."""
        if self._grows is None:
            self._grows = self._may_grow(set())
        return self._grows

    def _may_grow(self, seen: set[int]) -> bool:
        if self._items:
            return True
        seen.add(id(self))
        parts = (field.part for fields in self._objects.values() for field in fields)
        return any(part._may_grow(seen) for part in parts if id(part) not in seen)  # noqa: SLF001  # of this class

    def weigh(self, values: list[Any]) -> int:
        """Return how many values there are in *values*, themselves included; counting ends when they are many."""
        weight = len(values)
        if weight > _limits.LARGE or not self.grows:
            return weight
        kinds = set(map(type, values))
        for kind in kinds:
            group = values if len(kinds) == 1 else [value for value in values if type(value) is kind]
            if items := self._items.get(kind):
                inner = sum(map(len, group))
                if inner <= _limits.LARGE and items.item.grows:
                    inner = items.item.weigh(list(chain.from_iterable(map(items.values, group))))
                weight += inner
            for field in self._objects.get(kind, ()):
                if weight <= _limits.LARGE and field.part.grows:
                    weight += field.part.weigh(list(map(attrgetter(field.name), group)))
        return weight

    def write(self, value: Any, sink: Sink) -> None:
        """Encode *value* at once.

        Raises:
            Exception: It would not come back as it was.
        """
        looked_at = () if self.look is Look.NOTHING else (value,)
        sink.put(Piece(value, self._encode, self._decode, looked_at, self.look is Look.ALL, self.is_sure))

    def _encode(self, value: Any) -> bytes:
        return _encode(value if self.order is None else self.order(value))

    def slices(self, value: Any, sink: Sink) -> Iterator[None]:
        """Encode *value*, and yield after each slice; at once if it is not large.

        Raises:
            Exception: It would not come back as it was.
        """
        kind = kind_of(value)
        items, fields = self._items.get(kind), self._objects.get(kind)
        if (items is None and fields is None) or self.weigh([value]) <= _limits.LARGE:
            self.write(value, sink)
            if sink.is_due():
                yield
        elif fields is not None:
            yield from _slices_of_object(value, fields, sink)
        elif items is not None:
            sink.look_at(value)
            ordered = value
            if kind in (set, frozenset):
                ordered = list(value) if self._sets is None else self._sets.arranged(value)
            if not items.item.is_fixed or not sink.later(items.slices, ordered):
                yield from items.slices(ordered, sink)


def _key(hint: Any, *, is_ordered: bool) -> Hashable:
    return (hint if _is_hashable(hint) else repr(hint)), is_ordered


def _is_hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:  # notes in an Annotated may be of any type
        return False
    return True


def head(length: int, *, is_map: bool) -> bytes:
    """Return the beginning of a MessagePack map or array of *length* items."""
    if length < 1 << 4:
        return bytes([(0x80 if is_map else 0x90) | length])
    if length < 1 << 16:
        return bytes([0xDE if is_map else 0xDC]) + length.to_bytes(2)
    return bytes([0xDF if is_map else 0xDD]) + length.to_bytes(4)


def _set_order(info: types.Type) -> SetOrder | None:
    if isinstance(info, types.SetType | types.FrozenSetType):
        return SetOrder(info.item_type)
    options = inner_types(info) if isinstance(info, types.UnionType | types.Metadata) else ()
    return next((found for option in options if (found := _set_order(option))), None)


def _slices_of_object(value: Any, fields: Sequence[_Field], sink: Sink) -> Iterator[None]:
    config = value.__struct_config__
    values = [(field, getattr(value, field.name)) for field in fields]
    there = [(field, inner) for field, inner in values if inner is not msgspec.UNSET]
    sink.look_at(value)
    sink.add(head(len(there) + (config.tag is not None), is_map=True))
    if config.tag is not None:
        sink.add(_encode(config.tag_field) + _encode(config.tag))
    for field, inner in there:
        sink.add(field.encoded_name)
        yield from field.part.slices(inner, sink)
