"""Watches the positions of an account, and closes or reports those beyond their thresholds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

import trio

from duenna import Actor, Breaker, Guard, Retry, describe
from duenna.machines import checks
from duenna.wallclock import WallTime
from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._kept import kept
from duenna_actors._messages import refuse
from duenna_actors.monitors import _options as options
from duenna_actors.monitors._enforcement import Close, Enforcement, Threshold
from duenna_actors.monitors._position_checks import make_close_id, reading_of, thresholds_of
from duenna_actors.monitors._state_closes import StateCloseStore
from duenna_actors.monitors.position_messages import (
    CheckPositions,
    GetPositions,
    PendingClose,
    Position,
    PositionBreached,
    PositionBreachEnded,
    PositionClosed,
    PositionCloseFailed,
    PositionClosing,
    PositionsFresh,
    PositionsStale,
    PositionsStatus,
    StalePositionsError,
    StrategyLimitError,
    StrategyPositionError,
)
from duenna_actors.monitors.position_ports import CloseStore, MemoryCloseStore, PositionMode, PositionSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duenna import Context
    from duenna.events import Event

_OWNER = "PositionMonitor"
_MOST_AT_ONCE = 4
_PREFIX = re.compile(r"[.A-Z:/a-z0-9_-]{1,13}")
_GIVEN_UP_AFTER = 3


class PositionMonitor(Actor):
    """Reads the positions at its times, and closes (or reports) each that is beyond its threshold.

    A closing order gets its client order id, which is stored, before it is sent. It keeps the
    id until it is known what became of it, through retries, restarts of the monitor and,
    with a ``store`` or a state on disk, of the process. Only then, and if a reading younger than that
    shows that the position is still beyond its threshold, is there another. Nothing is done on
    a reading that is older than ``max_age``.
    """

    kind: ClassVar[str] = "position_monitor"

    def __init__(
        self,
        source: PositionSource | Callable[[Context], PositionSource],
        threshold: Threshold | None = None,
        *,
        by_symbol: Mapping[str, Threshold] | None = None,
        mode: PositionMode | str = PositionMode.CLOSE,
        check_every: float = 10.0,
        read_timeout: float = 10.0,
        max_age: float = 30.0,
        close_timeout: float = 20.0,
        settle: float = 2.0,
        forget_after: float = 300.0,
        closes_on_paper: bool = False,
        store: CloseStore | None = None,
        guard: Guard | None = None,
        id_prefix: str = "close",
        wall_time: WallTime = real_wall_time,
    ) -> None:
        """Describe the monitor. Durations are seconds, greater than 0 unless it says otherwise.

        Args:
            source: The account, or a function that makes it of the monitor's context, when it starts.
            threshold: For all symbols; None: only those of ``by_symbol`` are looked at.
            by_symbol: For single ones.
            mode: `close`, or `report`.
            check_every: From one look to the next.
            read_timeout: For one.
            max_age: Age of a reading that is still acted on.
            close_timeout: For one attempt to close a position.
            settle: After an order was carried out, in which readings may not show it yet; at least 0.
            forget_after: How long an order of unknown outcome is kept while its position is not
                beyond its threshold, at least 0.
            closes_on_paper: Whether positions are closed while trading is on paper; if not, they are reported.
            store: Keeps the orders that may have been sent; None: the runtime's state does, as money, for as
                long as that lasts: as long as the process, unless it was given a place.
            guard: Round each order; must not share its name with other calls. None: three
                attempts, and a breaker that opens for 30 s after 5 failures in a row.
            id_prefix: What client order ids begin with, 13 letters, digits and `.:/_-` at most.
            wall_time: Gives the time of day, for the ids.

        Raises:
            TypeError: An option has the wrong type.
            ValueError: One is out of range, or there is no threshold.
        """
        options.durations(
            _OWNER, check_every=check_every, read_timeout=read_timeout, max_age=max_age, close_timeout=close_timeout
        )
        if not _is_maker(source):
            options.methods(_OWNER, "source", source, "positions", "close")
        if store is not None:
            options.methods(_OWNER, "store", store, "load", "save")
        options.functions(_OWNER, wall_time=wall_time)
        if not _PREFIX.fullmatch(id_prefix):
            message = f"{_OWNER}: id_prefix must match ^{_PREFIX.pattern}$, got {id_prefix!r}"
            raise ValueError(message)
        self._enforcement = Enforcement(
            *thresholds_of(threshold, by_symbol),
            checks.duration(_OWNER, "settle", settle, inf=False),
            checks.duration(_OWNER, "forget_after", forget_after, inf=False),
        )
        self._given_source = source
        self._source: Any = source
        self._mode = checks.choice(_OWNER, "mode", mode, PositionMode)
        self._check_every, self._read_timeout, self._max_age = check_every, read_timeout, max_age
        self._closes_on_paper = checks.flag(_OWNER, "closes_on_paper", closes_on_paper)
        self._given_store = store
        self._guard = _guard(close_timeout) if guard is None else guard
        self._prefix = id_prefix
        self._wall_time = wall_time
        self._positions: tuple[Position, ...] = ()
        self._as_of: float | None = None
        self._began = 0.0
        self._is_blind = self._is_stale = self._has_lost_store = False
        self._reported: set[str] = set()
        self._asked = trio.Event()
        self._slots = trio.CapacityLimiter(_MOST_AT_ONCE)
        self._saving = trio.Lock()

    @property
    def _store(self) -> CloseStore:
        if self._given_store is not None:
            return self._given_store
        context = self.context
        state = context.runtime.state
        if state.store.is_durable:
            return StateCloseStore(state, context.path)
        return kept(context.runtime, (_OWNER, context.path), MemoryCloseStore)

    async def run(self) -> None:
        """Take over what an earlier incarnation has sent; then look, at the times and when asked to."""
        self._began = self.context.now()
        if _is_maker(self._given_source):
            self._source = self._given_source(self.context)
            options.methods(_OWNER, "source", self._source, "positions", "close")
        pending = await self._store.load()
        self._enforcement.restore(((each.position, each.order_id) for each in pending), self._began)
        async with trio.open_nursery() as nursery:
            while True:
                self._asked = trio.Event()
                await self._look(nursery)
                with trio.move_on_after(self._check_every):
                    await self._asked.wait()

    def receive(self, message: object) -> PositionsStatus | None:
        """Answer `GetPositions`, obey `CheckPositions`."""
        match message:
            case GetPositions():
                enforcement = self._enforcement
                age = None if self._as_of is None else self.context.now() - self._as_of
                return PositionsStatus(
                    positions=self._positions,
                    age=age,
                    is_stale=age is None or age > self._max_age,
                    breaches=dict(enforcement.breaches),
                    closing={name: close.order_id for name, close in enforcement.closes.items()},
                )
            case CheckPositions():
                self._asked.set()
            case _:
                refuse(self.context, message)
        return None

    # -- looking ---------------------------------------------------------------

    async def _look(self, nursery: trio.Nursery) -> None:
        """Read the positions, and see to what they show."""
        reading = await self._read()
        if reading is not None:
            self._positions, self._as_of = reading
        now = self.context.now()
        age = now - (self._began if self._as_of is None else self._as_of)
        self._note_age(age)
        if reading is None or age > self._max_age:
            return
        finding = self._enforcement.take(*reading)
        for position, why in finding.breached:
            self._post(
                PositionBreached, position=position.id, symbol=position.symbol, quantity=position.quantity, why=why
            )
        for name, symbol in finding.ended:
            self._reported.discard(name)
            self._post(PositionBreachEnded, position=name, symbol=symbol)
        if self._must_close():
            begun = [self._begin(position, close) for position, close in finding.due]
            await self._persist()
            for close in begun:
                nursery.start_soon(self._close, close)
        else:
            self._report_once(position for position, _ in finding.due)
            if finding.is_changed:
                await self._persist()

    async def _read(self) -> tuple[tuple[Position, ...], float] | None:
        """Return the positions and when they were so; None, reported once, if they cannot be had."""
        began = self.context.now()
        try:
            with trio.fail_after(self._read_timeout):
                given = await self._source.positions()
            reading = reading_of(given)
        except Exception as error:  # noqa: BLE001  # the next look may succeed; how old the last reading is, is watched
            if not self._is_blind:
                self.context.report(error, hook="positions")
            self._is_blind = True
            return None
        self._is_blind = False
        as_of = began if reading.as_of is None else min(reading.as_of, self.context.now())
        if self._as_of is not None and as_of < self._as_of:
            return None  # an answer that was overtaken shows what is over
        return tuple(reading.positions), as_of

    def _note_age(self, age: float) -> None:
        if age > self._max_age and not self._is_stale:
            self._is_stale = True
            self._post(PositionsStale, age=age, max_age=self._max_age)
            self.context.report(StalePositionsError(age, self._max_age))
        elif age <= self._max_age and self._is_stale:
            self._is_stale = False
            self._post(PositionsFresh)

    def _must_close(self) -> bool:
        if self._mode is PositionMode.REPORT:
            return False
        return self._closes_on_paper or not self.context.runtime.recovery.trading.is_paper

    def _report_once(self, positions: Any) -> None:
        for position in positions:
            if position.id not in self._reported:
                self._reported.add(position.id)
                self.context.report(StrategyLimitError(position, self._enforcement.breaches[position.id]))

    # -- closing ---------------------------------------------------------------

    def _begin(self, position: Position, close: Close | None) -> Close:
        if close is None:
            name = make_close_id(self.context.rng, self._wall_time(), self._prefix)
            return self._enforcement.begin(position, name)
        close.is_busy = True
        return close

    async def _close(self, close: Close) -> None:
        """Send an order, or find out what became of it; whatever happens, the next look goes on from there."""
        name, symbol = close.position.id, close.position.symbol
        enforcement = self._enforcement
        try:
            async with self._slots:
                await self._guard.call(self._attempt, close)
        except Exception as error:  # noqa: BLE001  # what becomes of it is decided at the next look
            failures = enforcement.failed(close, self.context.now())
            self._post(
                PositionCloseFailed,
                position=name,
                symbol=symbol,
                order_id=close.order_id,
                outcome_unknown=close.was_sent,
                failures=failures,
                error=describe(error),
            )
            if failures == _GIVEN_UP_AFTER:
                self.context.report(StrategyPositionError(close.position, close.order_id, failures))
        else:
            enforcement.done(close, self.context.now())
            self._post(PositionClosed, position=name, symbol=symbol, order_id=close.order_id)
            self._asked.set()  # not after a failure: what fails at once would be tried without end
        await self._persist()

    async def _attempt(self, close: Close) -> None:
        may_exist, close.was_sent = close.was_sent, True  # first: nobody knows any more once it is on its way
        self._post(
            PositionClosing,
            position=close.position.id,
            symbol=close.position.symbol,
            order_id=close.order_id,
            quantity=close.position.quantity,
            may_exist=may_exist,
        )
        try:
            await self._source.close(close.position, close.order_id, may_exist=may_exist)
        except Exception as error:
            if getattr(error, "outcome_unknown", None) is False:
                close.was_sent = False
            raise

    async def _persist(self) -> None:
        """Store the orders that are pending; a store that fails is reported once, and keeps no position open."""
        async with self._saving:
            closes = self._enforcement.closes.values()
            pending = [PendingClose(position=each.position, order_id=each.order_id) for each in closes]
            try:
                await self._store.save(pending)
            except Exception as error:  # noqa: BLE001  # the risk is the position, not the file
                if not self._has_lost_store:
                    self.context.report(error, hook="store")
                self._has_lost_store = True
            else:
                self._has_lost_store = False

    def _post(self, kind: type[Event], **fields: Any) -> None:
        context = self.context
        if context.runtime.bus.wants(kind):
            context.post(kind(time=context.now(), path=context.path, **fields))


def _is_maker(source: object) -> TypeGuard[Callable[[Context], PositionSource]]:
    return callable(source) and not hasattr(source, "positions")


def _guard(timeout: float) -> Guard:
    return Guard(
        "close_positions",
        retry=Retry(3),
        breaker=Breaker.consecutive(5, open_for=30.0, success_threshold=1),
        attempt_timeout=timeout,
    )
