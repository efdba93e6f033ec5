"""The market's heartbeat. It beats only while somebody listens."""

import attrs
import trio

from duenna.wallclock import WallTime
from duenna_actors.sandbox._app import App
from duenna_actors.sandbox._exchange import Exchange
from duenna_actors.sandbox._hub import Hub


@attrs.define
class Pump:
    """Sends what is due at each tick, fills orders that somebody watches, and lets the listen key expire.

    Attributes:
        exchange: Where it comes from.
        hub: Where it goes.
        wall_time: The time of day.
    """

    exchange: Exchange
    hub: Hub
    wall_time: WallTime
    _woken: trio.Event = attrs.field(factory=trio.Event, init=False)

    def wake(self) -> None:
        """Look again at what there is to do."""
        self._woken.set()

    async def run(self, app: App) -> None:
        """Beat for ever. *app* knows what time the exchange believes it is, and how to tell the private stream."""
        while True:
            self._woken = trio.Event()
            with trio.move_on_after(self._turn(app)):
                await self._woken.wait()

    def tell_expired(self, key: str, stamp: int) -> None:
        """Tell the private stream that its key is dead; it stays open, and silent."""
        self.hub.publish(key, "listenKeyExpired", "", {"e": "listenKeyExpired", "E": stamp, "listenKey": key})

    def _turn(self, app: App) -> float:
        """Do what is due and return the seconds until something else is."""
        now = self.wall_time()
        length = self.exchange.settings.tick
        delay = float("inf")
        keys = self.exchange.listen_keys
        key = keys.current
        is_watched = key is not None and self.hub.has_listeners(key)
        if is_watched:
            expired = keys.expire(now)
            if expired is None:
                delay = max(keys.expires - now, length)
            else:
                self.tell_expired(expired, app.stamp)
        tick = self.exchange.tick_at(now)
        stamp = app.stamp
        for name, feed in list(self.hub.feeds.items()):
            if feed.due(tick, length):
                for event in feed.events(tick, stamp):
                    self.hub.publish(name, name, feed.stream.symbol or event["o"]["s"], event)
        if is_watched and self.exchange.desk.open:
            app.publish(self.exchange.match(now))
        if self.hub.feeds or (is_watched and self.exchange.desk.open):
            delay = min(delay, max(self.exchange.time_of(tick + 1) - now, length / 100.0))
        return delay
