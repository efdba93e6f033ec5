"""duenna's side: the runtime as a bot uses it, with supervision, counters, bounded mailboxes and the watchdog on.

Only the log is off. A producer tells in bursts that its receiver's mailbox holds and passes a checkpoint after each; if
it finds the mailbox full all the same, it waits for room.
"""

import functools
from collections.abc import Awaitable, Callable

import attrs
import trio
from _worker import BURST, CAPACITY, Sample, Stopwatch, clock, delays, peak_bytes, require, resident_bytes, serve

from duenna import Actor, Backoff, Child, Mailbox, MailboxFullError, Ref, Runtime, Supervisor, open_runtime

HOPS = 100
RECEIVERS = 1_000
TIMERS_PER_ACTOR = 1_000
NO_LIMIT = 10**9

MAILBOX = Mailbox(capacity=CAPACITY)


@attrs.define
class Board:
    """What the actors of one sample and the one who times them share."""

    total: int = 0
    count: int = 0
    done: trio.Event = attrs.field(factory=trio.Event)
    refs: list[Ref] = attrs.field(factory=list[Ref])
    raised_at: float = 0.0
    seconds: float = 0.0

    def expect(self, total: int) -> None:
        """Await *total* more messages with a fresh event."""
        self.total, self.count, self.done = total, 0, trio.Event()


@attrs.define
class Counter(Actor):
    """Counts its messages, in a sync handler."""

    board: Board

    def receive(self, _message: int) -> None:
        """Count."""
        board = self.board
        board.count += 1
        if board.count == board.total:
            board.done.set()


@attrs.define
class AsyncCounter(Actor):
    """Counts its messages, in an async handler."""

    board: Board

    async def receive(self, _message: int) -> None:
        """Count."""
        board = self.board
        board.count += 1
        if board.count == board.total:
            board.done.set()


@attrs.define
class Echo(Actor):
    """Answers, in a sync handler."""

    def receive(self, message: int) -> int:
        """Answer with the next number."""
        return message + 1


@attrs.define
class AsyncEcho(Actor):
    """Answers, in an async handler."""

    async def receive(self, message: int) -> int:
        """Answer with the next number."""
        return message + 1


@attrs.define
class Link(Actor):
    """Passes its messages on to the next of the chain."""

    board: Board
    following: int

    def receive(self, message: int) -> None:
        """Pass *message* on."""
        self.board.refs[self.following].tell(message)


@attrs.define
class AsyncLink(Actor):
    """Passes its messages on to the next of the chain, in an async handler."""

    board: Board
    following: int

    async def receive(self, message: int) -> None:
        """Pass *message* on."""
        self.board.refs[self.following].tell(message)


@attrs.define
class Hub(Actor):
    """Sends each message to every receiver."""

    board: Board

    def receive(self, message: int) -> None:
        """Send *message* to all."""
        for ref in self.board.refs:
            ref.tell(message)


@attrs.define
class AsyncHub(Actor):
    """Sends each message to every receiver, in an async handler."""

    board: Board

    async def receive(self, message: int) -> None:
        """Send *message* to all."""
        for ref in self.board.refs:
            ref.tell(message)


@attrs.define
class Quiet(Actor):
    """Never gets a message."""

    def receive(self, message: object) -> None:
        """Do nothing."""


@attrs.define
class Crasher(Actor):
    """Crashes at each message."""

    board: Board

    def receive(self, message: object) -> None:
        """Crash."""
        self.board.raised_at = clock()
        raise RuntimeError(message)


@attrs.define
class Repeater(Crasher):
    """Crashes as soon as it can after each start."""

    def started(self) -> None:
        """Add up the time since the crash, and ask for the next."""
        board = self.board
        board.seconds += clock() - board.raised_at
        board.count += 1
        if board.count > board.total:
            board.done.set()
        else:
            self.context.ref.tell("boom")


@attrs.define
class Last(Actor):
    """The last of its group to start."""

    board: Board

    def started(self) -> None:
        """Note the time since the crash."""
        self.board.seconds = clock() - self.board.raised_at
        self.board.done.set()


@attrs.define
class Alarms(Actor):
    """Arms timers and counts those that fire."""

    board: Board
    due: list[float]

    def receive(self, message: str) -> None:
        """Arm all timers, or count one."""
        if message == "arm":
            for delay in self.due:
                self.context.tell_after(delay, "ring")
            return
        board = self.board
        board.count += 1
        if board.count == board.total:
            board.done.set()


def child(name: str, start: Callable[[], Actor]) -> Child:
    """Return a spec that restarts at once and as often as it takes."""
    return Child(name, start, backoff=Backoff.none(), mailbox=MAILBOX)


async def running(tree: Supervisor, body: Callable[[Runtime], Awaitable[Sample]]) -> Sample:
    """Run *tree* for as long as *body* takes."""
    async with open_runtime(tree, log_level=None) as runtime:
        return await body(runtime)


async def tell(kind: Callable[[Board], Actor], size: int) -> Sample:
    """Tell one actor, in bursts that its mailbox holds."""
    board = Board()

    async def body(runtime: Runtime) -> Sample:
        ref = runtime.ref("/bot/actor")
        board.expect(size)
        watch = Stopwatch()
        for first in range(0, size, BURST):
            for message in range(first, min(first + BURST, size)):
                try:
                    ref.tell(message)
                except MailboxFullError:
                    await ref.send(message)
            await trio.lowlevel.checkpoint()
        await board.done.wait()
        seconds = watch.stop()
        require(board.count == size)
        return {"seconds": seconds / size}

    return await running(Supervisor("bot", [child("actor", functools.partial(kind, board))]), body)


async def send(size: int) -> Sample:
    """Send to one actor, awaited for each message: back pressure, and a checkpoint each."""
    board = Board()

    async def body(runtime: Runtime) -> Sample:
        ref = runtime.ref("/bot/actor")
        board.expect(size)
        watch = Stopwatch()
        for message in range(size):
            await ref.send(message)
        await board.done.wait()
        return {"seconds": watch.stop() / size}

    return await running(Supervisor("bot", [child("actor", functools.partial(AsyncCounter, board))]), body)


async def ask(kind: Callable[[], Actor], busy: bool, size: int) -> Sample:
    """Ask one actor and wait for the answer; busy: another message is already in its mailbox."""

    async def body(runtime: Runtime) -> Sample:
        ref = runtime.ref("/bot/actor")
        watch = Stopwatch()
        for message in range(size):
            if busy:
                ref.tell(-1)
            require(await ref.ask(message) == message + 1)
        return {"seconds": watch.stop() / size}

    return await running(Supervisor("bot", [child("actor", kind)]), body)


async def chain(link: Callable[[Board, int], Actor], end: Callable[[Board], Actor], size: int) -> Sample:
    """Pass one message after another through a chain of actors; seconds per hop."""
    board = Board()
    links = [child(str(index), functools.partial(link, board, index + 1)) for index in range(HOPS)]

    async def body(runtime: Runtime) -> Sample:
        board.refs = [runtime.ref(f"/bot/{index}") for index in range(HOPS + 1)]
        watch = Stopwatch()
        for message in range(size):
            board.expect(1)
            board.refs[0].tell(message)
            await board.done.wait()
        return {"seconds": watch.stop() / size / HOPS}

    return await running(Supervisor("bot", [*links, child(str(HOPS), functools.partial(end, board))]), body)


async def fan_out(hub: Callable[[Board], Actor], kind: Callable[[Board], Actor], size: int) -> Sample:
    """Send one message to each of many actors, again and again; seconds per delivery."""
    board = Board()
    receivers = [child(str(index), functools.partial(kind, board)) for index in range(RECEIVERS)]

    async def body(runtime: Runtime) -> Sample:
        board.refs = [runtime.ref(f"/bot/{index}") for index in range(RECEIVERS)]
        ref = runtime.ref("/bot/hub")
        watch = Stopwatch()
        for message in range(size):
            board.expect(RECEIVERS)
            ref.tell(message)
            await board.done.wait()
        return {"seconds": watch.stop() / size / RECEIVERS}

    return await running(Supervisor("bot", [*receivers, child("hub", functools.partial(hub, board))]), body)


async def spawn(size: int) -> Sample:
    """Start idle actors in bulk; bytes with their specs, seconds without and with making them."""

    async def body(runtime: Runtime) -> Sample:
        before = resident_bytes()
        watch = Stopwatch()
        specs = [Child(f"actor{index}", Quiet) for index in range(size)]
        specs_made = watch.stop()
        refs = await runtime.start_children("/bot", specs)
        seconds = watch.stop()
        require(len(refs) == size)
        del refs, specs
        return {
            "seconds": (seconds - specs_made) / size,
            "with_specs": seconds / size,
            "bytes": (resident_bytes() - before) / size,
            "resident": resident_bytes(),
            "peak": peak_bytes(),
        }

    return await running(Supervisor("bot"), body)


async def crash(size: int) -> Sample:
    """Restart a crashed cell: seconds from the raise to the `started` of the next incarnation."""
    board = Board()
    board.expect(size)
    board.raised_at = clock()

    async def body(_runtime: Runtime) -> Sample:
        watch = Stopwatch()
        await board.done.wait()
        return {"seconds": board.seconds / (size + 1), "cycle": watch.stop() / size}

    return await running(
        Supervisor("bot", [child("actor", functools.partial(Repeater, board))], intensity=NO_LIMIT), body
    )


async def one_for_all(size: int) -> Sample:
    """Crash the first of a group: seconds from the raise to the `started` of the last."""
    board = Board()
    children = [
        child("first", functools.partial(Crasher, board)),
        *(child(str(index), Quiet) for index in range(size - 2)),
        child("last", functools.partial(Last, board)),
    ]

    async def body(runtime: Runtime) -> Sample:
        board.expect(1)
        runtime.ref("/bot/first").tell("boom")
        await board.done.wait()
        return {"seconds": board.seconds}

    return await running(Supervisor("bot", children, strategy="one_for_all", intensity=NO_LIMIT), body)


async def timers(size: int) -> Sample:
    """Arm timers and handle the message of each."""
    board = Board()
    due = delays(size)
    actors = range(0, size, TIMERS_PER_ACTOR)
    children = [
        child(str(first), functools.partial(Alarms, board, due[first : first + TIMERS_PER_ACTOR])) for first in actors
    ]

    async def body(runtime: Runtime) -> Sample:
        board.expect(size)
        refs = [runtime.ref(f"/bot/{first}") for first in actors]
        watch = Stopwatch()
        for ref in refs:
            ref.tell("arm")
        await board.done.wait()
        return {"seconds": watch.stop() / size}

    return await running(Supervisor("bot", children), body)


def _run(measure: Callable[[int], Awaitable[Sample]], size: int) -> Sample:
    return trio.run(measure, size)


MEASURES: dict[str, Callable[[int], Awaitable[Sample]]] = {
    "tell_async": functools.partial(tell, AsyncCounter),
    "tell_sync": functools.partial(tell, Counter),
    "send": send,
    "ask_inline": functools.partial(ask, Echo, False),
    "ask_async": functools.partial(ask, AsyncEcho, False),
    "ask_busy": functools.partial(ask, Echo, True),
    "chain_sync": functools.partial(chain, Link, Counter),
    "chain_async": functools.partial(chain, AsyncLink, AsyncCounter),
    "fan_out_sync": functools.partial(fan_out, Hub, Counter),
    "fan_out_async": functools.partial(fan_out, AsyncHub, AsyncCounter),
    "spawn": spawn,
    "crash": crash,
    "one_for_all": one_for_all,
    "timers": timers,
}

if __name__ == "__main__":
    serve({name: functools.partial(_run, measure) for name, measure in MEASURES.items()})
