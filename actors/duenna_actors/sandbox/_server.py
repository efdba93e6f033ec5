"""The port: accepts connections, tells HTTP from websockets, and closes when a fault says so."""

import math

import attrs
import trio
import wsproto
from loguru import logger
from wsproto.events import AcceptConnection
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._addresses import Opening, is_websocket_path, read_opening
from duenna_actors.sandbox._app import App, page, refused
from duenna_actors.sandbox._connections import Link, Links
from duenna_actors.sandbox._errors import ApiError, Refusal
from duenna_actors.sandbox._feeds import Feed, make_feed
from duenna_actors.sandbox._http import HttpConnection, Request, Response
from duenna_actors.sandbox._pump import Pump
from duenna_actors.sandbox._streams import Stream, parse_stream
from duenna_actors.sandbox._subscriptions import answer
from duenna_actors.sandbox._tcp import address_of, linger, reset, vanish
from duenna_actors.sandbox._websocket import GONE, WebSocketSession
from duenna_actors.sandbox.faults import (
    ClosedAfterOpen,
    ConnectionsRefused,
    ConnectionsReset,
    HalfOpen,
    UpgradeDropped,
    UpgradeRefused,
)
from duenna_actors.sandbox.settings import SandboxSettings

_RETRY = 0.1
_NOTHING = Response(500, b"", fate="dropped")


@attrs.define(eq=False, repr=False)
class Server:
    """Serves one port.

    Attributes:
        app: Answers requests.
        pump: Makes the streams' events.
        links: The open connections.
        settings: The exchange's rules.
        host: The address to listen on.
        port: The port; 0 until it listens, if any port will do.
    """

    app: App
    pump: Pump
    links: Links
    settings: SandboxSettings
    host: str
    port: int
    _listening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _opened: trio.Event = attrs.field(factory=trio.Event, init=False)

    def shut(self) -> None:
        """Close the port: connections are refused from now on."""
        self._listening.cancel()

    def open(self) -> None:
        """Listen again."""
        self._opened.set()

    async def bind(self) -> trio.SocketListener:
        """Take the port.

        Raises:
            OSError: It cannot be had.
        """
        listener, *others = await trio.open_tcp_listeners(self.port, host=self.host)
        for other in others:  # a name with two addresses would get two ports
            await other.aclose()
        self.port = int(listener.socket.getsockname()[1])
        return listener

    async def run(self, listener: trio.SocketListener) -> None:
        """Serve the port for ever, on and off; once it was given up, take it back until that succeeds."""
        async with trio.open_nursery() as nursery:
            while True:
                with trio.CancelScope() as self._listening:
                    if self.app.faults.holds(ConnectionsRefused):
                        self.shut()
                    await trio.serve_listeners(self._serve, [listener], handler_nursery=nursery)
                await listener.aclose()
                listener = await self._bind_again()

    async def _bind_again(self) -> trio.SocketListener:
        while True:
            self._opened = trio.Event()
            if self.app.faults.holds(ConnectionsRefused):
                await self._opened.wait()
                continue
            try:
                return await self.bind()
            except OSError as error:
                logger.warning("the sandbox cannot have its port {} back yet: {!r}", self.port, error)
                await trio.sleep(_RETRY)

    async def _serve(self, stream: trio.SocketStream) -> None:
        link = None
        try:
            if not self.app.faults.strike(ConnectionsReset):
                link = self.links.add(stream, address_of(stream))
            if link is None:
                reset(stream)
                return
            with link.scope:
                await self._talk(link)
        except Exception:  # noqa: BLE001 - one connection's error must not end the others
            self.links.crashes += 1
            logger.exception("the sandbox failed on a connection")
        finally:
            if link is not None:
                self.links.remove(link)
            await trio.aclose_forcefully(stream)

    async def _talk(self, link: Link) -> None:
        if self.app.faults.strike(HalfOpen, path=""):
            await vanish(link.stream)
            return
        http = HttpConnection(link.stream, self.settings.idle_timeout, self.settings.request_timeout)
        while (request := await http.next_request()) is not None:
            link.path = request.path
            if not link.is_control and not link.is_frozen and self.app.faults.strike(HalfOpen, path=request.path):
                link.freeze()
            response = _NOTHING if link.is_frozen else await self._respond(link, http, request)
            if link.is_frozen or response.fate == "silence":
                await vanish(link.stream)
                return
            if response.fate == "dropped":
                return
            if not await http.send(response):
                break
        await linger(link.stream)

    async def _respond(self, link: Link, http: HttpConnection, request: Request) -> Response:
        if request.wants_websocket and request.method == "GET":
            return await self._upgrade(link, http, request)
        if is_websocket_path(request.path):
            return refused(Refusal(-5000, f"{request.path} is a websocket", 426), [("Upgrade", "websocket")])
        return await self.app.respond(request, link.address)

    async def _upgrade(self, link: Link, http: HttpConnection, request: Request) -> Response:
        """Make a websocket of the connection and serve it to its end, or return why not."""
        now = self.app.wall_time()
        refusal = self._refusal(link, request, now)
        if refusal is not None:
            return refusal
        protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        try:
            opening = self._read(request, now)
            protocol.initiate_upgrade_connection(request.raw_headers, request.target)
            accepted = protocol.send(AcceptConnection())
        except ApiError as error:
            return refused(error.refusal)
        except (RemoteProtocolError, LocalProtocolError) as error:
            return refused(Refusal(-5000, str(error), 400), [("Sec-WebSocket-Version", "13")])
        try:
            await link.stream.send_all(accepted)
        except GONE:
            return _NOTHING
        if http.trailing:
            protocol.receive_data(http.trailing)
        await self._host(link, opening, protocol)
        return _NOTHING

    def _refusal(self, link: Link, request: Request, now: float) -> Response | None:
        """Return what a fault or the limit makes of a handshake, if anything."""
        if self.app.faults.strike(UpgradeDropped, path=request.path):
            return _NOTHING
        fault = self.app.faults.strike(UpgradeRefused, path=request.path)
        if fault is not None:
            return _refuse_upgrade(fault)
        if not self.app.exchange.may_connect(link.address, now):
            return refused(Refusal(-1003, "Too many connections.", 429), [("Retry-After", "300")])
        return None

    def _read(self, request: Request, now: float) -> Opening:
        rules = self.settings
        exchange = self.app.exchange
        opening = read_opening(
            request.path, request.query, exchange.symbols, rules.max_streams, strict=rules.strict_streams
        )
        key = opening.listen_key
        if key is not None and rules.strict_streams and not exchange.listen_keys.is_valid(key, now):
            raise ApiError(errors.BAD_LISTEN_KEY)
        return opening

    async def _host(self, link: Link, opening: Opening, protocol: wsproto.WSConnection) -> None:
        session = link.session = WebSocketSession(
            number=link.number,
            path=link.path,
            section=opening.section,
            combined=opening.combined,
            settings=self.settings,
            stream=link.stream,
            protocol=protocol,
            events=self,
        )
        for name, stream in opening.streams.items():
            session.subscribe(name, stream)
        if opening.listen_key is not None:
            session.subscribe(opening.listen_key, None)
        fault = self.app.faults.strike(ClosedAfterOpen, path=link.path)
        async with trio.open_nursery() as nursery:
            if fault is not None:
                nursery.start_soon(_close_after, session, fault)
            await session.serve()
            nursery.cancel_scope.cancel()

    # What the websockets tell

    def asked(self, session: WebSocketSession, text: str) -> bytes:
        """Answer a message of a websocket's client."""
        return answer(text, session, self._find, self.settings.max_streams, strict=self.settings.strict_streams)

    def joined(self, session: WebSocketSession, name: str, stream: Stream | None) -> None:
        """Let a websocket hear a stream."""
        feed = None
        if stream is not None:
            feed = self.app.hub.feeds.get(name) or self._make_feed(stream)
        if stream is not None or session.section == "private":
            self.app.hub.join(name, session, feed)
            self.pump.wake()

    def left(self, session: WebSocketSession, name: str) -> None:
        """Stop a websocket from hearing a stream."""
        self.app.hub.leave(name, session)

    def _find(self, name: str) -> Stream | None:
        return parse_stream(name, self.app.exchange.symbols)

    def _make_feed(self, stream: Stream) -> Feed:
        exchange = self.app.exchange
        tick = exchange.tick_at(self.app.wall_time())
        quick = attrs.evolve(stream, period=stream.period / self.settings.stream_speed)
        return make_feed(quick, exchange.books, tick, self.settings.liquidations_per_minute)


def _refuse_upgrade(fault: UpgradeRefused) -> Response:
    headers: tuple[tuple[str, str], ...] = ()
    if fault.retry_after is not None:
        headers = (("Retry-After", str(math.ceil(fault.retry_after))),)
    if fault.is_html or fault.status == 200:  # noqa: PLR2004 - a page where a 101 should be
        return page(fault.status, headers)
    return refused(Refusal(-1003, "Too many connections.", fault.status), headers)


async def _close_after(session: WebSocketSession, fault: ClosedAfterOpen) -> None:
    await trio.sleep(fault.after)
    session.close(fault.code, fault.reason)
