"""What operators have begun: each goes on by itself after the answer, and can be asked for by its id."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
import msgspec
import trio

from duenna.errors import DuennaError
from duenna.secrets import redact_to

if TYPE_CHECKING:
    from collections.abc import Awaitable

MOST: Final = 1_000
"""Operations that are remembered; of more, the oldest that are over are forgotten."""

MOST_RUNNING: Final = 100
"""Operations that are under way at a time."""

MOST_KEYS: Final = 1_000
"""Idempotency keys that are remembered; of more, the oldest are forgotten."""

INTERRUPTED: Final = "the console was restarted in the middle; what had been begun goes on: see the actor's state"

_LONGEST: Final = 500
_MOMENT: Final = 0.2  # for the answer to reach who asked, before what it came from is stopped


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an operator wanted.

    Attributes:
        id: Its id.
        action: `restart`, `stop`, `start`, `suspend` or `resume`.
        path: Of whom.
        state: Whether it is under way, or how it ended.
        error: Why it failed; empty if it did not.
        reason: Why it was wanted, in the operator's words, without secrets.
        by: Name of the operator's token.
        started_at: When, in seconds since 1970.
        ended_at: When it ended; None: it is under way.
        affected: Paths that it stops or starts.
    """

    id: str
    action: str
    path: str
    state: Literal["running", "succeeded", "failed"]
    error: str = ""
    reason: str
    by: str
    started_at: float
    ended_at: float | None = None
    affected: tuple[str, ...]


class TooManyError(DuennaError):
    """Too many operations are under way."""


class KeyReusedError(DuennaError):
    """An idempotency key was used before, for something else."""


@attrs.define(eq=False)
class Operations:
    """The latest operations. They outlive the console, their tasks do not.

    Attributes:
        wall: The wall clock.
    """

    wall: Callable[[], float]
    _known: OrderedDict[str, Operation] = attrs.field(factory=OrderedDict[str, Operation], init=False)
    _running: set[str] = attrs.field(factory=set[str], init=False)
    _keys: OrderedDict[tuple[str, str], tuple[Any, Operation]] = attrs.field(
        factory=OrderedDict[tuple[str, str], tuple[Any, Operation]], init=False
    )
    _count: int = attrs.field(default=0, init=False)

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of those that are under way, oldest first."""
        return tuple(sorted(self._running, key=lambda name: int(name[3:])))

    def all(self) -> tuple[Operation, ...]:
        """Return all that are remembered, newest first."""
        return tuple(reversed(self._known.values()))

    def find(self, name: str) -> Operation | None:
        """Return the operation of id *name*; None: there is none, or it is forgotten."""
        return self._known.get(name)

    def known_by(self, owner: str, key: str, what: Any) -> Operation | None:
        """Return what *owner* began with *key*, as it was then, also when it is forgotten by now; None: nothing yet.

        Raises:
            KeyReusedError: It was something else than *what*.
        """
        before = self._keys.get((owner, key))
        if before is None:
            return None
        if before[0] != what:
            raise KeyReusedError(f"the key {key!r} was used before, for something else: {before[0]!r}")
        return before[1]

    def begin(
        self,
        action: str,
        path: str,
        work: Callable[[], Awaitable[Any]],
        spawn: Callable[[Callable[[], Awaitable[Any]]], None],
        *,
        by: str,
        reason: str = "",
        affected: tuple[str, ...] = (),
        key: str = "",
        what: Any = None,
        ends_console: bool = False,
    ) -> Operation:
        """Have *work* done in the background, and return the operation.

        Args:
            action: What is done.
            path: To whom.
            work: Does it.
            spawn: Runs a function for as long as the console runs.
            by: Who wants it.
            reason: Why.
            affected: Paths that it stops or starts.
            key: By which a second request of the same owner is known to be the same; empty: by nothing.
            what: What is asked for, to tell two requests of one key apart.
            ends_console: Whether it stops the console itself: it waits for the answer to be out, and has
                succeeded when the console is stopped by it.

        Raises:
            TooManyError: There are `MOST_RUNNING` under way.
        """
        if len(self._running) >= MOST_RUNNING:
            raise TooManyError(f"{MOST_RUNNING} operations are under way")
        self._count += 1
        operation = Operation(
            id=f"op-{self._count}",
            action=action,
            path=path,
            state="running",
            reason=redact_to(reason, _LONGEST),
            by=by,
            started_at=self.wall(),
            affected=affected,
        )
        self._remember(operation)
        if key:
            self._keys[by, key] = (what, operation)
            if len(self._keys) > MOST_KEYS:
                self._keys.popitem(last=False)
        try:
            spawn(partial(self._run, operation.id, work, ends_console=ends_console))
        except BaseException:
            self._end(operation.id, INTERRUPTED)
            raise
        return operation

    async def _run(self, name: str, work: Callable[[], Awaitable[Any]], *, ends_console: bool) -> None:
        error = INTERRUPTED
        try:
            if ends_console:
                await trio.sleep(_MOMENT)
                error = ""
            await work()
            error = ""
        except Exception as exc:  # noqa: BLE001  # what becomes of it is told, and ends nothing
            error = redact_to(f"{type(exc).__name__}: {exc}", _LONGEST)
        finally:  # cancelled, too: the console ends
            self._end(name, error)

    def _remember(self, operation: Operation) -> None:
        self._known[operation.id] = operation
        self._running.add(operation.id)
        if len(self._known) > MOST:
            oldest = next(name for name in self._known if name not in self._running)
            del self._known[oldest]

    def _end(self, name: str, error: str) -> None:
        self._running.discard(name)
        state: Literal["succeeded", "failed"] = "failed" if error else "succeeded"
        done = self._known.get(name)
        if done is not None:
            self._known[name] = msgspec.structs.replace(done, state=state, error=error, ended_at=self.wall())
