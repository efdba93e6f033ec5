"""The checks of one connection, and the restarts that failing ones lead to: asks the link what is due, and does it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna._text import describe
from duenna.connection_errors import ConnectionLostError, RecoveryStuckError
from duenna.errors import ManualInterventionError, StoppedError
from duenna.machines.health import STUCK_AFTER
from duenna.machines.link import ConnectionState, Link, LinkEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna.connection import Connection
    from duenna.settings import Settings


@attrs.frozen
class Limits:
    """What holds for a connection now: its own attributes, or else the settings.

    Attributes:
        every: Seconds from one check to the next.
        failures: Consecutive failing checks that are borne.
        restarts: Restarts that are attempted because of more.
        cooldown: Seconds of quiet after the first of them.
    """

    every: float
    failures: int
    restarts: int
    cooldown: float


def limits_of(connection: Connection) -> Limits:
    """Return the limits that hold for *connection* now."""
    health = connection.context.runtime.settings.health
    return Limits(
        every=_first(connection.check_every, health.check_interval),
        failures=_first(connection.max_check_failures, health.max_error_threshold),
        restarts=_first(connection.max_restarts, health.max_restart_attempts),
        cooldown=_first(connection.restart_cooldown, health.restart_cooldown),
    )


class Checks:
    """The checks of one incarnation of a connection, over all of its links."""

    def __init__(
        self,
        connection: Connection,
        link: Link,
        call: Callable[[str, Callable[[], Awaitable[None]], float], Awaitable[None]],
        move: Callable[[LinkEvent, str], None],
    ) -> None:
        """Check *connection*.

        Args:
            connection: Whose hooks are called.
            link: Its link, which knows what is due.
            call: Calls a hook, by its name, within its deadline.
            move: Moves the link, and says why.
        """
        self._connection = connection
        self._context = connection.context
        self._link = link
        self._call = call
        self._move = move
        self._asked: trio.Event | None = None
        self._pause: trio.CancelScope | None = None
        self._checked_at = 0.0
        self._took = 0.0
        self._quiet_until = 0.0
        self._doubt: Exception | None = None
        self._stuck: trio.CancelScope | None = None

    def ask(self) -> None:
        """Have a check made now rather than at its time, unless the link is only being connected."""
        if self._asked is not None:
            self._asked.set()

    def follow(self, _before: Settings, _now: Settings) -> None:
        """Let the wait for the next check end when the settings, as they are now, say."""
        if self._pause is not None:
            self._pause.deadline = self._next_turn()

    async def first(self) -> None:
        """Check a link that was just connected: raise what fails, unless this is an attempt to recover."""
        self._asked = None
        if self._link.state is ConnectionState.RECOVERING:
            await self._attempt(None)
        else:
            self._note(await self._check(), LinkEvent.CONNECTED, "")

    async def keep(self) -> None:
        """Check the link at its times, and do what failing checks lead to, until that is a crash."""
        while True:
            await self._turn()
            if self._link.state is ConnectionState.COOLDOWN and self._context.now() >= self._quiet_until:
                await self._act()
            else:
                await self._check_again()

    # -- waiting ---------------------------------------------------------------

    async def _turn(self) -> None:
        """Wait until something is due: a check at its time or asked for, or what follows a quiet time."""
        if self._asked is None:
            self._asked = trio.Event()
        with trio.CancelScope(deadline=self._next_turn()) as self._pause:
            await self._asked.wait()
        self._pause = None
        self._asked = trio.Event()  # renewed first: one asked for during a check is not lost

    def _next_turn(self) -> float:
        connection, link = self._connection, self._link
        pause = limits_of(connection).every
        if link.state is ConnectionState.DEGRADED and link.check_failures:
            pause = min(pause, connection.recheck_every)
        due = self._checked_at + pause
        return min(due, self._quiet_until) if link.state is ConnectionState.COOLDOWN else due

    # -- checking --------------------------------------------------------------

    async def _check(self) -> bool:
        """Have the check made; return whether it passed in time, rather than slowly."""
        connection = self._connection
        began = self._context.now()
        try:
            await self._call("check", connection.check, connection.check_timeout)
        finally:
            self._checked_at = self._context.now()
        self._took = self._checked_at - began
        slow = connection.check_timeout / 2 if connection.slow_check is None else connection.slow_check
        return self._took <= slow

    async def _check_again(self) -> None:
        try:
            in_time = await self._check()
        except ConnectionLostError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a check raises, it has failed
            self._context.report(error, hook="check")
            self._doubt = error
            self._move(LinkEvent.CHECK_FAILED, describe(error))
        else:
            self._note(in_time, LinkEvent.PASSED, "check passed")
        link = self._link
        if link.state is not ConnectionState.COOLDOWN and link.is_restart_due(limits_of(self._connection).failures):
            await self._act()  # not while the error is handled: it would be the context of whatever comes

    def _note(self, in_time: bool, event: LinkEvent, why: str) -> None:
        """Note that a check has passed: *event* if it did *in_time*.

        Then orders that went to paper trading because of this connection go to the exchange
        again, also where it was never lost, so that no state has changed that would tell it.
        """
        self._doubt = None
        if in_time:
            self._move(event, why)
            self._context.runtime.recovery.trading.healthy(self._context.path)
        else:
            self._move(LinkEvent.SLOW, f"check passed after {self._took:.1f} s")

    # -- restarting ------------------------------------------------------------

    async def _act(self) -> None:
        """Do what is due about failing checks: attempt a restart, or give up."""
        connection, link = self._connection, self._link
        error = self._doubt or ConnectionLostError("checks have failed")
        failures = f"{link.check_failures} checks in a row have failed"
        if not self._is_automatic(error):
            if link.state is not ConnectionState.FAILED:
                why = f"{failures}, automatic recovery is off: {describe(error)}"
                self._move(LinkEvent.GAVE_UP, why)
                self._context.report(ManualInterventionError(why), hook="check")
        elif link.is_spent(limits_of(connection).restarts):
            made = "1 restart" if link.attempts == 1 else f"{link.attempts} restarts"
            raise ManualInterventionError(f"{failures}, {made} did not help: {describe(error)}") from error
        else:
            self._move(LinkEvent.RECOVER, failures)
            self._watch()
            await self._attempt(partial(self._recover, error))

    async def _recover(self, error: Exception) -> None:
        """Have the connection forget what it can ask for again, and repair itself."""
        self._connection.clear_caches()
        await self._connection.recover(error)

    async def _attempt(self, recover: Callable[[], Awaitable[None]] | None) -> None:
        """Do *recover*, unless that is done, and check: either that has helped, or a quiet time begins."""
        connection, link = self._connection, self._link
        hook = "recover"
        try:
            if recover is not None:
                await self._call(hook, recover, connection.recover_timeout)
            hook = "check"
            in_time = await self._check()
        except ConnectionLostError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it raises, it has not helped
            self._context.report(error, hook=hook)
            self._doubt = error
            quiet = link.cooldown(limits_of(connection).cooldown)
            self._quiet_until = self._context.now() + quiet
            self._move(LinkEvent.NOT_RECOVERED, f"{describe(error)}; left alone for {quiet:.0f} s")
        else:
            self._note(in_time, LinkEvent.RECOVERED, "check passed")

    def _is_automatic(self, error: Exception) -> bool:
        context = self._context
        cell: Any = context.ref
        return context.runtime.policies.is_automatic(cell, error)

    def _watch(self) -> None:
        """Have it reported if the recovery that begins does not end."""
        self._stuck = trio.CancelScope()
        with suppress(StoppedError):  # it is being stopped: so is the recovery
            self._context.start_soon(self._report_stuck, self._stuck)

    async def _report_stuck(self, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep(STUCK_AFTER)
            self._context.report(RecoveryStuckError(STUCK_AFTER), hook="recover")

    # -- parts -----------------------------------------------------------------

    def recovery_ended(self) -> None:
        """Note that the state is not `recovering` any more."""
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None


def _first(own: Any, else_: Any) -> Any:
    return else_ if own is None else own
