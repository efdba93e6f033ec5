"""Restart types: which end of a child leads to what (C11 to C18, S3, W11)."""

from typing import Any

import attrs
import pytest
import trio

from duenna import Actor, Child, ChildExited, ChildRestarting, Context, GaveUpError, Supervisor, UnknownPathError

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import attempt, node, opened, serve, settle, state, states, watching


async def test_c11_permanent_that_returns_is_restarted(probe: Probe) -> None:
    """A permanent child is restarted after a normal end too."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.forget()
        probe.end("a")
        await settle()
        seen, log = node(runtime, "/bot/a"), list(probe.log)

    assert log == ["-a", "+a"]
    assert seen is not None
    assert (seen.state, seen.incarnation, seen.restarts) == ("running", 2, 1)


async def test_c11_normal_end_of_a_permanent_counts(probe: Probe) -> None:
    """The restart after a normal end is counted by the supervisor's window."""
    probe.plan("a", Script(lives=1), Script(lives=1))
    tree = Supervisor("bot", probe.children("a b"), intensity=1, period=5)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert caught.value.path == "/bot"
    assert probe.timed == [(0, "+a"), (0, "+b"), (1, "-a"), (1, "+a"), (2, "-a"), (2, "-b")]


async def test_c11_normal_end_of_a_permanent_spends_its_own_budget_too(probe: Probe) -> None:
    """A permanent child that keeps returning is given up on like one that keeps crashing."""
    probe.always("a", Script(lives=1))
    tree = Supervisor("bot", probe.children("a", max_failures=2, on_give_up="park", unpark_after=None), intensity=100)

    async with opened(tree) as runtime:
        await trio.sleep(10)
        seen = state(runtime, "/bot/a")

    assert seen == "failed"
    assert probe.times("-", "a") == [1, 2, 3]


async def test_c12_permanent_that_crashes_is_restarted(probe: Probe) -> None:
    """A crash costs the child one incarnation and nobody else anything."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.forget()
        probe.crash("a")
        await settle()
        seen, log = node(runtime, "/bot/a"), list(probe.log)

    assert log == ["-a", "+a"]
    assert seen is not None
    assert (seen.state, seen.incarnation, seen.restarts) == ("running", 2, 1)


async def test_c12_a_running_child_keeps_its_last_error_in_view(probe: Probe) -> None:
    """The tree shows what the last crash was."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        probe.crash("a", ValueError("bad price"))
        await settle()
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert seen.last_error is not None
    assert "bad price" in seen.last_error


async def test_c13_transient_that_returns_is_finished(probe: Probe) -> None:
    """Its spec is kept, and `restart_child` gives it a second life."""
    async with opened(Supervisor("bot", probe.children("a b", restart="transient"), intensity=0)) as runtime:
        probe.forget()
        probe.end("a")
        await settle()
        after_end, log = states(runtime), list(probe.log)
        await runtime.restart_child("/bot/a")
        after_restart = node(runtime, "/bot/a")

    assert after_end == {"a": "finished", "b": "running"}
    assert log == ["-a"]
    assert after_restart is not None
    assert (after_restart.state, after_restart.incarnation) == ("running", 2)


async def test_c14_transient_that_crashes_is_restarted(probe: Probe) -> None:
    """An abnormal end is one that a transient child is restarted after."""
    async with opened(Supervisor("bot", probe.children("a b", restart="transient"))) as runtime:
        probe.forget()
        probe.crash("a")
        await settle()
        seen, log = states(runtime), list(probe.log)

    assert seen == {"a": "running", "b": "running"}
    assert log == ["-a", "+a"]


@pytest.mark.parametrize("crashes", [False, True])
async def test_c15_temporary_that_ended_is_gone(probe: Probe, crashes: bool) -> None:
    """A temporary child's spec goes with it, so its name is free again."""
    spec = probe.child("a", restart="temporary")

    async with opened(Supervisor("bot", [spec, probe.child("b")], intensity=0)) as runtime:
        probe.forget()
        if crashes:
            probe.crash("a")
        else:
            probe.end("a")
        await settle()
        after_end, log = states(runtime), list(probe.log)
        refusals = [
            await attempt(lambda: runtime.restart_child("/bot/a")),
            await attempt(lambda: runtime.delete_child("/bot/a")),
            await attempt(lambda: runtime.stop_child("/bot/a")),
        ]
        await runtime.start_child("/bot", spec)
        after_start = states(runtime)

    assert after_end == {"b": "running"}
    assert log == ["-a"]
    assert [type(refusal) for refusal in refusals] == [UnknownPathError] * 3
    assert after_start == {"a": "running", "b": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_c16_temporary_bystander_of_a_group_is_removed(probe: Probe, strategy: Any) -> None:
    """A temporary member of a group is stopped with it and not started again; that is no error."""
    children = [probe.child("a"), probe.child("b", restart="temporary"), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        probe.forget()
        probe.crash("a")
        await settle()
        seen, log = states(runtime), list(probe.log)

    assert log == ["-a", "-c", "-b", "+a", "+c"]
    assert seen == {"a": "running", "c": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("crashes", [False, True])
async def test_c16_end_of_a_temporary_begins_no_group_restart(probe: Probe, strategy: Any, crashes: bool) -> None:
    """Who is not restarted drags nobody along."""
    children = [probe.child("a"), probe.child("b", restart="temporary"), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy=strategy, intensity=0)) as runtime:
        probe.forget()
        if crashes:
            probe.crash("b")
        else:
            probe.end("b")
        await settle()
        seen, log = states(runtime), list(probe.log)

    assert log == ["-b"]
    assert seen == {"a": "running", "c": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_c13_finish_of_a_transient_begins_no_group_restart(probe: Probe, strategy: Any) -> None:
    """A transient child that is done leaves the group as it is."""
    children = probe.children("a b c", restart="transient")

    async with opened(Supervisor("bot", children, strategy=strategy, intensity=0)) as runtime:
        probe.forget()
        probe.end("b")
        await settle()
        seen, log = states(runtime), list(probe.log)

    assert log == ["-b"]
    assert seen == {"a": "running", "b": "finished", "c": "running"}


async def test_c18_own_deadline_missed_is_a_crash() -> None:
    """TooSlowError out of a child's own `fail_after` is a crash, which a transient child is restarted after."""

    async def slow(context: Context) -> None:
        del context
        with trio.fail_after(3):
            await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", slow, restart="transient", backoff=NOW)])) as runtime:
        await trio.sleep(4)
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.incarnation) == ("running", 2)


async def test_c18_deadline_missed_in_a_handler_is_a_crash() -> None:
    """The same in an async handler."""

    class Slow(Actor):
        async def receive(self, message: float) -> None:
            with trio.fail_after(message):
                await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", Slow, restart="transient", backoff=NOW)])) as runtime:
        runtime.ref("/bot/a").tell(3.0)
        await trio.sleep(4)
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.incarnation) == ("running", 2)


async def test_own_scope_cancelled_is_a_normal_end() -> None:
    """A child that cancels a scope of its own and returns has ended normally."""

    async def content(context: Context) -> None:
        del context
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", content, restart="transient")])) as runtime:
        await settle()
        seen = state(runtime, "/bot/a")

    assert seen == "finished"


@pytest.mark.parametrize(
    ("restart", "crashes", "expected"),
    [
        ("permanent", False, "running"),
        ("permanent", True, "running"),
        ("transient", False, "finished"),
        ("transient", True, "running"),
        ("temporary", False, "absent"),
        ("temporary", True, "absent"),
    ],
)
async def test_s03_table_of_ends(probe: Probe, restart: Any, crashes: bool, expected: str) -> None:
    """S3: restart type and kind of end decide what becomes of a child."""
    async with opened(Supervisor("bot", probe.children("a", restart=restart))) as runtime:
        if crashes:
            probe.crash("a")
        else:
            probe.end("a")
        await settle()
        seen = state(runtime, "/bot/a")

    assert seen == expected


async def test_s03_every_end_is_reported_with_its_reason(probe: Probe) -> None:
    """`ChildExited` says how an incarnation ended, normal ends of permanent children included."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime, watching(runtime, ChildExited) as seen:
        probe.end("a")
        await settle()
        probe.crash("b", ValueError("bad"))
        await settle()
        exits = [(event.path, event.incarnation, event.reason, event.context) for event in seen]

    assert exits == [
        ("/bot/a", 1, "normal", "child_terminated"),
        ("/bot/b", 1, "ValueError: bad", "child_terminated"),
    ]


async def test_s03_every_restart_is_announced(probe: Probe) -> None:
    """`ChildRestarting` carries the wait and the count of failures."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime, watching(runtime, ChildRestarting) as seen:
        probe.crash("a", ValueError("bad"))
        await settle()
        probe.crash("a", ValueError("worse"))
        await settle()
        restarts = [(event.path, event.incarnation, event.delay, event.failures) for event in seen]

    assert restarts == [("/bot/a", 1, 0.0, 1), ("/bot/a", 2, 0.0, 2)]


async def test_w11_every_incarnation_is_made_anew(actors: Probe) -> None:
    """Fresh state from the factory each time, and a number that only grows."""
    made: list[Actor] = []

    def make() -> Actor:
        actor = actors.make("a")
        made.append(actor)
        return actor

    async with opened(Supervisor("bot", [Child("a", make, backoff=NOW)])) as runtime:
        for _ in range(3):
            actors.crash("a")
            await settle()
        seen = node(runtime, "/bot/a")

    assert len({id(actor) for actor in made}) == 4
    assert seen is not None
    assert seen.incarnation == 4


async def test_w11_state_of_the_crashed_instance_is_never_carried_over() -> None:
    """A restart begins from the factory's state, not from the crashed instance's fields."""

    @attrs.define
    class Counter(Actor):
        count: int = 0

        def receive(self, message: str) -> int:
            if message == "crash":
                raise BoomError
            self.count += 1
            return self.count

    async with opened(Supervisor("bot", [Child("a", Counter, backoff=NOW)])) as runtime:
        ref = runtime.ref("/bot/a")
        before = [await ref.ask("add") for _ in range(3)]
        ref.tell("crash")
        after = await ref.ask("add")

    assert before == [1, 2, 3]
    assert after == 1


async def test_w11_incarnations_count_on_after_stop_and_restart(probe: Probe) -> None:
    """An operator's stop and restart are an incarnation more, never the same one."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        await runtime.stop_child("/bot/a")
        await runtime.restart_child("/bot/a")
        probe.crash("a")
        await settle()
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert seen.incarnation == 3


async def test_start_soon_crash_is_the_actors_crash() -> None:
    """A background task's crash ends its actor, once."""
    probe = Probe(Flavour.FUNCTION)

    async def background() -> None:
        await trio.sleep(1)
        raise BoomError

    async def parent(context: Context) -> None:
        if context.incarnation == 1:
            context.start_soon(background)
        await trio.sleep_forever()

    tree = Supervisor("bot", [Child("a", parent, backoff=NOW), probe.child("b")])

    async with opened(tree) as runtime:
        await trio.sleep(2)
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.incarnation) == ("running", 2)
    assert probe.starts["b"] == 1
