"""The course of a runtime: boot of the roots, the wait, and the ordered stop of all of them in reverse."""

from typing import TYPE_CHECKING, Any

import trio

from duenna import events
from duenna._letters import bury_below
from duenna.machines.lifecycle import ChildState, Step, after

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna._bus import EventBus
    from duenna._node import Node
    from duenna._summit import Summit
    from duenna._timers import TimerHeap
    from duenna.state import State


class Lifetime:
    """What a runtime goes through, from its boot to its end.

    Attributes:
        roots: `/system`, and the user's tree.
        reason: Why it stops, or stopped; empty before.
        duration: Seconds that the ordered stop took.
        failure: What a root ended with, None if it ended well.
    """

    roots: "list[Node]"
    bus: "EventBus"
    timers: "TimerHeap"
    state: "State"
    now: "Callable[[], float]"
    _summit: "Summit"

    def __init__(self) -> None:
        """Begin before the boot."""
        self.is_stopping = False
        self.is_over = False
        self.has_booted = False
        self.failure: BaseException | None = None
        self.root_changed = trio.Event()
        self.booted = trio.Event()
        self.stop_wanted = trio.Event()
        self.stopping = trio.Event()
        self.stopped = trio.Event()
        self._began = 0.0
        self.reason = ""
        self.duration = 0.0

    def request_stop(self, reason: str) -> None:
        """Begin the ordered stop; the first reason stands."""
        if not self.stop_wanted.is_set():
            self.reason = self.reason or reason
            self.stop_wanted.set()
            self.root_changed.set()

    def root_ended(self, error: BaseException | None) -> None:
        """Note that a root has ended: so must the others."""
        if error is not None and self.failure is None:
            self.failure = error
        self.request_stop(self.reason)
        self.root_changed.set()

    async def live(self, body: trio.CancelScope) -> None:
        """Boot the roots, wait until the end is wanted, and stop them in reverse order."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as self._summit.nursery:
                if await self._boot():
                    self.has_booted = True
                    self._post(events.RuntimeStarted)
                    self.booted.set()
                    await self.stop_wanted.wait()
                    if self.failure is not None:
                        body.cancel("the runtime gave up")
                self.begin_stopping(self.reason)
                self.is_stopping = True
                for root in reversed(self.roots):
                    await self._end(root)
                self.duration = self.now() - self._began
        self.is_over = True
        for root in self.roots:
            bury_below(root, "the runtime has ended")  # whoever waits for an answer, or for room, is let go
        self.timers.close()
        self.state.end()  # the body may go on, and nothing would tell it that its save is never made
        self._post(events.RuntimeStopped, duration=self.duration)
        self.bus.close()
        self.stopped.set()
        self.booted.set()

    def begin_stopping(self, reason: str) -> None:
        """Note that the ordered stop has begun, whoever began it."""
        if not self.stopping.is_set():
            self._began = self.now()
            self.reason = self.reason or reason
            self.stopping.set()
            self._post(events.RuntimeStopping, reason=self.reason)

    async def _boot(self) -> bool:
        for root in self.roots:
            root.state = after(root.state, Step.START)
            root.incarnation += 1
            root.launch(self._summit.nursery)
            await self._until(root, ChildState.RUNNING)
            if self.stop_wanted.is_set():
                return False
        return True

    async def _end(self, root: "Node") -> None:
        if root.state in {ChildState.STARTING, ChildState.RUNNING}:
            root.cancel("")
            await self._until(root, ChildState.STOPPED, whatever=True)

    async def _until(self, root: "Node", state: ChildState, *, whatever: bool = False) -> None:
        while root.state is not state and (whatever or not self.stop_wanted.is_set()):
            self.root_changed = trio.Event()
            await self.root_changed.wait()

    def _post(self, kind: Any, **fields: Any) -> None:
        if self.bus.wants(kind):
            self.bus.post(kind(time=self.now(), path="/", **fields))
