"""The actor that has the console: it opens the sockets, serves, and closes everything when it ends."""

from __future__ import annotations

import os
from typing import Any, ClassVar, cast

import attrs
import trio

from duenna import Actor
from duenna_actors.console.api.audit import Audit
from duenna_actors.console.api.deps import Deps
from duenna_actors.console.metrics.exposition import exposition
from duenna_actors.console.server.app import build_app
from duenna_actors.console.server.discovery import Discovery, remove_discovery, write_discovery
from duenna_actors.console.server.doors import Doors, open_doors
from duenna_actors.console.server.http import HttpServer
from duenna_actors.console.server.messages import ClientsRefused, ConsoleAddress, ConsoleListening, GetConsole
from duenna_actors.console.server.options import Options
from duenna_actors.console.server.places import Places, own_folder, places_of
from duenna_actors.console.server.shared import Shared
from duenna_actors.console.server.static import page_files
from duenna_actors.console.server.streams import SseStreams
from duenna_actors.console.server.tokens import Tokens, load_tokens
from duenna_actors.console.view.desk import Desk
from duenna_actors.console.view.hub import Hub


@attrs.define(eq=False)
class Console(Actor):
    """Serves the console.

    Whatever a client does stays in its connection. What goes wrong here is this actor's crash,
    and its supervisor's to judge: never the bot's.
    """

    kind: ClassVar[str] = "console"

    _options: Options
    _shared: Shared
    _address: ConsoleAddress | None = attrs.field(default=None, init=False)
    _askers: list[Any] = attrs.field(factory=list[Any], init=False)

    def receive(self, message: Any) -> Any:
        """Say where the console is, once it listens."""
        if not isinstance(message, GetConsole):
            return None
        if self._address is None:
            self._askers.append(self.context.defer_reply())
        return self._address

    async def run(self) -> None:
        """Serve until the actor is stopped; streams then have a moment to say so.

        Cancelled, it closes every connection at once.
        """
        context = self.context
        self._shared.begin(context.runtime, self._options)
        bot = self._options.name or context.runtime.tree().path.lstrip("/")
        places = places_of(bot, self._options)
        tokens = await trio.to_thread.run_sync(_prepare, places)
        async with open_doors(self._options, places) as doors, tokens.hidden():
            address = ConsoleAddress(
                bot=bot,
                socket=doors.socket,
                url=doors.url,
                token_file=str(places.tokens.absolute()),
                discovery_file=str(places.discovery),
            )
            discovery = await self._publish(address, places)
            try:
                await self._serve(address, doors, tokens)
            except BaseExceptionGroup as group:
                raise _alone(group) from None
            finally:
                remove_discovery(places.discovery, discovery)

    async def _publish(self, address: ConsoleAddress, places: Places) -> Discovery:
        """Tell clients on this machine; without that they must be told by hand, and all else works."""
        discovery = Discovery(
            bot=address.bot,
            pid=os.getpid(),
            socket=address.socket,
            url=address.url,
            token_file=address.token_file,
            started_at=self._options.wall_time(),
        )
        try:
            await trio.to_thread.run_sync(write_discovery, places.discovery, discovery)
        except (OSError, UnicodeEncodeError) as exc:  # JSON has no words for a folder whose name is no text
            self.context.report(exc, file=str(places.discovery))
        return discovery

    async def _serve(self, address: ConsoleAddress, doors: Doors, tokens: Tokens) -> None:
        async with trio.open_nursery() as nursery:
            hub, app = self._assemble(address.bot, tokens, nursery)
            server = HttpServer(app, self._options.limits, self._refused, self.context.report)
            try:
                nursery.start_soon(hub.run)
                for listeners in doors.groups:
                    nursery.start_soon(server.serve, listeners, nursery)
                self._announce(address)
                await self.context.stop_requested.wait()
                hub.close()
                await server.drain()
            finally:
                server.cut()
            nursery.cancel_scope.cancel()

    def _assemble(self, bot: str, tokens: Tokens, nursery: trio.Nursery) -> tuple[Any, Any]:
        """Return the hub and the application."""
        context, options, memory = self.context, self._options, self._shared.memory
        desk = Desk(context.runtime, memory, name=bot, version=options.version, wall=options.wall_time)
        desk.operations = lambda: self._shared.operations.running
        hub = Hub(desk, memory)
        deps = Deps(
            runtime=context.runtime,
            desk=desk,
            memory=memory,
            hub=hub,
            operations=self._shared.operations,
            audit=Audit(context.runtime, context.path),
            spawn=nursery.start_soon,
            report=context.report,
            streams=SseStreams(hub, options.limits.ping),
            console=context.path,
            wall=options.wall_time,
        )
        app = build_app(
            deps,
            tokens,
            files=page_files(),
            exposition=exposition(context.runtime, memory),
            hosts=(options.host, *options.hosts),
            limits=options.limits,
            report=context.report,
        )
        return hub, app

    def _refused(self, count: int) -> None:
        context, limit = self.context, self._options.limits.connections
        context.post(ClientsRefused(time=context.now(), path=context.path, count=count, limit=limit))

    def _announce(self, address: ConsoleAddress) -> None:
        self._address = address
        for asker in self._askers:
            asker.send(address)
        self._askers.clear()
        self.context.post(
            ConsoleListening(
                time=self.context.now(),
                path=self.context.path,
                socket=address.socket,
                url=address.url,
                token_file=address.token_file,
            )
        )


def _prepare(places: Places) -> Tokens:
    """See that the folder is ours alone, and read who may come in; in a thread, for it is a disk.

    Raises:
        ConsoleError: The folder or the token file is wrong.
    """
    own_folder(places.discovery.parent)
    return load_tokens(places.tokens)


def _alone(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return the one error in *group*, or the group if there are more; its cancellation is not the reason."""
    found: Any = group.split(trio.Cancelled)[1] or group
    while isinstance(found, BaseExceptionGroup):
        members = cast("tuple[BaseException, ...]", found.exceptions)
        if len(members) != 1:
            break
        found = members[0]
    return cast("BaseException", found)
