"""The kinds of faults: frozen structs that say what goes wrong, and nothing about how that is brought about."""

import builtins
import re
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import msgspec

from duenna.faults import _rules


def _kind_name(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=_kind_name):
    """What all faults have in common: in files they are told apart by their `kind`, the class's name in snake_case.

    Numbers are checked when a fault is made, and kept as floats where they are measures.
    """

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        """Raise `TypeError` or `ValueError` for values that make no sense."""


class NetworkFault(Fault, frozen=True, kw_only=True):
    """Strikes what passes between the bot and the target hosts; globs of their names are the target."""


class FileFault(Fault, frozen=True, kw_only=True):
    """Strikes the databases whose path the target fits."""


class MachineFault(Fault, frozen=True, kw_only=True):
    """Strikes the machine that the bot runs on; the only target is `*`."""


class Latency(NetworkFault, frozen=True, kw_only=True):
    """Everything to and from the target takes longer, while it lasts.

    Attributes:
        extra: How much longer one way takes, in seconds. 0 or more.
        jitter: Up to so many seconds more, drawn for each segment. 0 or more.
    """

    extra: float = 1.0
    jitter: float = 0.0

    def _check(self) -> None:
        _rules.seconds(self, "extra", zero=True)
        _rules.seconds(self, "jitter", zero=True)


class Bandwidth(NetworkFault, frozen=True, kw_only=True):
    """Only so much passes to and from the target, while it lasts.

    Attributes:
        bytes_per_second: In each direction. Greater than 0; for nothing at all there is `Partition`.
    """

    bytes_per_second: float

    def _check(self) -> None:
        _rules.between(self, "bytes_per_second", above=0.0)


class Loss(NetworkFault, frozen=True, kw_only=True):
    """Segments get lost, while it lasts, and TCP sends them again: bytes come late, none is missing.

    Attributes:
        rate: The share that is lost. Greater than 0 and less than 1; for all of them there is `Partition`.
    """

    rate: float

    def _check(self) -> None:
        _rules.between(self, "rate", above=0.0, below=1.0)


class Partition(NetworkFault, frozen=True, kw_only=True):
    """Nothing passes to or from the target until it ends; connections survive it, and the bytes arrive afterwards."""


class Stall(NetworkFault, frozen=True, kw_only=True):
    """Bytes of the connections that are open when it begins are held until it ends; new connections work.

    Attributes:
        direction: Which bytes: those `from` the target, those `to` it, or `both`.
    """

    direction: Literal["from", "to", "both"] = "from"

    def _check(self) -> None:
        _rules.one_of(self, "direction", ("from", "to", "both"))


class HalfOpen(NetworkFault, frozen=True, kw_only=True):
    """Connections that are open are dead for ever, and neither side is told; new ones work. Instant."""


class Reset(NetworkFault, frozen=True, kw_only=True):
    """Connections that are open are reset. Instant."""


class Refuse(NetworkFault, frozen=True, kw_only=True):
    """New connections to the target are refused, while it lasts; open ones work."""


class Truncate(NetworkFault, frozen=True, kw_only=True):
    """The next segments from the target arrive in part, and the connection is reset.

    It is over when it has struck `count` segments, or when its duration is.

    Attributes:
        keep: The share of the segment that arrives, the first bytes of it. 0 or more, less than 1.
        count: How many segments. 1 or more.
    """

    keep: float = 0.5
    count: int = 1

    def _check(self) -> None:
        _rules.between(self, "keep", least=0.0, below=1.0)
        _rules.whole(self, "count", least=1)


class FlipByte(NetworkFault, frozen=True, kw_only=True):
    """One byte of each of the next segments from the target is changed.

    It is over when it has struck `count` segments, or when its duration is.

    Attributes:
        count: How many segments. 1 or more.
    """

    count: int = 1

    def _check(self) -> None:
        _rules.whole(self, "count", least=1)


class NameNotFound(NetworkFault, frozen=True, kw_only=True):
    """The names of the target are not found in DNS, while it lasts; open connections work."""


class TlsFailure(NetworkFault, frozen=True, kw_only=True):
    """TLS handshakes with the target end in a fatal alert, while it lasts; open connections work."""


class DatabaseLost(FileFault, frozen=True, kw_only=True):
    """The database cannot be opened, read or written, while it lasts."""


class DatabaseSlow(FileFault, frozen=True, kw_only=True):
    """Every call of the database takes longer, while it lasts.

    Attributes:
        delay: How much longer, in seconds. Greater than 0.
    """

    delay: float = 1.0

    def _check(self) -> None:
        _rules.seconds(self, "delay")


class DiskFull(FileFault, frozen=True, kw_only=True):
    """Writes to the database fail for want of room, while it lasts; reads work."""


class ClockStep(MachineFault, frozen=True, kw_only=True):
    """The wall clock jumps, as when NTP sets it; the monotonic clock does not. Instant.

    Attributes:
        offset: How far, in seconds; backwards when negative. Finite and not 0.
    """

    offset: float

    def _check(self) -> None:
        _rules.between(self, "offset")
        _rules.require(self.offset != 0.0, self, "offset", "other than 0 seconds")


class Suspend(MachineFault, frozen=True, kw_only=True):
    """The machine slept: the wall clock went on, the monotonic one did not, and open connections are dead. Instant.

    Attributes:
        length: How long it slept, in seconds of the wall clock. Greater than 0.
    """

    length: float

    def _check(self) -> None:
        _rules.seconds(self, "length")


class Crash(Fault, frozen=True, kw_only=True):
    """The live actors whose path the target fits raise an exception. Instant.

    Attributes:
        error: The name of a built-in exception that can be made from a text, such as `OSError`.
        text: Its text.
    """

    error: str = "RuntimeError"
    text: str = "injected"

    def _check(self) -> None:
        _rules.text(self, "error")
        _rules.text(self, "text", empty=True)
        rule = "the name of a built-in exception that can be made from a text"
        _rules.require(_can_be_raised(self.error), self, "error", rule)


class Service(Fault, frozen=True, kw_only=True):
    """What only the service on the target host can do, such as a sandbox exchange's own faults.

    Attributes:
        name: What it is called there. Not empty.
        params: What it is told, as in JSON: texts, numbers that are finite, booleans, `None`, and lists and
            string-keyed dicts of them, 16 deep at most.
    """

    name: str
    params: dict[str, Any] = {}

    def _check(self) -> None:
        _rules.text(self, "name")
        _rules.params(self, "params")


AnyFault: TypeAlias = (
    Latency
    | Bandwidth
    | Loss
    | Partition
    | Stall
    | HalfOpen
    | Reset
    | Refuse
    | Truncate
    | FlipByte
    | NameNotFound
    | TlsFailure
    | DatabaseLost
    | DatabaseSlow
    | DiskFull
    | ClockStep
    | Suspend
    | Crash
    | Service
)
"""All kinds, for msgspec and for `match`."""

KINDS = MappingProxyType({_kind_name(kind.__name__): kind for kind in AnyFault.__args__})
"""All kinds by their name in files."""

INSTANT = (HalfOpen, Reset, ClockStep, Suspend, Crash)
"""The kinds that happen once, at the moment they begin, and take no duration."""


def kind_of(fault: Fault) -> str:
    """Return a fault's `kind`, as it stands in files."""
    return _kind_name(type(fault).__name__)


def _can_be_raised(name: str) -> bool:
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return False
    try:
        kind("text")
    except TypeError:  # UnicodeDecodeError, for one, wants five arguments
        return False
    return True
