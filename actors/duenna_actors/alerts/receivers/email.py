"""Alerts by electronic mail."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from duenna.machines import checks
from duenna.machines.classification import Severity
from duenna.secrets import redact
from duenna_actors.alerts.errors import DeliveryError
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Notification

_FINAL: Final = 500
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_MOST_THREADS: Final = 2


class Security(StrEnum):
    """How the way to the mail server is secured.

    STARTTLS: encrypted before anything is said, or not used. TLS: encrypted from the beginning. NONE: not.
    """

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


def _addresses(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@attrs.frozen(kw_only=True)
class EmailReceiver(Receiver):
    """Sends a mail for each notification, from a thread.

    Attributes:
        host: The mail server.
        port: Its port; None: 587 with STARTTLS, 465 with TLS, 25 without.
        security: How the way there is secured. A password is never sent over one that is not.
        sender_address: Whom it is from.
        recipients: Whom it is for, at least one.
        username: For the server, empty: none is given.
        password: For the server. Kept out of every text.
        tls: Whom to trust; None: the system's certificates.
    """

    name: str = "email"
    host: str
    port: int | None = None
    security: Security = attrs.field(default=Security.STARTTLS, converter=Security)
    sender_address: str
    recipients: tuple[str, ...] = attrs.field(converter=_addresses)
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False, eq=False)

    def check(self) -> None:
        """Refuse what cannot be a mail; raises as the constructor does."""
        owner = type(self).__name__
        if self.port is not None:
            checks.count(owner, "port", self.port, least=1)
        if not self.host.strip():
            message = f"{owner}: host must not be empty"
            raise ValueError(message)
        if not self.recipients:
            message = f"{owner}: recipients must have at least one address"
            raise ValueError(message)
        for address in (self.sender_address, *self.recipients):
            if "@" not in address or not address.isprintable() or not address.isascii() or " " in address:
                message = f"{owner}: an address must look like name@host, got {address!r}"
                raise ValueError(message)
        if self.password and self.security is Security.NONE:
            message = f"{owner}: a password needs security='starttls' or 'tls', got 'none': it would be readable"
            raise ValueError(message)

    def secrets(self) -> Sequence[str]:
        """Return the password."""
        return [self.password] if self.password else []

    def sender(self, desk: Desk) -> EmailSender:
        """Make what sends."""
        return EmailSender(self, desk)


@attrs.define
class EmailSender:
    """Sends mails, each over a connection of its own."""

    _receiver: EmailReceiver
    _desk: Desk
    _limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_THREADS), init=False)

    async def send(self, note: Notification) -> None:
        """Send *note*; cancelled, the thread is left to itself, and ends soon, for its connection is cut.

        Raises:
            DeliveryError: The server did not take it.
        """
        mail = message(note, self._desk, self._receiver)
        lines: list[smtplib.SMTP] = []
        try:
            await trio.to_thread.run_sync(
                deliver, self._receiver, mail, lines, abandon_on_cancel=True, limiter=self._limiter
            )
        except trio.Cancelled:
            # A server that says a letter now and then would keep the thread for hours: no timeout of its ends that.
            for line in lines:
                _cut(line)
            raise

    async def aclose(self) -> None:
        """Do nothing: no connection is kept."""


def message(note: Notification, desk: Desk, receiver: EmailReceiver) -> EmailMessage:
    """Return *note* as a mail. All mails of one group are one thread in a mail program."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(desk.title(note).split())
    mail["From"] = receiver.sender_address
    mail["To"] = ", ".join(receiver.recipients)
    mail["Date"] = format_datetime(datetime.fromtimestamp(desk.at(note.time), UTC))
    host = receiver.sender_address.rpartition("@")[2]
    mail["Message-ID"] = f"<duenna.{int(desk.at(note.time) * 1000)}.{note.number}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers it
    if note.firing and note.severity is Severity.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(desk.text(note) + "\n")
    return mail


def deliver(receiver: EmailReceiver, mail: EmailMessage, lines: list[smtplib.SMTP]) -> None:
    """Hand *mail* to the server. Blocks.

    Args:
        receiver: Whom it is for.
        mail: The mail.
        lines: Gets the connection as soon as there is one, for whoever does not want to wait any more.

    Raises:
        DeliveryError: It did not take it.
    """
    try:
        with _connected(receiver, lines) as server:
            if receiver.username:
                server.login(receiver.username, receiver.password)
            server.send_message(mail, from_addr=receiver.sender_address, to_addrs=list(receiver.recipients))
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _refused(receiver, min(codes, default=_FINAL), "no recipient was accepted") from None
    except smtplib.SMTPResponseException as error:
        raise _refused(receiver, error.smtp_code, _said(error.smtp_error)) from None
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryError(receiver.name, redact(str(error)), is_final=True) from None
    except (smtplib.SMTPException, OSError) as error:
        why = f"{type(error).__name__}: {error}".rstrip(": ")
        is_final = isinstance(error, ssl.SSLCertVerificationError)
        raise DeliveryError(receiver.name, redact(why), is_final=is_final) from None


class _Line(smtplib.SMTP):
    """Shows itself before it connects: the constructor returns only when the server has said its greeting."""

    def __init__(self, lines: list[smtplib.SMTP], host: str, port: int, **options: Any) -> None:
        lines.append(self)
        super().__init__(host, port, **options)


class _EncryptedLine(smtplib.SMTP_SSL):
    """The same, encrypted from the beginning."""

    def __init__(self, lines: list[smtplib.SMTP], host: str, port: int, **options: Any) -> None:
        lines.append(self)
        super().__init__(host, port, **options)


def _cut(line: smtplib.SMTP) -> None:
    """End what a thread does on *line*, wherever it is; what it reads next is the end."""
    if line.sock is not None:  # a name server is asked, or it is over
        with suppress(OSError):
            socket.socket.shutdown(line.sock, socket.SHUT_RDWR)  # the plain one: to say good-bye in TLS would block


def _connected(receiver: EmailReceiver, lines: list[smtplib.SMTP]) -> smtplib.SMTP:
    port = receiver.port or _PORTS[receiver.security]
    # The name that it greets with: what the library finds out by itself may ask a name server, for minutes.
    options: dict[str, Any] = {"timeout": receiver.timeout, "local_hostname": "[127.0.0.1]"}
    if receiver.security is Security.TLS:
        context = receiver.tls or ssl.create_default_context()
        return _EncryptedLine(lines, receiver.host, port, context=context, **options)
    server = _Line(lines, receiver.host, port, **options)
    if receiver.security is Security.STARTTLS:
        try:
            server.starttls(context=receiver.tls or ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _refused(receiver: EmailReceiver, code: int, why: str) -> DeliveryError:
    """Make the error of an answer: 4xx is for now, 5xx for ever (RFC 5321, section 4.2.1)."""
    return DeliveryError(receiver.name, redact(f"code {code}: {why}"), status=code, is_final=code >= _FINAL)


def _said(text: bytes | str) -> str:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return " ".join(said.split())[:200]
