"""Trees: escalation from level to level (C60, S4, S5)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    GaveUpError,
    Supervisor,
)

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import causes, node, opened, run_virtually, serve, states


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_c60_supervisor_that_gives_up_is_restarted_by_its_parent(probe: Probe, restart: Any) -> None:
    """Escalation is a crash, so a transient sub-supervisor is restarted too (DEVIATION from OTP S4)."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("w x y"), intensity=0, restart=restart, backoff=NOW)

    async with opened(Supervisor("bot", [probe.child("a"), sub, probe.child("b")])) as runtime:
        probe.forget()
        await trio.sleep(5)
        log, seen = list(probe.log), node(runtime, "/bot/sub")

    assert log == ["-x", "-y", "-w", "+w", "+x", "+y"]
    assert seen is not None
    assert (seen.state, seen.incarnation, seen.restarts) == ("running", 2, 1)


async def test_c60_temporary_supervisor_that_gives_up_is_gone(probe: Probe) -> None:
    """A temporary child is never restarted, and a supervisor is a child."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, restart="temporary")

    async with opened(Supervisor("bot", [sub, probe.child("b")], intensity=0)) as runtime:
        await trio.sleep(5)
        seen = states(runtime)

    assert seen == {"b": "running"}


async def test_c60_escalation_counts_in_the_parent(probe: Probe) -> None:
    """The parent's own intensity is spent by it, and its error has the whole chain of causes."""
    error = BoomError("leaf")
    probe.always("x", Script(lives=1, ends=error))
    sub = Supervisor("sub", probe.children("x"), intensity=0, restart="transient", backoff=NOW)

    with pytest.raises(GaveUpError) as caught:
        await serve(Supervisor("bot", [probe.child("a"), sub], intensity=1, period=5))

    chain = causes(caught.value)
    assert caught.value.path == "/bot"
    assert [link.path for link in chain if isinstance(link, GaveUpError)] == ["/bot", "/bot/sub"]
    assert chain[-1] is error
    assert probe.times("+", "x") == [0, 1]
    assert probe.times("-", "a") == [2]


async def test_c60_escalation_waits_the_supervisors_backoff(probe: Probe) -> None:
    """A supervisor has a backoff and a count of failures like any child."""
    probe.always("x", Script(lives=0, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=Backoff.steps(10, 30), max_failures=2)

    with pytest.raises(GaveUpError):
        await serve(Supervisor("bot", [probe.child("a"), sub], intensity=100))

    assert probe.times("+", "x") == [0, 10, 40]
    assert probe.times("-", "a") == [40]


async def test_c60_product_rule_of_three_levels(probe: Probe) -> None:
    """S5: budgets multiply: with one restart on each of three levels a leaf has eight lives."""
    error = BoomError("leaf")
    probe.always("x", Script(lives=1, ends=error))
    low = Supervisor("low", probe.children("x"), intensity=1, period=100, backoff=NOW)
    middle = Supervisor("middle", [probe.child("m"), low], intensity=1, period=100, backoff=NOW)
    tree = Supervisor("bot", [probe.child("a"), middle], intensity=1, period=100)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert probe.times("+", "x") == [0, 1, 2, 3, 4, 5, 6, 7]
    assert probe.times("+", "m") == [0, 4]
    assert probe.times("-", "a") == [8]
    assert causes(caught.value)[-1] is error


async def test_c60_restarted_supervisor_has_a_fresh_window(probe: Probe) -> None:
    """A new incarnation of a supervisor begins with an empty window."""
    probe.plan("x", *[Script(lives=1, ends=BoomError)] * 3)
    sub = Supervisor("sub", probe.children("x"), intensity=1, period=100, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime:
        await trio.sleep(50)
        seen = node(runtime, "/bot/sub")

    assert probe.times("+", "x") == [0, 1, 2, 3]
    assert seen is not None
    assert (seen.state, seen.incarnation) == ("running", 2)


async def test_c60_restarted_supervisor_gives_its_children_a_fresh_count(probe: Probe) -> None:
    """Nothing of a child's history outlives its supervisor's incarnation: first step, whole budget."""
    probe.plan("x", *[Script(lives=0, ends=BoomError)] * 3)
    sub = Supervisor("sub", probe.children("x", backoff=Backoff.steps(10, 30)), intensity=1, period=100, backoff=NOW)

    async with opened(Supervisor("bot", [sub])):
        await trio.sleep(200)
        times = probe.times("+", "x")

    assert times == [0, 10, 10, 20]


async def test_c60_escalation_under_a_group_strategy(probe: Probe) -> None:
    """A sub-supervisor that gives up takes its group along like any other child."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("c")], strategy="rest_for_one")

    async with opened(tree):
        probe.forget()
        await trio.sleep(5)
        log = list(probe.log)

    assert log == ["-x", "-c", "+x", "+c"]


async def test_c60_budget_of_one_child_escalates_through_its_supervisor(probe: Probe) -> None:
    """`on_give_up="escalate"`: the spent budget of a child is its supervisor's end, and its parent decides."""
    probe.plan("x", *[Script(lives=1, ends=BoomError)] * 3)
    sub = Supervisor("sub", probe.children("w x", max_failures=1), intensity=100, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime:
        await trio.sleep(10)
        seen = states(runtime)

    assert probe.times("+", "x") == [0, 1, 2, 3]
    assert probe.times("+", "w") == [0, 2]
    assert set(seen.values()) == {"running"}


async def test_c60_operator_restart_of_a_supervisor(probe: Probe) -> None:
    """`restart_child` of a branch restarts it as a whole, uncounted."""
    sub = Supervisor("sub", probe.children("x y"))

    async with opened(Supervisor("bot", [probe.child("a"), sub], intensity=0)) as runtime:
        probe.forget()
        await runtime.restart_child("/bot/sub")
        log, seen = list(probe.log), node(runtime, "/bot/sub")

    assert log == ["-y", "-x", "+x", "+y"]
    assert seen is not None
    assert (seen.incarnation, seen.failures) == (2, 0)


def test_run_raises_what_the_root_gave_up_on() -> None:
    """`run` raises GaveUpError, bare, after the ordered stop."""
    probe = Probe(Flavour.TASK)
    error = BoomError("one too many")
    probe.plan("b", Script(lives=10, ends=error))

    with pytest.raises(GaveUpError) as caught:
        run_virtually(Supervisor("bot", probe.children("a b c"), intensity=0))

    assert caught.value.__cause__ is error
    assert probe.log == ["+a", "+b", "+c", "-b", "-c", "-a"]
