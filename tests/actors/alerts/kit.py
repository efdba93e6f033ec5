"""What the tests of alerts share: receivers that record, a bot with alerts, a web server and a mail server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from duenna import Runtime, Supervisor, open_runtime
from duenna.machines.alert_words import Alert, Condition, Notification, Reason, alert_of
from duenna.machines.classification import Severity
from duenna_actors.alerts import Receiver, Sender, alerts
from duenna_actors.alerts.text import Desk

if TYPE_CHECKING:
    import ssl

ALERTER = "/system/alerts/alerter"
WALL = 1_772_366_400.0  # 2026-03-01T12:00:00Z
DESK = Desk("my-bot", lambda time: WALL + time)

Behaviour = Callable[[Notification], Any]


@attrs.frozen(kw_only=True)
class Recorder(Receiver):
    """A receiver that keeps what it gets; `behaviour` is awaited first, and may raise."""

    name: str = "recorder"
    behaviour: Behaviour | None = None
    got: list[Notification] = attrs.field(factory=list[Notification], eq=False)
    closed: list[str] = attrs.field(factory=list[str], eq=False)

    def sender(self, desk: Desk) -> Sender:
        return RecorderSender(self)

    def told(self) -> list[tuple[str, str, str]]:
        """Return reason, what fires and what is over, as `kind target`."""
        return [(str(note.reason), _names(note.firing), _names(note.resolved)) for note in self.got]


def _names(listed: tuple[Alert, ...]) -> str:
    return ", ".join(f"{alert.kind} {alert.target}" for alert in listed)


@attrs.define
class RecorderSender:
    receiver: Recorder

    async def send(self, note: Notification) -> None:
        if self.receiver.behaviour is not None:
            await self.receiver.behaviour(note)
        self.receiver.got.append(note)

    async def aclose(self) -> None:
        self.receiver.closed.append(self.receiver.name)


@asynccontextmanager
async def bot(*receivers: Receiver, tree: Supervisor | None = None, **options: Any) -> AsyncIterator[Runtime]:
    """Run a bot that tells *receivers*."""
    given = {name: options.pop(name) for name in ("settings",) if name in options and options[name] is not None}
    system = [alerts(receivers, wall_time=lambda: WALL, **options)]
    async with open_runtime(tree or Supervisor("bot"), system=system, log_level=None, seed=1, **given) as runtime:
        yield runtime


def condition(kind: str = "breaker_open", target: str = "binance", **fields: Any) -> Condition:
    given: dict[str, Any] = {"severity": Severity.CRITICAL, "summary": "it is open", "path": "/bot/api"}
    return Condition(kind=kind, target=target, **(given | fields))


def alert(number: int = 1, *, until: float | None = None, **fields: Any) -> Alert:
    made = alert_of(condition(**fields), number, 0.0)
    return msgspec.structs.replace(made, until=until)


def note(*, firing: tuple[Alert, ...] = (), resolved: tuple[Alert, ...] = (), **fields: Any) -> Notification:
    given: dict[str, Any] = {"receiver": "r", "number": 7, "reason": Reason.FIRING if firing else Reason.RESOLVED}
    given |= {"group": {"kind": "breaker_open"}, "time": 60.0}
    return Notification(firing=firing, resolved=resolved, **(given | fields))


# -- a web server ----------------------------------------------------------------------


class WebServer:
    """Records each request, and answers with what is next in line; the last for ever. None: it never answers."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def json(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._talk, [listener])

    async def _talk(self, stream: trio.SocketStream) -> None:
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    part = await stream.receive_some()
                    if not part:
                        return
                    data += part
                head, _, data = data.partition(b"\r\n\r\n")
                size = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                while len(data) < size:
                    data += await stream.receive_some()
                self.heads.append(head.decode())
                self.bodies.append(data[:size])
                data = data[size:]
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    await trio.sleep_forever()
                else:
                    await stream.send_all(answer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


@asynccontextmanager
async def web_server(*answers: bytes | None) -> AsyncIterator[WebServer]:
    server = WebServer(list(answers))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        yield server
        nursery.cancel_scope.cancel()


# -- a mail server ---------------------------------------------------------------------


class MailServer:
    """Speaks enough SMTP to take mails, and records everything. `refuse` maps a command to the answer it gets."""

    def __init__(self, refuse: dict[str, str], tls: ssl.SSLContext | None, *, tls_at_once: bool) -> None:
        self.refuse = refuse
        self.tls = tls
        self.tls_at_once = tls_at_once
        self.commands: list[str] = []
        self.mails: list[bytes] = []
        self.port = 0

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._guarded, [listener])

    async def _guarded(self, stream: trio.abc.Stream) -> None:
        try:
            await self._talk(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def _talk(self, stream: trio.abc.Stream) -> None:
        if self.tls_at_once and self.tls is not None:
            stream = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
        await stream.send_all(f"{self.refuse.get('CONNECT', '220 sink')}\r\n".encode())
        data = b""
        in_mail = False
        while True:
            end = b"\r\n.\r\n" if in_mail else b"\r\n"
            while end not in data:
                part = await stream.receive_some(65_536)
                if not part:
                    return
                data += part
            line, _, data = data.partition(end)
            if in_mail:
                in_mail = False
                self.mails.append(line)
                await stream.send_all(b"250 taken\r\n")
                continue
            command = line.decode()
            self.commands.append(command)
            verb = command.split(maxsplit=1)[0].upper()
            await stream.send_all(f"{self.refuse.get(verb, self._answer(verb))}\r\n".encode())
            in_mail = verb == "DATA" and verb not in self.refuse
            if verb == "STARTTLS" and verb not in self.refuse and self.tls is not None:
                stream = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
                data = b""

    def _answer(self, verb: str) -> str:
        offers = "250-sink\r\n" + ("250-STARTTLS\r\n" if self.tls and not self.tls_at_once else "") + "250 AUTH PLAIN"
        known = {"EHLO": offers, "STARTTLS": "220 go on", "AUTH": "235 welcome", "DATA": "354 go on", "QUIT": "221 bye"}
        return known.get(verb, "250 ok")


@asynccontextmanager
async def mail_server(
    refuse: dict[str, str] | None = None, tls: ssl.SSLContext | None = None, *, tls_at_once: bool = False
) -> AsyncIterator[MailServer]:
    server = MailServer(refuse or {}, tls, tls_at_once=tls_at_once)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        yield server
        nursery.cancel_scope.cancel()
