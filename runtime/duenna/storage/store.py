"""The port of all stores: a durable map of small blobs, with one rule of acknowledgement.

Every call may block, and is made from one thread at a time, never from the event loop. A store
has one owner: whoever opened it first holds it until ``close``, or until its process ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import attrs

from duenna.storage.entries import Change, Entry


class Loss(StrEnum):
    """What a damage costs."""

    NOTHING = "nothing"
    """Nothing that was acknowledged: another copy of it was read."""
    UNKNOWN = "unknown"
    """Nothing that anybody can name: what a write under way leaves when the power goes looks the same."""
    ACKNOWLEDGED = "acknowledged"
    """Something that was acknowledged is missing, for certain."""


@attrs.frozen
class Damage:
    """Something in a store that cannot be read.

    Attributes:
        where: The file or the row.
        what: What is wrong with it, in words.
        loss: What it costs.
        kept_as: What the damaged file will be called, or is; empty if it stays where it is.
    """

    where: str
    what: str
    loss: Loss
    kept_as: str = ""


@attrs.frozen
class Loaded:
    """What a store held when it was opened.

    Attributes:
        entries: The state, by key.
        seq: The last commit in it, counted from 1; 0: there is none.
        existed: Whether there was any state, readable or not.
        was_clean: Whether its last owner closed it in order.
        saved_at: When the last commit was made, in seconds since 1970; None: never, or not known.
        damages: What could not be read.
        source: Where it came from, for people, such as `snap-4.bin and 2 journals`.
        size: Bytes that were read.
    """

    entries: Mapping[str, Entry]
    seq: int = 0
    existed: bool = False
    was_clean: bool = False
    saved_at: float | None = None
    damages: tuple[Damage, ...] = ()
    source: str = ""
    size: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was acknowledged is known to be missing."""
        return all(damage.loss is not Loss.ACKNOWLEDGED for damage in self.damages)


@attrs.frozen
class Compacted:
    """What became of tidying a store up.

    Attributes:
        generation: Number of the generation that was written.
        entries: How many are in it.
        size: Its bytes.
    """

    generation: int
    entries: int
    size: int


class Store(Protocol):
    """Where the state is.

    Attributes:
        name: What people know it by, such as `data/state` or `postgres bot_state`; never with a password.
        is_durable: Whether it outlives the process.
    """

    name: str
    is_durable: bool

    def open(self) -> Loaded:
        """Take possession and read everything; changes nothing that was stored.

        Raises:
            StateFormatError: It was written by a later version; it is left as it is.
            StateLockedError: Somebody else has it.
            StateUnreadableError: The machine could not read it (`EIO`, no permission, no connection): nothing is
                known to be wrong with it, so nobody may start without it.
        """
        ...

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Carry out all *changes*, of different keys, or none of them; return their number, when they are durable.

        After an error they may be there or not; whoever called gives them again, with whatever
        came since, for the keys are set and not added to.

        Args:
            changes: At least one.
            at: The time of day, in seconds since 1970.

        Raises:
            StateWriteError: They are not known to be durable.
        """
        ...

    @property
    def wants_compacting(self) -> bool:
        """Whether enough was committed since the last ``compact`` for another to be worth its while."""
        ...

    def compact(self, at: float) -> Compacted | None:
        """Write everything anew, in one piece, and remove what is superseded; None: there is nothing to do.

        Raises:
            StateWriteError: It failed; nothing that was committed is lost.
        """
        ...

    def close(self, at: float, *, is_clean: bool) -> None:
        """Let go; called once, also after errors. With *is_clean*, leave the mark of an orderly end first.

        Raises:
            StateWriteError: The mark could not be left; the store is closed all the same.
        """
        ...
