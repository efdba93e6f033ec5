"""Waiting for a word: from the same loop, from a thread, in vain, and nobody left to hear it."""

from __future__ import annotations

import asyncio
import math
import threading

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from duenna.guards._parking import AsyncioWaiter, AsyncWaiter, ThreadWaiter, TrioWaiter, async_waiter
from tests.runtime.guards import virtual_asyncio


async def test_a_word_ends_the_wait_of_a_trio_task_at_once(autojump_clock: trio.testing.MockClock) -> None:
    waiter = async_waiter()
    assert isinstance(waiter, TrioWaiter)
    heard: list[tuple[bool, float]] = []

    async def listen() -> None:
        heard.append((await waiter.wait(5.0), trio.current_time() - start))

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.sleep(2.0)
        assert waiter.wake()
        assert waiter.wake()  # twice is once

    assert heard == [(True, 2.0)]


async def test_a_trio_task_waits_exactly_as_long_as_it_said(autojump_clock: trio.testing.MockClock) -> None:
    start = trio.current_time()

    assert not await async_waiter().wait(0.375)

    assert trio.current_time() - start == 0.375


async def test_a_word_before_the_wait_is_heard_after_a_checkpoint() -> None:
    waiter = async_waiter()
    waiter.wake()

    with assert_checkpoints():
        assert await waiter.wait(math.inf)
    assert await waiter.wait(0.0)


async def test_a_cancelled_trio_task_hears_nothing() -> None:
    waiter = async_waiter()

    with trio.CancelScope() as scope:
        scope.cancel()
        await waiter.wait(math.inf)

    assert scope.cancelled_caught
    assert waiter.wake()  # nobody listens, nothing breaks


async def test_a_thread_wakes_a_trio_task() -> None:
    waiter = async_waiter()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, waiter.wake)
        assert await waiter.wait(math.inf)


async def test_another_trio_run_wakes_a_trio_task() -> None:
    waiter = async_waiter()

    async def elsewhere() -> None:
        await trio.lowlevel.checkpoint()
        assert waiter.wake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, trio.run, elsewhere)
        assert await waiter.wait(math.inf)


def test_a_trio_run_that_has_ended_cannot_be_woken() -> None:
    async def make() -> AsyncWaiter:
        return async_waiter()

    assert not trio.run(make).wake()


def test_a_word_ends_the_wait_of_an_asyncio_task_at_once() -> None:
    async def main() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        waiter = async_waiter()
        assert isinstance(waiter, AsyncioWaiter)
        loop.call_later(2.0, waiter.wake)
        loop.call_later(2.0, waiter.wake)
        return await waiter.wait(5.0), loop.time()

    assert virtual_asyncio.run(main()) == (True, 2.0)


def test_an_asyncio_task_waits_exactly_as_long_as_it_said() -> None:
    async def main() -> tuple[bool, float]:
        return await async_waiter().wait(0.375), asyncio.get_running_loop().time()

    assert virtual_asyncio.run(main()) == (False, 0.375)


def test_a_cancelled_asyncio_task_hears_nothing_and_leaves_no_timer() -> None:
    async def main() -> float:
        waiter = async_waiter()
        task = asyncio.create_task(waiter.wait(100.0))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert waiter.wake()
        timers: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        assert [timer for timer in timers if not timer.cancelled()] == []
        return asyncio.get_running_loop().time()

    assert virtual_asyncio.run(main()) == 1.0


def test_a_thread_wakes_an_asyncio_task() -> None:
    async def main() -> bool:
        waiter = async_waiter()
        word = asyncio.create_task(asyncio.to_thread(waiter.wake))
        heard = await waiter.wait(math.inf)
        return await word and heard

    assert virtual_asyncio.run(main())


def test_an_asyncio_loop_that_is_closed_cannot_be_woken() -> None:
    async def make() -> AsyncWaiter:
        return async_waiter()

    assert not virtual_asyncio.run(make()).wake()


def test_a_thread_waits_for_a_word() -> None:
    waiter = ThreadWaiter()
    heard: list[bool] = []
    thread = threading.Thread(target=lambda: heard.append(waiter.wait(math.inf)))

    thread.start()
    assert waiter.wake()
    thread.join()

    assert heard == [True]


def test_a_thread_does_not_wait_for_ever() -> None:
    assert not ThreadWaiter().wait(0.0)


async def test_a_trio_task_wakes_a_thread() -> None:
    waiter = ThreadWaiter()
    heard: list[bool] = []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, lambda: heard.append(waiter.wait(math.inf)))
        await wait_all_tasks_blocked()
        assert waiter.wake()

    assert heard == [True]


def test_a_waiter_needs_a_task() -> None:
    with pytest.raises(RuntimeError):
        async_waiter()
