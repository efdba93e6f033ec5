"""Operations: work that takes many steps, and that whoever comes next goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import msgspec

from duenna._text import describe
from duenna.machines import checks
from duenna.machines.lifecycle import ChildState
from duenna.state._plain import copied, copy_of, identity
from duenna.state._telling import tell_began, tell_failed, tell_finished, tell_left
from duenna.state.errors import WorkInUseError, refuse_ended
from duenna.state.intents import Intent
from duenna.state.work import OPERATION, WorkRecord, call_text

if TYPE_CHECKING:
    from types import TracebackType

    from duenna._cell import Cell
    from duenna.state._captures import Tracked
    from duenna.state._works import Begun
    from duenna.state.state import State

T = TypeVar("T")


class Operation:
    """One operation of an actor, from ``context.operation(...)``: use it once, with ``async with``.

    It is stored before its block begins. Left in order it is over, and that is durable; left by an
    exception or by cancellation, or by the end of the process, it stays, and whoever asks for an
    operation of that name with those arguments next gets it back, with its progress.

    Whenever it is stored, so are the actor's `persistent` fields, in one commit: what they count
    and the progress that it belongs to never part, if there is no ``await`` between the change of
    the fields and ``progress()``. Within the block no other save takes these fields, but those
    that the actor asks for itself.

    Attributes:
        name: What it is called.
    """

    def __init__(self, state: State, cell: Cell, incarnation: int, name: str, arguments: dict[str, Any]) -> None:
        """Prepare one for the *incarnation* of *cell*; ``context.operation`` does."""
        checks.name("operation", name)
        self.name = name
        self._arguments = copied(f"operation {name}", "argument", arguments)
        self._state = state
        self._cell = cell
        self._incarnation = incarnation
        self._mark = (cell.path, name, identity(self._arguments))
        self._begun: Begun | None = None
        self._record: WorkRecord | None = None
        self._held: Tracked | None = None
        self._is_over = False
        self._is_left = False

    def __repr__(self) -> str:
        """Return what it is called, its arguments, and how far it has got."""
        return f"<Operation {self._call if self._record is None else self._record.text()}>"

    # -- looking ---------------------------------------------------------------

    @property
    def arguments(self) -> dict[str, Any]:
        """What it is about."""
        return copy_of(self._arguments)

    @property
    def id(self) -> str:
        """Its id, unlike any other's, and the same in each attempt."""
        return self._entered.id

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier attempt left it unfinished."""
        return self.attempts > 1

    @property
    def attempts(self) -> int:
        """How often it was begun or resumed, this time included: at least 1."""
        return self._entered.attempts

    @property
    def began_at(self) -> float:
        """When it was first begun, in seconds since 1970."""
        return self._entered.began_at

    @property
    def last_error(self) -> str:
        """What the last attempt failed with; empty if it was cut off, or if there was none."""
        return "" if self._begun is None else self._begun.error

    @property
    def progress_made(self) -> dict[str, Any]:
        """How far it has got: all that ``progress`` was told, in this attempt and in earlier ones; a copy."""
        return copy_of(self._entered.progress)

    def __getitem__(self, name: str) -> Any:
        """Return what ``progress`` was told last of *name*.

        Raises:
            KeyError: Nothing.
        """
        return self.progress_made[name]

    def get(self, name: str, default: T) -> T:
        """Return what ``progress`` was told last of *name*, or *default* if nothing was."""
        return cast("T", self.progress_made.get(name, default))

    # -- going on --------------------------------------------------------------

    async def progress(self, *done: Intent, **values: Any) -> None:
        """Note how far it has got; return when that is durable, and the actor's fields as they are now with it.

        Cancelled, or not durable, it is noted all the same: for the next incarnation, and the next commit.

        Args:
            done: Intents of the actor that are done with it, in the same commit: else a process that ends
                between the two would have the effect again, as a new one.
            values: Plain values; each takes the place of what was noted under its name.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            RuntimeError: The block is not entered, or the operation is over.
            StateError: A field of the actor cannot be encoded; nothing was stored yet. The next step takes the values
                along: who takes back what this one did to the fields has to take them back, too.
            StoppedError: The incarnation, or the runtime, has ended.
            TypeError: One is no plain value, or no intent.
            ValueError: One is out of range, or has the name of a secret, or they are too large; or an intent is not
                the actor's.
            WorkGoneError: Somebody else has ended an intent, or a hand has set the operation aside.
        """
        begun, record = self._open("progress")
        new = copied(f"operation {self.name}", "progress", values)
        over = [self._key_of(intent) for intent in done]
        record = msgspec.structs.replace(record, progress={**record.progress, **new})
        self._state.works.refuse_large(record)
        self._record = record
        try:
            await self._state.works.put(self._cell, begun.key, OPERATION, record, over)
        finally:
            for intent in done:
                intent.note_end()
        for intent in done:
            intent.tell_done()

    def _key_of(self, intent: Intent) -> str:
        given: object = intent
        if not isinstance(given, Intent):
            raise TypeError(f"operation {self.name}: progress() takes intents, and values by name, got {given!r}")
        if intent.path != self._cell.path:
            raise ValueError(f"operation {self.name} of {self._cell.path}: intent {intent.id} is of {intent.path}")
        return intent.begin_to_end()

    async def abandon(self) -> None:
        """Give it up: it is removed, and nobody resumes it; return when that is durable. The block goes on.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            RuntimeError: The block is not entered, or the operation is over.
            StateError: A field of the actor cannot be encoded; nothing was removed.
            StoppedError: The incarnation, or the runtime, has ended.
        """
        begun, _ = self._open("abandon")
        await self._end(begun, was_abandoned=True)

    def leave(self) -> None:
        """Have the end of the block leave it unfinished, for a later attempt; its progress and the fields are saved.

        Raises:
            RuntimeError: The block is not entered, or the operation is over.
            StoppedError: The incarnation has ended.
        """
        self._open("leave")
        self._is_left = True

    def _open(self, verb: str) -> tuple[Begun, WorkRecord]:
        if self._begun is None or self._record is None or self._is_over:
            why = "it is over" if self._is_over else "use it inside of `async with`"
            raise RuntimeError(f"{verb}() of operation {self._call}: {why}")
        refuse_ended(self._cell, self._incarnation)
        return self._begun, self._record

    # -- the block -------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Store it; return when that is durable. Cancelled, or not durable, it was not begun.

        Raises:
            NotDurableError: The store does not take it now.
            RuntimeError: It was entered before.
            StateError: A field of the actor cannot be encoded.
            StateRefusedError: What is unfinished of the actor cannot be read.
            StoppedError: The incarnation, or the runtime, has ended.
            TooMuchWorkError: As much as may be of the actor's work is unfinished.
            WorkInUseError: The actor is in the middle of it.
        """
        works, mark = self._state.works, self._mark
        if self._begun is not None:
            raise RuntimeError(f"operation {self._call} was entered before: ask context.operation() for it again")
        refuse_ended(self._cell, self._incarnation)
        if mark in works.under_way:
            raise WorkInUseError(self._cell.path, self._call)
        works.under_way.add(mark)
        try:
            begun = await works.begin(self._cell, OPERATION, self.name, self._arguments)
        except BaseException:
            works.under_way.discard(mark)
            raise
        self._begun, self._record = begun, begun.record
        self._held = works.hold(self._cell)
        tell_began(self._state, self._cell.path, begun)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove it, and return when that is durable; after an exception it stays, and nothing is waited for."""
        works, begun = self._state.works, self._begun
        assert begun is not None  # noqa: S101  # the block was entered
        try:
            if not self._is_over:
                await self._leave_block(begun, error)
        except BaseException as exc:
            self._stays(begun, exc)
            raise
        finally:
            self._is_over = True
            works.let_go(self._held)
            works.under_way.discard(self._mark)

    async def _leave_block(self, begun: Begun, error: BaseException | None) -> None:
        if error is not None:
            self._stays(begun, error)
            return
        refuse_ended(self._cell, self._incarnation)
        if self._is_left:
            await self._state.works.put(self._cell, begun.key, OPERATION, self._entered)
            tell_left(self._state, self._cell.path, self._entered, was_cancelled=False)
        else:
            await self._end(begun, was_abandoned=False)

    async def _end(self, begun: Begun, *, was_abandoned: bool) -> None:
        await self._state.works.remove(self._cell, begun.key)
        self._is_over = True
        tell_finished(self._state, self._cell.path, self._entered, was_abandoned=was_abandoned)

    def _stays(self, begun: Begun, error: BaseException) -> None:
        """Note how the block ended; nothing is waited for, as whoever cancels it waits for its end."""
        state, cell, held = self._state, self._cell, self._held
        if not state.works.has(begun.key):
            return  # it was ended, but that is not durable yet, or it was set aside
        if cell.state is ChildState.STOPPING and held is not None and held.is_alive and held.has_changed:
            cell.more.was_interrupted = True  # its fields stand as they were saved with the progress
        if isinstance(error, Exception):
            text = describe(error)
            state.works.note_error(begun.key, text)
            tell_failed(state, cell.path, self._entered, text)
        else:
            tell_left(state, cell.path, self._entered, was_cancelled=True)

    @property
    def _call(self) -> str:
        return call_text(self.name, self._arguments)

    @property
    def _entered(self) -> WorkRecord:
        if self._record is None:
            raise RuntimeError(f"operation {self._call} has not begun: use it with `async with`")
        return self._record
