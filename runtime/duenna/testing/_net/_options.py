"""Socket options: kept and given back, as a kernel does; very few of them change anything here."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_INT = struct.Struct("i")
_LINGER = struct.Struct("ii")
_LEVELS = frozenset({socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP})
_READ_ONLY = frozenset(
    {
        (socket.SOL_SOCKET, getattr(socket, name))
        for name in ("SO_ACCEPTCONN", "SO_DOMAIN", "SO_ERROR", "SO_PROTOCOL", "SO_TYPE")
        if hasattr(socket, name)
    }
)


class Options:
    """The options of one socket."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], bytes] = {}

    @property
    def resets_at_close(self) -> bool:
        """Whether `SO_LINGER` is on, with no time to linger."""
        value = self._values.get((socket.SOL_SOCKET, socket.SO_LINGER), b"")
        if len(value) < _LINGER.size:
            return False
        is_on, seconds = _LINGER.unpack_from(value)
        return bool(is_on) and seconds == 0

    def set(self, level: int, name: int, value: Any, length: int | None) -> None:
        """Keep an option; the forms are those of `socket.socket.setsockopt`.

        Raises:
            OSError: There is no such level, or the option can only be read.
        """
        if level not in _LEVELS or (level, name) in _READ_ONLY:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        if value is None:
            if length is None:
                raise TypeError("invalid value for argument 'value', must not be None when specifying optlen")
            self._values[level, name] = bytes(length)
        elif length is not None:
            raise TypeError(f"invalid value for argument 'value': {value!r}, must be None when specifying optlen")
        else:
            self._values[level, name] = _INT.pack(value) if isinstance(value, int) else bytes(value)

    def get(self, level: int, name: int, length: int | None, state: Mapping[int, int]) -> int | bytes:
        """Return an option: as a number, or as bytes when *length* is given.

        Args:
            level: Its level.
            name: Its number.
            length: How many bytes are wanted at most.
            state: What the socket itself tells, by the number of the option of `SOL_SOCKET`.

        Raises:
            OSError: There is no such level.
        """
        if level not in _LEVELS:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        if level == socket.SOL_SOCKET and name in state:
            value = _INT.pack(state[name])
        else:
            value = self._values.get((level, name), bytes(_LINGER.size if name == socket.SO_LINGER else _INT.size))
        if length:
            return value[:length]
        return int(_INT.unpack(value[: _INT.size].ljust(_INT.size, b"\0"))[0])
