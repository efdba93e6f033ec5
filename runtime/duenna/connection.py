"""The base of every monitored dependency: what connects, is checked, is lost and comes back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import trio

from duenna._background import Background
from duenna._checks import Checks, limits_of
from duenna._links import links_of
from duenna._text import describe
from duenna.actor import Actor
from duenna.connection_errors import ConnectionLostError, ConnectionTimeoutError
from duenna.connection_events import ConnectionChanged
from duenna.fields import codec_of
from duenna.machines.link import RESTING, ConnectionState, Link, LinkEvent

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

    What is None below follows the runtime's settings, also when they change while it runs.

    Attributes:
        kind: What it connects to, for people and statistics.
        connect_timeout: Seconds that `connect` may take.
        check_every: Seconds between two checks; inf: only the first, and those asked for; None:
            the settings' ``check_interval``, 30 s.
        recheck_every: The same after a check that failed, if that is less: an outage is over
            for the bot as soon as it is over.
        check_timeout: Seconds that `check` may take; more is a failing check.
        slow_check: Seconds that a passing `check` may take without making the link `degraded`;
            inf: any; None: half of ``check_timeout``.
        max_check_failures: Consecutive failing checks that are borne, 0 or more: one more and
            `recover` is called; None: the settings' ``max_error_threshold``, 10.
        max_restarts: Times that `recover` is called before that is given up, 0 or more; None: the
            settings' ``max_restart_attempts``, 3.
        restart_cooldown: Seconds of quiet after the first of them that did not help, doubled
            after each further one, up to an hour; None: the settings' ``restart_cooldown``, 60 s.
        recover_timeout: Seconds that `recover` may take.
        close_timeout: Seconds that `close` may take; keep it below the child's `shutdown`.
        stable_after: Seconds that the link must hold before its uptime counts towards the
            child's `reset_after`, so that a far end that accepts and then throws out does
            not pin the backoff to its first step.
        min_session: Seconds below which a `session` that returns counts as lost.
    """

    kind: ClassVar[str] = "connection"

    connect_timeout: float = 10.0
    check_every: float | None = None
    recheck_every: float = 5.0
    check_timeout: float = 10.0
    slow_check: float | None = None
    max_check_failures: int | None = None
    max_restarts: int | None = None
    restart_cooldown: float | None = None
    recover_timeout: float = 30.0
    close_timeout: float = 2.0
    stable_after: float = 60.0
    min_session: float = 1.0

    _link: Link | None = None
    _background: Background | None = None
    _moved: trio.Event | None = None
    _checks: Checks | None = None
    _way_out: _Leave | None = None

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
        asks. Raise `ConnectionLostError` when there is nothing left to check: that is a crash.
        """

    async def session(self) -> None:
        """Use the link: a read loop, a poller. Begins right after `connect`, before the first `check`.

        Raising is a lost link, that is, a crash. Returning ends the link on purpose: it is
        closed and connected anew at once, without a restart.
        """
        await trio.sleep_forever()

    async def recover(self, error: Exception) -> None:  # noqa: ARG002  # for those who override it
        """Repair a link whose checks keep failing, the last one with *error*; it is checked again at once.

        Unless overridden, it closes and connects anew, without a restart of the actor, and does
        not return. What it raises is an attempt that did not help, a `ConnectionLostError` a crash.
        """
        if self._way_out is not None:
            self._way_out(_RECONNECT)
        await trio.sleep_forever()

    def clear_caches(self) -> None:
        """Forget what the far end can be asked for again; called before each `recover`, which rebuilds it.

        Unless extended, sets the fields that are ``persistent(cache=True)`` to their defaults.
        """
        codec = codec_of(type(self))
        if codec is not None:
            codec.reset_caches(self)

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
        if self._checks is not None:
            self._checks.ask()

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
        context = self.context
        link = self._link = Link(links_of(context.runtime).left(context.path))
        checks = self._checks = Checks(self, link, self._call, partial(self._move, link))
        unfollow = context.runtime.on_settings(checks.follow)
        try:
            while True:
                if context.is_suspended:
                    self._rest(link, "suspended")
                await context.resumed()
                await self._hold(link, checks)
        finally:
            unfollow()
            self._rest(link, "stopped")

    async def _hold(self, link: Link, checks: Checks) -> None:
        """Connect, use the link until it ends, and close it."""
        if link.state is not ConnectionState.RECOVERING:
            self._move(link, LinkEvent.CONNECT, "")
        self.context.unstable()
        errors: list[BaseException] = []
        why = "stopped"
        try:
            async with trio.open_nursery() as nursery:
                background = self._background = Background(nursery, self._report_late)
                try:
                    why = await self._use(checks)
                except BaseException as error:  # noqa: BLE001  # sorted out below
                    errors.append(error)
                background.closing()
                await self._close()
                background.end()
        except BaseException as error:  # noqa: BLE001  # sorted out below
            errors.append(error)
        self._background = self._way_out = None
        failure = _failure(errors)
        if isinstance(failure, Exception):
            self._move(link, LinkEvent.LOST, describe(failure))
        elif why != _RECONNECT:
            self._move(link, LinkEvent.CLOSE, why)
        if failure is not None:
            raise failure
        await trio.lowlevel.checkpoint_if_cancelled()  # raises again what _failure() left out

    def _rest(self, link: Link, why: str) -> None:
        """Note that nobody reaches for the far end any more, unless that is known."""
        if link.state not in RESTING:
            self._move(link, LinkEvent.CLOSE, why)

    async def _use(self, checks: Checks) -> str:
        """Use the link until it is lost, which raises, or ended on purpose: return what for."""
        async with trio.open_nursery() as nursery:
            leave = self._way_out = _Leave(nursery.cancel_scope)
            nursery.start_soon(self._leave_when_suspended, leave)
            await self._call("connect", self.connect, self.connect_timeout)
            nursery.start_soon(self._run_session, leave)
            await checks.first()
            nursery.start_soon(self._wait_until_stable)
            await checks.keep()
        return leave.why

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
        await self.until_up()
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
        if previous is ConnectionState.RECOVERING and self._checks is not None:
            self._checks.recovery_ended()
        context = self.context
        context.post(
            ConnectionChanged(
                time=context.now(),
                path=context.path,
                kind=self.kind,
                previous=previous,
                state=link.state,
                why=why,
                attempt=link.attempts,
                attempts=limits_of(self).restarts if link.attempts else 0,
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


_RECONNECT = "reconnect"


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
