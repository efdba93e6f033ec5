"""Intents: effects that must not happen twice, each with an id that is durable before the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from duenna._text import describe
from duenna.machines import checks
from duenna.secrets import redact_to
from duenna.state._plain import copied, copy_of, shown
from duenna.state.errors import WorkGoneError, WorkInUseError, refuse_ended
from duenna.state.work import INTENT, call_text
from duenna.state.work_events import IntentBegan, IntentDone, IntentFailed, IntentResumed, IntentWithdrawn

if TYPE_CHECKING:
    from types import TracebackType

    from duenna._cell import Cell
    from duenna.state._works import Begun
    from duenna.state.state import State

_LONGEST = 200


class Intent:
    """An effect that is about to happen, or may have happened, from ``await context.intent(...)``.

    Its id is made and durable before anybody has it. Give it to the other side, as an order's
    client order id: whoever asks for an intent of that name with those arguments, before this
    one is done, gets the same id, and the other side knows the effect for the same one. Two
    effects that are meant to be two need arguments that tell them apart.

    One that is a step of an operation is done with it, in one commit: `await op.progress(intent, index=3)`.

    With ``async with`` it stays open unless ``done()`` or ``withdraw()`` was called in the block.

    Attributes:
        name: What it is called.
        id: What it is known by: at most 36 letters, digits and hyphens, while a process makes less than a billion.
        is_new: Whether it was made now; if not, its effect may have happened.
        attempts: How often it was asked for, this time included: at least 1.
        began_at: When it was made, in seconds since 1970.
        path: The actor.
        key: Where it is stored.
    """

    def __init__(self, state: State, cell: Cell, incarnation: int, begun: Begun) -> None:
        """Show what was *begun*; ``context.intent`` does."""
        record = begun.record
        self.name = record.name
        self.id = record.id
        self.is_new = begun.is_new
        self.attempts = record.attempts
        self.began_at = record.began_at
        self.path = cell.path
        self.key = begun.key
        self._arguments = record.arguments
        self._is_ended = False
        self._state = state
        self._cell = cell
        self._incarnation = incarnation

    def __repr__(self) -> str:
        """Return what it is called, its arguments, and its id."""
        return f"<Intent {self._call} {self.id} {'open' if self.is_open else 'over'}>"

    @property
    def is_open(self) -> bool:
        """Whether it is neither done nor withdrawn."""
        return self._state.works.has(self.key)

    @property
    def arguments(self) -> dict[str, Any]:
        """What it is about."""
        return copy_of(self._arguments)

    async def done(self, **result: Any) -> None:
        """Note that the effect is certain; return when that is durable, and the actor's fields with it.

        Change the fields first, such as the position that an order has made, without an ``await`` in between.
        Cancelled, or not durable, it is done for the next incarnation all the same; to wait for
        a store that did not take it, call it again.

        Args:
            result: Plain values, for the log.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            StateError: A field of the actor cannot be encoded; the intent stays open.
            StoppedError: The incarnation, or the runtime, has ended; the intent stays open.
            WorkGoneError: Somebody else has ended it: what was added to the fields for it was added twice.
            TypeError: A result is no plain value.
            ValueError: One is out of range, or has the name of a secret.
        """
        text = redact_to(shown(copied(f"intent {self.name}", "result", result)), _LONGEST)
        await self._end()
        self.tell_done(text)

    async def withdraw(self) -> None:
        """Take it back: the effect has not happened, and will not; return when that is durable, as ``done`` does.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            StateError: A field of the actor cannot be encoded; the intent stays open.
            StoppedError: The incarnation, or the runtime, has ended; the intent stays open.
            WorkGoneError: Somebody else has ended it.
        """
        await self._end()
        if self._state.wants(IntentWithdrawn):
            self._state.post(IntentWithdrawn(time=self._state.now(), path=self.path, id=self.id, work=self._call))

    def tell_done(self, result: str = "") -> None:
        """Post that it is done, for whoever has removed it."""
        if self._state.wants(IntentDone):
            told = IntentDone(time=self._state.now(), path=self.path, id=self.id, work=self._call, result=result)
            self._state.post(told)

    def begin_to_end(self) -> str:
        """Return the key, for whoever removes it with the next commit.

        Raises:
            StoppedError: The incarnation has ended.
            WorkGoneError: Somebody else has ended it.
        """
        refuse_ended(self._cell, self._incarnation)
        if not self._is_ended and not self.is_open:
            raise WorkGoneError(self.path, f"intent {self._call}")
        return self.key

    async def _end(self) -> None:
        key = self.begin_to_end()
        try:
            await self._state.works.remove(self._cell, key)
        finally:
            self.note_end()

    def note_end(self) -> None:
        """Note whether it was removed, durably or not yet: whoever did so may do it again."""
        self._is_ended = not self.is_open

    async def __aenter__(self) -> Self:
        """Keep others of the actor out while the block lasts.

        Raises:
            WorkInUseError: Somebody is in such a block.
        """
        under_way = self._state.works.under_way
        if self.key in under_way:
            raise WorkInUseError(self.path, f"intent {self._call}")
        under_way.add(self.key)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Note what was raised, if it is open still; nothing is waited for."""
        self._state.works.under_way.discard(self.key)
        if not self.is_open or not isinstance(error, Exception):
            return
        text, state = describe(error), self._state
        state.works.note_error(self.key, text)
        if state.wants(IntentFailed):
            state.post(IntentFailed(time=state.now(), path=self.path, id=self.id, work=self._call, error=text))

    @property
    def _call(self) -> str:
        return call_text(self.name, self._arguments)


async def begin_intent(state: State, cell: Cell, incarnation: int, name: str, arguments: dict[str, Any]) -> Intent:
    """Return an intent of *cell*, made now or open already, once its id is durable; ``context.intent`` does.

    Raises:
        NotDurableError: The store does not take it now: there is no intent, and must be no effect.
        StateError: A field of the actor cannot be encoded.
        StateRefusedError: What is unfinished of the actor cannot be read.
        StoppedError: The incarnation, or the runtime, has ended.
        TooMuchWorkError: As much as may be of the actor's work is unfinished.
        TypeError: An argument is no plain value.
        ValueError: One is out of range, or has the name of a secret, or they are too large.
    """
    checks.name("intent", name)
    given = copied(f"intent {name}", "argument", arguments)
    refuse_ended(cell, incarnation)
    begun = await state.works.begin(cell, INTENT, name, given)
    intent = Intent(state, cell, incarnation, begun)
    call, now = call_text(name, given), state.now()
    if intent.is_new:
        if state.wants(IntentBegan):
            state.post(IntentBegan(time=now, path=cell.path, id=intent.id, work=call))
    elif state.wants(IntentResumed):
        age = max(0.0, state.wall() - intent.began_at)
        told = IntentResumed(time=now, path=cell.path, id=intent.id, work=call, attempts=intent.attempts, age=age)
        state.post(told)
    return intent
