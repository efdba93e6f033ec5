"""Mailboxes: always bounded, with a stated rule for a message that finds no room."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, Protocol, Self

import attrs

from duenna.machines import checks


class Overflow(StrEnum):
    """What a ``tell`` does that finds the mailbox full."""

    FAIL = "fail"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


class Queue(Protocol):
    """What holds the messages of one mailbox; a plain deque is one."""

    def __len__(self) -> int:
        """Return the number of messages."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Iterate from the oldest to the newest message."""
        ...

    def __getitem__(self, place: int, /) -> Any:
        """Return a message, the oldest being at 0."""
        ...

    def __delitem__(self, place: int, /) -> None:
        """Take a message out, the oldest being at 0."""
        ...

    def append(self, message: Any, /) -> None:
        """Add the newest message."""
        ...

    def appendleft(self, message: Any, /) -> None:
        """Put a message back as the oldest."""
        ...

    def popleft(self) -> Any:
        """Take the oldest message."""
        ...

    def clear(self) -> None:
        """Forget every message."""
        ...


def _capacity(value: int) -> int:
    return checks.count("Mailbox", "capacity", value, least=1)


def _overflow(value: str) -> Overflow:
    return checks.choice("Mailbox", "overflow", value, Overflow)


@attrs.frozen(cache_hash=True)
class Mailbox:
    """The bound of a mailbox and its rule for when it is full.

    ``send`` and ``ask`` wait for room whatever the rule; it is for ``tell``, timers and
    ``publish``, which do not wait. Every drop is counted, and posted as `MessageDropped`.
    `Down` notices and replies always get in.

    Attributes:
        capacity: Messages it holds, at least 1.
        overflow: `fail`: ``tell`` raises `MailboxFullError`; `drop_oldest`: the message
            that waited longest is dropped; `drop_newest`: the one that was told is.
        key: None, or the function of ``Mailbox.latest``.
    """

    capacity: int = attrs.field(default=1000, converter=_capacity)
    overflow: Overflow = attrs.field(default=Overflow.FAIL, converter=_overflow)
    key: Callable[[Any], Hashable] | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a key that `latest` would not have given."""
        if self.key is not None and (not callable(self.key) or self.overflow is not Overflow.DROP_OLDEST):
            message = (
                f"Mailbox: a key needs Mailbox.latest(key=...), got key={self.key!r} and overflow={self.overflow!s}"
            )
            raise ValueError(message)

    @classmethod
    def latest(cls, key: Callable[[Any], Hashable], capacity: int = 1000) -> Self:
        """Keep only the newest message of each key, in the order in which the keys came.

        A price feed wants this: a slow reader gets the newest price of every symbol, never a
        queue of old ones. A message that is replaced counts as dropped. When *capacity* keys
        wait, a message with a new key drops the one that waited longest. Asks are never
        replaced.

        Args:
            key: Gives the key of a message.
            capacity: Keys that wait at most.

        Raises:
            TypeError: *key* cannot be called, or *capacity* is no whole number.
            ValueError: *capacity* is less than 1.
        """
        if not callable(key):
            message = f"Mailbox.latest: key must be a function of a message, got {key!r}"
            raise TypeError(message)
        return cls(capacity=capacity, overflow=Overflow.DROP_OLDEST, key=key)

    @property
    def policy(self) -> str:
        """The rule's name: that of ``overflow``, or `latest`."""
        return str(self.overflow) if self.key is None else "latest"

    def queue(self) -> Queue:
        """Return a new, empty queue."""
        return deque[Any]() if self.key is None else LatestQueue(self.key)


class LatestQueue:
    """The newest message per key, the key that waited longest first."""

    __slots__ = ("_key", "_messages", "replaced")

    def __init__(self, key: Callable[[Any], Hashable]) -> None:
        """Take the key of each message from *key*."""
        self._key = key
        self._messages: OrderedDict[Hashable, Any] = OrderedDict()
        self.replaced = 0

    def __len__(self) -> int:
        """Return the number of keys that wait."""
        return len(self._messages)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the messages, the longest waiting key first."""
        return iter(self._messages.values())

    def __getitem__(self, place: int) -> Any:
        """Return a message, the longest waiting key being at 0."""
        return next(islice(self._messages.values(), place, None))

    def __delitem__(self, place: int) -> None:
        """Take a message out, the longest waiting key being at 0."""
        del self._messages[next(islice(self._messages, place, None))]

    def has(self, message: object) -> bool:
        """Return whether *message* would replace another, so that it needs no room."""
        return self._key_of(message) in self._messages

    def append(self, message: Any, /) -> None:
        """Add *message* in the place of the one with its key, if there is one.

        Raises:
            TypeError: The key function raised, or gave something that cannot be hashed.
        """
        key = self._key_of(message)
        if key in self._messages:
            self.replaced += 1
        self._messages[key] = message

    def appendleft(self, message: Any, /) -> None:
        """Put *message* back as the oldest, unless a newer one of its key has come."""
        key = self._key_of(message)
        if key in self._messages:
            self.replaced += 1
        else:
            self._messages[key] = message
            self._messages.move_to_end(key, last=False)

    def popleft(self) -> Any:
        """Take the message whose key waited longest."""
        return self._messages.popitem(last=False)[1]

    def clear(self) -> None:
        """Forget every message."""
        self._messages.clear()

    def _key_of(self, message: object) -> Hashable:
        if isinstance(message, Envelope):
            return message  # an ask or a notice is a key of its own: it is never replaced
        try:
            key = self._key(message)
            hash(key)
        except Exception as exc:
            text = f"Mailbox.latest: the key function failed on a {type(message).__name__}: {exc!r}"
            raise TypeError(text) from exc
        return key


NOTHING = object()
"""No message; None is one."""


ENVELOPES: set[Any] = set()
"""The classes of envelopes. Every message is asked whether it is one; a set answers faster than isinstance."""


class Envelope:
    """A message that needs more than delivery; its own message is in ``message``."""

    __slots__ = ()

    message: Any

    def __init_subclass__(cls) -> None:
        """Be known as an envelope."""
        ENVELOPES.add(cls)

    def is_wanted(self, incarnation: int) -> bool:  # noqa: ARG002  # the general case wants all
        """Return whether it should still be delivered, to this incarnation."""
        return True
