"""Driving the screen from a plain test: Textual runs on asyncio, and the tests here on trio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from duenna_actors.top.app import TopApp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from textual.pilot import Pilot

    from duenna_actors.client import Client

_TRIES = 300
_PAUSE = 0.01


class Driver:
    """A screen without a terminal, and fingers on its keys."""

    def __init__(self, pilot: Pilot[None], app: TopApp) -> None:
        self.pilot = pilot
        self.app = app

    def text(self) -> str:
        """Return what the screen shows, as lines."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until something holds."""
        for _ in range(_TRIES):
            if holds():
                return
            await self.pilot.pause(_PAUSE)
        raise AssertionError(f"never came: {what}\n{self.text()}")

    async def shows(self, *texts: str) -> None:
        """Wait until the screen has all of *texts*."""
        await self.until(lambda: all(text in self.text() for text in texts), " and ".join(texts))

    async def hides(self, text: str) -> None:
        """Wait until the screen has *text* no more."""
        await self.until(lambda: text not in self.text(), f"no {text}")

    async def select(self, path: str) -> None:
        """Select an actor."""
        await self.until(lambda: path in self.app.mirror.rows, path)
        self.app.actors.go_to(path)
        await self.until(lambda: self.app.actors.path == path, path)


def drive(
    connect: Callable[[], Client],
    body: Callable[[Driver], Awaitable[None]],
    *,
    size: tuple[int, int] = (100, 30),
    export: Path | None = None,
    interval: float = 5.0,
) -> None:
    """Run the screen, and *body* with it."""

    async def main() -> None:
        app = TopApp(connect, export=export, interval=interval)
        async with app.run_test(size=size) as pilot:
            await body(Driver(pilot, app))

    asyncio.run(main())
