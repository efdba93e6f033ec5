"""What a receiver is: a frozen description of it, and what sends to it while the bot runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

from duenna import secrets
from duenna.machines import checks
from duenna.machines.alert_matchers import Matcher, matchers
from duenna.machines.alert_options import Route
from duenna.machines.classification import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duenna.machines.alert_words import Notification
    from duenna_actors.alerts.text import Desk


class Sender(Protocol):
    """Sends to one receiver. Made when there is something to send, and closed when its actor ends."""

    async def send(self, note: Notification) -> None:
        """Have the receiver take *note*.

        Raises:
            DeliveryError: It did not.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything; may be called when nothing was ever sent."""
        ...


def _matchers(given: Iterable[Matcher | str]) -> tuple[Matcher, ...]:
    return matchers(given)


def _timeout(_: object, attribute: Any, value: object) -> None:
    checks.duration("receiver", attribute.name, value, zero=False, inf=False)


@attrs.frozen(kw_only=True)
class Receiver:
    """Somebody who is told of alerts. Making one touches no network.

    Attributes:
        name: Last part of its actor's path; unique among the receivers.
        least: The least severity that it is told of.
        only: Matchers that all must fit what it is told of, such as `kind=~"feed_.*"`.
        cap_per_hour: Messages an hour to it, at least 1; None: as the settings say.
        timeout: Seconds that one attempt may take, greater than 0.
    """

    name: str
    least: Severity = attrs.field(default=Severity.LOW, converter=Severity)
    only: tuple[Matcher, ...] = attrs.field(default=(), converter=_matchers)
    cap_per_hour: int | None = None
    timeout: float = attrs.field(default=10.0, validator=_timeout)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, and have its secrets kept out of every text.

        Raises:
            MissingExtraError: What it needs is not installed.
            ValueError: An address or a number cannot be right.
        """
        checks.name("receiver", self.name)
        _ = self.route  # it refuses a cap that is none
        self.check()
        for secret in self.secrets():
            secrets.register(secret)

    @property
    def route(self) -> Route:
        """What it is told."""
        return Route(self.name, least=self.least, only=self.only, cap_per_hour=self.cap_per_hour)

    def check(self) -> None:
        """Refuse what cannot work; raises as the constructor does."""

    def secrets(self) -> Sequence[str]:
        """Return what must appear in no log, event or error."""
        return ()

    def parts(self, note: Notification) -> Sequence[Notification]:
        """Return *note* as what is sent one after the other; each is tried until it is taken."""
        return (note,)

    def sender(self, desk: Desk) -> Sender:
        """Make what sends to it. Must neither block nor connect."""
        raise NotImplementedError
