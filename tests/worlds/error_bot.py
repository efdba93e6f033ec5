"""A bot in which everything that can go wrong does: each kind of connection, guarded calls, crashes, reports.

The whole chain is on: classifier, recovery, health, both logs on the world's disk, alerts to two
receivers, settings that are read again while it runs, and a hand for what needs one.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import ClassVar

import attrs
import trio
from trio.lowlevel import checkpoint

from duenna import Actor, Child, Connection, Context, DuennaError, Supervisor
from duenna.guards import Breaker, Guard, Retry
from duenna.handlers import handle_errors, record_error
from duenna.machines.alert_words import Notification
from duenna.machines.backoff import Backoff
from duenna.settings import SettingsError, SettingsSource
from duenna.testing import Scenario, World
from duenna_actors.alerts import Receiver, Sender, WebhookReceiver, alerts
from duenna_actors.alerts.text import Desk

SECONDS = 2400.0
CALM_AFTER = 1500.0
"""Seconds after which nothing new goes wrong, and the hand puts right what is parked."""

MOODS = ("down", "busy", "bad_key", "garbled", "slow")

CHANGES: tuple[tuple[float, object], ...] = (
    (240.0, {"alerts": {"cooldown": 120.0, "group_wait": 5.0}, "error_handling": {"max_retries": 2}}),
    (480.0, {"error_handling": {"max_retries": "many"}}),
    (600.0, {"alerts": {"cooldown": 400.0}, "health": {"max_error_threshold": 3, "max_restart_attempts": 2}}),
    (840.0, {"auto_recovery_enabled": False}),
    (900.0, {"error_handling": {"recovery_actions": {"network_retry": {"enabled": False}}}}),
    (1080.0, {}),
)
"""When the settings file is written anew, and read, and what then stands in it; the second is wrong."""


class RefusedError(Exception):
    """What an exchange answers.

    Attributes:
        status: HTTP status.
        retry_after: Seconds for which it wants to be left alone, if it says so.
    """

    def __init__(self, status: int, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class StorageError(Exception):
    """What a database says.

    Attributes:
        sqlstate: Its code.
    """

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


class ClosedError(Exception):
    """The far end of a websocket hung up.

    Attributes:
        code: Its close code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"connection closed with {code}")
        self.code = code


@attrs.define(eq=False)
class FarEnd:
    """All that the bot depends on, in its moods.

    Attributes:
        world: Where faults are recorded.
        faults: Whether there are any.
        moods: What is wrong at the moment, and since which fault.
    """

    world: World
    faults: bool = True
    moods: dict[str, int] = attrs.field(factory=dict[str, int])
    rng: Random = attrs.field(init=False)
    _numbers: int = attrs.field(default=1_000_000, init=False)

    def __attrs_post_init__(self) -> None:
        """Draw from the world."""
        self.rng = self.world.chance("far end")

    async def weather(self, context: Context) -> None:
        """Be in one mood after the other, until it is calm."""
        async with trio.open_nursery() as nursery:
            while self.faults and context.now() < CALM_AFTER:
                await trio.sleep(self.rng.uniform(5.0, 120.0))
                nursery.start_soon(self._mood, self.rng.choice(MOODS), self.rng.choice((3.0, 20.0, 90.0, 240.0)))
        await trio.sleep_forever()

    async def _mood(self, mood: str, duration: float) -> None:
        if mood in self.moods:
            return
        self._numbers += 1
        number = self.moods[mood] = self._numbers
        fault = {"kind": "own", "mood": mood}
        self.world.record("fault_begin", "far end", number=number, fault=fault, duration=duration)
        await trio.sleep(duration)
        del self.moods[mood]
        self.world.record("fault_end", "far end", number=number)

    def own_up(self, path: str) -> None:
        """Say in the trace that the failure that follows at *path* is on purpose."""
        self._numbers += 1
        self.world.record("fault_begin", path, number=self._numbers, fault={"kind": "own"}, duration=0.0)

    def may_fail(self, context: Context, share: float) -> bool:
        """Return True so often, and say so, while it is time."""
        if not self.faults or not 10.0 < context.now() < CALM_AFTER or self.rng.random() >= share:
            return False
        self.own_up(context.path)
        return True

    async def answer(self, kind: str) -> int:
        """Answer one call of a *kind*, or not."""
        await trio.sleep(8.0 if "slow" in self.moods else self.rng.uniform(0.01, 0.3))
        if "down" in self.moods:
            raise self._down(kind)
        if "bad_key" in self.moods and self.rng.random() < 0.2:
            raise (
                StorageError("28P01", "password authentication failed")
                if kind == "database"
                else RefusedError(401, "invalid api-key, ip, or permissions for action")
            )
        if "busy" in self.moods and kind != "database":
            raise RefusedError(429, "too many requests", self.rng.choice((None, 5.0, 45.0)))
        if "garbled" in self.moods and self.rng.random() < 0.5:
            json.loads("<html>")
        return 1

    def _down(self, kind: str) -> Exception:
        if kind == "database":
            return StorageError("08006", "the server closed the connection unexpectedly")
        if kind == "websocket":
            return ClosedError(self.rng.choice((1000, 1006, 1011)))
        errors = [ConnectionRefusedError(111, "Connection refused"), TimeoutError("connect timed out")]
        return errors[self.rng.randrange(2)]


@attrs.define(eq=False)
class Line(Connection):
    """A connection that is used now and then."""

    far: FarEnd

    async def connect(self) -> None:
        """Reach the far end."""
        await self.far.answer(self.kind)

    async def check(self) -> None:
        """Ask for a sign of life."""
        await self.far.answer(self.kind)

    async def session(self) -> None:
        """Use it; an error of every second use is the end of it."""
        while True:
            await trio.sleep(self.far.rng.expovariate(0.1))
            try:
                await self.far.answer(self.kind)
            except Exception as error:
                if self.far.rng.random() < 0.5:
                    raise
                self.context.report(error, use="a call")


class Api(Line):
    """The exchange's API."""

    kind: ClassVar[str] = "api"


class Balance(Line):
    """The balance."""

    kind: ClassVar[str] = "balance"


class Feed(Line):
    """The prices."""

    kind: ClassVar[str] = "websocket"


class Store(Line):
    """The database."""

    kind: ClassVar[str] = "database"


@attrs.define(eq=False)
class Strategy(Actor):
    """Trades through a guard, and fails by itself."""

    kind: ClassVar[str] = "strategy"
    far: FarEnd

    async def run(self) -> None:
        """Trade for ever."""
        retry = Retry(3, backoff=Backoff.exponential(0.5, maximum=5.0))
        guard = Guard("orders", retry=retry, breaker=Breaker.consecutive(4, open_for=20.0), attempt_timeout=5.0)
        while True:
            await trio.sleep(self.far.rng.expovariate(0.2))
            try:
                await guard.call(self.far.answer, "api")
            except Exception:
                if self.far.rng.random() < 0.1:
                    raise  # what the guard has reported already
            self._think()
            await self._look_up()

    def _think(self) -> None:
        far, context = self.far, self.context
        if far.may_fail(context, 0.02):
            raise ZeroDivisionError("no volume")
        if far.may_fail(context, 0.01):
            context.report(MemoryError("no room for the book"), symbol="BTCUSDT")
        if far.may_fail(context, 0.02):
            record_error("stale_price", ValueError("the price is 90 s old"), context={"symbol": "BTCUSDT"})

    @handle_errors("look_up", "prices", max_retries=1, fallback_value=0)
    async def _look_up(self) -> int:
        await checkpoint()
        if self.far.may_fail(self.context, 0.02):
            raise KeyError("BTCUSDT")
        return 1


@attrs.define(eq=False)
class Hand(Actor):
    """Starts again what is parked, now and then, and all of it in the end; writes and reads settings."""

    far: FarEnd
    file: Path

    async def run(self) -> None:
        """Do both."""
        self.context.start_soon(self._configure)
        while True:
            await trio.sleep(self.far.rng.uniform(60.0, 300.0) if self.context.now() < CALM_AFTER else 30.0)
            for node in self.context.runtime.tree().walk():
                if node.state == "failed" and (self.context.now() > CALM_AFTER or self.far.rng.random() < 0.5):
                    with trio.move_on_after(60.0):
                        try:
                            await self.context.runtime.restart_child(node.path)
                        except DuennaError:
                            continue

    async def _configure(self) -> None:
        for at, values in CHANGES:
            await trio.sleep(at - self.context.now())
            self.file.write_text(json.dumps(values))
            self.far.own_up("settings")  # alerts may come of it
            try:
                await self.context.runtime.reload_settings()
            except SettingsError:
                continue


@attrs.frozen(kw_only=True)
class Book(Receiver):
    """A receiver that keeps what it gets."""

    name: str = "book"
    got: list[Notification] = attrs.field(factory=list[Notification], eq=False)

    def sender(self, desk: Desk) -> Sender:
        """Make what keeps it."""
        return _Page(self.got)


@attrs.define
class _Page:
    got: list[Notification]

    async def send(self, note: Notification) -> None:
        """Keep *note*."""
        await checkpoint()
        self.got.append(note)

    async def aclose(self) -> None:
        """Do nothing."""


@attrs.define(eq=False)
class Pager:
    """A web server on a host of its own, that takes what is posted; not while the far end is slow."""

    far: FarEnd
    bodies: list[bytes] = attrs.field(factory=list[bytes])

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve."""
        listeners = await trio.open_tcp_listeners(80)
        task_status.started()
        await trio.serve_listeners(self._talk, listeners)

    async def _talk(self, stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):  # a fault of the network's
            await self._take(stream)

    async def _take(self, stream: trio.SocketStream) -> None:
        data = b""
        async for part in stream:
            data += part
            head, is_whole, body = data.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            if not is_whole or len(body) < length:
                continue
            data = body[length:]
            if "slow" in self.far.moods:
                await stream.send_all(b"HTTP/1.1 503 busy\r\nContent-Length: 0\r\n\r\n")
                continue
            self.bodies.append(body[:length])
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def make(world: World, *, faults: bool = True) -> tuple[Scenario, FarEnd, Book, Pager]:
    """Make the bot, and what the test looks at."""
    far = FarEnd(world, faults=faults)
    book, pager = Book(cap_per_hour=100_000), Pager(far)
    world.serve("pager", pager.serve)
    file = world.folder / "settings.json"

    def made(kind: Callable[..., Actor]) -> Callable[[], Actor]:
        return lambda: kind(far)

    lines = [
        Child.connection(kind.__name__.lower(), made(kind), reset_after=30.0, shutdown=10.0)
        for kind in (Api, Balance, Feed, Store)
    ]
    tree = Supervisor(
        "bot",
        [
            Supervisor("lines", lines, intensity=1_000, period=60.0),
            Child("strategy", made(Strategy), backoff=Backoff.steps(1.0, 5.0, 20.0), max_failures=5, on_give_up="park"),
            Child("weather", far.weather),
            Child("hand", lambda: Hand(far, file)),
        ],
        intensity=1_000,
        period=60.0,
    )
    # Refused settings are told with the name of their file, whose folder has another name in each run.
    webhook = WebhookReceiver(url="http://pager/hook", only=("kind!=settings_rejected",))
    scenario = Scenario(
        tree=tree,
        system=(alerts([book, webhook], wall_time=world.wall_time),),
        bound=700.0,
        settings=SettingsSource(env={}, json=file),
        records="records",
    )
    return scenario, far, book, pager


def scenario(world: World) -> Scenario:
    """Make the bot."""
    return make(world)[0]


def calm(world: World) -> Scenario:
    """Make it in good times."""
    return make(world, faults=False)[0]
