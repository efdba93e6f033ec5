"""``run``: a bot's whole main loop, with signals and a forced end."""

import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, NoReturn

import trio
from loguru import logger

from duenna._cell import Cell
from duenna._node import Node
from duenna._open import opened
from duenna._runtime import Runtime, StopReport
from duenna.errors import StoppedError
from duenna.machines.lifecycle import ALIVE
from duenna.machines.rules import Rule
from duenna.recovery import RecoveryAction
from duenna.settings import Settings, SettingsError, SettingsSource
from duenna.spec import Child, Supervisor
from duenna.storage import Store

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # Windows has none
_GRACE = 1.0
EXIT_OVERRAN = 70
"""Exit status of a process whose children did not end within their shutdown times (EX_SOFTWARE)."""

_Handler = Callable[[int, FrameType | None], None]


def run(  # the options of open_runtime, and the clock
    tree: Supervisor,
    *,
    system: Iterable[Child | Supervisor] = (),
    seed: int | None = None,
    log_level: str | None = "INFO",
    watchdog: float | None = 1.0,
    settings: Settings | SettingsSource | None = None,
    directory: str | os.PathLike[str] | None = None,
    rules: Iterable[Rule] = (),
    recovery_actions: Iterable[RecoveryAction] = (),
    state: Store | str | os.PathLike[str] | None = None,
    clock: trio.abc.Clock | None = None,
) -> StopReport:
    """Run *tree* until it is stopped, and say how that went: a bot's whole main loop.

    In the main thread, SIGINT and SIGTERM stop the tree in order. A second signal, or the sum
    of the children's drain and shutdown times (and a second of grace), forces the end: the
    report so far is logged and a thread ends the process, with status 128 + signal, or 70.
    SIGHUP has the settings read again from where they came; without such a place it is logged and
    nothing else, so that a terminal that is closed does not end the bot.

    Args:
        tree: The user's supervisor.
        system: Children of `/system`, which starts before the tree and stops after it.
        seed: Seed of ``runtime.rng``; None draws one.
        log_level: Least level of the events that loguru gets; None: none.
        watchdog: Seconds after which a blocked event loop is reported; None: never.
        settings: How errors are handled, or where that is read from, at once and at every
            SIGHUP; None: the environment, and the defaults for what it does not say.
        directory: Where the error log and the recovery log go; None: nothing is written.
        rules: Rules of the bot's own for the verdict on errors, before the built-in ones.
        recovery_actions: Actions of the bot's own, beside the built-in ones.
        state: Where the state is kept: a folder for its files, or another store; None: `data/state`
            in *directory*, or in memory if there is none, where it outlives actors but not the process.
        clock: Trio's clock for the run; None: the system's. Under another, nothing is forced
            by time.

    Raises:
        GaveUpError: A root gave up.
        SettingsError: The *settings* were read, and are wrong.
        StartFailedError: A child did not become ready at boot.
        StateError: The state cannot be read, is in use, or of a later version; nothing was started.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """
    make = partial(
        Runtime,
        tree,
        system=tuple(system),
        seed=seed,
        log_level=log_level,
        settings=SettingsSource() if settings is None else settings,
        directory=directory,
        rules=tuple(rules),
        recovery_actions=tuple(recovery_actions),
        state=state,
    )
    return trio.run(_main, make, log_level, watchdog, clock=clock)


async def _main(make: Callable[[], Runtime], log_level: str | None, watchdog: float | None) -> StopReport:
    runtime = make()
    force = _Force(runtime)
    with force.watching(), _signals(force.on_signal, Hangups(runtime).on_signal):
        try:
            async with opened(runtime, watchdog):
                await runtime.stopped.wait()
        except StoppedError:
            pass  # stopped during boot
    if log_level is not None:
        _log(runtime.report)
    return runtime.report


class _Force:
    """Ends the process from a thread when the ordered stop takes too long, or a second signal comes.

    What happens reaches the thread through a queue whose ``put`` may interrupt itself, as a
    signal handler does. Under another clock than the system's there is no thread, because
    nothing is forced by time; a second signal ends the process from its handler.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._token = trio.lowlevel.current_trio_token()
        self._is_virtual = type(runtime.clock).__name__ != "SystemClock"
        self._first: signal.Signals | None = None
        self._news: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Stop in order at the first signal, at once at the second."""
        name = signal.Signals(number)
        if not self._is_virtual:
            self._news.put(name)
        elif self._first is not None:
            self._force(128 + name)
        else:
            self._first = name
            self._token.run_sync_soon(_warn, name)
        self._token.run_sync_soon(self._runtime.request_stop, name.name)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Watch while the block runs."""
        if self._is_virtual:
            yield
            return
        thread = threading.Thread(target=self.watch, name=_FORCE, daemon=True)
        thread.start()
        trio.lowlevel.spawn_system_task(self.arm, name="duenna (stop times)")
        try:
            yield
        finally:
            self.end()
            thread.join()

    async def arm(self) -> None:
        """Begin to count the time that the stop may take when it begins without a signal."""
        await self._runtime.stopping.wait()
        self._news.put(None)

    def end(self) -> None:
        """The runtime has ended by itself."""
        self._news.put(_ENDED)

    def watch(self) -> None:
        """Wait for the end; force it when it does not come."""
        first = self._news.get()
        while first is not _ENDED:
            if first is not None:
                _unhurried(_warn, first)
            limit = _GRACE + sum(patience(root) for root in self._runtime.roots)
            try:
                second = self._next(limit if limit < threading.TIMEOUT_MAX else None, first)
            except queue.Empty:
                self._force(EXIT_OVERRAN)
            if second is _ENDED:
                return
            if first is not None and second is not None:
                self._force(128 + second)
            first = second

    def _next(self, timeout: float | None, first: signal.Signals | None) -> signal.Signals | None:
        """Return the next news that changes something; after a signal, that the stop has begun does not."""
        while (news := self._news.get(timeout=timeout)) is None and first is not None:
            pass
        return news

    def _force(self, status: int) -> NoReturn:
        try:
            _unhurried(_log, self._runtime.report, [cell.path for cell in alive(self._runtime)])
        finally:
            os._exit(status)


_ENDED: Any = object()
_FORCE = "duenna force"  # a simulated world lets threads of this name be


def _warn(number: signal.Signals) -> None:
    logger.warning("{}: stopping in order, a second one forces the end", number.name)


def _unhurried(call: Callable[..., object], *args: object) -> None:
    """Make a call that logs, but wait for it only so long: a sink may hang, and hold the lock of all logging."""
    thread = threading.Thread(target=call, args=args, name=_FORCE, daemon=True)
    thread.start()
    thread.join(_GRACE)


class Hangups:
    """Has the settings read again at SIGHUP; any number that come during a reading make for one more."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._token = trio.lowlevel.current_trio_token()
        self._is_reading = False
        self._is_asked = False

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Ask for a reading; from the signal handler."""
        self._token.run_sync_soon(self.ask, idempotent=True)

    def ask(self) -> None:
        """Begin a reading, or have one begin when the present one ends."""
        self._is_asked = True
        if not self._is_reading and not self._runtime.stopping.is_set():
            self._is_reading = True
            trio.lowlevel.spawn_system_task(self._read, name="duenna (SIGHUP)")

    async def _read(self) -> None:
        while self._is_asked:
            self._is_asked = False
            try:
                await self._runtime.reload_settings()
            except SettingsError:
                pass  # the event has said it
            except Exception as error:  # noqa: BLE001  # a system task must not fail: the settings stay as they were
                logger.warning("SIGHUP: {}", error)
        self._is_reading = False


@contextmanager
def _signals(stop: _Handler, hangup: _Handler) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = dict.fromkeys(_SIGNALS, stop) | dict.fromkeys(_HANGUP, hangup)
    before: dict[int, Any] = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def patience(cell: Cell) -> float:
    """Return the seconds that *cell* and all below it may take to stop, one after the other."""
    if isinstance(cell, Node):
        return sum(patience(child) for child in cell.children.values())
    return cell.spec.options.drain + cell.spec.options.shutdown if cell.state in ALIVE else 0.0


def alive(runtime: Runtime) -> Iterator[Cell]:
    waiting: list[Cell] = list(runtime.roots)
    while waiting:
        cell = waiting.pop()
        if isinstance(cell, Node):
            waiting.extend(reversed(tuple(cell.children.values())))
        elif cell.state in ALIVE:
            yield cell


def _log(report: StopReport, still: Iterable[str] = ()) -> None:
    running = ", ".join(still)
    late = ", ".join(report.overran)
    errors = "; ".join(report.cleanup_errors)
    logger.log(
        "CRITICAL" if running else "INFO",
        "stop report: {} after {:.1f} s{}{}{}",
        report.reason,
        report.duration,
        f"; overran their shutdown time: {late}" if late else "",
        f"; cleanup failed: {errors}" if errors else "",
        f"; forced to end with these still running: {running}" if running else "",
    )
