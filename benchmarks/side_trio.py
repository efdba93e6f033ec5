"""The raw trio side: what a careful user would write with nurseries and memory channels alone.

Every buffer has the bound that duenna's mailboxes have. "Awaited" means `await send()` and `await receive()` (by
`async for`), the way in which trio's channels are meant to be used: a checkpoint each.
"""

import functools
import itertools
from collections.abc import Awaitable, Callable

import trio
import trio.testing
from _worker import BURST, CAPACITY, Sample, Stopwatch, clock, delays, require, resident_bytes, serve

HOPS = 100
RECEIVERS = 1_000

Send = trio.MemorySendChannel[int]
Receive = trio.MemoryReceiveChannel[int]


async def checkpoint(size: int) -> Sample:
    """Pass a checkpoint: the unit of cost on trio, and a gauge of the machine's speed."""
    watch = Stopwatch()
    for _ in range(size):
        await trio.lowlevel.checkpoint()
    return {"seconds": watch.stop() / size}


async def tell(size: int) -> Sample:
    """Send one to one, one checkpoint for each send and one for each receive."""
    send, receive = trio.open_memory_channel[int](CAPACITY)
    count = 0

    async def consume() -> None:
        nonlocal count
        async for _message in receive:
            count += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        async with send:
            for message in range(size):
                await send.send(message)
    seconds = watch.stop()
    require(count == size)
    return {"seconds": seconds / size}


async def tell_batched(size: int) -> Sample:
    """Send one to one without waiting, in bursts, and drain without waiting: the fastest that channels can do."""
    send, receive = trio.open_memory_channel[int](CAPACITY)
    count = 0

    async def consume() -> None:
        nonlocal count
        async for _message in receive:
            count += 1
            try:
                while True:
                    receive.receive_nowait()
                    count += 1
            except (trio.WouldBlock, trio.EndOfChannel):
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        async with send:
            for first in range(0, size, BURST):
                for message in range(first, min(first + BURST, size)):
                    send.send_nowait(message)
                await trio.lowlevel.checkpoint()
    seconds = watch.stop()
    require(count == size)
    return {"seconds": seconds / size}


async def _ask(size: int, *, busy: bool) -> Sample:
    questions, asked = trio.open_memory_channel[int](CAPACITY)
    answers, answered = trio.open_memory_channel[int](CAPACITY)

    async def server() -> None:
        async for message in asked:
            if message >= 0:
                await answers.send(message + 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        for message in range(size):
            if busy:
                questions.send_nowait(-1)
            await questions.send(message)
            require(await answered.receive() == message + 1)
        seconds = watch.stop()
        nursery.cancel_scope.cancel()
    return {"seconds": seconds / size}


async def ask(size: int) -> Sample:
    """Ask through one channel and wait for the answer from another."""
    return await _ask(size, busy=False)


async def ask_busy(size: int) -> Sample:
    """Ask while another message is already in the server's channel."""
    return await _ask(size, busy=True)


async def chain(size: int) -> Sample:
    """Pass one message after another through a chain of tasks; seconds per hop."""
    pairs = [trio.open_memory_channel[int](CAPACITY) for _ in range(HOPS + 1)]

    async def link(receive: Receive, send: Send) -> None:
        async for message in receive:
            await send.send(message)

    async with trio.open_nursery() as nursery:
        for (_, receive), (send, _) in itertools.pairwise(pairs):
            nursery.start_soon(link, receive, send)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        for message in range(size):
            await pairs[0][0].send(message)
            require(await pairs[-1][1].receive() == message)
        seconds = watch.stop()
        nursery.cancel_scope.cancel()
    return {"seconds": seconds / size / HOPS}


async def fan_out(size: int) -> Sample:
    """Send one message to each of many receivers, again and again; seconds per delivery."""
    pairs = [trio.open_memory_channel[int](CAPACITY) for _ in range(RECEIVERS)]
    count = 0
    done = trio.Event()

    async def consume(receive: Receive) -> None:
        nonlocal count
        async for _message in receive:
            count += 1
            if not count % RECEIVERS:
                done.set()

    async with trio.open_nursery() as nursery:
        for _, receive in pairs:
            nursery.start_soon(consume, receive)
        await trio.testing.wait_all_tasks_blocked()
        watch = Stopwatch()
        for message in range(size):
            done = trio.Event()
            for send, _ in pairs:
                await send.send(message)
            await done.wait()
        seconds = watch.stop()
        nursery.cancel_scope.cancel()
    return {"seconds": seconds / size / RECEIVERS}


async def spawn(size: int) -> Sample:
    """Start idle receivers: a task and a channel each, without a nursery or any supervision of its own."""
    pairs: list[tuple[Send, Receive]] = []

    async def idle(receive: Receive) -> None:
        async for _message in receive:
            pass

    before = resident_bytes()
    async with trio.open_nursery() as nursery:
        watch = Stopwatch()
        for _ in range(size):
            pair = trio.open_memory_channel[int](CAPACITY)
            pairs.append(pair)
            nursery.start_soon(idle, pair[1])
        await trio.testing.wait_all_tasks_blocked()
        seconds = watch.stop()
        used = resident_bytes() - before
        nursery.cancel_scope.cancel()
    return {"seconds": seconds / size, "bytes": used / size}


async def crash(size: int) -> Sample:
    """Restart a crashed task from one manager, in one flat nursery: the cheapest isolation that trio allows."""
    exits, exited = trio.open_memory_channel[Exception](CAPACITY)
    raised_at = clock()
    down = 0.0

    async def child() -> None:
        nonlocal down, raised_at
        down += clock() - raised_at
        await trio.lowlevel.checkpoint()
        raised_at = clock()
        raise RuntimeError("boom")

    async def guarded() -> None:
        try:
            await child()
        except RuntimeError as error:
            exits.send_nowait(error)

    async with trio.open_nursery() as nursery:
        watch = Stopwatch()
        nursery.start_soon(guarded)
        for _ in range(size):
            await exited.receive()
            nursery.start_soon(guarded)
        seconds = watch.stop()
        nursery.cancel_scope.cancel()
    return {"seconds": down / size, "cycle": seconds / size}


async def one_for_all(size: int) -> Sample:
    """Crash one task of a nursery, which cancels the others, and start them all again; seconds for the whole group."""
    pairs = [trio.open_memory_channel[int](CAPACITY) for _ in range(size)]

    async def member(receive: Receive) -> None:
        async for _message in receive:
            raise RuntimeError("boom")

    watch = Stopwatch()
    try:
        async with trio.open_nursery() as nursery:
            for _, receive in pairs:
                nursery.start_soon(member, receive)
            await trio.testing.wait_all_tasks_blocked()
            watch = Stopwatch()
            pairs[0][0].send_nowait(1)
    except* RuntimeError:
        pass
    async with trio.open_nursery() as nursery:
        for _, receive in pairs:
            nursery.start_soon(member, receive)
        await trio.testing.wait_all_tasks_blocked()
        seconds = watch.stop()
        nursery.cancel_scope.cancel()
    return {"seconds": seconds}


async def timers(size: int) -> Sample:
    """Arm and fire timers, a sleeping task each."""
    count = 0

    async def sleeper(delay: float) -> None:
        nonlocal count
        await trio.sleep(delay)
        count += 1

    watch = Stopwatch()
    async with trio.open_nursery() as nursery:
        for delay in delays(size):
            nursery.start_soon(sleeper, delay)
    seconds = watch.stop()
    require(count == size)
    return {"seconds": seconds / size}


def _run(measure: Callable[[int], Awaitable[Sample]], size: int) -> Sample:
    return trio.run(measure, size)


if __name__ == "__main__":
    serve(
        {
            measure.__name__: functools.partial(_run, measure)
            for measure in (
                checkpoint,
                tell,
                tell_batched,
                ask,
                ask_busy,
                chain,
                fan_out,
                spawn,
                crash,
                one_for_all,
                timers,
            )
        }
    )
