"""What happens to the state."""

from typing import ClassVar

from duenna.events import Event


def _size(size: int) -> str:
    return f"{size} B" if size < 10_240 else f"{size / 1024:,.0f} KiB"  # noqa: PLR2004


class StateRestored(Event, frozen=True):
    """A runtime begins with the state that there is.

    Attributes:
        store: Where that is.
        source: What was read.
        actors: Actors whose fields are known.
        work: Operations and intents that are not finished.
        parts: What else is kept: breakers, bans, silences, operator stops.
        size: Bytes that were read.
    """

    store: str
    source: str
    actors: int
    work: int
    parts: int
    size: int

    def text(self) -> str:
        """Return the log line."""
        counts = ((self.actors, "actor"), (self.work, "unfinished operation"), (self.parts, "other part"))
        what = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts)
        return f"restored {what} from {self.store} ({self.source}, {_size(self.size)})"


class StateDated(Event, frozen=True):
    """How old the state is that a runtime begins with.

    Attributes:
        age: Seconds since its last commit; None: not known.
        was_clean: Whether its last owner stopped in order.
        damages: How much of it could not be read.
    """

    age: float | None
    was_clean: bool
    damages: int = 0

    def text(self) -> str:
        """Return the log line."""
        age = "of unknown age" if self.age is None else f"{self.age:.1f} s old"
        end = "the last stop was in order" if self.was_clean else "the last process ended without a stop in order"
        damages = f", {self.damages} damage{'' if self.damages == 1 else 's'}" if self.damages else ""
        return f"the state is {age}; {end}{damages}"


class WorkFound(Event, frozen=True):
    """What was begun and not finished, and can be resumed.

    Attributes:
        work: Each in words, at most 20.
        total: How many there are.
    """

    work: tuple[str, ...]
    total: int

    def text(self) -> str:
        """Return the log line."""
        if not self.total:
            return "nothing to resume: no operation was under way"
        more = f", and {self.total - len(self.work)} more" if self.total > len(self.work) else ""
        return f"to resume: {'; '.join(self.work)}{more}"


class StateDamaged(Event, frozen=True):
    """Something of the state could not be read.

    Attributes:
        store: Which state.
        where: The file or the row.
        what: What is wrong with it.
        loss: `nothing`, `unknown` or `acknowledged`.
        kept_as: What the damaged file will be called; empty if it stays where it is.
    """

    level: ClassVar[str] = "ERROR"
    store: str
    where: str
    what: str
    loss: str
    kept_as: str = ""

    def text(self) -> str:
        """Return the log line."""
        cost = {
            "nothing": "nothing is lost",
            "unknown": "nothing that was acknowledged is known to be lost",
            "acknowledged": "ACKNOWLEDGED STATE IS LOST",
        }
        kept = f"; kept as {self.kept_as}" if self.kept_as else ""
        return f"{self.where} in {self.store}: {self.what}; {cost.get(self.loss, self.loss)}{kept}"


class SnapshotSaved(Event, frozen=True):
    """A save is durable.

    Attributes:
        seq: The store's commit.
        changed: Entries that were not as they were at the last save.
        size: Their bytes.
        duration: Seconds.
    """

    level: ClassVar[str] = "DEBUG"
    seq: int
    changed: int
    size: int
    duration: float

    def text(self) -> str:
        """Return the log line."""
        return f"saved {self.changed} entries, {_size(self.size)}, in {self.duration * 1000:.1f} ms (commit {self.seq})"


class GenerationWritten(Event, frozen=True):
    """All of the state was written anew.

    Attributes:
        store: Which state.
        generation: Its number.
        entries: How many there are.
        size: Bytes.
    """

    level: ClassVar[str] = "DEBUG"
    store: str
    generation: int
    entries: int
    size: int

    def text(self) -> str:
        """Return the log line."""
        return f"generation {self.generation} of {self.store}: {self.entries} entries, {_size(self.size)}"


class ActorSaved(Event, frozen=True):
    """An actor was told that its state is durable.

    Attributes:
        incarnation: Which one.
        version: How often it has been saved.
        is_durable: Whether that outlives the process.
    """

    level: ClassVar[str] = "TRACE"
    incarnation: int
    version: int
    is_durable: bool

    def text(self) -> str:
        """Return the log line."""
        return f"saved, version {self.version}"


class ActorRestored(Event, frozen=True):
    """An incarnation begins with what was saved.

    Attributes:
        incarnation: Which one.
        version: How often it had been saved.
        age: Seconds since it was taken.
        is_new_process: Whether an earlier process saved it.
    """

    level: ClassVar[str] = "DEBUG"
    incarnation: int
    version: int
    age: float
    is_new_process: bool

    def text(self) -> str:
        """Return the log line."""
        who = "an earlier process" if self.is_new_process else "this process"
        return f"state of {self.age:.1f} s ago restored, version {self.version}, saved by {who}"


class StateNotTaken(Event, frozen=True):
    """An actor ended in the middle of a message or an operation, with fields that were not saved yet.

    Attributes:
        incarnation: Which one.
    """

    level: ClassVar[str] = "WARNING"
    incarnation: int

    def text(self) -> str:
        """Return the log line."""
        return "ended in the middle of its work: its state stands as it was saved before that"


class StateUnencodable(Event, frozen=True):
    """The fields of an actor cannot be encoded: what was saved before stands.

    Attributes:
        error: Why.
    """

    level: ClassVar[str] = "ERROR"
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"not saved, what was saved before stands: {self.error}"


class StateEncodable(Event, frozen=True):
    """What could not be saved can be again."""

    def text(self) -> str:
        """Return the log line."""
        return "can be saved again"


class StateNotDurable(Event, frozen=True):
    """From now on what is saved is kept in memory only.

    Attributes:
        store: Which state.
        error: Why.
    """

    level: ClassVar[str] = "ERROR"
    store: str
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"NOT DURABLE, what is saved is kept in memory only: {self.error}"


class StateDurable(Event, frozen=True):
    """What is saved is durable again.

    Attributes:
        store: Which state.
        duration: Seconds for which it was not.
    """

    store: str
    duration: float

    def text(self) -> str:
        """Return the log line."""
        return f"{self.store} is durable again after {self.duration:.1f} s, nothing is lost"


class StateSetAside(Event, frozen=True):
    """The state of an actor was set aside: it starts clean.

    Attributes:
        why: What led to it.
        kept_as: The key under which it is kept.
        is_by_hand: Whether an operator did it.
    """

    level: ClassVar[str] = "ERROR"
    why: str
    kept_as: str
    is_by_hand: bool

    def text(self) -> str:
        """Return the log line."""
        return f"state set aside as {self.kept_as}, it starts clean: {self.why}"


class ReconcileBegan(Event, frozen=True):
    """State was lost: no trading until an operator or a check says that what is there is right.

    Attributes:
        why: What was lost.
    """

    level: ClassVar[str] = "CRITICAL"
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"RECONCILE: no trading until runtime.state.reconciled(): {self.why}"


class ReconcileEnded(Event, frozen=True):
    """Somebody has said that the state is right.

    Attributes:
        by: Who.
    """

    level: ClassVar[str] = "WARNING"
    by: str

    def text(self) -> str:
        """Return the log line."""
        return f"reconciled by {self.by}: trading is allowed again"
