"""The actor that brings notifications to one receiver, for as long as it takes, and troubles nobody else."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import trio

from duenna import Actor, Backoff, Breaker, Guard, Retry
from duenna.error_events import ErrorReport, Source
from duenna.errors import StoppedError
from duenna.guards import RejectedError
from duenna.machines.alert_delivery import Lost, Patience
from duenna.machines.alert_options import DELIVERY
from duenna.machines.alert_words import Notification
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.secrets import redact
from duenna_actors.alerts._closing import closing_of
from duenna_actors.alerts.errors import DeliveryError
from duenna_actors.alerts.events import NotificationDelayed, NotificationFailed, NotificationSent
from duenna_actors.alerts.rules import GUARDS

if TYPE_CHECKING:
    from duenna_actors.alerts.receivers.base import Receiver, Sender
    from duenna_actors.alerts.text import Desk

_CLOSE = 1.0
_BUGS = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError)


def is_worth_it(error: BaseException) -> bool:
    """Return whether a delivery that failed with *error* is tried again at once, within the guard."""
    if isinstance(error, DeliveryError):
        return not error.is_final and error.retry_after is None
    return isinstance(error, TimeoutError | trio.TooSlowError)


def _is_failure(error: BaseException) -> bool:
    """Return whether *error* says that the receiver is down: one that refuses is not."""
    return not (isinstance(error, DeliveryError) and (error.is_final or error.retry_after is not None))


def guard_of(receiver: Receiver) -> Guard:
    """Return the guard of a receiver's deliveries: `alerts:` and its name."""
    guard = Guard(
        f"{GUARDS}{receiver.name}",
        retry=Retry(3, backoff=Backoff.exponential(1.0, maximum=10.0), on=is_worth_it, patience=0.0, adaptive=False),
        breaker=Breaker.consecutive(5, open_for=60.0, success_threshold=1, record=_is_failure),
        attempt_timeout=receiver.timeout + 1.0,  # the sender's own timeout says more
    )
    guard.dependency.reporter = _reported_by_the_delivery
    return guard


def _reported_by_the_delivery(_error: Exception, _attempts: int) -> None:
    """Report nothing: the delivery does, once for each notification and as the least of errors."""


@attrs.define(eq=False)
class Course:
    """How far the delivery of one notification has got.

    Attributes:
        note: The notification.
        parts: What is left to send; None: it was not looked at.
        tries: Times that it was tried.
        failures: Tries of the present part that failed.
        is_over: Whether nothing is left to do.
        has_failed: Whether it was given up.
    """

    note: Notification
    parts: list[Notification] | None = None
    tries: int = 0
    failures: int = 0
    is_over: bool = False
    has_failed: bool = False

    @property
    def alerts(self) -> int:
        """Number of alerts that it tells of."""
        return len(self.note.firing) + len(self.note.resolved)

    def advance(self) -> None:
        """Note that the present part was taken."""
        self.failures = 0
        if self.parts:
            del self.parts[0]
        self.is_over = not self.parts


class Delivery(Actor):
    """Brings one notification after the other to a receiver, in their order.

    A notification stays until it was taken, is too old, or is refused for good. What comes
    meanwhile waits in the mailbox, which drops its oldest when it is full. A restart loses
    nothing: the one in hand is put back. When the bot ends, all deliveries have the same few
    seconds for what they have.
    """

    kind: ClassVar[str] = "delivery"

    def __init__(self, receiver: Receiver, desk: Desk, patience: Patience, drain: float) -> None:
        """Deliver to *receiver*."""
        self._receiver = receiver
        self._desk = desk
        self._patience = patience
        self._drain = drain
        self._guard = guard_of(receiver)
        self._sender: Sender | None = None
        self._lost = Lost()
        self._deadline = inf
        self._at_work: trio.CancelScope | None = None

    def started(self) -> None:
        """Be told when the bot ends."""
        self.context.start_soon(self._end_in_time)

    async def receive(self, message: Notification) -> None:
        """Deliver *message*."""
        if self._lost.is_pointless(message):
            return
        course = Course(message)
        try:
            with trio.CancelScope(deadline=self._deadline) as self._at_work:
                await self._deliver(course)
            self._at_work = None
        except BaseException:
            with suppress(RuntimeError, StoppedError):  # not at hand any more, or nobody comes after this one
                self.context.stash()
            raise
        if not course.is_over:
            self._give_up(course, "the bot has ended")

    async def stopping(self, reason: object) -> None:
        """Let go of the connection, whatever the *reason*."""
        del reason
        sender, self._sender = self._sender, None
        if sender is not None:
            with trio.move_on_after(_CLOSE):
                await sender.aclose()

    async def _end_in_time(self) -> None:
        closing = closing_of(self.context.runtime)
        await closing.begun.wait()
        self._deadline = closing.since + self._drain
        if self._at_work is not None:
            self._at_work.deadline = self._deadline

    async def _deliver(self, course: Course) -> None:
        while not course.is_over:
            course.tries += 1
            try:
                if course.parts is None:
                    course.parts = list(self._receiver.parts(course.note))
                if course.parts:
                    await self._guard.call(self._send, course.parts[0])
            except Exception as error:  # noqa: BLE001  # whatever it is, it must not end what tells of errors
                wait = self._after(course, error)
                if wait is None:
                    self._give_up(course, _text(error))
                else:
                    await trio.sleep(wait)
            else:
                course.advance()
        if not course.has_failed:
            self._lost.came(course.note)
            self._post_sent(course)

    async def _send(self, part: Notification) -> None:
        if self._sender is None:
            self._sender = self._receiver.sender(self._desk)
        await self._sender.send(part)

    def _after(self, course: Course, error: Exception) -> float | None:
        """Return the seconds until *course* is tried again after *error*; None: it is not."""
        course.failures += 1
        is_final = _is_final(error)
        if course.failures == 1:
            if not isinstance(error, RejectedError):
                self._report(course, error, is_final=is_final)
            if not is_final:
                self._post(NotificationDelayed, course, error=_text(error))
        asked = getattr(error, "retry_after", None)
        return self._patience.wait(
            course.failures,
            self.context.now() - course.note.time,
            is_final=is_final,
            retry_after=float(asked) if isinstance(asked, int | float) and 0 < asked < inf else 0.0,
        )

    def _report(self, course: Course, error: Exception, *, is_final: bool) -> None:
        """Count the error, as the least of all: whatever it is, the bot itself is well."""
        context = self.context
        reports = context.runtime.reports
        kind = type(error)
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        text = _text(error)
        category = Category.CONFIGURATION if is_final else Category.NETWORK
        report = ErrorReport(
            id=reports.next_id(),
            time=context.now(),
            at=self._desk.at(context.now()),
            path=context.path,
            incarnation=context.incarnation,
            kind=self.kind,
            source=Source.REPORT,
            error_type=name,
            message=text,
            facts=Facts(links=(Link(type=name, message=text),)),
            service=self._guard.name,
            operation="deliver",
            label=DELIVERY,
            retry_count=course.tries - 1,
            context={"receiver": self._receiver.name, "notification": str(course.note.number)},
            verdict=Verdict(category=category, severity=Severity.LOW, transient=not is_final, rule="alerts/delivery"),
        )
        reports.send(report)

    def _give_up(self, course: Course, why: str) -> None:
        course.is_over = course.has_failed = True
        self._lost.add(course.note)
        self._post(NotificationFailed, course, alerts=course.alerts, attempts=course.tries, error=why)

    def _post_sent(self, course: Course) -> None:
        delay = self.context.now() - course.note.time
        self._post(NotificationSent, course, alerts=course.alerts, attempts=course.tries, delay=delay)

    def _post(self, kind: Any, course: Course, **fields: Any) -> None:
        context = self.context
        if context.runtime.bus.wants(kind):
            given = {"receiver": self._receiver.name, "number": course.note.number, **fields}
            context.post(kind(time=context.now(), path=context.path, **given))


def _is_final(error: Exception) -> bool:
    return error.is_final if isinstance(error, DeliveryError) else isinstance(error, _BUGS)


def _text(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}")[:300]
