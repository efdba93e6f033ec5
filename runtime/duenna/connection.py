"""The base of every monitored dependency: what connects, is checked, is lost and comes back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import trio

from duenna._background import Background
from duenna._links import links_of
from duenna._text import describe
from duenna.actor import Actor
from duenna.connection_errors import ConnectionLostError, ConnectionTimeoutError
from duenna.connection_events import ConnectionChanged
from duenna.machines.link import ConnectionState, Link, LinkEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Connection", "ConnectionChanged", "ConnectionLostError", "ConnectionState", "ConnectionTimeoutError"]


class Connection(Actor):
    """A dependency that is connected, checked, recovered and closed for you.

    Override the hooks: `connect`, `session`, `check`, `recover`, `close`. The actor is
    ready at once, in state `connecting`, for a bot must start while its exchange is down: a
    `connect` that fails, or a first `check` that does, is a crash, and the supervisor's
    backoff decides when the next incarnation tries again.

    A suspended connection is closed, and connected again when it is resumed. Messages are
    served in every state; `until_up` waits for the link.

    Attributes:
        kind: What it connects to, for people and statistics.
        connect_timeout: Seconds that `connect` may take.
        check_every: Seconds between two checks; inf: only the first, and those asked for.
        recheck_every: The same after a check that failed, if that is less: an outage is over
            for the bot as soon as it is over.
        check_timeout: Seconds that `check` may take; more is a failing check.
        max_check_failures: The consecutive failing check at which `recover` is called.
        recover_timeout: Seconds that `recover` may take.
        close_timeout: Seconds that `close` may take; keep it below the child's `shutdown`.
        stable_after: Seconds that the link must hold before its uptime counts towards the
            child's `reset_after`, so that a far end that accepts and then throws out does
            not pin the backoff to its first step.
        min_session: Seconds below which a `session` that returns counts as lost.
    """

    kind: ClassVar[str] = "connection"

    connect_timeout: float = 10.0
    check_every: float = 30.0
    recheck_every: float = 5.0
    check_timeout: float = 10.0
    max_check_failures: int = 3
    recover_timeout: float = 30.0
    close_timeout: float = 2.0
    stable_after: float = 60.0
    min_session: float = 1.0

    _link: Link | None = None
    _background: Background | None = None
    _moved: trio.Event | None = None
    _check_asked: trio.Event | None = None

    @property
    def state(self) -> ConnectionState:
        """Where the connection is in its life cycle."""
        return ConnectionState.CONNECTING if self._link is None else self._link.state

    @property
    def is_up(self) -> bool:
        """Whether the far end is reached: `operational` or `degraded`."""
        return self._link is not None and self._link.is_up

    async def connect(self) -> None:
        """Reach the far end. Raising is a crash; `close` is called after that too."""

    async def check(self) -> None:
        """Find out whether the far end can be used; raise if not.

        Called once after `connect`, every ``check_every`` seconds and when `check_soon`
        asks. Raise `ConnectionLostError` when there is nothing left to check.
        """

    async def session(self) -> None:
        """Use the link: a read loop, a poller. Begins right after `connect`, before the first `check`.

        Raising is a lost link, that is, a crash. Returning ends the link on purpose: it is
        closed and connected anew at once, without a restart.
        """
        await trio.sleep_forever()

    async def recover(self, error: Exception) -> None:
        """Repair a link whose checks keep failing; returning means that it is repaired, and is checked at once.

        Raises what it is given unless overridden, and leaves the repair to a restart.
        """
        raise error

    async def close(self) -> None:
        """Let go of everything. Called however the link ended, after a `connect` that failed half-way too.

        Shielded from cancellation for ``close_timeout`` seconds. An error here is reported.
        """

    async def until_up(self) -> None:
        """Return when the link is up: at once, or after the next connect that succeeds."""
        while not self.is_up:
            if self._moved is None:
                self._moved = trio.Event()
            await self._moved.wait()

    def check_soon(self) -> None:
        """Have `check` called now rather than at its time, for there is reason to doubt the link."""
        if self._check_asked is not None:
            self._check_asked.set()

    def background(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run *function* until this link has been closed; what it raises is the link's loss.

        Shielded from the actor's cancellation: it ends after `close`, not before.

        Raises:
            RuntimeError: There is no link to run it for.
        """
        if self._background is None:
            message = f"{type(self).__name__}.background() needs a link, the connection is {self.state}"
            raise RuntimeError(message)
        self._background.start(function, args)

    async def run(self) -> None:
        """Hold one link after the other, until one is lost or the actor is stopped."""
        left = links_of(self.context.runtime).left(self.context.path)
        link = self._link = Link(self.max_check_failures, left)
        while True:
            await self.context.resumed()
            await self._hold(link)

    async def _hold(self, link: Link) -> None:
        """Connect, use the link until it ends, and close it."""
        self._move(link, LinkEvent.CONNECT, "")
        self.context.unstable()
        errors: list[BaseException] = []
        why = "stopped"
        try:
            async with trio.open_nursery() as nursery:
                background = self._background = Background(nursery, self._report_late)
                try:
                    why = await self._use(link)
                except BaseException as error:  # noqa: BLE001  # sorted out below
                    errors.append(error)
                background.closing()
                await self._close()
                background.end()
        except BaseException as error:  # noqa: BLE001  # sorted out below
            errors.append(error)
        self._background = self._check_asked = None
        failure = _failure(errors)
        if isinstance(failure, Exception):
            self._move(link, LinkEvent.LOST, describe(failure))
        else:
            self._move(link, LinkEvent.CLOSE, why)
        if failure is not None:
            raise failure
        await trio.lowlevel.checkpoint_if_cancelled()  # raises again what _failure() left out

    async def _use(self, link: Link) -> str:
        """Use the link until it is lost, which raises, or ended on purpose: return what for."""
        async with trio.open_nursery() as nursery:
            leave = _Leave(nursery.cancel_scope)
            nursery.start_soon(self._leave_when_suspended, leave)
            await self._call("connect", self.connect, self.connect_timeout)
            nursery.start_soon(self._run_session, leave)
            await self._call("check", self.check, self.check_timeout)
            self._move(link, LinkEvent.CONNECTED, "")
            nursery.start_soon(self._wait_until_stable)
            await self._keep_checking(link)
        return leave.why

    async def _keep_checking(self, link: Link) -> None:
        asked = self._check_asked = trio.Event()
        while True:
            pause = self.check_every if link.check_failures == 0 else min(self.check_every, self.recheck_every)
            with trio.move_on_after(pause):
                await asked.wait()
            asked = self._check_asked = trio.Event()  # renewed first: one asked for during a check is not lost
            try:
                await self._call("check", self.check, self.check_timeout)
            except ConnectionLostError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever a check raises, it has failed
                await self._doubt(link, error)
            else:
                self._move(link, LinkEvent.PASSED, "check passed")

    async def _doubt(self, link: Link, error: Exception) -> None:
        """Answer a failing check: count it, and repair when it is one too many."""
        self.context.report(error, hook="check")
        self._move(link, LinkEvent.CHECK_FAILED, describe(error))
        if not link.is_recovery_due:
            return
        self._move(link, LinkEvent.RECOVER, f"{link.check_failures} checks in a row have failed")
        await self._call("recover", partial(self.recover, error), self.recover_timeout)
        await self._call("check", self.check, self.check_timeout)
        self._move(link, LinkEvent.RECOVERED, "")

    async def _run_session(self, leave: _Leave) -> None:
        began = self.context.now()
        await self.session()
        held = self.context.now() - began
        if held < self.min_session:  # renewing at once would be a busy loop with the far end in it
            raise ConnectionLostError(f"session ended after {held:.3f} s, before the {self.min_session} s it must last")
        leave("renewed")

    async def _leave_when_suspended(self, leave: _Leave) -> None:
        await self.context.suspended()
        leave("suspended")

    async def _wait_until_stable(self) -> None:
        await trio.sleep(self.stable_after)
        self.context.stable()

    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            try:
                await self._call("close", self.close, self.close_timeout)
            except Exception as error:  # noqa: BLE001  # a link that ends must not end worse because of its cleanup
                self.context.report(error, hook="close")

    async def _call(self, hook: str, function: Callable[[], Awaitable[None]], timeout: float) -> None:
        with trio.move_on_after(timeout) as scope:
            await function()
        if scope.cancelled_caught:
            raise ConnectionTimeoutError(hook, timeout) from None

    def _report_late(self, error: Exception) -> None:
        self.context.report(error, hook="close")

    def _move(self, link: Link, event: LinkEvent, why: str) -> None:
        previous = link.apply(event)
        if previous is None:
            return
        context = self.context
        context.post(
            ConnectionChanged(
                time=context.now(), path=context.path, kind=self.kind, previous=previous, state=link.state, why=why
            )
        )
        if self._moved is not None:
            self._moved.set()
            self._moved = None


class _Leave:
    """Ends the use of a link on purpose; the first reason stands."""

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope
        self.why = ""

    def __call__(self, why: str) -> None:
        self.why = self.why or why
        self._scope.cancel()


def _failure(errors: list[BaseException]) -> BaseException | None:
    """Return what made the link end, out of its groups; None if it was ended on purpose.

    Cancellation is left out: what is left of it is either that of the link's own nurseries,
    which is over, or the actor's, which its next checkpoint raises again.
    """
    if not errors:
        return None
    failure: Any = BaseExceptionGroup("the link was lost", errors).split(trio.Cancelled)[1]
    while isinstance(failure, BaseExceptionGroup):
        members = cast("tuple[BaseException, ...]", failure.exceptions)
        if len(members) != 1:
            break
        failure = members[0]
    return cast("BaseException | None", failure)
