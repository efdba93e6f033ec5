"""Signals: real processes, real SIGINT and SIGTERM; the tests wait for what the programs print."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Child, StopReport, Supervisor, run

from .program import Program
from .support import Puppet, bot, child

pytestmark = pytest.mark.slow

OVERRAN = 70  # the exit status of a process that was ended because its children did not end
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)

NEVER_ENDS = """
class NeverEnds(Member):
    async def run(self):
        say("running")
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
"""
LOOPS = """
class Loops(Actor):
    def started(self):
        self.context.ref.tell("go")

    def receive(self, message):
        say("looping")
        began = time.monotonic()
        try:
            while True:
                if time.monotonic() - began > 1:
                    time.sleep(0.01)
        except BaseException as error:
            say("interrupted by", repr(error))
            raise

tell_report(duenna.run(Supervisor("bot", [Child("a", Loops, shutdown=0.3)])))
"""
BLOCKS = """
class Blocks(Member):
    def stopping(self, reason):
        say("blocking")
        time.sleep(1000)

tell_report(duenna.run(Supervisor("bot", [Child("a", Blocks, shutdown=0.3)])))
"""
DOES_NOT_END = (
    NEVER_ENDS
    + """
tree = Supervisor("bot", [Child("a", Member, shutdown=0.3), Child("b", NeverEnds, shutdown=0.3)])
tell_report(duenna.run(tree))
"""
)
OVERRUNNING = {
    "loops, SIGINT": (LOOPS, "looping", signal.SIGINT),
    "loops, SIGTERM": (LOOPS, "looping", signal.SIGTERM),
    "does not end": (DOES_NOT_END, "running", signal.SIGTERM),
    "blocks": (BLOCKS, "started a", signal.SIGINT),
}
"""Programs that must be ended by force: each one, what it says when it is ready for its signal, and that signal."""


@pytest.fixture(scope="module", autouse=True)
def overrunning() -> Iterator[dict[str, Program]]:
    """Give these programs, told to stop: until they are ended takes them long, and meanwhile the other tests run."""
    with ExitStack() as stack:
        programs = {
            name: stack.enter_context(Program(source, patience=100.0)) for name, (source, *_) in OVERRUNNING.items()
        }
        for name, (_, ready, number) in OVERRUNNING.items():
            programs[name].wait_for(ready)
            programs[name].send(number)
        yield programs


@BOTH
def test_signal_stops_the_tree_in_order(number: signal.Signals) -> None:
    """SIGINT and SIGTERM: children stop in reverse, and `run` returns a report that says why."""
    source = """
tree = Supervisor("bot", [
    Child("a", Member), Supervisor("sub", [Child("b", Member), Child("c", Member)]), Child("d", Member),
])
tell_report(duenna.run(tree))
"""
    with Program(source) as program:
        program.wait_for("started d")
        program.send(number)
        status = program.end()

    assert program.said("stopping") == ["stopping d", "stopping c", "stopping b", "stopping a"]
    assert program.said("report") == [f"report {number.name} [] 0 True"]
    assert status == 0


@BOTH
def test_signal_during_boot(number: signal.Signals) -> None:
    """A signal while a child is starting: that child is cancelled, those before it stop, none after it starts."""
    source = """
class Slow(Member):
    async def started(self):
        say("booting")
        try:
            await trio.sleep_forever()
        finally:
            say("boot cancelled")

tree = Supervisor("bot", [Child("a", Member), Child("b", Slow, start_timeout=1000.0), Child("c", Member)])
tell_report(duenna.run(tree))
"""
    with Program(source) as program:
        program.wait_for("booting")
        program.send(number)
        status = program.end()

    lines = program.said("boot cancelled", "stopping a", "report", "started c")
    assert lines == ["boot cancelled", "stopping a", f"report {number.name} [] 0 True"]
    assert status == 0


def test_signal_in_a_blocking_boot_is_not_lost() -> None:
    """A signal while a sync `started` runs is acted on as soon as that lets go."""
    source = """
class Blocks(Member):
    def started(self):
        say("blocking")
        sys.stdin.readline()
        say("let go")

tell_report(duenna.run(Supervisor("bot", [Child("a", Member), Child("b", Blocks), Child("c", Member)])))
"""
    with Program(source) as program:
        program.wait_for("blocking")
        program.send(signal.SIGINT)
        program.write("\n")
        status = program.end()

    assert program.said("report") == ["report SIGINT [] 0 True"]
    assert "stopping a" in program.lines
    assert status == 0


@BOTH
def test_signal_during_backoff(number: signal.Signals) -> None:
    """C40: a signal does not wait for a backoff."""
    source = """
class Crashes(Actor):
    async def run(self):
        raise ValueError("once")

class Reader(Member):
    async def run(self):
        with self.context.runtime.events(duenna.ChildRestarting) as stream:
            self.context.lookup("b").tell("nothing")
            async for event in stream:
                say("backoff", event.delay)

tree = Supervisor("bot", [Child("a", Reader), Child("b", Crashes, backoff=Backoff.steps(1000))])
tell_report(duenna.run(tree))
"""
    with Program(source) as program:
        program.wait_for("backoff 1000")
        program.send(number)
        status = program.end()

    assert program.said("stopping", "report") == ["stopping a", f"report {number.name} [] 0 True"]
    assert status == 0


def test_signal_during_a_group_restart() -> None:
    """A signal while a group is being started again: what came up stops in reverse, what hangs is cancelled."""
    source = """
class Hangs(Member):
    async def started(self):
        say("started", self.context.name, self.context.incarnation)
        if self.context.incarnation > 1:
            say("hanging")
            await trio.sleep_forever()

class Crashes(Member):
    async def run(self):
        if self.context.incarnation == 1:
            await trio.lowlevel.checkpoint()
            raise ValueError("once")
        await trio.sleep_forever()

tree = Supervisor("bot", [
    Child("a", Crashes, backoff=Backoff.none()), Child("b", Hangs, start_timeout=1000.0), Child("c", Member),
], strategy="one_for_all")
tell_report(duenna.run(tree))
"""
    with Program(source) as program:
        program.wait_for("hanging")
        program.send(signal.SIGINT)
        status = program.end()

    after = program.lines[program.lines.index("hanging") :]
    assert [line for line in after if line.startswith(("stopping a", "started", "report"))] == [
        "stopping a",
        "report SIGINT [] 0 True",
    ]
    assert status == 0


@BOTH
def test_signal_in_an_async_handler(number: signal.Signals) -> None:
    """A handler that waits is cancelled in its turn of the ordered stop, and its `finally` runs."""
    source = """
class Waits(Actor):
    async def receive(self, message):
        say("waiting")
        try:
            await trio.sleep_forever()
        finally:
            say("handler cleaned up")

    def started(self):
        self.context.ref.tell("go")

    def stopping(self, reason):
        say("stopping", self.context.name)

tell_report(duenna.run(Supervisor("bot", [Child("a", Member), Child("b", Waits)])))
"""
    with Program(source) as program:
        program.wait_for("waiting")
        program.send(number)
        status = program.end()

    assert program.said("handler", "stopping", "report") == [
        "handler cleaned up",
        "stopping b",
        "stopping a",
        f"report {number.name} [] 0 True",
    ]
    assert status == 0


def test_signal_in_cleanup_after_a_crash() -> None:
    """A signal while a crashed child cleans up: the cleanup is finished, within its shutdown time, then all stop."""
    source = """
class Cleans(Actor):
    async def run(self):
        raise ValueError("crash")

    async def stopping(self, reason):
        say("cleaning")
        await trio.sleep(0.3)
        say("cleaned")

tell_report(duenna.run(Supervisor("bot", [Child("a", Member), Child("b", Cleans)])))
"""
    with Program(source) as program:
        program.wait_for("cleaning")
        program.send(signal.SIGINT)
        status = program.end()

    assert program.said("cleaned", "stopping", "report") == ["cleaned", "stopping a", "report SIGINT [] 0 True"]
    assert status == 0


def test_cleanup_that_raises_is_in_the_report() -> None:
    """C50: a child that raises while it is stopped is reported, and the others stop all the same."""
    source = """
class Raises(Member):
    def stopping(self, reason):
        say("stopping", self.context.name)
        raise ValueError("cleanup")

tell_report(duenna.run(Supervisor("bot", [Child("a", Member), Child("b", Raises)])))
"""
    with Program(source) as program:
        program.wait_for("started b")
        program.send(signal.SIGTERM)
        status = program.end()

    assert program.said("stopping", "report") == ["stopping b", "stopping a", "report SIGTERM [] 1 True"]
    assert status == 0


@BOTH
def test_second_signal_forces_the_end(number: signal.Signals) -> None:
    """The first signal stops in order, however long that takes; the second one ends the process."""
    source = (
        NEVER_ENDS
        + """
class Says(Member):
    async def stopping(self, reason):
        say("stopping", self.context.name)

tree = Supervisor("bot", [Child("a", NeverEnds, shutdown=1000.0), Child("b", Says)])
tell_report(duenna.run(tree))
"""
    )
    with Program(source) as program:
        program.wait_for("started b")
        program.send(number)
        program.wait_for("stopping b")
        program.send(number)
        status = program.end()

    assert status == 128 + number
    assert program.said("report ") == []


def test_second_signal_of_the_other_kind_forces_the_end_too() -> None:
    """Ctrl-C after the service manager's SIGTERM counts as the second signal, in a cleanup that hangs."""
    source = """
class Hangs(Member):
    async def stopping(self, reason):
        say("stopping", self.context.name)
        await trio.sleep_forever()

tell_report(duenna.run(Supervisor("bot", [Child("a", Hangs, shutdown=1000.0)])))
"""
    with Program(source) as program:
        program.wait_for("started a")
        program.send(signal.SIGTERM)
        program.wait_for("stopping a")
        program.send(signal.SIGINT)
        status = program.end()

    assert status in {128 + signal.SIGTERM, 128 + signal.SIGINT}


def test_second_signal_forces_the_end_of_a_blocked_loop() -> None:
    """Two signals end the process also when its loop is blocked and nothing of trio runs any more."""
    source = """
class Loops(Actor):
    def started(self):
        self.context.ref.tell("go")

    def receive(self, message):
        handler = signal.getsignal(signal.SIGINT)

        def heard(number, frame):
            handler(number, frame)
            say("heard")

        signal.signal(signal.SIGINT, heard)
        say("looping")
        count = 0
        while True:
            count += 1

tell_report(duenna.run(Supervisor("bot", [Child("a", Loops, shutdown=1000.0)])))
"""
    with Program(source) as program:
        program.wait_for("looping")
        program.send(signal.SIGINT)
        program.wait_for("heard")
        program.send(signal.SIGINT)
        status = program.end()

    assert status == 128 + signal.SIGINT


@BOTH
def test_under_a_virtual_clock_a_second_signal_forces_the_end_without_a_thread(number: signal.Signals) -> None:
    """Nothing is forced by time there, so nothing has to wait beside the loop; a thread would be real."""
    source = """
import threading
from trio.testing import MockClock, wait_all_tasks_blocked

b_is_stopping = trio.Event()

class NeverEnds(Member):
    async def run(self):
        with trio.CancelScope(shield=True):
            await b_is_stopping.wait()
            await wait_all_tasks_blocked()  # until then it logs, and a handler that interrupts that logs nothing
            say("quiet")
            await trio.sleep_forever()

class Says(Member):
    async def stopping(self, reason):
        say("stopping", self.context.name, [thread.name for thread in threading.enumerate()])
        b_is_stopping.set()

tree = Supervisor("bot", [Child("a", NeverEnds, shutdown=1000.0), Child("b", Says)])
tell_report(duenna.run(tree, clock=MockClock()))
"""
    with Program(source) as program:
        program.wait_for("started b")
        program.send(number)
        program.wait_for("quiet")
        program.send(number)
        status = program.end()

    assert status == 128 + number
    assert program.said("stopping") == ["stopping b ['MainThread']"]
    assert "still running: /bot/a" in program.text
    assert "a second one forces the end" in program.text


def test_child_that_overran_but_ended_is_in_the_returned_report() -> None:
    """A child that took longer than its shutdown time, but ended while others still may, is named in the report."""
    source = """
class Slow(Member):
    async def stopping(self, reason):
        say("stopping", self.context.name)
        with trio.CancelScope(shield=True):
            await trio.sleep(0.4)

tree = Supervisor("bot", [Child("a", Member, shutdown=30.0), Child("b", Slow, shutdown=0.1)])
tell_report(duenna.run(tree))
"""
    with Program(source) as program:
        program.wait_for("started b")
        program.send(signal.SIGINT)
        status = program.end()

    assert program.said("stopping", "report") == ["stopping b", "stopping a", "report SIGINT ['/bot/b'] 0 True"]
    assert status == 0


def test_handlers_are_put_back() -> None:
    """After `run` the process has the handlers that it had before."""
    source = """
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
tell_report(duenna.run(Supervisor("bot", [Child("a", Member)])))
say("same", before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
"""
    with Program(source) as program:
        program.wait_for("started a")
        program.send(signal.SIGINT)
        program.end()

    assert "same True" in program.lines


async def test_open_runtime_installs_no_handlers(autojump_clock: MockClock) -> None:
    """Embedded in a program of one's own, signals are that program's."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with bot(child("a", Puppet)):
        inside = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    assert inside == before
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@attrs.define
class Leaves(Actor):
    """Ends after three seconds."""

    async def run(self) -> None:
        await trio.sleep(3)


def leaving_tree() -> Supervisor:
    leaves = Child("a", Leaves, restart="transient", significant=True)
    return Supervisor("bot", [leaves, child("b", Puppet)], auto_shutdown="any")


def virtual() -> dict[str, Any]:
    return {"seed": 1, "log_level": "CRITICAL", "watchdog": None, "clock": MockClock(autojump_threshold=0)}


def test_run_returns_a_report_when_the_tree_finishes() -> None:
    """A root that ends of its own accord: `run` returns, and the report says "finished"."""
    report = run(leaving_tree(), **virtual())

    assert isinstance(report, StopReport)
    assert (report.reason, report.duration, report.overran, report.cleanup_errors) == ("finished", 0.0, (), ())


def test_run_returns_a_report_when_an_actor_stops_the_runtime() -> None:
    """`runtime.stop()` from inside an actor ends the bot in order: "stopped"."""

    @attrs.define
    class Stops(Actor):
        async def run(self) -> None:
            await trio.sleep(1)
            await self.context.runtime.stop()

    report = run(Supervisor("bot", [child("a", Puppet), Child("b", Stops)]), **virtual())

    assert (report.reason, report.overran) == ("stopped", ())


def test_run_works_outside_of_the_main_thread() -> None:
    """No signal handlers can be installed there, and none are needed."""
    reports: list[StopReport] = []
    thread = threading.Thread(target=lambda: reports.append(run(leaving_tree(), **virtual())))

    thread.start()
    thread.join(30)

    assert [report.reason for report in reports] == ["finished"]


@BOTH
def test_signal_in_a_sync_handler_that_loops(number: signal.Signals, overrunning: dict[str, Program]) -> None:
    """No signal is raised inside the actor's code; when the shutdown times are over the process is ended."""
    program = overrunning[f"loops, {number.name}"]

    status = program.end()

    assert program.said("interrupted", "report") == []
    assert status == OVERRAN
    assert "/bot/a" in program.text


def test_child_that_never_ends_is_listed_and_the_process_ended(overrunning: dict[str, Program]) -> None:
    """The sum of the shutdown times over, `run` logs the `StopReport` with who overran, and ends the process."""
    program = overrunning["does not end"]

    status = program.end()

    assert status == OVERRAN
    assert program.said("report ") == []
    assert any("/bot/b" in line and "overran" in line.lower() for line in program.lines)


def test_cleanup_that_blocks_the_thread_is_ended_too(overrunning: dict[str, Program]) -> None:
    """C53: a cleanup that blocks the loop cannot keep the process alive: the watchdog thread ends it."""
    program = overrunning["blocks"]

    status = program.end()

    assert status == OVERRAN
    assert "/bot/a" in program.text
