"""Worker threads in a world: no threads, exact virtual times, and the rules of cancellation that trio has."""

from __future__ import annotations

import contextvars
import threading
import time
from functools import partial
from random import Random
from typing import Any

import pytest
import sniffio
import trio
import trio._threads
import trio.testing
from anyio import to_thread as anyio_to_thread
from trio.to_thread import run_sync as early_copy

from duenna.testing._leaks import WorldLeakError
from duenna.testing._threads import LONGEST, SHORTEST

from .support import Bare, run


def delays(seed: int = 7) -> Any:
    rng = Random(f"{seed}:threads")
    while True:
        draw = rng.random()
        yield SHORTEST + (LONGEST - SHORTEST) * draw * draw * draw * draw


def test_a_call_takes_a_time_of_the_seed_and_runs_at_the_end_of_it() -> None:
    async def main() -> Any:
        ran = await trio.to_thread.run_sync(time.monotonic)
        return ran, trio.current_time(), threading.active_count()

    before = threading.active_count()
    delay = next(delays())

    assert run(main) == (delay, delay, before)
    assert SHORTEST <= delay <= LONGEST


@pytest.mark.parametrize(
    "run_sync",
    [
        lambda function: trio.to_thread.run_sync(function),
        lambda function: trio._threads.to_thread_run_sync(function),
        lambda function: early_copy(function),
        lambda function: anyio_to_thread.run_sync(function),
        lambda function: anyio_to_thread.run_sync(function, abandon_on_cancel=True),
    ],
)
def test_every_way_to_a_thread_is_the_worlds(run_sync: Any) -> None:
    async def main() -> tuple[Any, float]:
        return await run_sync(threading.get_ident), trio.current_time()

    assert run(main) == (threading.get_ident(), next(delays()))


def test_calls_side_by_side_take_their_own_times() -> None:
    async def main() -> list[tuple[float, int]]:
        ended: list[tuple[float, int]] = []

        async def call(number: int) -> None:
            await trio.sleep(number)  # so that they draw in their order
            await trio.to_thread.run_sync(lambda: time.sleep(10.0))
            ended.append((trio.current_time(), number))

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(call, number)
        return ended

    draws = delays()
    assert run(main) == [(number + next(draws) + 10.0, number) for number in range(3)]


def test_the_limiter_limits() -> None:
    async def main() -> list[float]:
        limiter = trio.CapacityLimiter(1)
        ended: list[float] = []

        async def call() -> None:
            await trio.to_thread.run_sync(lambda: None, limiter=limiter)
            ended.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            nursery.start_soon(call)
        assert limiter.borrowed_tokens == 0
        return ended

    draws = delays()
    first, second = next(draws), next(draws)
    assert run(main) == [first, first + second]


def test_an_error_of_the_function_comes_out_and_the_limiter_is_free() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        with pytest.raises(ZeroDivisionError):
            await trio.to_thread.run_sync(lambda: 1 / 0, limiter=limiter)
        assert limiter.borrowed_tokens == 0

    run(main)


def test_cancelled_it_waits_for_the_function() -> None:
    async def main() -> tuple[bool, list[str], float]:
        ran: list[str] = []
        with trio.move_on_after(SHORTEST / 2) as scope:
            await trio.to_thread.run_sync(ran.append, "ran")
        return scope.cancelled_caught, ran, trio.current_time()

    assert run(main) == (False, ["ran"], next(delays()))


def test_cancelled_it_abandons_the_function_which_runs_at_its_time() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        ran: list[float] = []
        with trio.move_on_after(SHORTEST / 2) as scope:
            await trio.to_thread.run_sync(lambda: ran.append(time.monotonic()), abandon_on_cancel=True, limiter=limiter)
        assert scope.cancelled_caught
        assert trio.current_time() == SHORTEST / 2
        assert (ran, limiter.borrowed_tokens) == ([], 1)

        await trio.sleep(1.0)

        assert (ran, limiter.borrowed_tokens) == ([next(delays())], 0)

    run(main)


def test_an_error_of_an_abandoned_function_is_dropped() -> None:
    async def main() -> None:
        with trio.move_on_after(SHORTEST / 2):
            await trio.to_thread.run_sync(lambda: 1 / 0, abandon_on_cancel=True)
        await trio.sleep(1.0)

    run(main)


def test_cancelled_before_it_runs_nothing() -> None:
    async def main() -> list[str]:
        ran: list[str] = []
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.to_thread.run_sync(ran.append, "ran")
        await trio.sleep(1.0)
        return ran

    assert run(main) == []


def test_a_sleep_in_the_function_passes_for_it_and_delays_its_result() -> None:
    """Nothing else runs between the lines of the function: it lives in the future for a moment."""

    async def main() -> Any:
        def work() -> tuple[float, float]:
            time.sleep(2.0)
            before = time.monotonic()
            threading.Event().wait(3.0)
            return before, time.monotonic()

        return await trio.to_thread.run_sync(work), trio.current_time(), time.monotonic()

    delay = next(delays())
    assert run(main) == ((delay + 2.0, delay + 5.0), delay + 5.0, delay + 5.0)


def test_the_function_has_the_context_of_its_caller_and_no_loop() -> None:
    variable = contextvars.ContextVar("variable", default=0)

    async def main() -> Any:
        variable.set(5)

        def work() -> Any:
            variable.set(variable.get() + 1)
            with pytest.raises(RuntimeError, match="must be called from async context"):
                trio.current_time()
            with pytest.raises(sniffio.AsyncLibraryNotFoundError):
                sniffio.current_async_library()
            return variable.get()

        seen = await trio.to_thread.run_sync(work)
        return seen, variable.get(), sniffio.current_async_library()

    assert run(main) == (6, 5, "trio")


@pytest.mark.parametrize("abandon_on_cancel", [False, True])
def test_the_function_may_call_back(abandon_on_cancel: bool) -> None:
    async def main() -> None:
        event = trio.Event()
        sender, receiver = trio.open_memory_channel[float](1)

        def back(token: Any) -> float:
            with pytest.raises(RuntimeError, match="must be called from async context"):
                trio.current_time()
            trio.from_thread.run_sync(event.set)
            trio.from_thread.run_sync(sender.send_nowait, 1.0, trio_token=token)
            return trio.from_thread.run_sync(trio.current_time)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.wait)
            called = await trio.to_thread.run_sync(
                back, trio.lowlevel.current_trio_token(), abandon_on_cancel=abandon_on_cancel
            )
        assert called == trio.current_time() == next(delays())
        assert receiver.receive_nowait() == 1.0

    run(main)


def test_a_callback_runs_as_the_task_that_waits() -> None:
    async def main() -> None:
        task = trio.lowlevel.current_task()
        seen = await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(trio.lowlevel.current_task))
        assert seen is task

    run(main)


def test_an_async_callback_is_refused() -> None:
    """The loop cannot run a task while it runs the function."""
    bare = Bare()

    async def main() -> None:
        with pytest.raises(WorldLeakError, match=r"async function called from a thread .*trio\.from_thread\.run_sync"):
            await trio.to_thread.run_sync(lambda: trio.from_thread.run(trio.sleep, 1.0))

    bare.run(main)

    assert [leak.by for leak in bare.leaks] == ["trio.from_thread.run"]


def test_the_function_can_see_that_it_is_cancelled() -> None:
    async def main() -> tuple[bool, float]:
        with trio.move_on_after(SHORTEST / 2) as scope:
            await trio.to_thread.run_sync(trio.from_thread.check_cancelled)
        return scope.cancelled_caught, trio.current_time()

    assert run(main) == (True, next(delays()))


def test_the_function_cannot_check_without_a_thread_of_trio() -> None:
    async def main() -> None:
        await trio.to_thread.run_sync(trio.from_thread.check_cancelled)
        with pytest.raises(RuntimeError, match="this thread wasn't created by Trio"):
            trio.from_thread.check_cancelled()

    run(main)


@pytest.mark.parametrize("is_callback", [False, True])
def test_an_async_function_is_refused_as_by_trio(is_callback: bool) -> None:
    async def work() -> None:
        pass

    wrong: Any = work

    async def main() -> None:
        await trio.to_thread.run_sync((lambda: trio.from_thread.run_sync(wrong)) if is_callback else wrong)

    with pytest.raises(TypeError, match=r"^trio expected a sync function, but '.*work' appears to be asynchronous$"):
        run(main)


def test_a_file_of_trio_can_be_read(tmp_path: Any) -> None:
    async def main() -> str:
        path = trio.Path(tmp_path / "file")
        await path.write_text("text")
        async with await trio.open_file(path) as file:
            return await file.read()

    assert run(main) == "text"


def test_trio_counts_the_calls() -> None:
    async def main() -> tuple[int, int]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.to_thread.run_sync, lambda: 0))
            await trio.testing.wait_all_tasks_blocked()
            during = trio.testing.active_thread_count()
            await trio.testing.wait_all_threads_completed()
        return during, trio.testing.active_thread_count()

    assert run(main) == (1, 0)


def test_real_threads_are_back_after_the_world() -> None:
    async def main() -> None:
        await trio.to_thread.run_sync(int)

    run(main)

    assert trio.run(trio.to_thread.run_sync, threading.get_ident) != threading.get_ident()
