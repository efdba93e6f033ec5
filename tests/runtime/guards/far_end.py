"""A far end that does what it is told, and keeps a diary: what the tests of the guard call."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from contextlib import contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs
import sniffio
import trio

from duenna.guards._registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duenna.guards import Guard

HANGS: Final = object()
"""In a script: this call never ends by itself."""


@contextmanager
def no_other_guards() -> Iterator[None]:
    """Begin with no guard of any name; quicker than `fresh_guards`, which looks for garbage."""
    outside, registry._known = registry._known, ChainMap()
    try:
        yield
    finally:
        registry._known = outside


class BoomError(Exception):
    """What the calls fail with."""


class HttpError(Exception):
    """An answer with a status, and perhaps with Retry-After."""

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        if retry_after is not None:
            self.retry_after = retry_after


def caused_by(cause: BaseException) -> BoomError:
    """Return an error with a cause."""
    error = BoomError("text")
    error.__cause__ = cause
    return error


class Draws(Random):
    """Chance that is no chance: so many draws, the last of them again and again."""

    def __init__(self, *draws: float) -> None:
        super().__init__(0)
        self._draws = draws
        self._drawn = 0

    def random(self) -> float:
        self._drawn += 1
        return self._draws[min(self._drawn, len(self._draws)) - 1]


def _script(given: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(given)


@attrs.define(eq=False)
class FarEnd:
    """Answers by script: a value is returned, an exception raised; the last one repeats.

    Attributes:
        script: What each call gives. An exception class is made anew for each call.
        takes: Seconds that each call takes, of whatever loop runs it.
        at: When each call came, in seconds of trio's clock or asyncio's.
        under_way: Calls that have not ended.
        most: Most that were under way at once.
        cancelled: Calls that were cancelled.
    """

    script: tuple[Any, ...] = attrs.field(converter=_script, default=(BoomError,))
    takes: float = 0.0
    at: list[float] = attrs.field(factory=list[float])
    under_way: int = 0
    most: int = 0
    cancelled: int = 0

    @property
    def calls(self) -> int:
        """How many calls came."""
        return len(self.at)

    async def fetch(self, *args: object, **kwargs: object) -> Any:
        """Answer a call of a task."""
        is_trio = sniffio.current_async_library() == "trio"
        outcome = self._begin(trio.current_time() if is_trio else asyncio.get_running_loop().time())
        try:
            await pause(1e9 if outcome is HANGS else self.takes)
        except BaseException:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        return give(outcome)

    def get(self, *args: object, **kwargs: object) -> Any:
        """Answer a plain call."""
        outcome = self._begin(0.0)
        self.under_way -= 1
        return give(outcome)

    def _begin(self, now: float) -> Any:
        outcome = self.script[min(self.calls, len(self.script) - 1)]
        self.at.append(now)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return outcome


async def play(guard: Guard, *script: Any) -> list[str]:
    """Make a call for each outcome of the script; return the states of the breaker after each."""
    far, states = FarEnd(script), []
    for _ in script:
        with suppress(Exception):
            await guard.call(far.fetch)
        states.append(str(guard.state))
    return states


async def pause(seconds: float) -> None:
    """Wait, in whatever loop this is."""
    if sniffio.current_async_library() == "trio":
        await trio.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


def give(outcome: Any) -> Any:
    """Return *outcome*, or raise it."""
    if isinstance(outcome, BaseException) or (isinstance(outcome, type) and issubclass(outcome, BaseException)):
        raise outcome
    return outcome
