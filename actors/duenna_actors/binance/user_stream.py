"""The private stream: what happens to one's orders and positions, over a key that is kept alive."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import trio

from duenna import secrets
from duenna.connection import ConnectionLostError
from duenna.machines import checks
from duenna.machines.hints import retry_after
from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._kept import kept
from duenna_actors._subscriptions import Subscription
from duenna_actors.binance._sources import listen_keys_of
from duenna_actors.binance.streams import base_url_of
from duenna_actors.binance.user_events import USER, UserEvents
from duenna_actors.binance.user_messages import (
    ListenKeyExpired,
    ListenKeyLost,
    ListenKeyRenewed,
    OtherUserEvent,
    UserStreamLost,
    UserStreamRestored,
)
from duenna_actors.feed import WebSocketFeed

if TYPE_CHECKING:
    from duenna import Ref
    from duenna.wallclock import WallTime
    from duenna_actors.binance._sources import ListenKeys

_NO_SUCH_KEY = -1125
_RETRY = 60.0
_REMEMBERED = 2000
_TELL_AGAIN = 1.0


@attrs.define
class _Memory:
    """What incarnations of one stream hand on.

    Attributes:
        good_until: Until when nothing was missed, in seconds since 1970; None before the first connect.
        why: What ended that.
        undelivered: Since when events are missing that the consumer did not take; `-inf`: all; None: none.
        recent: The last events; two websockets deliver the same ones while one takes over from the other.
    """

    good_until: float | None = None
    why: str = "first connect"
    undelivered: float | None = None
    recent: dict[Hashable, None] = attrs.field(factory=dict[Hashable, None])


class BinanceUserStream(WebSocketFeed):
    """The private stream of an account: `OrderTradeUpdate`, `AccountUpdate`, `OtherUserEvent`, published or told.

    It asks for a listen key, opens a websocket with it, and keeps the key alive by a timer whose
    crash is its own. When the exchange says that the key is dead (`listenKeyExpired`, -1125) it
    asks for a new one and opens a new websocket, without a restart.

    Whatever happened before a websocket was open may be unknown: `UserStreamRestored` says since
    when, after every connect and after every event that could not be read, or not be told, and
    `UserStreamLost` that nothing comes now. A planned change of the websocket loses nothing and repeats nothing.

    The stream is silent by nature, so its liveness is that of the websocket. The key is never
    given back: all programs of an account share one.
    """

    kind: ClassVar[str] = "user_stream"

    def __init__(
        self,
        *,
        api: Ref | str | ListenKeys,
        base_url: str | None = None,
        testnet: bool = False,
        renew_every: float = 1800.0,
        key_lifetime: float = 3600.0,
        api_timeout: float = 5.0,
        overlap: float = 5.0,
        wall_time: WallTime = real_wall_time,
        **options: Any,
    ) -> None:
        """Describe the stream; nothing is opened yet.

        Args:
            api: Where keys come from: an actor that answers `ApiRequest` and sends the account's
                key with it, as a ref or a path (absolute or relative to this actor's supervisor),
                or an async function that is called with `POST` for a key and with `PUT` to keep it
                alive, and returns it.
            base_url: Of the websockets; None: Binance's.
            testnet: Binance's testnet instead.
            renew_every: Seconds from one renewal of the key to the next.
            key_lifetime: Seconds after which a key that was not renewed is dead; more than *renew_every*.
            api_timeout: Seconds for one such request.
            overlap: Seconds by which `UserStreamRestored` looks further back than it must.
            wall_time: Gives the date: best the exchange's, an `ExchangeClock`.
            options: Those of `WebSocketFeed`.

        Raises:
            ValueError: *base_url* is no websocket URL, or a number is out of range.
        """
        url = f"{base_url_of(base_url, testnet=testnet)}/private/ws"
        given: dict[str, Any] = {"max_event_age": inf, "protocol": UserEvents(self._event_unread)} | options
        super().__init__(url, [Subscription(USER, inf, inf)], wall_time=wall_time, **given)
        checks.duration("BinanceUserStream", "renew_every", renew_every, zero=False, inf=False)
        if not renew_every < key_lifetime:
            message = f"BinanceUserStream: renew_every must be < key_lifetime ({key_lifetime} s), got {renew_every}"
            raise ValueError(message)
        self._base = url
        self._api_address = api
        self._keys: ListenKeys | None = None
        self._key = ""
        self._key_is_dead = trio.Event()
        self._renew_every = renew_every
        self._key_lifetime = key_lifetime
        self._api_timeout = api_timeout
        self._overlap = overlap
        self._wall_time = wall_time
        self._renewed_at = -inf
        self._renewed_wall = -inf
        self._newest = -inf
        self._good_until: float | None = None
        self._why = ""
        self._memory = _Memory()
        self._announced_at = -inf
        self._owes = trio.Event()
        self._is_announced = False

    async def connect(self) -> None:
        """Get a key, and open the websocket with it."""
        context, api = self.context, self._api_address
        self._memory = kept(context.runtime, (_Memory, context.path), _Memory)
        self._key_is_dead = trio.Event()
        self._good_until, self._why = None, ""
        self._is_announced = False
        source = context.lookup(api) if isinstance(api, str) else api
        self._keys = listen_keys_of(source, self._api_timeout)
        self._renewed_at, self._renewed_wall = context.now(), self._wall_time()
        self._newest = -inf
        if self._key:
            secrets.unregister(self._key)
        self._key = await self._keys("POST")
        if self._key:
            secrets.register(self._key)
        else:
            raise ConnectionLostError("the exchange gave no listen key")
        self._options = attrs.evolve(self._options, url=f"{self._base}/{self._key}")
        await super().connect()
        self._announce()

    async def session(self) -> None:
        """Keep the websocket and the key alive; return when the key is dead, to be connected anew with another."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().session)
            nursery.start_soon(self._keep_key_alive)
            nursery.start_soon(self._make_up)
            await self._key_is_dead.wait()
            nursery.cancel_scope.cancel()

    async def close(self) -> None:
        """Close the websocket, and note until when nothing was missed."""
        if self._is_announced:
            self._is_announced = False
            self._memory.good_until = self._last_good() if self._good_until is None else self._good_until
            self._memory.why = self._why or "the websocket was lost"
            self._tell(UserStreamLost(self._memory.why))
        await super().close()

    def deliver(self, key: str, message: Any) -> None:
        """Hand an event on, once."""
        if isinstance(message, ListenKeyExpired):
            if message.listen_key in {"", self._key}:
                self._lose_key("the exchange says that it has expired", message.event_time_ms / 1000)
            return
        self._announce()
        known_until = self._known_until()
        self._newest = max(self._newest, message.event_time_ms / 1000)
        if self._is_new(message):
            try:
                super().deliver(key, message)
            except Exception:
                self._owe(known_until)
                raise

    def _is_new(self, message: Hashable) -> bool:
        recent = self._memory.recent
        if message in recent:
            return False
        recent[message] = None
        if len(recent) > _REMEMBERED:
            del recent[next(iter(recent))]
        return True

    def _event_unread(self, event: OtherUserEvent | None) -> None:
        """Say that something is missing: events come in order, so it happened after the newest that was read."""
        if self._is_announced:
            self._restored(self._known_until(), "an event could not be read")
        else:
            self._announce()
        if event is not None and self._is_new(event):
            self._tell(event)

    def _announce(self) -> None:
        """Say that the stream delivers, before the first event does."""
        if self._is_announced:
            return
        self._is_announced = True
        memory = self._memory
        good_until, memory.good_until = memory.good_until, self._wall_time()
        self._announced_at = self.context.now()
        self._restored(-inf if good_until is None else good_until, memory.why)

    def _restored(self, good_until: float, why: str) -> None:
        """Say since when events may be missing, those included that could not be told."""
        memory = self._memory
        since = good_until if memory.undelivered is None else min(good_until, memory.undelivered)
        since_ms = None if since == -inf else round((since - self._overlap) * 1000)
        memory.undelivered = None
        if not self._tell(UserStreamRestored(since_ms, why)):
            self._owe(since)

    def _owe(self, good_until: float) -> None:
        owed = self._memory.undelivered
        self._memory.undelivered = good_until if owed is None else min(owed, good_until)
        self._owes.set()

    async def _make_up(self) -> None:
        """Say since when events are missing that the consumer did not take, as soon as it takes that."""
        while True:
            if self._memory.undelivered is None:
                self._owes = trio.Event()
                await self._owes.wait()
            await trio.sleep(_TELL_AGAIN)
            if self._memory.undelivered is not None:
                self._restored(inf, "events could not be told")

    def _known_until(self) -> float:
        """Return the time of the newest event, or when the websocket was opened, in seconds since 1970."""
        return max(self._memory.good_until or 0.0, self._newest)

    def _last_good(self) -> float:
        """Return when the present websocket last gave a sign of life, in seconds since 1970.

        The monotonic clock may have stood still while the machine slept, and the date may have
        been set: of two ways to count, the one that gives the earlier time.
        """
        line, now = self._present(), self.context.now()
        last = now if line is None else line.last_frame
        opened = self._memory.good_until
        by_date = self._wall_time() - (now - last)
        return by_date if opened is None else max(min(by_date, opened + last - self._announced_at), self._newest)

    async def _keep_key_alive(self) -> None:
        """Renew the key in time, for ever, or until it is dead."""
        context = self.context
        wait = self._renew_every
        while self._keys is not None and not self._key_is_dead.is_set():
            await trio.sleep(wait)
            began, wall = context.now(), self._wall_time()
            try:
                key = await self._keys("PUT")
            except Exception as error:  # noqa: BLE001  # whatever it is, the key was not renewed: try again in time
                self._renewal_failed(error)
                wait = max(min(_RETRY, self._renew_every), retry_after(error))
                wait = max(0.0, min(wait, self._dead_at - context.now()))
                continue
            if key not in {"", self._key}:
                self._lose_key("the exchange has another one", self._last_proof())
                return
            wait = self._renew_every
            self._renewed_at, self._renewed_wall = began, wall
            context.post(ListenKeyRenewed(time=context.now(), path=context.path))

    def _renewal_failed(self, error: Exception) -> None:
        if getattr(error, "code", None) == _NO_SUCH_KEY:
            self._lose_key(f"the exchange knows it no more ({_NO_SUCH_KEY})", self._last_proof())
            return
        self.context.report(error, hook="keep alive")
        if self.context.now() >= self._dead_at:
            self._lose_key(f"it was not renewed for {self._key_lifetime:.0f} s", None)

    @property
    def _dead_at(self) -> float:
        return self._renewed_at + self._key_lifetime

    def _last_proof(self) -> float:
        """Return when the key was last seen to work, in seconds since 1970."""
        return max(self._renewed_wall, self._newest)

    def _lose_key(self, why: str, good_until: float | None) -> None:
        context = self.context
        context.post(ListenKeyLost(time=context.now(), path=context.path, why=why))
        self._why, self._good_until = f"listen key lost: {why}", good_until
        self._key_is_dead.set()

    def _tell(self, message: UserStreamRestored | UserStreamLost | OtherUserEvent) -> bool:
        """Tell the consumer; return whether it has taken it."""
        try:
            super().deliver(USER, message)
        except Exception as error:  # noqa: BLE001  # a consumer's fault must not end the connection
            self.context.report(error)
            return False
        return True
