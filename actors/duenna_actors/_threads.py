"""A blocking call in a worker thread that can be called off."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def run_in_thread(
    work: Callable[[], T],
    *,
    limiter: trio.CapacityLimiter,
    cancel: Callable[[], None],
    kill: Callable[[], None],
    patience: float = 1.0,
) -> T:
    """Return what *work* does, in a worker thread.

    Cancelled, it calls *work* off and waits for the thread: first by *cancel*, in a thread
    of its own because it may block too; after *patience* seconds by *kill*, which must not
    block; after as many again the thread is left to itself. So a query does not go on in
    the database for an actor that is gone, and a database that does not answer does not
    hold up the stop.
    """
    ended = trio.Event()
    shield = trio.CancelScope(shield=True)
    values: list[T] = []
    errors: list[Exception] = []

    async def call_off_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            if not ended.is_set():
                with trio.CancelScope(shield=True):
                    await call_off()
            raise

    async def call_off() -> None:
        with trio.move_on_after(patience):
            await trio.to_thread.run_sync(cancel, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))
            await ended.wait()
        if not ended.is_set():
            kill()
            with trio.move_on_after(patience):
                await ended.wait()
        shield.cancel()

    await trio.lowlevel.checkpoint_if_cancelled()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call_off_when_cancelled)
        try:
            with shield:
                values.append(await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter))
        except Exception as error:  # noqa: BLE001  # raised below, out of the nursery's group
            errors.append(error)
        finally:
            ended.set()
        nursery.cancel_scope.cancel()
    if errors:
        raise errors[0]
    return values[0]
