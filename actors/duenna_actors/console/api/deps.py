"""What the handlers need of the world around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from duenna import Runtime
from duenna.wallclock import WallTime, wall_time
from duenna_actors.console.api.audit import Audit
from duenna_actors.console.api.operations import Operations
from duenna_actors.console.view.desk import Desk
from duenna_actors.console.view.hub import Hub
from duenna_actors.console.view.memory import ConsoleMemory

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from duenna_actors.console.view.model import EventRow


class Caller(Protocol):
    """Who asks, as its token says; ``request.state.caller``."""

    @property
    def name(self) -> str:
        """Name of the token."""
        ...

    @property
    def role(self) -> str:
        """`view` or `operate`."""
        ...

    @property
    def peer(self) -> str:
        """Where the request came from: an address, or `unix`."""
        ...


class Streams(Protocol):
    """Answers that do not end."""

    def live(self, request: Request) -> Response:
        """Return snapshots and what changes."""
        ...

    def events(self, request: Request, after: int | None, keep: Callable[[EventRow], bool] | None) -> Response:
        """Return the events after number *after* that *keep* keeps; None: from now on, and all."""
        ...


@attrs.frozen(kw_only=True)
class Deps:
    """What the handlers work with.

    Attributes:
        runtime: The bot.
        desk: What is to be seen of it.
        memory: What outlives a restart of the console.
        hub: The live stream.
        operations: What operators have begun.
        audit: Who did what.
        spawn: Runs a function in the console's nursery: what it does ends with the console.
        report: Takes an error of a handler that should not have happened.
        streams: The answers that do not end; None: there are none, which is answered 503.
        console: The console's own path.
        wall: The wall clock.
    """

    runtime: Runtime
    desk: Desk
    memory: ConsoleMemory
    hub: Hub
    operations: Operations
    audit: Audit
    spawn: Callable[[Callable[[], Awaitable[Any]]], None]
    report: Callable[[Exception], None]
    streams: Streams | None = None
    console: str = "/system/console"
    wall: WallTime = wall_time
