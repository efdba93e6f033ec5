"""Says whether to trade: only while everything that trading needs is well, and nobody has stopped it."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import trio

from duenna import Actor, ConnectionChanged, DuennaError, describe
from duenna import events as kernel
from duenna.error_events import SettingsChanged
from duenna.guard_events import BreakerChanged
from duenna.machines import checks
from duenna.recovery import TradingModeChanged
from duenna_actors._kept import kept
from duenna_actors._messages import refuse
from duenna_actors.monitors import _options as options
from duenna_actors.monitors._gate import EngineState, Gate
from duenna_actors.monitors._needs import Condition, Needs
from duenna_actors.monitors.coordinator_messages import (
    EngineFailed,
    MayTrade,
    StartTrading,
    StopTrading,
    StrategyPausedError,
    TradingChanged,
    TradingPermit,
    TradingSettingsChanged,
    UseSettings,
)

if TYPE_CHECKING:
    from duenna import EventStream, Ref
    from duenna.events import Event

_OWNER = "TradeEngineCoordinator"
_CAPACITY = 100
_HEARD: tuple[type[Event], ...] = (
    ConnectionChanged,
    BreakerChanged,
    TradingModeChanged,
    SettingsChanged,
    kernel.ChildStarted,
    kernel.ChildExited,
    kernel.ChildRestarting,
    kernel.ChildParked,
    kernel.ChildStopped,
    kernel.ChildRemoved,
    kernel.ChildSuspended,
    kernel.ChildResumed,
    kernel.SupervisorGaveUp,
    kernel.RuntimeStarted,
    kernel.RuntimeStopping,
)


class TradeEngine(Protocol):
    """What trades. Both methods may be called again when they have failed, or were cancelled."""

    async def resume(self, settings: Any) -> object:
        """Trade with *settings*; called while it trades, too, when these are other ones."""
        ...

    async def pause(self, why: str) -> object:
        """Place no more orders, and return when that is so."""
        ...


class TradeEngineCoordinator(Actor):
    """Keeps the gate of trading: ask it `MayTrade`, or give it a `TradeEngine` that it pauses and resumes.

    Trading is paused at once when something that it needs is not well, and resumed when all of
    it has been well for ``settle`` seconds. A pause of more than ``grace`` seconds is an error: it is reported,
    and ends in the same way, unless the settings leave the trade engine to a hand
    (``trade_engine_auto_restart``, ``auto_recovery_enabled``). Whenever trading is resumed, it is with
    the settings that the coordinator was given.

    Who does not get an answer must not trade: `may_trade` sees to that.
    """

    kind: ClassVar[str] = "trade_engine"

    def __init__(
        self,
        needs: Iterable[str],
        *,
        settings: Any = None,
        degraded_settings: Any = None,
        engine: TradeEngine | None = None,
        grace: float = 60.0,
        settle: float = 5.0,
        rest: float = 30.0,
        engine_timeout: float = 10.0,
        accept_degraded: bool = True,
        trades_on_paper: bool = False,
        autostart: bool = True,
    ) -> None:
        """Describe the coordinator. Durations are seconds, of at least 0 unless it says otherwise.

        Args:
            needs: Absolute paths of actors and supervisors, and names of guards. Of a supervisor,
                all below it must be well; a guard is while its breaker lets calls through.
            settings: What to trade with; handed to the engine, and to who asks.
            degraded_settings: The same while something is degraded; None: no other.
            engine: What is paused and resumed; None: who trades asks.
            grace: For which a pause is borne.
            settle: Without a trouble before trading is resumed.
            rest: After a failure of the engine before it is tried again, greater than 0.
            engine_timeout: For one call of the engine, greater than 0.
            accept_degraded: Whether a link that is degraded is well enough.
            trades_on_paper: Whether the engine knows what to do while trading is on paper
                (`TradingPermit.mode` says that it is); if not, it is paused then.
            autostart: Whether to trade without a `StartTrading`.

        Raises:
            TypeError: An option has the wrong type.
            ValueError: One is out of range.
        """
        options.durations(_OWNER, rest=rest, engine_timeout=engine_timeout)
        if engine is not None:
            options.methods(_OWNER, "engine", engine, "resume", "pause")
        self._needs = Needs(_names(needs), checks.flag(_OWNER, "accept_degraded", accept_degraded))
        self._pace = (
            checks.duration(_OWNER, "grace", grace),
            checks.duration(_OWNER, "settle", settle, inf=False),
            float(rest),
        )
        self._autostart = checks.flag(_OWNER, "autostart", autostart)
        self._trades_on_paper = checks.flag(_OWNER, "trades_on_paper", trades_on_paper)
        self._given, self._degraded = settings, degraded_settings
        self._engine, self._engine_timeout = engine, engine_timeout
        self._gate = self._new_gate()
        self._condition = Condition()
        self._override: Any = None
        self._is_resumed = self._is_live = False
        self._applied: Any = None
        self._retry_at = inf
        self._deadline = -inf
        self._wake = trio.Event()

    # -- what holds now --------------------------------------------------------

    @property
    def is_trading_allowed(self) -> bool:
        """Whether orders may be placed now."""
        return self._gate.state is EngineState.RUNNING and (self._engine is None or self._is_live)

    @property
    def settings(self) -> Any:
        """What to trade with now."""
        if self._override is not None:
            return self._override
        return self._degraded if self._condition.is_degraded and self._degraded is not None else self._given

    def started(self) -> None:
        """Find what a person has said to an earlier incarnation, and look.

        Raises:
            ValueError: ``needs`` holds the coordinator itself, or what is above it.
        """
        context = self.context
        for need in self._needs.names:
            if f"{context.path}/".startswith(f"{need}/"):
                message = f"{_OWNER} {context.path}: needs must not hold itself or what is above it, got {need!r}"
                raise ValueError(message)
        self._gate = kept(context.runtime, (_OWNER, context.path, self._pace, self._autostart), self._new_gate)
        self._gate.begin(context.now())
        self._look()

    async def run(self) -> None:
        """Look whenever something has happened or is due, and have the engine follow."""
        with self.context.runtime.events(*_HEARD, capacity=_CAPACITY) as stream:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, stream)
                while True:
                    self._look()
                    self._wake = trio.Event()  # for what happens from here on
                    self._deadline = -inf
                    await self._drive()
                    self._deadline = self._due_at()
                    with trio.CancelScope(deadline=self._deadline):
                        await self._wake.wait()

    def receive(self, message: object) -> TradingPermit | None:
        """Answer `MayTrade`, obey the others."""
        match message:
            case MayTrade():
                self._look()
                return self._permit()
            case StartTrading():
                self._gate_moves(self._gate.start, self.context.now())
            case StopTrading(why):
                self._gate_moves(self._gate.stop, why)
            case EngineFailed(why):
                self._gate_moves(self._gate.fail, self.context.now(), f"the engine has failed: {why}")
            case UseSettings(settings, why):
                self._override = settings
                self._post(TradingSettingsChanged, is_given=settings is None, why=why)
                self._wake.set()
            case _:
                refuse(self.context, message)
        return None

    async def stopping(self, reason: object) -> None:
        """Pause the engine: without its coordinator it must not trade."""
        if self._gate.state is EngineState.RUNNING:
            self._gate_moves(self._gate.begin, self.context.now())
        if self._engine is not None and self._is_resumed:
            await self._pause("the coordinator has ended: " + (reason if isinstance(reason, str) else "it has failed"))

    # -- looking ---------------------------------------------------------------

    async def _hear(self, stream: EventStream) -> None:
        always = (TradingModeChanged, SettingsChanged, kernel.EventsLost)
        async for event in stream:
            if isinstance(event, always) or self._needs.concern(event):
                self._look()

    def _look(self) -> None:
        """See how everything does, and move the gate."""
        runtime = self.context.runtime
        condition = self._condition = self._needs.look(runtime)
        troubles = condition.troubles
        trading = runtime.recovery.trading
        if trading.is_paper and not self._trades_on_paper:
            troubles.append("trading is on paper" + (f": {trading.why}" if trading.why else ""))
        if runtime.stopping.is_set():
            troubles.append("the runtime is stopping")
        is_automatic = runtime.recovery.is_automatic(self.kind)
        self._gate_moves(self._gate.look, runtime.now(), tuple(troubles), is_automatic=is_automatic)

    def _gate_moves(self, move: Any, *args: Any, **options: Any) -> None:
        """Move the gate, and tell of it if it is in another state then."""
        gate = self._gate
        previous = gate.state
        move(*args, **options)
        if gate.state is not previous:
            if gate.state is EngineState.RUNNING and self._override is not None:
                self._override = None
                self._post(TradingSettingsChanged, is_given=True, why="trading is resumed")
            self._post(TradingChanged, previous=previous, state=gate.state, reasons=gate.reasons)
            if gate.state is EngineState.ERROR:
                self.context.report(StrategyPausedError(gate.reasons), reasons="; ".join(gate.reasons))
        is_behind = self._is_behind() and not self._is_resting()
        if gate.state is not previous or is_behind or self._due_at() < self._deadline:
            self._wake.set()

    def _due_at(self) -> float:
        now = self.context.now()
        return min(self._gate.due_at(now), now + self._condition.again_in, self._retry_at)

    def _permit(self) -> TradingPermit:
        is_allowed, reasons = self.is_trading_allowed, self._gate.reasons
        if not is_allowed and not reasons:
            reasons = ("the engine is starting",)
        mode = self.context.runtime.recovery.trading.mode
        return TradingPermit(is_allowed, self._gate.state, reasons, mode, self.settings)

    # -- the engine ------------------------------------------------------------

    def _is_behind(self) -> bool:
        """Return whether the engine does not do yet what it should."""
        if self._engine is None:
            return False
        runs = self._gate.state is EngineState.RUNNING
        return runs is not self._is_resumed or (runs and self._applied != self.settings)

    def _is_resting(self) -> bool:
        """Return whether the engine did not pause when told to, and is not told again yet."""
        return self.context.now() < self._retry_at < inf

    async def _drive(self) -> None:
        """Have the engine do what it should; whatever it fails with, the gate is right."""
        is_behind = self._is_behind()
        if is_behind and self._is_resting():
            return
        self._retry_at = inf
        if not is_behind:
            return
        if self._gate.state is not EngineState.RUNNING:
            if not await self._pause("; ".join(self._gate.reasons)):
                self._retry_at = self.context.now() + self._gate.rest
            return
        settings = self.settings
        self._is_resumed = True  # from here on it may trade: a pause is needed, whatever becomes of this
        try:
            with trio.fail_after(self._engine_timeout):
                await self._engine_of().resume(settings)
        except Exception as error:  # noqa: BLE001  # an engine that does not start is not the coordinator's end
            self.context.report(error, hook="resume")
            why = f"the engine did not start: {describe(error)}"
            self._gate_moves(self._gate.fail, self.context.now(), why)
        else:
            self._applied, self._is_live = settings, True

    async def _pause(self, why: str) -> bool:
        """Pause the engine; return whether it is."""
        try:
            with trio.fail_after(self._engine_timeout):
                await self._engine_of().pause(why)
        except Exception as error:  # noqa: BLE001  # it is tried again; until then, who asks is told not to trade
            self.context.report(error, hook="pause")
            return False
        self._is_resumed, self._is_live, self._applied = False, False, None
        return True

    def _engine_of(self) -> TradeEngine:
        assert self._engine is not None  # noqa: S101  # only one that is there is ever behind
        return self._engine

    # -- the rest --------------------------------------------------------------

    def _new_gate(self) -> Gate:
        grace, settle, rest = self._pace
        gate = Gate(grace=grace, settle=settle, rest=rest)
        if not self._autostart:
            gate.stop("was not started yet")
        return gate

    def _post(self, kind: type[Event], **fields: Any) -> None:
        context = self.context
        if context.runtime.bus.wants(kind):
            context.post(kind(time=context.now(), path=context.path, **fields))


async def may_trade(coordinator: Ref, timeout: float = 1.0) -> TradingPermit:
    """Ask a `TradeEngineCoordinator`; who gets no answer within *timeout* seconds must not trade, and is told so."""
    try:
        permit: TradingPermit = await coordinator.ask(MayTrade(), timeout)
    except DuennaError as error:
        return TradingPermit(is_allowed=False, state=EngineState.ERROR, reasons=(describe(error),))
    return permit


def _names(needs: Any) -> tuple[str, ...]:
    if isinstance(needs, str) or not isinstance(needs, Iterable):
        message = f"{_OWNER}: needs must be a collection of paths and names of guards, got {needs!r}"
        raise TypeError(message)
    names: tuple[Any, ...] = tuple(dict.fromkeys(needs))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for name in names:
        if not isinstance(name, str):
            message = f"{_OWNER}: needs must hold paths and names of guards, got {name!r}"
            raise TypeError(message)
        if not name.strip() or (name.startswith("/") and name.endswith("/")):
            message = f"{_OWNER}: needs must hold paths such as '/bot/api' and names of guards, got {name!r}"
            raise ValueError(message)
    return names
