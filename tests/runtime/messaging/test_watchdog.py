"""The watchdog thread: a blocked event loop is noticed, and the actor that blocks it is named."""

import pytest

from .program import Program

pytestmark = pytest.mark.slow

READER = """
class Reader(Actor):
    async def run(self):
        with self.context.runtime.events(duenna.LoopBlocked) as stream:
            say("reading")
            async for event in stream:
                say("event", event.actor or "nobody", event.seconds >= 0.2, "guilty" in event.stack)
                if not os.environ.get("GO_ON"):
                    await self.context.runtime.stop()

def guilty(seconds=0.8):
    say("blocking")
    time.sleep(seconds)

class Bell(Actor):
    def started(self):
        self.context.lookup("blocker").tell("go")
"""

BLOCKERS = {
    "sync handler": """
class Blocker(Actor):
    def receive(self, message):
        guilty()
""",
    "async handler": """
class Blocker(Actor):
    async def receive(self, message):
        await trio.sleep(0.01)
        guilty()
""",
    "run": """
class Blocker(Actor):
    async def run(self):
        await trio.sleep(0.05)
        guilty()
        await trio.sleep_forever()
""",
    "background task": """
class Blocker(Actor):
    def started(self):
        self.context.start_soon(self.background)
    async def background(self):
        await trio.sleep(0.05)
        guilty()
""",
    "function": """
async def Blocker(context):
    async for message in context.messages():
        guilty()
""",
    "inline ask": """
class Blocker(Actor):
    def receive(self, message):
        guilty()
class Asker(Actor):
    async def run(self):
        await trio.sleep(0.05)
        await self.context.lookup("blocker").ask("go")
        await trio.sleep_forever()
""",
}


@pytest.mark.parametrize("kind", list(BLOCKERS))
def test_blocked_loop_names_the_actor(kind: str) -> None:
    """Whatever code of an actor blocks the loop, `LoopBlocked` names the actor and has the stack."""
    asker = ', Child("asker", Asker)' if kind == "inline ask" else ', Child("bell", Bell)'
    source = (
        READER
        + BLOCKERS[kind]
        + f"""
tree = Supervisor("bot", [Child("reader", Reader), Child("blocker", Blocker){asker}])
tell_report(duenna.run(tree, watchdog=0.2))
"""
    )
    with Program(source) as program:
        status = program.end()

    assert program.said("event")[:1] == ["event /bot/blocker True True"], program.text
    assert program.said("report") == ["report stopped [] 0 True"]
    assert status == 0


def test_block_is_told_while_it_lasts() -> None:
    """C53: the report comes from the thread, while the loop is still blocked."""
    source = (
        READER
        + """
def wait_for_parent():
    say("blocking")
    sys.stdin.readline()

class Blocker(Actor):
    def receive(self, message):
        wait_for_parent()

tree = Supervisor("bot", [Child("reader", Reader), Child("blocker", Blocker), Child("bell", Bell)])
tell_report(duenna.run(tree, watchdog=0.2))
"""
    )
    with Program(source) as program:
        program.wait_for("blocking")
        line = program.wait_for("event loop blocked")
        program.write("\n")
        status = program.end()

    assert "/bot/blocker" in line
    assert "wait_for_parent" in program.text
    assert status == 0


def test_block_by_the_body_is_nobodys() -> None:
    """Code that is no actor's blocks the loop: the event has the stack, and no actor's name."""
    source = (
        READER
        + """
async def main():
    tree = Supervisor("bot", [Child("reader", Reader)])
    async with duenna.open_runtime(tree, watchdog=0.2, log_level="CRITICAL") as runtime:
        await trio.sleep(0.1)
        guilty()
        await trio.sleep(0.1)

trio.run(main)
"""
    )
    with Program(source) as program:
        status = program.end()

    assert "event nobody True True" in program.lines
    assert status == 0


def test_idle_loop_is_not_blocked() -> None:
    """A loop that sleeps, or that is busy with short turns, is no blocked loop."""
    source = (
        READER
        + """
class Busy(Actor):
    async def run(self):
        until = trio.current_time() + 1.0
        while trio.current_time() < until:
            time.sleep(0.01)
            await trio.lowlevel.checkpoint()
        await trio.sleep(1.0)
        await self.context.runtime.stop()

tell_report(duenna.run(Supervisor("bot", [Child("reader", Reader), Child("busy", Busy)]), watchdog=0.8))
"""
    )
    with Program(source) as program:
        status = program.end()

    assert program.said("event", "report") == ["report stopped [] 0 True"]
    assert status == 0


def test_watchdog_can_be_off() -> None:
    """`watchdog=None`: no thread, no event."""
    source = (
        READER
        + """
import threading
class Blocker(Actor):
    async def run(self):
        say("threads", [thread.name for thread in threading.enumerate() if "watchdog" in thread.name.lower()])
        guilty(0.5)
        await trio.sleep(0.1)
        await self.context.runtime.stop()

async def main():
    tree = Supervisor("bot", [Child("reader", Reader), Child("blocker", Blocker)])
    async with duenna.open_runtime(tree, watchdog=None, log_level=None) as runtime:
        await trio.sleep(1)

trio.run(main)
"""
    )
    with Program(source) as program:
        status = program.end()

    assert program.said("event", "threads") == ["threads []"]
    assert status == 0


def test_second_block_is_told_again() -> None:
    """Every block is one more event."""
    source = (
        READER
        + """
class Blocker(Actor):
    async def run(self):
        for _ in range(2):
            await trio.sleep(0.1)
            guilty(0.5)
        await trio.sleep(0.1)
        say("done")
        await self.context.runtime.stop()

os.environ["GO_ON"] = "1"
tell_report(duenna.run(Supervisor("bot", [Child("reader", Reader), Child("blocker", Blocker)]), watchdog=0.2))
"""
    )
    with Program(source) as program:
        status = program.end()

    assert program.said("event /bot/blocker") == ["event /bot/blocker True True"] * 2
    assert status == 0
