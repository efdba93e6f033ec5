"""Rehearse what a guard does, before the far end makes it: with scripted outcomes, on a virtual clock.

No test has to sleep, and no function is called. What runs is the guard itself, made again with the
same settings and no past, so that a rehearsal knows neither the state of the real one nor
changes it.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from enum import Enum
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import attrs
import trio
from trio.testing import MockClock

from duenna.guard_events import BreakerChanged, CallGaveUp, CallRejected, CallRetried, FallbackUsed
from duenna.guards._registry import registry
from duenna.guards.guard import Guard
from duenna.machines import checks
from duenna.machines.hints import members
from duenna.testing._presence import outside, present
from duenna.testing.steps import Attempt, End, Move, Plan, Rejection, Step, Substitution, Wait

if TYPE_CHECKING:
    from duenna.guard_events import GuardEvent

_OWNER = "rehearse"
_DAY = 86_400.0
_MOST_ATTEMPTS = 10_000
_MOST_SCRIPTED = 10_000


class _Hangs(Enum):
    HANGS = "hangs"


HANGS: Final = _Hangs.HANGS
"""The outcome of an attempt that never ends by itself."""

_call: ContextVar[int] = ContextVar("call")


def rehearse(
    guard: Guard,
    outcomes: Iterable[object] = (),
    *,
    takes: float | Iterable[float] = 0.0,
    calls: int = 1,
    every: float | None = None,
    draws: Iterable[float] = (),
    breaker_draws: Iterable[float] = (),
    args: Iterable[object] = (),
    kwargs: Mapping[str, object] | None = None,
    limit: float = _DAY,
) -> Plan:
    """Return what *guard* does if its function does so and so, without calling it and without waiting.

    A fallback that is a function is called, as are functions among the settings (``on``,
    ``on_result``, ``weight``). May be called anywhere, inside an event loop too. Where calls
    overlap and two of them do something at the very same time, the order is trio's to choose.

    Args:
        guard: It is neither used nor changed: a copy is, which begins with its breaker closed,
            its budget full and nobody else in its bulkhead.
        outcomes: Of the attempts, one after the other, of all calls; the last repeats. An exception, or
            an exception class, is raised; `HANGS` never ends; anything else is returned. With none
            every attempt raises a `ConnectionError`.
        takes: Seconds until each outcome, at least 0: one number, or one for each attempt, of
            which the last repeats.
        calls: How many calls are made, at least 1.
        every: Seconds from the start of one call to the start of the next, whether that has
            ended or not; None: each begins when the one before it has ended.
        draws: The random number, in [0, 1], for each wait between attempts; the last repeats. With
            none it is 1: the longest waits that these settings can draw.
        breaker_draws: The same for the breaker, which draws at each failure how long it would open,
            or for the throttle, which draws at each attempt whether it refuses. With none it is 1:
            the longest opening, and no refusal.
        args: What the function is called with: fallbacks, ``weight`` and the last good value look at it.
        kwargs: What it is called with by name.
        limit: Seconds after which the rehearsal ends, with what is still going on.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A number is out of range.
    """
    given: object = guard
    if not isinstance(given, Guard):
        message = f"{_OWNER}: a Guard is needed, got {guard!r}"
        raise TypeError(message)
    script = _Script(_outcomes(outcomes), _durations(takes))
    checks.count(_OWNER, "calls", calls, least=1)
    if every is not None:
        checks.duration(_OWNER, "every", every, inf=False)
    checks.duration(_OWNER, "limit", limit, zero=False, inf=False)
    chance, breaker_chance = _Draws(_draws("draw", draws)), _Draws(_draws("breaker draw", breaker_draws))
    stage = _Stage(guard, script, chance, breaker_chance, tuple(args), dict(kwargs or {}))
    _elsewhere(stage, calls, every, limit)
    return stage.plan()


def _elsewhere(stage: _Stage, calls: int, every: float | None, limit: float) -> None:
    """Run the rehearsal in a thread of its own: here may be an event loop already."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with registry.staged(stage):
                trio.run(stage.play, calls, every, limit, clock=MockClock(autojump_threshold=0))
        except BaseException as exc:  # noqa: BLE001  # raised below, in the thread that asked
            errors.append(exc)

    world = present()
    real: AbstractContextManager[None] = nullcontext() if world is None else outside(world)
    with real:  # a world has no threads, but this one ends before anything else happens in it
        thread = threading.Thread(target=run, name="duenna rehearsal", daemon=True)
        thread.start()
        thread.join()
    for error in errors:
        inside = members(error)
        raise inside[0] if len(inside) == 1 else error


@attrs.define(eq=False)
class _Script:
    """The outcomes of the attempts, and how long each takes."""

    _outcomes: tuple[Any, ...]
    _durations: tuple[float, ...]
    count: int = attrs.field(default=0, init=False)

    def next(self) -> tuple[Any, float]:
        """Return what the next attempt does, and how long that takes."""
        number, self.count = self.count, self.count + 1
        outcome = self._outcomes[min(number, len(self._outcomes) - 1)]
        return outcome, self._durations[min(number, len(self._durations) - 1)]


class _Draws(Random):
    """Chance that is no chance."""

    def __init__(self, draws: tuple[float, ...]) -> None:
        """Give *draws*, the last of them again and again."""
        super().__init__(0)
        self._draws, self._given = draws, 0

    def random(self) -> float:
        """Return the next draw."""
        number, self._given = self._given, self._given + 1
        return self._draws[min(number, len(self._draws) - 1)]


@attrs.define(eq=False)
class _Stage:
    """One rehearsal: makes the calls, and writes down what comes of them."""

    guard: Guard
    script: _Script
    draws: _Draws
    breaker_draws: _Draws
    args: tuple[object, ...]
    kwargs: dict[str, object]
    _steps: list[Step] = attrs.field(factory=list[Step], init=False)
    _running: dict[int, list[int]] = attrs.field(factory=dict[int, list[int]], init=False)
    _numbers: dict[int, int] = attrs.field(factory=dict[int, int], init=False)
    _ready: dict[int, float] = attrs.field(factory=dict[int, float], init=False)
    _why: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _twin: Guard = attrs.field(init=False)
    _statistics: Any = attrs.field(default=None, init=False)

    def plan(self) -> Plan:
        """Return what happened."""
        return Plan(steps=tuple(self._steps), statistics=self._statistics)

    async def play(self, calls: int, every: float | None, limit: float) -> None:
        """Make the calls."""
        self._twin = self.guard.twin().with_(rng=self.draws)
        self._scope.deadline = trio.current_time() + limit
        with self._scope:
            async with trio.open_nursery() as nursery:
                for number in range(1, calls + 1):
                    if every is None:
                        await self._call(number)
                        continue
                    nursery.start_soon(self._call, number)
                    if number < calls:
                        await trio.sleep_until(number * every)  # a checkpoint at least, so that each begins in its turn
        self._statistics = self._twin.statistics()

    async def _call(self, number: int) -> None:
        _call.set(number)
        began = self._ready[number] = trio.current_time()
        value, error, is_over = None, None, False
        try:
            value = await self._twin.call(self._attempt, *self.args, **self.kwargs)
            is_over = True
        except Exception as exc:  # noqa: BLE001  # it is what the call came to
            error, is_over = exc, True
        finally:
            now = trio.current_time()
            self._steps.append(
                End(
                    call=number,
                    at=now,
                    elapsed=now - began,
                    value=value,
                    error=error,
                    is_over=is_over,
                    why=self._why.get(number, ""),
                )
            )
            del error

    async def _attempt(self, *_args: object, **_kwargs: object) -> Any:
        """Stand in for the guarded function."""
        if self.script.count >= _MOST_ATTEMPTS:
            self._scope.cancel()
        call, now = _call.get(), trio.current_time()
        beside = self._running.setdefault(call, [])
        if not beside:
            self._note_queue(call)
        self._numbers[call] = self._numbers.get(call, 0) + 1
        place = len(self._steps)
        step = Attempt(call=call, at=now, number=self._numbers[call], is_hedge=bool(beside))
        self._steps.append(step)
        beside.append(place)
        outcome, seconds = self.script.next()
        try:
            await trio.sleep(math.inf if outcome is HANGS else seconds)
            if isinstance(outcome, Exception):
                outcome = _again(outcome)
                step = attrs.evolve(step, error=outcome)
                raise outcome
            step = attrs.evolve(step, value=outcome)
        except trio.Cancelled:
            step = attrs.evolve(step, is_cut_off=True)
            raise
        else:
            return outcome
        finally:
            beside.remove(place)
            self._steps[place] = attrs.evolve(step, ended=trio.current_time())

    # -- what the copy tells ---------------------------------------------------

    def rng(self) -> Random:
        """Return the source of chance."""
        return self.breaker_draws

    def emit(self, kind: type[GuardEvent], fields: Mapping[str, Any]) -> None:
        """Take note of what would be an event."""
        call = _call.get()
        now = trio.current_time()
        about: dict[str, Any] = {"call": call, "at": now}
        if kind is CallGaveUp:
            self._why[call] = fields["why"]
        elif kind is CallRetried:
            self._ready[call] = now + fields["delay"]
            self._steps.append(Wait(**about, seconds=fields["delay"]))
        elif kind is CallRejected:
            self._note_queue(call)
            self._steps.append(Rejection(**about, by=fields["by"], retry_after=fields["retry_after"]))
        elif kind is FallbackUsed:
            self._steps.append(Substitution(**about, source=fields["source"], age=fields["age"]))
        elif kind is BreakerChanged:
            about |= {name: fields[name] for name in ("previous", "state", "cause", "open_for")}
            self._steps.append(Move(**about))

    def _note_queue(self, call: int) -> None:
        """Tell of a wait that no event told of: for a place in the bulkhead, or for a turn."""
        ready = self._ready[call]
        if not self._running.get(call) and trio.current_time() > ready:
            self._steps.append(Wait(call=call, at=ready, seconds=trio.current_time() - ready, is_queue=True))


def _again(error: Exception) -> Exception:
    """Return a copy of *error*: each attempt raises one of its own, with its own traceback and notes."""
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001  # its constructor wants other arguments than it keeps
        return error
    twin.__cause__, twin.__context__ = error.__cause__, error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    notes = getattr(error, "__notes__", None)
    if notes is not None:
        twin.__notes__ = list(notes)
    return twin


def _outcomes(given: Iterable[object]) -> tuple[object, ...]:
    if isinstance(given, str | bytes | BaseException) or not isinstance(given, Iterable):
        message = f"{_OWNER}: outcomes must be a list of exceptions, values and HANGS, got {given!r}"
        raise TypeError(message)
    outcomes = [each() if _is_exception_class(each) else each for each in islice(given, _MOST_SCRIPTED)]
    for number, each in enumerate(outcomes, 1):
        if isinstance(each, BaseException) and not isinstance(each, Exception):
            message = f"{_OWNER}: outcome {number} must be an Exception, HANGS or a value, got {each!r}"
            raise TypeError(message)
    return tuple(outcomes) or (ConnectionError("rehearsed"),)


def _is_exception_class(each: object) -> TypeGuard[type[BaseException]]:
    return isinstance(each, type) and issubclass(each, BaseException)


def _durations(takes: float | Iterable[float]) -> tuple[float, ...]:
    each = tuple(takes) if isinstance(takes, Iterable) else (takes,)
    for number, seconds in enumerate(each, 1):
        checks.duration(_OWNER, f"takes, attempt {number}" if len(each) > 1 else "takes", seconds, inf=False)
    return each or (0.0,)


def _draws(what: str, given: Iterable[float]) -> tuple[float, ...]:
    draws = tuple(given)
    for number, draw in enumerate(draws, 1):
        if not 0 <= checks.number(_OWNER, f"{what} {number}", draw) <= 1:
            message = f"{_OWNER}: {what} {number} must be within [0, 1], got {draw!r}"
            raise ValueError(message)
    return draws or (1.0,)
