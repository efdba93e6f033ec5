"""Death watch: one `Down` per watch, whoever died and however."""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Backoff, Context, Down, Mailbox, Supervisor, UnknownPathError

from .support import AsyncPuppet, BoomError, Puppet, bot, child, crash, hold, nap, node, parrot, settle


@attrs.define
class Watcher(Actor):
    """Runs functions of itself, and writes every `Down` with its time into a list."""

    log: list[tuple[Down, float]]

    def receive(self, message: Any) -> object:
        if isinstance(message, Down):
            self.log.append((message, trio.current_time()))
            return None
        return message(self)


def watch(target: object) -> Any:
    return lambda actor: actor.context.watch(target)


def unwatch(target: object) -> Any:
    return lambda actor: actor.context.unwatch(target)


def stop(actor: Actor) -> None:
    actor.context.stop()


@attrs.define
class Hosted(Puppet):
    """A `Puppet` with a body, so that it has a task."""

    async def run(self) -> None:
        await trio.sleep_forever()


TARGETS = [pytest.param(Puppet, id="cell"), pytest.param(Hosted, id="task")]


@pytest.mark.parametrize("target", TARGETS)
async def test_down_of_a_crash_carries_the_exception(autojump_clock: MockClock, target: Any) -> None:
    """C91: the watcher is told at once: who, which incarnation, and the exception itself."""
    log: list[tuple[Down, float]] = []
    error = BoomError("why")
    async with bot(child("w", lambda: Watcher(log)), child("a", target)) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await trio.sleep(3)
        runtime.ref("/bot/a").tell(crash(error))
        await settle()

    [(down, when)] = log
    assert (down.path, down.incarnation, down.reason, when) == ("/bot/a", 1, error, 3.0)


@pytest.mark.parametrize("target", TARGETS)
async def test_down_of_a_normal_end(autojump_clock: MockClock, target: Any) -> None:
    """A normal end is a `Down` with the reason "normal"."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", target, restart="transient")) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        runtime.ref("/bot/a").tell(stop)
        await settle()

    assert [down.reason for down, _ in log] == ["normal"]


@pytest.mark.parametrize("target", TARGETS)
async def test_down_of_an_operators_stop(autojump_clock: MockClock, target: Any) -> None:
    """A stop from outside is a `Down` with the reason "shutdown"."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", target)) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await runtime.stop_child("/bot/a")
        await settle()

        assert [down.reason for down, _ in log] == ["shutdown"]


async def test_down_of_a_function_actor(autojump_clock: MockClock) -> None:
    """Function actors are watched like any other."""
    log: list[tuple[Down, float]] = []

    async def poll(_: Context) -> None:
        await trio.sleep(2)

    async with bot(child("w", lambda: Watcher(log)), child("a", poll, restart="transient")) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await trio.sleep(3)

    assert [(down.reason, when) for down, when in log] == [("normal", 2.0)]


async def test_function_actor_can_watch(autojump_clock: MockClock) -> None:
    """A function actor gets its `Down` among its messages."""
    got: list[Any] = []

    async def guard(context: Context) -> None:
        context.watch("/bot/a")
        async for message in context.messages():
            got.append(message)  # noqa: PERF401

    async with bot(child("a", Puppet), child("w", guard)) as runtime:
        await settle()
        runtime.ref("/bot/a").tell(crash())
        await settle()

    assert [type(message) for message in got] == [Down]


async def test_down_of_a_supervisor(autojump_clock: MockClock) -> None:
    """A supervisor is a child, and can be watched."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), Supervisor("sub", [child("a", Puppet)])) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/sub"))
        await runtime.stop_child("/bot/sub")
        await settle()

        assert [(down.path, down.reason) for down, _ in log] == [("/bot/sub", "shutdown")]


async def test_watch_is_over_after_one_down(autojump_clock: MockClock) -> None:
    """A watch is for one incarnation: the next one's death is not told unless it is watched again."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", Puppet)) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        for _ in range(3):
            runtime.ref("/bot/a").tell(crash())
            await settle()
        first = len(log)
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        runtime.ref("/bot/a").tell(crash())
        await settle()

    assert first == 1
    assert [down.incarnation for down, _ in log] == [1, 4]


async def test_watch_is_idempotent(autojump_clock: MockClock) -> None:
    """Watching twice, by ref and by path, is one watch."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", Puppet)) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await runtime.ref("/bot/w").ask(watch(runtime.ref("/bot/a")))
        runtime.ref("/bot/a").tell(crash())
        await settle()

    assert len(log) == 1


async def test_every_watcher_is_told(autojump_clock: MockClock) -> None:
    """Watches of different watchers are independent."""
    logs: list[list[tuple[Down, float]]] = [[], [], []]

    def maker(number: int) -> Any:
        return lambda: Watcher(logs[number])

    specs = [child(f"w{number}", maker(number)) for number in range(3)]
    async with bot(child("a", Puppet), *specs) as runtime:
        for number in range(3):
            await runtime.ref(f"/bot/w{number}").ask(watch("/bot/a"))
        await runtime.ref("/bot/w1").ask(unwatch("/bot/a"))
        runtime.ref("/bot/a").tell(crash())
        await settle()

    assert [len(log) for log in logs] == [1, 0, 1]


async def test_unwatch_ends_the_watch(autojump_clock: MockClock) -> None:
    """After `unwatch` nothing comes; unwatching what is not watched does nothing."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", Puppet)) as runtime:
        await runtime.ref("/bot/w").ask(unwatch("/bot/a"))
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await runtime.ref("/bot/w").ask(unwatch(runtime.ref("/bot/a")))
        runtime.ref("/bot/a").tell(crash())
        await settle()

    assert log == []


async def test_unwatch_after_the_death_delivers_nothing(autojump_clock: MockClock) -> None:
    """C91: a `Down` that waits in the mailbox when the watcher unwatches is not delivered."""
    got: list[Any] = []

    @attrs.define
    class Late(Actor):
        async def receive(self, message: Any) -> None:
            if isinstance(message, Down):
                got.append(message)
                return
            self.context.watch("/bot/a")
            await message.wait()
            self.context.unwatch("/bot/a")

    gate = trio.Event()
    async with bot(child("w", Late), child("a", Puppet)) as runtime:
        runtime.ref("/bot/w").tell(gate)
        await settle()
        runtime.ref("/bot/a").tell(crash())
        await settle()
        gate.set()
        await settle()

        assert got == []
        assert node(runtime, "/bot/a").incarnation == 2


@pytest.mark.parametrize("state", ["stopped", "finished", "backoff", "parked"])
async def test_watch_of_what_does_not_live_is_answered_at_once(autojump_clock: MockClock, state: str) -> None:
    """Nobody to watch: a `Down` with the reason "noproc", at once and once."""
    log: list[tuple[Down, float]] = []
    options: dict[str, Any] = {"restart": "transient", "backoff": Backoff.steps(100)}
    if state == "parked":
        options.update(max_failures=0, on_give_up="park")
    async with bot(child("w", lambda: Watcher(log)), child("a", Puppet, **options)) as runtime:
        if state == "stopped":
            await runtime.stop_child("/bot/a")
        else:
            runtime.ref("/bot/a").tell(stop if state == "finished" else crash())
        await settle()

        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await settle()

        assert [(down.path, down.reason) for down, _ in log] == [("/bot/a", "noproc")]


async def test_watch_of_a_deleted_child_through_its_ref(autojump_clock: MockClock) -> None:
    """A ref outlives its child; watching it gives "noproc" at once."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", Puppet)) as runtime:
        ref = runtime.ref("/bot/a")
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")

        await runtime.ref("/bot/w").ask(watch(ref))
        await settle()

        assert [down.reason for down, _ in log] == ["noproc"]


async def test_watch_of_an_unknown_path_is_refused(autojump_clock: MockClock) -> None:
    """A path that no child bears is an error of the caller."""

    def probe(actor: Actor) -> str:
        with pytest.raises(UnknownPathError, match=r"/bot/nobody"):
            actor.context.watch("/bot/nobody")
        return "refused"

    async with bot(child("w", Puppet)) as runtime:
        assert await runtime.ref("/bot/w").ask(probe) == "refused"


async def test_watches_die_with_the_watchers_incarnation(autojump_clock: MockClock) -> None:
    """A restarted watcher watches nothing until it says so again."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", Puppet)) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        runtime.ref("/bot/w").tell(crash())
        await settle()
        runtime.ref("/bot/a").tell(crash())
        await settle()

        assert log == []
        assert node(runtime, "/bot/w").incarnation == 2


async def test_down_for_the_previous_incarnation_does_not_reach_the_next(autojump_clock: MockClock) -> None:
    """A `Down` that waits in the mailbox when its watcher crashes belongs to a watch that has ended."""
    got: list[Any] = []

    @attrs.define
    class Fragile(Actor):
        async def receive(self, message: Any) -> None:
            if isinstance(message, Down):
                got.append(message)
                return
            self.context.watch("/bot/a")
            await message.wait()
            raise BoomError

    gate = trio.Event()
    async with bot(child("w", Fragile), child("a", Puppet)) as runtime:
        runtime.ref("/bot/w").tell(gate)
        await settle()
        runtime.ref("/bot/a").tell(crash())
        await settle()
        gate.set()
        await settle()

        assert got == []
        assert node(runtime, "/bot/w").incarnation == 2


async def test_watch_of_a_child_whose_cleanup_lasts_tells_when_it_is_over(autojump_clock: MockClock) -> None:
    """`Down` means that the incarnation has ended, its cleanup included."""
    log: list[tuple[Down, float]] = []

    @attrs.define
    class Slow(Puppet):
        async def stopping(self, reason: object) -> None:
            await trio.sleep(2)

    async with bot(child("w", lambda: Watcher(log)), child("a", Slow, backoff=Backoff.steps(50))) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        runtime.ref("/bot/a").tell(crash())
        await trio.sleep(10)

    assert [when for _, when in log] == [2.0]


async def test_down_comes_after_what_was_already_in_the_mailbox(autojump_clock: MockClock) -> None:
    """Messages that the dying actor told its watcher come before the `Down`."""
    order: list[str] = []

    @attrs.define
    class Boss(Actor):
        def receive(self, message: Any) -> None:
            if callable(message):
                message(self)
            else:
                order.append("down" if isinstance(message, Down) else message)

    def last_words(actor: Actor) -> None:
        actor.context.lookup("w").tell("last words")
        raise BoomError

    async with bot(child("w", Boss), child("a", Puppet)) as runtime:
        runtime.ref("/bot/w").tell(watch("/bot/a"))
        await settle()
        runtime.ref("/bot/a").tell(last_words)
        await settle()

    assert order == ["last words", "down"]


async def test_mass_death_tells_every_watch_once(autojump_clock: MockClock) -> None:
    """One watcher of 500 actors gets 500 `Down`s, though its mailbox holds 10 messages."""
    log: list[tuple[Down, float]] = []
    names = [f"a{number}" for number in range(500)]
    specs = [child(name, Puppet) for name in names]
    async with bot(child("w", lambda: Watcher(log), mailbox=Mailbox(capacity=10)), *specs) as runtime:
        for name in names:
            await runtime.ref("/bot/w").ask(watch(f"/bot/{name}"))
        for name in names:
            runtime.ref(f"/bot/{name}").tell(crash())
        await settle()

    assert sorted(down.path for down, _ in log) == sorted(f"/bot/{name}" for name in names)


async def test_watch_from_an_async_handler_of_a_busy_target(autojump_clock: MockClock) -> None:
    """The target's being busy does not delay the `Down` of its stop."""
    log: list[tuple[Down, float]] = []
    async with bot(child("w", lambda: Watcher(log)), child("a", AsyncPuppet)) as runtime:
        runtime.ref("/bot/a").tell(hold(trio.Event()))
        await settle()
        runtime.ref("/bot/a").tell(nap(0))
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        await trio.sleep(1)
        await runtime.restart_child("/bot/a")
        await settle()

    assert [(down.reason, down.incarnation, when) for down, when in log] == [("shutdown", 1, 1.0)]


async def test_watcher_may_be_told_by_messages_of_a_parrot(autojump_clock: MockClock) -> None:
    """A watched function actor that crashes on a message is a `Down` with its exception."""
    log: list[tuple[Down, float]] = []
    error = BoomError()
    async with bot(child("w", lambda: Watcher(log)), child("a", parrot([]))) as runtime:
        await runtime.ref("/bot/w").ask(watch("/bot/a"))
        runtime.ref("/bot/a").tell(error)
        await settle()

    assert [down.reason for down, _ in log] == [error]
