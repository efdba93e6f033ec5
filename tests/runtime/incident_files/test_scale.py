"""Taking an incident holds the event loop: how much is done for a thousand actors is bounded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from duenna import Actor, Child, Supervisor, open_runtime
from duenna.incident_files.look import MOST_MAILBOXES, MOST_MESSAGES, look_at

if TYPE_CHECKING:
    from trio.testing import MockClock


class Busy(Actor):
    """Has a task of its own, and a handler that waits."""

    async def run(self) -> None:
        await trio.sleep_forever()

    async def receive(self, message: Any) -> None:
        await trio.sleep(3600)


async def test_a_look_at_a_thousand_busy_actors_is_quick_and_bounded(autojump_clock: MockClock) -> None:
    """About 25 ms of processor time for 2,000 tasks; ten times that here, for a crowded machine."""
    groups = [Supervisor(f"g{each}", [Child(f"a{number}", Busy) for number in range(100)]) for each in range(10)]
    async with open_runtime(Supervisor("bot", groups), log_level=None) as runtime:
        for group in groups:
            for child in group.children:
                for number in range(20):
                    runtime.ref(f"/bot/{group.name}/{child.name}").tell(number)
        await trio.sleep(1)
        look_at(runtime, ())
        began = time.thread_time()
        look = look_at(runtime, ())
        took = time.thread_time() - began

    assert took < 0.25
    assert (len(look.seen), look.left_out, len(look.mailboxes)) == (1000 + 11 + 5, 0, MOST_MAILBOXES)
    assert sum(len(stacks) for _, stacks in look.stacks) >= 2_000
    assert sum(count for mailbox in look.mailboxes for count, _ in mailbox.waiting.values()) <= MOST_MESSAGES
