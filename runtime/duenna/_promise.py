"""Something that one task waits for, and that is settled exactly once."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

import outcome
import trio


class Resume(outcome.Outcome[None]):
    """What wakes a task and tells it nothing; used again and again, where trio makes a fresh one for each wake-up."""

    __slots__ = ()

    def unwrap(self) -> None:
        """Return nothing."""

    def send(self, gen: Generator[Any, None, Any]) -> Any:
        """Wake a generator."""
        return gen.send(None)

    async def asend(self, agen: AsyncGenerator[Any, None]) -> Any:
        """Wake an async generator."""
        return await agen.asend(None)


RESUME = Resume()


class Promise:
    """Settled by a value, an error, or by its waiter leaving."""

    __slots__ = ("_error", "_task", "_value", "is_settled")

    def __init__(self) -> None:
        """Begin unsettled."""
        self._task: trio.lowlevel.Task | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self.is_settled = False

    def done(self, value: object = None) -> bool:
        """Settle with *value*; return False if it was settled before."""
        if self.is_settled:
            return False
        self._value = value
        self._settle()
        return True

    def fail(self, error: BaseException) -> bool:
        """Settle with *error*; return False if it was settled before."""
        if self.is_settled:
            return False
        self._error = error
        self._settle()
        return True

    async def result(self) -> Any:
        """Wait until it is settled; a checkpoint. Cancelled, the waiter has left."""
        if self.is_settled:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._error is not None:
            raise self._error
        return self._value

    def left(self) -> None:
        """Settled, one way or another: let go of what was held for it."""

    def _settle(self) -> None:
        self.is_settled = True
        self.left()
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task, RESUME)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        self.is_settled = True
        self.left()
        return trio.lowlevel.Abort.SUCCEEDED
