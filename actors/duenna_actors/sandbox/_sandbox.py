"""The sandbox put together, and what its faults do."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import attrs
import msgspec
import trio

from duenna.wallclock import WallTime, wall_time
from duenna_actors.sandbox._app import App
from duenna_actors.sandbox._board import fits
from duenna_actors.sandbox._connections import Links
from duenna_actors.sandbox._exchange import Exchange
from duenna_actors.sandbox._fault_base import FaultBase
from duenna_actors.sandbox._faultline import Faults, OnFault
from duenna_actors.sandbox._hub import Hub
from duenna_actors.sandbox._pump import Pump
from duenna_actors.sandbox._server import Server
from duenna_actors.sandbox._websocket import WebSocketSession
from duenna_actors.sandbox.faults import (
    Burst,
    CloseSockets,
    ConnectionsRefused,
    HalfOpen,
    ListenKeyExpired,
    RateLimited,
    ServerShutdown,
)
from duenna_actors.sandbox.schedule import FaultChanged, Scheduled
from duenna_actors.sandbox.settings import SandboxSettings

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT")


@attrs.define(eq=False, repr=False)
class Sandbox:
    """A running exchange.

    Attributes:
        faults: The control surface: `inject`, `clear`, `active`.
        settings: Its rules, the account's key and secret among them.
        symbols: The names of its contracts.
    """

    faults: Faults
    settings: SandboxSettings
    symbols: tuple[str, ...]
    _app: App = attrs.field(alias="app")
    _server: Server = attrs.field(alias="server")
    _pump: Pump = attrs.field(alias="pump")
    _random: Random = attrs.field(alias="random")
    _start_soon: Callable[..., object] = attrs.field(alias="start_soon")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """The base address of the REST interface."""
        return f"http://{self._address}"

    @property
    def ws_url(self) -> str:
        """The base address of the websockets: `/public`, `/market` and `/private` go behind it."""
        return f"ws://{self._address}"

    @property
    def _address(self) -> str:
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"{host}:{self.port}"

    def pardon(self) -> None:
        """End all rate limitations and bans."""
        self._app.exchange.pardon()

    def state(self) -> dict[str, Any]:
        """Return what there is to see, ready for JSON."""
        return self._app.state()

    # What faults do at the moment they begin or end. What they do as long as they hold is asked for where it happens.

    def changed(self, change: FaultChanged) -> None:
        """Act on the beginning or the end of a fault."""
        match change.fault:
            case ConnectionsRefused() as fault:
                self._refuse(fault, begins=change.change == "injected")
            case RateLimited() as fault if change.change == "cleared":
                self._app.exchange.pardon()
            case fault if change.change == "injected":
                self._begin(fault)
            case _:
                pass

    def _begin(self, fault: FaultBase) -> None:
        match fault:
            case RateLimited():
                self._app.exchange.exhaust(self._app.wall_time(), fault.retry_after, fault.patience, fault.ban)
            case CloseSockets():
                for session in self._hit(fault):
                    session.close(fault.code, fault.reason)
            case ServerShutdown():
                self._start_soon(_shut_down, self._hit(fault), fault.notice, self._app.stamp)
            case ListenKeyExpired():
                self._expire_listen_key()
            case Burst():
                self._burst(fault)
            case HalfOpen():
                self._freeze(fault)
            case _:
                pass

    def _expire_listen_key(self) -> None:
        key = self._app.exchange.listen_keys.close()
        if key is not None:
            self._pump.tell_expired(key, self._app.stamp)

    def _freeze(self, fault: HalfOpen) -> None:
        for link in self._app.links:
            if not link.is_control and self._strikes(fault, link.path):
                link.freeze()

    def _refuse(self, fault: ConnectionsRefused, *, begins: bool) -> None:
        if not begins:
            self._server.open()
            return
        self._server.shut()
        if fault.drop_existing:
            for link in self._app.links:
                if not link.is_control:
                    link.drop()

    def _hit(self, fault: CloseSockets | ServerShutdown) -> list[WebSocketSession]:
        hit = [session for session in self._app.links.sessions() if self._strikes(fault, session.path)]
        return hit if fault.count is None else hit[: fault.count]

    def _strikes(self, fault: CloseSockets | ServerShutdown | HalfOpen, path: str) -> bool:
        return fits(fault, {"path": path}) and (fault.probability == 1.0 or self._random.random() < fault.probability)

    def _burst(self, fault: Burst) -> None:
        stamp = self._app.stamp
        for name, feed in list(self._app.hub.feeds.items()):
            event = feed.sample(stamp)
            symbol = feed.stream.symbol or event["o"]["s"]
            if fits(fault, {"stream": name, "symbol": symbol}):
                self._app.hub.send(name, msgspec.json.encode(event), fault.messages)


async def _shut_down(sessions: list[WebSocketSession], notice: float, stamp: int) -> None:
    event: dict[str, Any] = {"e": "serverShutdown", "E": stamp}
    wrapped = {"stream": "!serverShutdown", "data": event}
    for session in sessions:
        session.say(msgspec.json.encode(wrapped if session.combined else event))
    await trio.sleep(notice)
    for session in sessions:
        session.close(1001, "server shutdown")


async def serve_sandbox(
    *,
    symbols: Iterable[str] = DEFAULT_SYMBOLS,
    seed: int = 0,
    host: str = "127.0.0.1",
    port: int = 0,
    wall_clock: WallTime = wall_time,
    schedule: Iterable[Scheduled] = (),
    settings: SandboxSettings | None = None,
    on_fault: OnFault | None = None,
    task_status: trio.TaskStatus[Sandbox] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run an exchange until cancelled; `nursery.start` returns the `Sandbox` when it listens.

    Args:
        symbols: The contracts' names, in capitals, ending in `USDT`.
        seed: The same seed gives the same prices at the same distance from the start, and the same chance for faults.
        host: The address to listen on. Nothing is protected: leave it on this machine.
        port: The port; 0 takes any that is free.
        wall_clock: The time of day, in unix seconds. Deadlines are on trio's clock.
        schedule: Faults that come by themselves.
        settings: The exchange's rules; `None` for the defaults.
        on_fault: Told of every beginning and end of a fault. Called in the sandbox's task: it must not block.
        task_status: Trio's.

    Raises:
        ValueError: A symbol's name cannot be one, or stands there twice.
        OSError: The port cannot be had.
    """
    rules = settings or SandboxSettings()
    random = Random(seed)  # noqa: S311 - made-up prices need no cryptography
    exchange = Exchange.build(symbols, rules, random, wall_clock())
    chance = Random(random.getrandbits(64))  # noqa: S311
    faults = Faults.build(chance, schedule, trio.current_time())
    hub = Hub(faults)
    links = Links(rules.max_connections)
    pump = Pump(exchange, hub, wall_clock)
    app = App(
        exchange=exchange, hub=hub, faults=faults, links=links, wall_time=wall_clock, random=chance, wake=pump.wake
    )
    server = Server(app, pump, links, rules, host, port)
    async with await server.bind() as listener, trio.open_nursery() as nursery:
        sandbox = Sandbox(
            faults=faults,
            settings=rules,
            symbols=tuple(exchange.symbols),
            app=app,
            server=server,
            pump=pump,
            random=chance,
            start_soon=nursery.start_soon,
        )
        faults.listeners.append(sandbox.changed)
        if on_fault is not None:
            faults.listeners.append(on_fault)
        nursery.start_soon(server.run, listener)
        nursery.start_soon(faults.run)
        nursery.start_soon(pump.run, app)
        task_status.started(sandbox)


@asynccontextmanager
async def open_sandbox(
    *,
    symbols: Iterable[str] = DEFAULT_SYMBOLS,
    seed: int = 0,
    host: str = "127.0.0.1",
    port: int = 0,
    wall_clock: WallTime = wall_time,
    schedule: Iterable[Scheduled] = (),
    settings: SandboxSettings | None = None,
    on_fault: OnFault | None = None,
) -> AsyncGenerator[Sandbox]:
    """Run an exchange beside the body of the `async with`; arguments and errors are those of `serve_sandbox`.

    Every connection ends with the body. What the body raises comes out as it is, in no group.
    """
    raised: BaseException | None = None
    serve = partial(
        serve_sandbox,
        symbols=symbols,
        seed=seed,
        host=host,
        port=port,
        wall_clock=wall_clock,
        schedule=schedule,
        settings=settings,
        on_fault=on_fault,
    )
    try:
        async with trio.open_nursery() as nursery:
            try:
                sandbox: Sandbox = await nursery.start(serve)
                yield sandbox
            except BaseException as error:
                raised = error
                raise
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if raised is None or list(group.exceptions) != [raised]:
            raise
    else:
        return
    raise raised
