"""Scale, and the actor layer's side of supervision (C81 to C91, W9)."""

import time
from typing import Any

import attrs
import pytest
import trio

from duenna import (
    Actor,
    ActorDiedError,
    AskTimeoutError,
    Backoff,
    Child,
    Down,
    Mailbox,
    MailboxFullError,
    MessageDropped,
    Supervisor,
)

from .probe import NOW, BoomError, Flavour, Probe, Script, attempt, node, opened, settle, state, states, watching

MANY = 10_000


def many(probe: Probe) -> int:
    """Return how many children a test makes whose point is made by fewer where each costs a task."""
    return MANY if probe.flavour is Flavour.CELL else MANY // 10


@attrs.define
class Servant(Actor):
    """Answers, crashes or dawdles, as the message says."""

    log: list[object]

    async def receive(self, message: object) -> object:
        match message:
            case "crash":
                raise BoomError("as told")
            case float():
                await trio.sleep(message)
        self.log.append(message)
        return message


def servant(log: list[object], name: str = "a", **options: Any) -> Child:
    """Make the spec of a servant that is restarted at once."""
    return Child(name, lambda: Servant(log), **{"backoff": NOW, **options})


# Scale


async def test_c81_ten_thousand_children_crash_in_one_tick(probe: Probe) -> None:
    """Every one is restarted exactly once, and never has two live incarnations."""
    names = [f"n{i}" for i in range(MANY)]
    tree = Supervisor("bot", [probe.child(name) for name in names], intensity=MANY)

    async with opened(tree) as runtime:
        began = time.perf_counter()
        for name in names:
            probe.crash(name)
        await settle()
        took = time.perf_counter() - began
        seen = set(states(runtime).values())

    assert set(probe.starts.values()) == {2}
    assert probe.overlaps == []
    assert seen == {"running"}
    assert sum(probe.alive.values()) == 0
    assert took < 60  # a scan per event would take minutes


async def test_c81_ten_thousand_restarts_fall_due_in_one_tick(probe: Probe) -> None:
    """The same through the heap of due times (W9)."""
    names = [f"n{i}" for i in range(many(probe))]
    tree = Supervisor("bot", [probe.child(name, backoff=Backoff.steps(10)) for name in names], intensity=len(names))

    async with opened(tree) as runtime:
        for name in names:
            probe.crash(name)
        await trio.sleep(10)
        await settle()
        seen = set(states(runtime).values())

    assert set(probe.starts.values()) == {2}
    assert probe.times("+", names[-1]) == [0, 10]
    assert seen == {"running"}


async def test_c81_storm_one_over_the_limit_gives_up_once(probe: Probe) -> None:
    """In the middle of a storm the window trips, and everything is stopped."""
    names = [f"n{i}" for i in range(1_000)]
    tree = Supervisor("bot", [probe.child(name) for name in names], intensity=999)

    async def play() -> None:
        async with opened(tree):
            for name in names:
                probe.crash(name)
            await trio.sleep(100)

    outcome = await attempt(play)

    assert type(outcome).__name__ == "GaveUpError"
    assert sum(probe.alive.values()) == 0
    assert probe.overlaps == []


async def test_c81_group_of_ten_thousand(probe: Probe) -> None:
    """one_for_all of 10,000: one restart each, in order, counted once."""
    size = many(probe)
    names = [f"n{i}" for i in range(size)]
    tree = Supervisor("bot", [probe.child(name) for name in names], strategy="one_for_all", intensity=1)

    async with opened(tree):
        probe.forget()
        probe.crash("n500")
        await settle()
        log = list(probe.log)

    assert log[0] == "-n500"
    assert log[1:size] == [f"-{name}" for name in reversed(names) if name != "n500"]
    assert log[size:] == [f"+{name}" for name in names]


async def test_c83_tree_is_readable_at_any_time(probe: Probe) -> None:
    """`tree()` is a plain call: it reads, it never queues behind a busy supervisor."""
    probe.plan("a", Script(stop_takes=50))
    probe.plan("b", Script(), Script(start_takes=20))
    tree = Supervisor("bot", probe.children("a b", shutdown=100))

    async with opened(tree) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(runtime.stop_child, "/bot/a")
        probe.crash("b")
        await trio.sleep(5)
        seen, read = states(runtime), trio.current_time()

    assert seen == {"a": "stopping", "b": "starting"}
    assert read == 5


async def test_c83_tree_is_a_snapshot(probe: Probe) -> None:
    """What was read does not change afterwards."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        before = runtime.tree()
        await runtime.stop_child("/bot/a")
        found = before.find("/bot/a")

    assert found is not None
    assert found.state == "running"


# Asking those who crash


async def test_c84_ask_that_crashes_the_actor_fails_at_once() -> None:
    """The asker gets ActorDiedError with the crash as its cause, not a timeout."""
    async with opened(Supervisor("bot", [servant([])])) as runtime:
        outcome = await attempt(lambda: runtime.ref("/bot/a").ask("crash"))
        told = trio.current_time()

    assert isinstance(outcome, ActorDiedError)
    assert isinstance(outcome.__cause__, BoomError)
    assert told == 0


async def test_c84_ask_in_flight_fails_when_the_actor_is_stopped() -> None:
    """Whatever ends the handler, its asker is told at once."""
    answers: list[object] = []

    async with opened(Supervisor("bot", [servant([])])) as runtime:

        async def ask() -> None:
            answers.append(await attempt(lambda: runtime.ref("/bot/a").ask(100.0, timeout=1000)))
            answers.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(5)
            await runtime.stop_child("/bot/a")

    assert isinstance(answers[0], ActorDiedError)
    assert answers[1] == 5


async def test_c85_ask_to_a_restarting_actor_waits() -> None:
    """By default it waits in the mailbox, up to its timeout."""
    async with opened(Supervisor("bot", [servant([], backoff=Backoff.steps(3))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell("crash")
        await settle()
        answer = await ref.ask("hello", timeout=5)
        answered = trio.current_time()
        ref.tell("crash")
        await settle()
        late = await attempt(lambda: ref.ask("hello", timeout=1))

    assert (answer, answered) == ("hello", 3)
    assert isinstance(late, AskTimeoutError)


async def test_c85_ask_can_fail_fast() -> None:
    """`wait=False`: an actor that does not run right now is an ActorDiedError."""
    async with opened(Supervisor("bot", [servant([], backoff=Backoff.steps(3))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell("crash")
        await settle()
        outcome = await attempt(lambda: ref.ask("hello", timeout=5, wait=False))
        told = trio.current_time()

    assert isinstance(outcome, ActorDiedError)
    assert told == 0


@pytest.mark.parametrize("how", ["stopped", "finished", "parked", "deleted"])
async def test_c84_ask_to_one_who_is_down_fails_at_once(how: str) -> None:
    """Nobody waits for an answer that cannot come."""
    options: dict[str, Any] = {"max_failures": 0, "on_give_up": "park"} if how == "parked" else {}
    log: list[object] = []

    @attrs.define
    class Ender(Actor):
        def receive(self, message: str) -> str:
            if message == "crash":
                raise BoomError
            self.context.stop()
            return message

    tree = Supervisor("bot", [Child("a", Ender, restart="transient", **options), servant(log, "b")])

    async with opened(tree) as runtime:
        ref = runtime.ref("/bot/a")
        match how:
            case "parked":
                ref.tell("crash")
            case "finished":
                ref.tell("end")
            case _:
                await runtime.stop_child("/bot/a")
        await settle()
        if how == "deleted":
            await runtime.delete_child("/bot/a")
        outcome = await attempt(lambda: ref.ask("hello"))
        told = trio.current_time()

    assert isinstance(outcome, ActorDiedError)
    assert told == 0


# Mailboxes


async def test_c87_mailbox_survives_a_restart_and_the_poison_does_not() -> None:
    """What waits is served by the next incarnation, in order; the message that crashed it is gone."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log, backoff=Backoff.steps(10))])) as runtime:
        ref = runtime.ref("/bot/a")
        for message in ("one", "crash", "two", "three"):
            ref.tell(message)
        await trio.sleep(5)
        ref.tell("four")
        before = list(log)
        await trio.sleep(10)
        seen = node(runtime, "/bot/a")

    assert before == ["one"]
    assert log == ["one", "two", "three", "four"]
    assert seen is not None
    assert seen.incarnation == 2


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_c87_mailbox_survives_a_group_restart(strategy: Any) -> None:
    """A bystander's mailbox is kept too."""
    log: list[object] = []
    tree = Supervisor("bot", [servant([], "a", backoff=Backoff.steps(10)), servant(log, "b")], strategy=strategy)

    async with opened(tree) as runtime:
        runtime.ref("/bot/a").tell("crash")
        await trio.sleep(5)
        runtime.ref("/bot/b").tell("meanwhile")
        before = list(log)
        await trio.sleep(10)

    assert before == []
    assert log == ["meanwhile"]


async def test_c87_mailbox_of_a_function_survives_its_restart(probe: Probe) -> None:
    """What a function has not taken is there for its successor."""
    log: list[object] = []

    async def taker(context: Any) -> None:
        async for message in context.messages():
            log.append(message)
            if message == "crash":
                raise BoomError

    async with opened(Supervisor("bot", [Child("t", taker, backoff=NOW), probe.child("a")])) as runtime:
        for message in ("one", "crash", "two"):
            runtime.ref("/bot/t").tell(message)
        await settle()

    assert log == ["one", "crash", "two"]


async def test_c87_messages_of_a_stopped_child_are_dead_letters() -> None:
    """An operator's stop ends the mailbox: what is in it and what comes later is counted."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log)])) as runtime:
        ref = runtime.ref("/bot/a")
        for message in (100.0, "one", "two"):
            ref.tell(message)
        await settle()
        await runtime.stop_child("/bot/a")
        left = runtime.dead_letters
        ref.tell("three")
        later = runtime.dead_letters
        await runtime.restart_child("/bot/a")
        await settle()

    assert (left, later) == (2, 3)
    assert log == []


async def test_c88_full_mailbox_follows_its_rule() -> None:
    """fail, drop_newest, drop_oldest, latest(key): each drop is counted and visible."""
    logs: dict[str, list[object]] = {"fail": [], "drop_newest": [], "drop_oldest": [], "latest": []}
    boxes = {
        "fail": Mailbox(capacity=2, overflow="fail"),
        "drop_newest": Mailbox(capacity=2, overflow="drop_newest"),
        "drop_oldest": Mailbox(capacity=2, overflow="drop_oldest"),
        "latest": Mailbox.latest(key=lambda message: str(message)[0], capacity=2),
    }
    children = [servant(logs[name], name, mailbox=box) for name, box in boxes.items()]

    async with opened(Supervisor("bot", children)) as runtime:
        refused: list[str] = []
        async with watching(runtime, MessageDropped) as seen:
            for name in boxes:
                await runtime.suspend(f"/bot/{name}")
                for message in ("a1", "b1", "a2", "c1"):
                    try:
                        runtime.ref(f"/bot/{name}").tell(message)
                    except MailboxFullError:
                        refused.append(f"{name} {message}")
                await runtime.resume(f"/bot/{name}")
            await settle()
        drops = {name: found.mailbox.dropped for name in boxes if (found := node(runtime, f"/bot/{name}"))}

    assert refused == ["fail a2", "fail c1"]
    assert logs["fail"] == ["a1", "b1"]
    assert logs["drop_newest"] == ["a1", "b1"]
    assert logs["drop_oldest"] == ["a2", "c1"]
    assert logs["latest"] in (["a2", "c1"], ["b1", "c1"])
    assert (drops["drop_newest"], drops["drop_oldest"]) == (2, 2)
    assert {event.path for event in seen} >= {"/bot/drop_newest", "/bot/drop_oldest"}


async def test_c88_send_waits_for_room() -> None:
    """The blocking rule is `send`'s."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log, mailbox=Mailbox(capacity=1))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(3.0)
        await settle()
        ref.tell("one")
        await ref.send("two")
        sent = trio.current_time()
        await settle()

    assert sent == 3
    assert log == [3.0, "one", "two"]


@pytest.mark.parametrize("operation", ["stop_child", "restart_child", "suspend"])
async def test_c89_control_passes_a_full_mailbox(operation: str) -> None:
    """Stop, restart and status never queue behind messages."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log, mailbox=Mailbox(capacity=2))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(1000.0)
        await settle()
        ref.tell("one")
        ref.tell("two")
        depth = [found.mailbox.depth for found in [node(runtime, "/bot/a")] if found]
        await getattr(runtime, operation)("/bot/a")
        answered = trio.current_time()

    assert depth == [2]
    assert answered == 0


async def test_c89_down_passes_a_full_mailbox(probe: Probe) -> None:
    """A death notice is never lost for want of room."""
    got: list[object] = []

    class Watcher(Actor):
        async def receive(self, message: object) -> None:
            if message == "watch":
                self.context.watch("/bot/a")
                await trio.sleep(10)
            elif isinstance(message, Down):
                got.append(message.path)

    tree = Supervisor("bot", [probe.child("a"), Child("w", Watcher, mailbox=Mailbox(capacity=1))])

    async with opened(tree) as runtime:
        runtime.ref("/bot/w").tell("watch")
        await settle()
        runtime.ref("/bot/w").tell("filler")
        probe.crash("a")
        await trio.sleep(20)

    assert got == ["/bot/a"]


# Death watch


@attrs.define
class Watcher(Actor):
    """Watches as told and keeps the notices."""

    notices: list[tuple[float, str, int, object]]

    def receive(self, message: object) -> None:
        match message:
            case Down():
                self.notices.append((trio.current_time(), message.path, message.incarnation, message.reason))
            case ("watch", str(path)):
                self.context.watch(path)
            case ("unwatch", str(path)):
                self.context.unwatch(path)


def watched(probe: Probe, notices: list[tuple[float, str, int, object]], **options: Any) -> Supervisor:
    """Make a tree of a watcher and a child."""
    return Supervisor("bot", [Child("w", lambda: Watcher(notices)), probe.child("a", **options)])


async def test_c91_watcher_is_told_once_per_watch(probe: Probe) -> None:
    """One `Down` for the incarnation's end, restarted or not; the successor is not watched."""
    notices: list[tuple[float, str, int, object]] = []
    error = BoomError("x")

    async with opened(watched(probe, notices)) as runtime:
        runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()
        await trio.sleep(2)
        probe.crash("a", error)
        await trio.sleep(2)
        probe.crash("a")
        await settle()

    assert notices == [(2, "/bot/a", 1, error)]


async def test_c91_watch_again_for_the_successor(probe: Probe) -> None:
    """Each watch is one notice."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        for _ in range(3):
            runtime.ref("/bot/w").tell(("watch", "/bot/a"))
            await settle()
            probe.end("a")
            await settle()

    assert [(incarnation, reason) for _, _, incarnation, reason in notices] == [
        (1, "normal"),
        (2, "normal"),
        (3, "normal"),
    ]


async def test_c91_watching_twice_is_one_notice(probe: Probe) -> None:
    """The same watcher and target are one watch."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        for _ in range(3):
            runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()
        probe.crash("a")
        await settle()

    assert len(notices) == 1


async def test_c91_unwatch_delivers_nothing(probe: Probe) -> None:
    """Before the end it cancels the notice, after the end it does nothing."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        watcher = runtime.ref("/bot/w")
        watcher.tell(("watch", "/bot/a"))
        watcher.tell(("unwatch", "/bot/a"))
        await settle()
        probe.crash("a")
        await settle()
        watcher.tell(("unwatch", "/bot/a"))
        await settle()
        seen = state(runtime, "/bot/w")

    assert notices == []
    assert seen == "running"


async def test_c91_operator_stop_is_an_end_too(probe: Probe) -> None:
    """The reason is `"shutdown"`."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()
        await runtime.stop_child("/bot/a")
        await settle()

    assert notices == [(0, "/bot/a", 1, "shutdown")]


async def test_c91_watch_of_one_who_is_down_is_answered_at_once(probe: Probe) -> None:
    """Its reason is `"noproc"`."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        await runtime.stop_child("/bot/a")
        runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()

    assert [(path, reason) for _, path, _, reason in notices] == [("/bot/a", "noproc")]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_c91_bystander_of_a_group_is_reported(probe: Probe, strategy: Any) -> None:
    """A member that is stopped with its group has ended, for its watchers too."""
    notices: list[tuple[float, str, int, object]] = []
    inner = Supervisor("sub", probe.children("a b"), strategy=strategy)
    tree = Supervisor("bot", [Child("w", lambda: Watcher(notices)), inner])

    async with opened(tree) as runtime:
        runtime.ref("/bot/w").tell(("watch", "/bot/sub/b"))
        await settle()
        probe.crash("a")
        await settle()

    assert [(path, incarnation, reason) for _, path, incarnation, reason in notices] == [("/bot/sub/b", 1, "shutdown")]
