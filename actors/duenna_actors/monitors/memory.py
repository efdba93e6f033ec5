"""Watches the resident size of the process, and does something about too much of it before the system does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import trio

from duenna import Actor, DuennaError, UnknownPathError
from duenna.machines import checks
from duenna_actors._kept import kept
from duenna_actors._messages import refuse
from duenna_actors.monitors import _options as options
from duenna_actors.monitors._growth import MOST_SAMPLES, Growth
from duenna_actors.monitors._pressure import MemoryStep, Pressure
from duenna_actors.monitors.memory_messages import (
    GetMemory,
    MemoryLimitError,
    MemoryPressure,
    MemoryReading,
    MemoryRelieved,
    SaveState,
    ShrinkCache,
)
from duenna_actors.monitors.resident import read_limit
from duenna_actors.monitors.resident import read_rss as real_rss

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from duenna.events import Event

_OWNER = "MemoryMonitor"
_LEAST_SAMPLES = 3


@attrs.define
class _State:
    """What the next incarnation goes on from: a restart of the monitor is no reason to restart others again."""

    pressure: Pressure
    growth: Growth
    size: int | None = None
    rate: float | None = None
    restarted: list[str] = attrs.field(factory=list[str])
    is_blind: bool = False


class MemoryMonitor(Actor):
    """Compares the resident size, and its growth, with their limits, and acts step by step while they are exceeded.

    The steps, with ``step_wait`` seconds after each: `MemoryPressure` is posted; caches are
    asked to shrink (`ShrinkCache` is published, ``caches`` are called); state is saved
    (`SaveState` is published, and ``save`` is awaited, or else the runtime's state is saved) and
    the largest of ``restarts`` that runs is restarted, one after the other, at most one in
    ``restart_cooldown`` seconds; when none is left, a `MemoryLimitError` is reported, once, which
    is a CRITICAL error of category MEMORY.

    What an operator has stopped or suspended, and what is down, is not restarted. Where a
    restart of its own interrupts a step, the next incarnation goes on with the step after it.
    """

    kind: ClassVar[str] = "memory_monitor"

    def __init__(
        self,
        *,
        limit_bytes: int | None = None,
        limit_share: float = 0.8,
        max_growth_bytes_per_minute: float | None = None,
        growth_window: float = 600.0,
        check_every: float = 30.0,
        step_wait: float = 10.0,
        relief: float = 0.9,
        restarts: Iterable[str] = (),
        size_of: Callable[[str], float] | None = None,
        restart_cooldown: float = 300.0,
        restart_timeout: float = 60.0,
        caches: Iterable[Callable[[], object]] = (),
        save: Callable[[], Awaitable[object]] | None = None,
        save_wait: float = 2.0,
        save_timeout: float = 30.0,
        read_rss: Callable[[], int] = real_rss,
    ) -> None:
        """Describe the monitor. Durations are seconds, greater than 0 unless it says otherwise.

        Args:
            limit_bytes: The resident size that is borne, at least 1; None: ``limit_share`` of what
                the process may take, by its control group, or else of the machine's memory.
            limit_share: Greater than 0, at most 1.
            max_growth_bytes_per_minute: The growth that is borne, greater than 0; None: any.
            growth_window: What growth is measured over; nothing is known of it before. At most
                999 times ``check_every``, at least three times.
            check_every: From one check to the next.
            step_wait: From one step to the next.
            relief: Share of the limits at which pressure is over, greater than 0, at most 1.
            restarts: Paths of what may be restarted: actors or supervisors.
            size_of: Tells the size of what is at a path: the largest goes first. None: as they
                stand in ``restarts``.
            restart_cooldown: Between two restarts, at least 0.
            restart_timeout: For one restart to be waited for.
            caches: Functions that let go of what they can; plain and quick.
            save: Saves the bot's state; awaited before each restart. None: the runtime's state is saved.
            save_wait: From `SaveState` to the restart, at least 0.
            save_timeout: For ``save``; then the restart goes on without it.
            read_rss: Tells the resident size in bytes.

        Raises:
            TypeError: An option has the wrong type.
            ValueError: One is out of range, or no limit is given and the system tells none.
        """
        options.durations(
            _OWNER,
            growth_window=growth_window,
            check_every=check_every,
            step_wait=step_wait,
            restart_timeout=restart_timeout,
            save_timeout=save_timeout,
        )
        checks.duration(_OWNER, "restart_cooldown", restart_cooldown, inf=False)
        checks.duration(_OWNER, "save_wait", save_wait, inf=False)
        _check_window(growth_window, check_every)
        self._caches = tuple(caches)
        options.functions(_OWNER, save=save, size_of=size_of, read_rss=read_rss)
        for cache in self._caches:
            options.functions(_OWNER, caches=cache)
        self._restarts = options.paths(_OWNER, "restarts", restarts)
        self._limits = (_limit(limit_bytes, limit_share), _growth(max_growth_bytes_per_minute))
        self._pace = (options.share(_OWNER, "relief", relief), step_wait, restart_cooldown, growth_window)
        self._check_every = check_every
        self._restart_timeout = restart_timeout
        self._size_of = size_of
        self._save = save
        self._save_wait = save_wait
        self._save_timeout = save_timeout
        self._read_rss = read_rss
        self._state = self._new_state()

    def started(self) -> None:
        """Find what an earlier incarnation has left.

        Raises:
            ValueError: ``restarts`` holds the monitor itself, or what is above it.
        """
        context = self.context
        for path in self._restarts:
            if f"{context.path}/".startswith(f"{path}/"):
                message = f"{_OWNER} {context.path}: restarts must not hold itself or what is above it, got {path!r}"
                raise ValueError(message)
        self._state = kept(context.runtime, (_OWNER, context.path, self._limits, self._pace), self._new_state)

    async def run(self) -> None:
        """Check, at its times and whenever a step may be due."""
        while True:
            await self._check()
            now = self.context.now()
            due = self._state.pressure.due_at()
            await trio.sleep_until(due if now < due < now + self._check_every else now + self._check_every)

    def receive(self, message: object) -> MemoryReading | None:
        """Answer `GetMemory`."""
        if not isinstance(message, GetMemory):
            refuse(self.context, message)
            return None
        state, pressure = self._state, self._state.pressure
        return MemoryReading(
            size=state.size,
            limit=pressure.limit,
            growth=state.rate,
            level=pressure.level,
            lasted=0.0 if pressure.since is None else self.context.now() - pressure.since,
            restarted=tuple(state.restarted),
        )

    # -- checking --------------------------------------------------------------

    async def _check(self) -> None:
        size = self._measure()
        if size is None:
            return
        state, now = self._state, self.context.now()
        candidates = self._candidates()
        began = state.pressure.since
        step = state.pressure.assess(now, size, state.rate, can_restart=bool(candidates))
        match step:
            case MemoryStep.NOTICE:
                self._post_pressure(step)
            case MemoryStep.SHRINK:
                self._post_pressure(step)
                self._shrink(size)
            case MemoryStep.RESTART:
                await self._restart(self._largest(candidates))
                state.pressure.ended(self.context.now())
            case MemoryStep.SPENT:
                self._post_pressure(step)
                self.context.report(MemoryLimitError(size, state.pressure.limit, state.rate))
                await self._save_state("")  # while there still is somebody to do it
            case MemoryStep.RELIEF:
                state.restarted.clear()
                lasted = now - (now if began is None else began)
                self._post(MemoryRelieved, size=size, limit=state.pressure.limit, lasted=lasted)
            case _:
                pass

    def _measure(self) -> int | None:
        """Return the size now; None, and reported once, if it cannot be read."""
        state = self._state
        try:
            size = self._read_rss()
        except (OSError, ValueError) as error:
            if not state.is_blind:
                self.context.report(error, hook="read_rss")
            state.is_blind = True
            return None
        state.is_blind = False
        state.growth.add(self.context.now(), size)
        state.size, state.rate = size, state.growth.per_minute()
        return size

    def _shrink(self, size: int) -> None:
        self.context.publish(ShrinkCache(size, self._state.pressure.limit))
        for cache in self._caches:
            try:
                cache()
            except Exception as error:  # noqa: BLE001  # one cache that fails must not keep the others from shrinking
                self.context.report(error, hook="cache")
        self._state.growth.forget()  # what follows is another growth

    # -- restarting ------------------------------------------------------------

    def _candidates(self) -> list[str]:
        """Return what may be restarted and was not yet because of this pressure."""
        done = self._state.restarted
        return [path for path in self._restarts if path not in done and self._runs(path)]

    def _runs(self, path: str) -> bool:
        try:
            return self.context.runtime.tree(path).state == "running"
        except UnknownPathError:  # it is not there, or not any more
            return False

    def _largest(self, candidates: list[str]) -> str:
        size_of = self._size_of
        if size_of is None:
            return candidates[0]
        try:
            return max(candidates, key=size_of)
        except Exception as error:  # noqa: BLE001  # the user's; without it the order is that of the paths
            self.context.report(error, hook="size_of")
            return candidates[0]

    async def _restart(self, path: str) -> None:
        """Have the state saved, and restart what is at *path*, unless that is not needed any more."""
        state, context = self._state, self.context
        state.restarted.append(path)  # first: whatever interrupts this, it is not done twice
        self._post_pressure(MemoryStep.RESTART, path)
        await self._save_state(path)
        size = self._measure()
        if size is not None and not state.pressure.is_beyond(size, state.rate):
            return
        try:
            with trio.fail_after(self._restart_timeout):
                await context.runtime.restart_child(path)
        except (DuennaError, trio.TooSlowError) as error:
            context.report(error, hook="restart", target=path)
        state.growth.forget()

    async def _save_state(self, target: str) -> None:
        """Have the state saved; if that fails, the bot has what was saved before."""
        context = self.context
        context.publish(SaveState(target, self._save_wait))
        until = context.now() + self._save_wait
        try:
            with trio.fail_after(self._save_timeout):
                await (self._save() if self._save is not None else context.runtime.state.save(force=True))
        except Exception as error:  # noqa: BLE001  # whatever it is, to go on is the lesser evil
            context.report(error, hook="save")
        await trio.sleep_until(until)

    # -- telling ---------------------------------------------------------------

    def _post_pressure(self, step: MemoryStep, target: str = "") -> None:
        state = self._state
        pressure = state.pressure
        self._post(
            MemoryPressure,
            pressure=pressure.level,
            step=step,
            size=state.size,
            limit=pressure.limit,
            growth=state.rate,
            target=target,
        )

    def _post(self, kind: type[Event], **fields: Any) -> None:
        context = self.context
        if context.runtime.bus.wants(kind):
            context.post(kind(time=context.now(), path=context.path, **fields))

    def _new_state(self) -> _State:
        limit, growth = self._limits
        relief, step_wait, cooldown, window = self._pace
        pressure = Pressure(
            limit=limit, max_growth=growth, relief=relief, step_wait=step_wait, restart_cooldown=cooldown
        )
        return _State(pressure, Growth(window))


def _limit(given: int | None, share: float) -> int:
    options.share(_OWNER, "limit_share", share)
    if given is not None:
        return checks.count(_OWNER, "limit_bytes", given, least=1)
    known = read_limit()
    if known is None:
        message = f"{_OWNER}: limit_bytes must be given, for this system tells no limit"
        raise ValueError(message)
    return max(1, int(known * share))


def _growth(given: float | None) -> float | None:
    if given is not None and not checks.number(_OWNER, "max_growth_bytes_per_minute", given) > 0:
        message = f"{_OWNER}: max_growth_bytes_per_minute must be > 0, got {given}"
        raise ValueError(message)
    return given


def _check_window(window: float, every: float) -> None:
    if not _LEAST_SAMPLES * every <= window < MOST_SAMPLES * every:
        message = (
            f"{_OWNER}: growth_window must be {_LEAST_SAMPLES} to {MOST_SAMPLES - 1} times check_every ({every}), "
            f"got {window}"
        )
        raise ValueError(message)
