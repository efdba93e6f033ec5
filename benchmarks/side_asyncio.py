"""asyncio's side: tasks and bounded queues, unsupervised. A queue's put and get yield only when they have to wait."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from _worker import CAPACITY, Sample, Stopwatch, delays, require, resident_bytes, serve


async def tell(size: int) -> Sample:
    """Put one to one."""
    queue: asyncio.Queue[int] = asyncio.Queue(CAPACITY)

    async def consume() -> None:
        for _ in range(size):
            await queue.get()

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    watch = Stopwatch()
    for message in range(size):
        await queue.put(message)
    await consumer
    return {"seconds": watch.stop() / size}


async def ask(size: int) -> Sample:
    """Ask through one queue and wait for the answer from another."""
    questions: asyncio.Queue[int] = asyncio.Queue(CAPACITY)
    answers: asyncio.Queue[int] = asyncio.Queue(CAPACITY)

    async def server() -> None:
        while True:
            await answers.put(await questions.get() + 1)

    task = asyncio.create_task(server())
    await asyncio.sleep(0)
    watch = Stopwatch()
    for message in range(size):
        await questions.put(message)
        require(await answers.get() == message + 1)
    seconds = watch.stop()
    task.cancel()
    return {"seconds": seconds / size}


async def spawn(size: int) -> Sample:
    """Start idle receivers: a task and a queue each."""
    queues: list[asyncio.Queue[int]] = []
    tasks: list[asyncio.Task[int]] = []
    before = resident_bytes()
    watch = Stopwatch()
    for _ in range(size):
        queue: asyncio.Queue[int] = asyncio.Queue(CAPACITY)
        queues.append(queue)
        tasks.append(asyncio.create_task(queue.get()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    seconds = watch.stop()
    used = resident_bytes() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"seconds": seconds / size, "bytes": used / size}


async def timers(size: int) -> Sample:
    """Arm and fire timers, a plain callback each."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    count = 0

    def ring() -> None:
        nonlocal count
        count += 1
        if count == size:
            done.set()

    watch = Stopwatch()
    for delay in delays(size):
        loop.call_later(delay, ring)
    await done.wait()
    return {"seconds": watch.stop() / size}


def _run(measure: Callable[[int], Coroutine[Any, Any, Sample]], size: int) -> Sample:
    return asyncio.run(measure(size))


if __name__ == "__main__":
    serve({measure.__name__: functools.partial(_run, measure) for measure in (tell, ask, spawn, timers)})
