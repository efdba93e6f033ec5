"""What the faults of a plan do to a virtual network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.faults import (
    Bandwidth,
    Fault,
    FlipByte,
    HalfOpen,
    Latency,
    Loss,
    NameNotFound,
    Partition,
    Refuse,
    Reset,
    Stall,
    TlsFailure,
    Truncate,
)
from duenna.testing._net._pipe import TLS_HANDSHAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from duenna.testing._net._connection import Connection
    from duenna.testing._net._host import Host
    from duenna.testing._net._link import Line
    from duenna.testing._net._network import Network
    from duenna.testing._net._pipe import Pipe

_ON_LINES = (Latency, Bandwidth, Loss, Partition)
_ON_SEGMENTS = (Truncate, FlipByte, TlsFailure)


@attrs.define(eq=False)
class Struck:
    """A fault that is going on.

    Attributes:
        fault: What it is.
        target: Whom it strikes.
        left: How many segments it will still strike, if it counts them.
    """

    fault: Fault
    target: str
    left: int = 0


class Faults:
    """The faults that are going on in a network. What a host says to itself suffers none of them.

    Attributes:
        tampering: Those that change segments.
    """

    def __init__(self, network: Network, rng: Random) -> None:
        """Strike *network*; *rng* draws what a byte is changed to."""
        self._network = network
        self._rng = rng
        self._lasting: list[Struck] = []
        self.tampering: list[Struck] = []

    def begin(self, fault: Fault, target: str) -> Callable[[], None]:
        """Begin *fault* for the hosts that the glob *target* fits; return what ends it.

        Raises:
            TypeError: It is not of the network.
        """
        match fault:
            case HalfOpen():
                for connection in self._open_connections(target):
                    connection.vanish()
            case Reset():
                for connection in self._open_connections(target):
                    connection.reset()
            case Stall():
                return self._stall(fault, target)
            case Refuse() | NameNotFound():
                return self._keep(self._lasting, Struck(fault, target))
            case _ if isinstance(fault, _ON_LINES):
                return self._keep(self._lasting, Struck(fault, target), self._network.refresh_lines)
            case _ if isinstance(fault, _ON_SEGMENTS):
                left = 1 if isinstance(fault, TlsFailure) else fault.count
                return self._keep(self.tampering, Struck(fault, target, left))
            case _:
                raise TypeError(f"fault must be one of the network's, got {fault!r}")
        return _nothing

    def refresh(self, line: Line) -> None:
        """Make *line* what its link and the faults make it."""
        line.clear()
        for struck in () if line.is_loopback else self._lasting:
            if line.source.matches(struck.target) or line.target.matches(struck.target):
                match struck.fault:
                    case Latency(extra=extra, jitter=jitter):
                        line.worsen(extra=extra, jitter=jitter)
                    case Bandwidth(bytes_per_second=bandwidth):
                        line.worsen(bandwidth=bandwidth)
                    case Loss(rate=rate):
                        line.worsen(loss=rate)
                    case Partition():
                        line.worsen(blocked=True)
                    case _:
                        pass

    def refuses(self, pipe: Pipe) -> bool:
        """Return whether the host at the end of *pipe* refuses connections."""
        return not pipe.line.is_loopback and any(
            isinstance(struck.fault, Refuse) and pipe.line.target.matches(struck.target) for struck in self._lasting
        )

    def hides(self, host: Host) -> bool:
        """Return whether the names of *host* are not found."""
        return any(isinstance(struck.fault, NameNotFound) and host.matches(struck.target) for struck in self._lasting)

    def tamper(self, pipe: Pipe, payload: bytes) -> bytes:
        """Return what arrives of a segment, which may be nothing."""
        line = pipe.line
        for struck in () if line.is_loopback else tuple(self.tampering):
            fault = struck.fault
            if isinstance(fault, TlsFailure):
                is_first = pipe.source.is_client and not pipe.passed
                if is_first and payload[0] == TLS_HANDSHAKE and line.target.matches(struck.target):
                    _connection_of(pipe).fail_tls()
                    return b""
            elif line.source.matches(struck.target):
                struck.left -= 1
                if not struck.left:
                    self.tampering.remove(struck)
                if isinstance(fault, Truncate):
                    self._cut(pipe, payload[: int(len(payload) * fault.keep)])
                    return b""
                at = self._rng.randrange(len(payload))
                changed = payload[at] ^ self._rng.randrange(1, 256)
                payload = payload[:at] + bytes((changed,)) + payload[at + 1 :]
        return payload

    def _cut(self, pipe: Pipe, kept: bytes) -> None:
        connection = _connection_of(pipe)
        if kept:
            pipe.used += len(kept)
            pipe.arrive(kept)
        connection.reset()

    def _stall(self, fault: Stall, target: str) -> Callable[[], None]:
        held: list[Pipe] = []
        for connection in self._open_connections(target):
            for pipe in connection.pipes:
                is_from = fault.direction != "to" and pipe.line.source.matches(target)
                if is_from or (fault.direction != "from" and pipe.line.target.matches(target)):
                    pipe.hold()
                    held.append(pipe)

        def end() -> None:
            while held:
                held.pop(0).release()

        return end

    def _keep(
        self, among: list[Struck], struck: Struck, changed: Callable[[], None] | None = None
    ) -> Callable[[], None]:
        def end() -> None:
            if struck in among:
                among.remove(struck)
                if changed is not None:
                    changed()

        among.append(struck)
        if changed is not None:
            changed()
        return end

    def _open_connections(self, target: str) -> Iterator[Connection]:
        for connection in self._network.connections():
            line = connection.forth.line
            is_struck = line.source.matches(target) or line.target.matches(target)
            if is_struck and connection.is_open and not line.is_loopback:
                yield connection


def _connection_of(pipe: Pipe) -> Connection:
    connection = pipe.source.connection
    assert connection is not None  # noqa: S101  # a segment of it has just arrived
    return connection


def _nothing() -> None:
    pass
