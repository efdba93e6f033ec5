"""``open_runtime``: a tree beside the body of a program of one's own."""

import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import trio

from duenna._runtime import Runtime
from duenna._watchdog import watched
from duenna.errors import StoppedError
from duenna.guards._registry import registry
from duenna.machines.rules import Rule
from duenna.recovery import RecoveryAction
from duenna.settings import Settings, SettingsSource
from duenna.spec import Child, Supervisor
from duenna.storage import Store


@asynccontextmanager
async def open_runtime(
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
) -> AsyncGenerator[Runtime, None]:
    """Run *tree* beside the body of an ``async with`` block.

    The block begins when every child is ready and ends, whatever ends it, with the ordered
    stop of all of them. Installs no signal handlers. A child that never ends keeps the block
    from ending.

    Args:
        tree: The user's supervisor; its path is `/` and its name.
        system: Children of `/system`, which starts before the tree and stops after it.
        seed: Seed of ``runtime.rng``; None draws one.
        log_level: Least level of the events that loguru gets, one line each; None: none.
        watchdog: Seconds after which a blocked event loop is reported; None: never. Off under
            a virtual clock.
        settings: How errors are handled, or where that is read from, at once and at every
            ``runtime.reload_settings()``; None: the defaults.
        directory: Where the error log, the recovery log and incident files go, in `data/errors`,
            `logs/recovery` and `incidents`; None: nothing is written.
        rules: Rules of the bot's own for the verdict on errors, before the built-in ones.
        recovery_actions: Actions of the bot's own, beside the built-in ones.
        state: Where the state is kept: a folder for its files, or another store; None: `data/state`
            in *directory*, or in memory if there is none, where it outlives actors but not the process.

    Yields:
        The runtime.

    Raises:
        GaveUpError: A root gave up; the body was cancelled.
        SettingsError: The *settings* were read, and are wrong.
        StartFailedError: A child did not become ready; those before it were stopped.
        StateError: The state cannot be read, is in use, or of a later version; nothing was started.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """
    runtime = Runtime(
        tree,
        system=system,
        seed=seed,
        log_level=log_level,
        settings=settings,
        directory=directory,
        rules=rules,
        recovery_actions=recovery_actions,
        state=state,
    )
    async with opened(runtime, watchdog):
        yield runtime


@asynccontextmanager
async def opened(runtime: Runtime, watchdog: float | None) -> AsyncGenerator[None, None]:
    """Run *runtime* beside the body; nothing that leaves is wrapped in a group."""
    try:
        await runtime.state.open()
        await runtime.incident_files.open()
        async with _lived(runtime, watchdog):
            yield
    finally:
        await runtime.state.close()


@asynccontextmanager
async def _lived(runtime: Runtime, watchdog: float | None) -> AsyncGenerator[None, None]:
    error: BaseException | None = None
    with watched(runtime, watchdog), registry.attached(runtime):
        async with trio.open_nursery() as nursery:
            body = trio.CancelScope()
            nursery.start_soon(runtime.timers.serve, name="duenna (timers)")
            nursery.start_soon(runtime.live, body, name="duenna")
            runtime.incident_files.begin(nursery)
            try:
                with body:
                    await runtime.booted.wait()
                    if not runtime.is_over:
                        yield
            except BaseException as exc:  # noqa: BLE001  # it leaves again below, after the ordered stop
                error = exc
            runtime.request_stop("stopped")
            with trio.CancelScope(shield=True):
                await runtime.stopped.wait()
    if runtime.failure is not None:
        runtime.failure.__context__ = error
        raise runtime.failure
    if error is not None:
        raise error
    if not runtime.has_booted:
        raise StoppedError(runtime.tree().path)  # it was stopped during boot: there was no body to run
