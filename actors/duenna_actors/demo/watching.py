"""The demo's console: the page on which its faults are seen live, and the line that says where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from duenna import Child
from duenna.events import ChildParked
from duenna_actors.alerts import alerts
from duenna_actors.console import ConsoleListening, console

if TYPE_CHECKING:
    from duenna import Context, Supervisor
    from duenna_actors.demo.screen import Screen

_CONSOLE = "/system/console"


def watching(screen: Screen, port: int) -> list[Child | Supervisor]:
    """Return the console on *port* (0: any), alerts that it can mute, and who tells on *screen* where it is."""

    async def herald(context: Context) -> None:
        with context.runtime.events(ConsoleListening, ChildParked) as stream:
            context.ready()
            async for event in stream:
                if isinstance(event, ConsoleListening):
                    screen.block(_invitation(event))
                elif isinstance(event, ChildParked) and event.path == _CONSOLE:
                    screen.block([f"no console: {event.reason}"])

    return [Child("herald", herald, ready="manual"), alerts([], bot="demo"), console(port=port)]


def _invitation(event: ConsoleListening) -> list[str]:
    tokens = [line.split() for line in Path(event.token_file).read_text(encoding="utf-8").splitlines()]
    token = next((fields[2] for fields in tokens if len(fields) == 3 and fields[1] == "operate"), "")  # noqa: PLR2004
    page = f"the console: {event.url}/#token={token}"
    return [page, "in another terminal: duenna status, duenna tree, duenna events -f, duenna top"]
