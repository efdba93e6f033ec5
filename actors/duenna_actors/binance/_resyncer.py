"""Carries a `ResyncPlan` out: asks for snapshots when they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from duenna.machines.hints import retry_after
from duenna_actors.binance._resync import Fetch, GiveUp, ResyncPlan, Wait
from duenna_actors.binance.book_messages import BookSyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna import Context
    from duenna_actors.binance.book_messages import DepthSnapshot


class Resyncer:
    """Asks for the snapshots of a plan; a snapshot that cannot be had is reported, and no crash."""

    def __init__(
        self,
        context: Context,
        plan: ResyncPlan,
        fetch: Callable[[str], Awaitable[DepthSnapshot]],
        *,
        take: Callable[[str, DepthSnapshot], None],
        tried: Callable[[], None],
        why: Callable[[str], str],
        is_any_synced: Callable[[], bool],
    ) -> None:
        self._context = context
        self._plan = plan
        self._fetch = fetch
        self._take = take
        self._tried = tried
        self._why = why
        self._is_any_synced = is_any_synced
        self._wake = trio.Event()
        plan.reset()

    def want(self, symbol: str) -> None:
        """Have a snapshot asked for, if none is wanted yet."""
        if not self._plan.wants(symbol):
            self._plan.want(symbol, self._context.now(), self._context.rng.random())
            self._wake.set()

    async def run(self) -> None:
        """Ask for snapshots as they are due, for ever.

        A book that too many have not helped is reported, and tried on by its backoff, as long as
        there is one in sync: that one must not be lost for it.

        Raises:
            BookSyncError: Too many have not helped, and no book is in sync.
        """
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                match self._plan.take(self._context.now()):
                    case Fetch(symbol):
                        nursery.start_soon(self._ask, symbol)
                    case GiveUp(symbol, attempts):
                        self._give_up(BookSyncError(symbol, attempts, self._why(symbol)))
                    case Wait(until):
                        with trio.CancelScope(deadline=until):
                            await self._wake.wait()

    def _give_up(self, error: BookSyncError) -> None:
        if not self._is_any_synced():
            raise error
        self._plan.spare(error.symbol)
        self._context.report(error, symbol=error.symbol)

    async def _ask(self, symbol: str) -> None:
        context = self._context
        wait = 0.0
        try:
            self._take(symbol, await self._fetch(symbol))
        except Exception as error:  # noqa: BLE001  # whatever it is, there is no snapshot
            wait = retry_after(error)
            context.report(error, symbol=symbol)
        self._plan.settle(symbol, context.now(), context.rng.random(), wait)
        self._wake.set()
        self._tried()
