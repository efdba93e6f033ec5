"""Bytes on their way, each piece of them read back and compared."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, Final, Protocol, TypeAlias

import attrs

from duenna.fields import _limits
from duenna.fields._kinds import kind_of
from duenna.fields._probe import Probe
from duenna.fields._same import same

Encode: TypeAlias = Callable[[Any], bytes]
Decode: TypeAlias = Callable[[bytes], Any]


_QUICKER: Final = 8
"""How many slices are one if nothing is read back."""


class UnfitError(Exception):
    """Something would not come back as it was."""


@attrs.frozen
class Piece:
    """Some bytes, and what they must be when they are read back.

    Attributes:
        value: What became bytes.
        encode: Made them of it.
        decode: Makes of them what must be the same.
        looked_at: What of it must be looked at.
        is_deep: Whether what is in that must be looked at, too.
        is_sure: Whether it comes back if it is what its type says.
        weight: How many values there are in it, about.
        skip: How many of the bytes are a head that is not wanted.
        data: The bytes.
    """

    value: Any
    encode: Encode
    decode: Decode
    looked_at: Sequence[Any]
    is_deep: bool
    is_sure: bool
    weight: int = 1
    skip: int = 0
    data: bytes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Encode, now."""
        object.__setattr__(self, "data", self.encode(self.value))

    def comes_back(self, *, is_of_now: bool) -> bool:
        """Return whether the bytes are read back as the value.

        Args:
            is_of_now: The value was encoded just now. If not, and if objects in it have changed
                since, what is read back is right as well if the same bytes are made of it; of
                what is not sure to come back, that says too little.
        """
        back = self.decode(self.data)
        if same(self.value, back):
            return True
        has_changed = not is_of_now and self.encode(self.value) != self.data
        return has_changed and self.is_sure and self.encode(back) == self.data


class Sink(Protocol):
    """Takes what is encoded, in order."""

    def add(self, data: bytes) -> None:
        """Append *data*, which need not be read back."""
        ...

    def put(self, piece: Piece, *, is_of_now: bool = True) -> None:
        """Append a piece, which was encoded just now, or before.

        Raises:
            Exception: It would not come back as it was.
        """
        ...

    def look_at(self, value: Any) -> None:
        """Look at *value* itself, and not at what it holds.

        Raises:
            TwiceError: It is in two places, and can change.
        """
        ...

    def later(self, encode: Callable[[Any, Sink], Iterator[None]], value: Any) -> bool:
        """Have *encode* append *value*, a dict, list or tuple of what cannot change, when it is time; False: not so."""
        ...

    def is_due(self) -> bool:
        """Return whether there is enough for a slice, and begin the next one if so."""
        ...


class Output:
    """The bytes; what is put is read back at once."""

    __slots__ = ("_buffer", "_is_read_back", "_most", "_probe", "_size", "_values")

    def __init__(self, *, is_read_back: bool = True) -> None:
        """Begin with nothing.

        Args:
            is_read_back: Whether what is sure to come back if it is what its type says is read back, too.
        """
        self._is_read_back: Final = is_read_back
        self._most: Final = 1 if is_read_back else _QUICKER
        self._buffer: Final = BytesIO()
        self._probe: Final = Probe()
        self._size = self._values = 0

    def add(self, data: bytes) -> None:
        """Append *data*."""
        self._buffer.write(data)

    def put(self, piece: Piece, *, is_of_now: bool = True) -> None:
        """Append *piece*, and read it back."""
        self._buffer.write(memoryview(piece.data)[piece.skip :])
        self._size += len(piece.data)
        self._values += piece.weight
        if self._is_read_back or not piece.is_sure:
            _read_back(piece, is_of_now=is_of_now)
        self._probe.look(piece.looked_at, is_deep=piece.is_deep)

    def look_at(self, value: Any) -> None:
        """Look at *value*."""
        self._probe.look([value], is_deep=False)

    def later(self, encode: Callable[[Any, Sink], Iterator[None]], value: Any) -> bool:  # noqa: ARG002  # the protocol's
        """Return that there is no better time."""
        return False

    def is_due(self) -> bool:
        """Return whether there is enough for a slice."""
        if self._size < self._most * _limits.SLICE and self._values < self._most * _limits.LARGE / 2:
            return False
        self._size = self._values = 0
        return True

    def value(self) -> bytes:
        """Return all bytes; they are not copied."""
        return self._buffer.getvalue()


def _read_back(piece: Piece, *, is_of_now: bool) -> None:
    was_enabled = gc.isenabled()
    gc.disable()  # what is read back is gone at once: it shall not make the collector go through all there is
    try:
        if not piece.comes_back(is_of_now=is_of_now):
            raise UnfitError
    finally:
        if was_enabled:
            gc.enable()


class Recorder:
    """Takes in a moment what is to be of this moment, and leaves to later what can be left.

    What can change is encoded, and what cannot is kept: a container of such is copied.
    """

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self._steps: Final[list[Callable[[Sink], Iterator[None] | None]]] = []

    def add(self, data: bytes) -> None:
        """Keep *data*."""
        self._steps.append(lambda sink: sink.add(data))

    def put(self, piece: Piece, *, is_of_now: bool = True) -> None:  # noqa: ARG002  # it will be of before
        """Keep *piece*, to be read back later."""
        self._steps.append(lambda sink: sink.put(piece, is_of_now=False))

    def look_at(self, value: Any) -> None:
        """Keep *value*, to be looked at later."""
        self._steps.append(lambda sink: sink.look_at(value))

    def later(self, encode: Callable[[Any, Sink], Iterator[None]], value: Any) -> bool:
        """Keep a copy of *value*, to be encoded later."""
        copy = value if kind_of(value) is tuple else value.copy()
        self._steps.append(lambda sink: encode(copy, sink))
        return True

    def is_due(self) -> bool:
        """Return that it is not: all is of one moment."""
        return False

    def play(self, sink: Sink) -> Iterator[None]:
        """Do what was left for later, and yield after each slice.

        Raises:
            Exception: Something would not come back as it was, or it has changed since.
        """
        for step in self._steps:
            yield from step(sink) or ()
            if sink.is_due():
                yield
