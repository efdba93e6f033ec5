"""What systemd wants to know of a service of ``Type=notify``: that it is ready, how it does, and that it lives.

Source: sd_notify(3), systemd.service(5). Nothing is told, and nothing done, where systemd did not ask for it.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna.error_events import HealthChanged
from duenna.events import RuntimeStopping
from duenna_actors.console.metrics.sight import why_not_alive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from duenna import Runtime

_LONGEST: Final = 500
_EVERY: Final = 60.0
_MICRO: Final = 1e6


@attrs.define(eq=False)
class Systemd:
    """The line to systemd.

    Attributes:
        address: Of its socket; an abstract one begins with a NUL.
        watchdog: Seconds within which it wants a sign of life; None: it wants none.
    """

    address: str
    watchdog: float | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> Self | None:
        """Return what the variables of the process *pid* say; None: nobody wants to be told.

        `WATCHDOG_USEC` counts only if `WATCHDOG_PID` names this process, or nobody.
        """
        given = environ.get("NOTIFY_SOCKET", "")
        if given[:1] not in {"/", "@"}:
            return None
        usec, of_pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        is_ours = of_pid in {"", str(pid)}
        watchdog = int(usec) / _MICRO if is_ours and usec.isascii() and usec.isdigit() and int(usec) > 0 else None
        return cls(f"\0{given[1:]}" if given.startswith("@") else given, watchdog)

    def tell(self, *lines: str) -> bool:
        """Send *lines*, never waiting; return whether systemd has them."""
        text = "\n".join(lines).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto(text, self.address)
        except (OSError, ValueError):  # it is gone, or its queue is full: it asks for no answer
            return False
        return True


async def notify(runtime: Runtime, *, environ: Mapping[str, str] | None = None, pid: int | None = None) -> None:
    """Tell systemd of *runtime* until cancelled; return at once if it does not want to know.

    `READY=1` when every child has started; `STATUS=` with the health and what is wrong, when that changes;
    `WATCHDOG=1` twice in the time that systemd asks for, as long as the root lives; `STOPPING=1`. While the
    event loop is blocked, nothing is told: then systemd does what its watchdog is for.

    Args:
        runtime: The bot.
        environ: Variables of the process; None: its own.
        pid: Its number; None: its own.
    """
    systemd = Systemd.of(os.environ if environ is None else environ, os.getpid() if pid is None else pid)
    if systemd is None:
        return
    every = _EVERY if systemd.watchdog is None else systemd.watchdog / 2
    with runtime.events(HealthChanged, RuntimeStopping) as stream:
        told = await _until_ready(runtime, systemd, every)
        is_stopping = False
        while True:
            lines: list[str] = []
            if runtime.stopping.is_set() and not is_stopping:
                is_stopping = True
                lines.append("STOPPING=1")
            if (status := status_of(runtime)) != told:
                told = status
                lines.append(f"STATUS={status}")
            lines += _sign_of_life(runtime, systemd)
            if lines:
                systemd.tell(*lines)
            with trio.move_on_after(every):
                if await anext(stream, None) is None:
                    await trio.sleep_forever()
                for _ in stream.drain():  # one look for all of them
                    pass


async def _until_ready(runtime: Runtime, systemd: Systemd, every: float) -> str:
    """Wait until every child has started, and say so; return the status that was told."""
    while not runtime.has_booted and not runtime.is_over:
        with trio.move_on_after(every):
            await runtime.booted.wait()
        if not runtime.has_booted:
            systemd.tell(*_sign_of_life(runtime, systemd), "STATUS=starting")
    status = status_of(runtime)
    if runtime.has_booted:
        systemd.tell("READY=1", f"STATUS={status}")
    return status


def status_of(runtime: Runtime) -> str:
    """Return in one line how the bot does, and what is wrong."""
    report = runtime.health()
    text = f"{report.overall}: {'; '.join(report.issues)}" if report.issues else str(report.overall)
    text = "".join(char if char.isprintable() else " " for char in text[:_LONGEST])
    return f"{text}..." if len(text) == _LONGEST else text


def _sign_of_life(runtime: Runtime, systemd: Systemd) -> list[str]:
    return [] if systemd.watchdog is None or why_not_alive(runtime) else ["WATCHDOG=1"]
