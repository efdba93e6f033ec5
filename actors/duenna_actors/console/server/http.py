"""HTTP/1.1 over trio's streams: Hypercorn's protocol, with an end to everything a client can begin."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from duenna_actors.console.server.line import Line, peer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna_actors.console.server.options import Limits


class _Http1(H11Protocol):
    """Hypercorn's HTTP/1.1, without its ways to HTTP/2 and to websockets.

    The one has limits of its own to set and to test, the other fails at frames that make no sense
    (0.18, ``WSStream.handle``: LocalProtocolError).
    """

    async def _check_protocol(self, event: h11.Request) -> None:
        """Leave an upgrade to HTTP/2 unanswered, as a server may; its preface is a request like any other."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Leave every other upgrade unanswered, too."""
        headers = [(name, value) for name, value in request.headers if name != b"upgrade"]
        await super()._create_stream(
            h11.Request(
                method=request.method, target=request.target, headers=headers, http_version=request.http_version
            )
        )


class _Connection(TCPServer):
    """One connection.

    Hypercorn's own, but for the protocol, which does not change, and for what the application
    is told of the client.
    """

    def __init__(self, app: Any, config: Config, context: WorkerContext, line: Line, peer: str) -> None:
        super().__init__(app, config, context, ConnectionState({}), cast("Any", line))
        self._peer = peer

    async def run(self) -> None:
        """Serve until one of the two ends it."""
        place: Any = self.stream.socket
        idle: Any = self.idle_task
        try:
            client, server = _address(place.getpeername()), _address(place.getsockname())
            async with TaskGroup() as group:
                self._task_group = group
                state = ConnectionState({"peer": self._peer})
                self.protocol = _Http1(  # type: ignore[assignment]  # handles the same events
                    self.app, self.config, self.context, group, state, False, client, server, self.protocol_send
                )
                await self.protocol.initiate()
                await idle.restart(group, self._idle_timeout)
                await self._read_data()
                await idle.stop()  # else a connection that has ended is kept until it is idle for too long
        except OSError:
            pass  # it is gone
        finally:
            await self._close()


def _address(name: Any) -> tuple[str, int] | None:
    """Return host and port of a socket; None: it is a Unix socket, which has neither."""
    if not isinstance(name, tuple):
        return None
    host, port = cast("tuple[str, int]", name[:2])
    return host, port


def _is_power_of_2(count: int) -> bool:
    return count & (count - 1) == 0


class HttpServer:
    """Serves an application to every connection that it is given.

    Attributes:
        refused: Connections that were closed at once: there were too many.
        failed: Connections that ended by an error of the server's.
    """

    def __init__(
        self,
        app: Any,
        limits: Limits,
        on_refused: Callable[[int], object],
        on_failed: Callable[[BaseException], object],
    ) -> None:
        """Serve *app*.

        Args:
            app: The application.
            limits: What a client may take.
            on_refused: Is told how many were refused so far, at the first, second, fourth, eighth...
            on_failed: Is told the error of the first, second, fourth, eighth... connection that failed.
        """
        self._config = config = Config()
        config.errorlog = config.accesslog = None
        config.keep_alive_timeout = limits.head  # from the connection to its first head as well
        config.include_server_header = False
        self._limits = limits
        self._on_refused = on_refused
        self._on_failed = on_failed
        self._context = WorkerContext(None)
        self._app = ASGIWrapper(app)
        self._lines: dict[Line, trio.CancelScope] = {}
        self._accepting: list[trio.CancelScope] = []
        self._empty = trio.Event()
        self.refused = 0
        self.failed = 0

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._lines)

    async def serve(self, listeners: list[Any], nursery: trio.Nursery) -> None:
        """Accept from *listeners*, of which all together have one cap, until it is time to `drain`.

        Connections are served in *nursery*, and go on.
        """
        door = trio.CapacityLimiter(self._limits.connections)
        with trio.CancelScope() as scope:
            self._accepting.append(scope)
            await trio.serve_listeners(partial(self._admit, door), listeners, handler_nursery=nursery)

    async def _admit(self, door: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
        token = object()
        try:
            door.acquire_on_behalf_of_nowait(token)
        except trio.WouldBlock:
            self.refused += 1
            if _is_power_of_2(self.refused):
                self._on_refused(self.refused)
            await trio.aclose_forcefully(stream)
            return
        try:
            await self._guarded(stream)
        finally:
            door.release_on_behalf_of(token)

    async def _guarded(self, stream: trio.SocketStream) -> None:
        """Serve a connection; whatever goes wrong in it stays in it."""
        with trio.CancelScope() as scope:
            line = Line(stream, stall=self._limits.stall, gone=scope.cancel)
            self._lines[line] = scope
            try:
                await _Connection(self._app, self._config, self._context, line, peer_of(stream)).run()
            except BaseExceptionGroup as group:
                passing, others = group.split((trio.Cancelled, KeyboardInterrupt, SystemExit))
                self._note(others)
                if passing is not None:
                    raise passing from None
            except Exception as error:  # noqa: BLE001  # of Hypercorn's or ours: this client's alone
                self._note(error)
            finally:
                del self._lines[line]
                stream.socket.close()
                if not self._lines:
                    self._empty.set()

    def _note(self, error: BaseException | None) -> None:
        """Tell of an error; of one of the system's nobody need be told: the client is gone."""
        if isinstance(error, BaseExceptionGroup):
            error = cast("BaseExceptionGroup[BaseException]", error).split(OSError)[1]
        if error is None or isinstance(error, OSError):
            return
        self.failed += 1
        if _is_power_of_2(self.failed):
            self._on_failed(error)

    async def drain(self) -> None:
        """Accept no more, let open answers end, and return when no connection is left, or time is up."""
        for scope in self._accepting:
            scope.cancel()
        await self._context.terminated.set()  # Hypercorn closes each connection that has nothing to do
        with trio.move_on_after(self._limits.farewell):
            while self._lines:
                self._empty = trio.Event()
                await self._empty.wait()
        self.cut()

    def cut(self) -> None:
        """End every connection now."""
        for line in list(self._lines):
            line.cut()
