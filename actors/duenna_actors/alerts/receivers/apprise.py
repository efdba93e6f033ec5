"""Alerts by apprise, which knows some hundred services; the extra `notify`."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, Final, Self

import attrs
import trio

from duenna.machines.classification import Severity
from duenna.secrets import redact
from duenna_actors._extras import need
from duenna_actors.alerts.errors import DeliveryError
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Notification

_MOST_THREADS: Final = 2
_MOST_LINES: Final = 3
_TYPES: Final = {
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "failure",
    Severity.CRITICAL: "failure",
}


def _addresses(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@attrs.frozen(kw_only=True)
class AppriseReceiver(Receiver):
    """Sends to the services of apprise's addresses (https://github.com/caronc/apprise/wiki), from a thread.

    Attributes:
        urls: The services, at least one; a text is one. Kept out of every text.
    """

    name: str = "apprise"
    urls: tuple[str, ...] = attrs.field(repr=False, converter=_addresses)

    def check(self) -> None:
        """Refuse what apprise does not understand: it would say nothing, and send nothing.

        Raises:
            MissingExtraError: apprise is not installed.
            ValueError: There is no address, or one is of no service.
        """
        apprise = _library(self)
        if not self.urls:
            message = f"{type(self).__name__}: urls must have at least one address"
            raise ValueError(message)
        for place, url in enumerate(self.urls, 1):
            with _Lines(), warnings.catch_warnings():  # it would log the address
                warnings.simplefilter("ignore", DeprecationWarning)  # of its plugins' imports, which it does now
                known = isinstance(url, str) and apprise.Apprise.instantiate(url) is not None
            if not known:
                message = (
                    f"{type(self).__name__}: address {place} of {len(self.urls)} is of no service that apprise knows"
                )
                raise ValueError(message)

    def secrets(self) -> Sequence[str]:
        """Return the addresses."""
        return self.urls

    def shown(self) -> list[str]:
        """Return the addresses without what is secret in them, as apprise shows them."""
        apprise = _library(self)
        return [str(apprise.Apprise.instantiate(url).url(privacy=True)) for url in self.urls]

    def sender(self, desk: Desk) -> AppriseSender:
        """Make what sends."""
        return AppriseSender(self, desk)


@attrs.define
class AppriseSender:
    """Sends by apprise. Its asynchronous calls are asyncio's, so it works in a thread."""

    _receiver: AppriseReceiver
    _desk: Desk
    _limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_THREADS), init=False)

    async def send(self, note: Notification) -> None:
        """Send *note* to all services; cancelled, the thread is left to itself.

        Raises:
            DeliveryError: One of them did not take it; those that did get it again.
        """
        title, _, body = self._desk.text(note).partition("\n")
        kind = _TYPES[note.severity] if note.firing else "success"
        await trio.to_thread.run_sync(
            self._notify, title, body or title, kind, abandon_on_cancel=True, limiter=self._limiter
        )

    async def aclose(self) -> None:
        """Do nothing: no connection is kept."""

    def _notify(self, title: str, body: str, kind: str) -> None:
        apprise = _library(self._receiver)
        services = apprise.Apprise()
        services.add(list(self._receiver.urls))
        with _Lines() as lines:
            try:
                taken = services.notify(title=title, body=body, notify_type=kind, body_format="text")
            except Exception as error:  # noqa: BLE001  # a plugin may raise anything
                lines.texts.append(f"{type(error).__name__}: {error}")
                taken = False
        if not taken:
            why = "; ".join(lines.texts[-_MOST_LINES:]) or "a service did not take it, apprise does not say why"
            raise DeliveryError(self._receiver.name, redact(why)[:500]) from None


def _library(receiver: AppriseReceiver) -> Any:
    return need("apprise", what=type(receiver).__name__, extra="notify")


class _Lines(logging.Handler):
    """Takes what apprise logs meanwhile, in whichever thread: that is all that it says about a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._logger = logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
