"""What all guards of one name share: breaker, budget, bulkhead, counters, health, last error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from duenna._text import describe
from duenna.guard_events import BreakerChanged, CallRejected, GuardHealthChanged
from duenna.guards._counts import Counts, Health
from duenna.guards._hints import is_failure, is_plain
from duenna.guards._notes import note_broken_rule
from duenna.guards._registry import registry
from duenna.guards._shared import DependencySettings, Tap
from duenna.guards._timeline import Timeline
from duenna.guards.breaker import Breaker
from duenna.guards.bulkhead import Slots
from duenna.guards.errors import CircuitOpenError, LastError, RejectedError, ThrottledError, in_words
from duenna.guards.statistics import GuardStatistics
from duenna.machines.adaptive_retry import AdaptiveRetry
from duenna.machines.breaker import BreakerState
from duenna.machines.budget import RetryBudget
from duenna.machines.live_circuit import LiveCircuit
from duenna.machines.permit import Change, Permit, Rejected
from duenna.machines.throttle import AdaptiveThrottle

if TYPE_CHECKING:
    from duenna.machines.classification import Category

_CLOSED = BreakerState.CLOSED
_NO_FAILURES = (RejectedError, StopIteration, StopAsyncIteration)


@attrs.define(eq=False, repr=False, weakref_slot=True)
class Dependency:
    """What all guards of one name share. Thread-safe.

    Attributes:
        name: Of the guards.
        settings: What they agree on.
        circuit: The breaker at work; disabled where there is none.
        budget: What retries are paid from, unless a guard has one of its own.
        throttle: In place of the breaker, or None.
        slots: The bulkhead at work, or None.
        timeline: The time of all of it.
        counts: What happened.
        adaptive: How many retries are worth making, by what came of the last ones.
        reporter: What the failures of its calls are told, in place of the runtimes, with the attempts made.
        tap: Who follows the calls, if anybody does; only those that take the long way.
    """

    name: str
    settings: DependencySettings
    circuit: LiveCircuit = attrs.field(init=False)
    budget: RetryBudget = attrs.field(init=False)
    throttle: AdaptiveThrottle | None = attrs.field(init=False)
    slots: Slots | None = attrs.field(init=False)
    timeline: Timeline = attrs.field(init=False)
    counts: Counts = attrs.field(factory=Counts, init=False)
    adaptive: AdaptiveRetry = attrs.field(factory=AdaptiveRetry, init=False)
    reporter: Callable[[Exception, int], None] | None = attrs.field(default=None, init=False)
    tap: Tap | None = attrs.field(default=None, init=False)
    lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)
    _paid: WeakKeyDictionary[RetryBudget, int] = attrs.field(factory=WeakKeyDictionary[RetryBudget, int], init=False)
    _health: Health = attrs.field(default=Health.OK, init=False)
    _draw: float = attrs.field(default=0.5, init=False)
    _has_drawn: bool = attrs.field(default=False, init=False)
    _failure: LastError = attrs.field(default=None, init=False, repr=False)  # as it was said, secrets and all
    _counts_error: Callable[[BaseException], bool] = attrs.field(init=False)
    _has_rules: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin: closed, with a full budget."""
        breaker = self.settings.breaker
        shape = breaker if isinstance(breaker, Breaker) else Breaker()
        self._learn_rules()
        self.timeline = Timeline(self._enter_new_world)
        self.circuit = LiveCircuit(shape)
        self.budget = RetryBudget()
        self.throttle = attrs.evolve(breaker) if isinstance(breaker, AdaptiveThrottle) else None
        self.slots = self._make_slots()
        self._arm(0.0)
        self._watch()

    # -- looking ---------------------------------------------------------------

    def __repr__(self) -> str:
        """Return the name and the state of the breaker: all else is large, or may hold what was said to the far end."""
        return f"<dependency {self.name!r}: {self.state}>"

    @property
    def state(self) -> BreakerState:
        """Whether calls pass. An open breaker stays open until a call comes after its time."""
        return self.circuit.state

    @property
    def health(self) -> Health:
        """`ok`; `degraded` while fallbacks stand in; `unavailable` when these fail, too."""
        return self._health

    @property
    def last_error(self) -> str | None:
        """The last failure, in words."""
        return in_words(self._failure)

    def statistics(self) -> GuardStatistics:
        """Return all counters since the start, or since `reset`."""
        now = self.timeline.now()
        with self.lock:
            circuit, strained = self.circuit.statistics(now), tuple(self.adaptive.strained(now))
        slots = self.slots
        return GuardStatistics.of(
            self.name,
            circuit,
            self.counts,
            health=self._health,
            budget=self.budget,
            in_flight=None if slots is None else slots.in_use,
            waiting=0 if slots is None else slots.waiting,
            strained=strained,
            last_error=self.last_error,
        )

    # -- by hand ---------------------------------------------------------------

    def reset(self) -> None:
        """Begin anew: closed (disabled, if there is no breaker), empty window, full budget, counters of 0."""
        now = self.timeline.now()
        with self.lock:
            before, changes = self.state, self._start(now)
        for user in registry.users(self):
            user.refill()
        if self.state is not before:
            for change in changes:
                self._tell(change)

    def force_open(self) -> None:
        """Refuse all calls until a hand says otherwise."""
        self._by_hand(self.circuit.force_open)

    def disable(self) -> None:
        """Let all calls pass; count them, but judge nothing."""
        self._by_hand(self.circuit.disable)

    def metrics_only(self) -> None:
        """Let all calls pass; keep the window, but never open."""
        self._by_hand(self.circuit.metrics_only)

    def close(self) -> None:
        """Let calls pass and judge them, from an empty window unless it was closed; without a breaker, just pass."""
        is_breaker = isinstance(self.settings.breaker, Breaker)
        self._by_hand(self.circuit.close if is_breaker else self.circuit.disable)

    def follow(self, breaker: Breaker) -> None:
        """Follow the settings of *breaker* from now on, without a break: what is open stays open.

        Raises:
            ValueError: It has no breaker, or a throttle in its place.
        """
        if not isinstance(self.settings.breaker, Breaker):
            message = (
                f"guard {self.name!r}: a breaker is needed to follow other settings, got {self.settings.breaker!r}"
            )
            raise ValueError(message)  # noqa: TRY004  # what was given is right, what there is is not
        with self.lock:
            self.settings = attrs.evolve(self.settings, breaker=breaker)
            self._learn_rules()
            self.circuit.follow(breaker)

    # -- for the engine --------------------------------------------------------

    def begin_anew(self) -> None:
        """Begin as if nothing had ever been called, by no clock yet."""
        self.timeline.forget()
        self._start_anew()

    def failed_once(self, permit: Permit, error: Exception) -> None:
        """Record the error of a call that has one attempt only."""
        self.failed(permit, error)
        self.counts.failed_first += 1
        if registry.is_heard or self.reporter is not None:
            self.report(error, 1)

    def report(self, error: Exception, attempts: int) -> None:
        """Report a call that failed for good after so many *attempts*: no rejection, and no end of an iteration."""
        if isinstance(error, _NO_FAILURES):
            return
        if self.reporter is not None:
            self.reporter(error, attempts)
        else:
            registry.report(self, error, attempts)

    def retried(self, category: Category, *, ok: bool) -> None:
        """Note what came of a retry after an error of *category*."""
        now = self.timeline.now()
        with self.lock:
            (self.adaptive.succeeded if ok else self.adaptive.failed)(category, now)

    def refusal(self, wait: float) -> CircuitOpenError:
        """Return the error of a call that the breaker has refused at once."""
        if registry.is_heard:
            registry.emit(self, CallRejected, by="breaker", retry_after=wait)
        return CircuitOpenError(self.name, self.circuit.state, wait, self._failure)

    def admit(self) -> Permit:
        """Return a permit to settle or release.

        Raises:
            CircuitOpenError: The breaker refuses.
            ThrottledError: The throttle does.
        """
        now = self.timeline.now()
        with self.lock:
            permit = self.circuit.admit(now)
            throttle = self.throttle
            if throttle is not None and not isinstance(permit, Rejected):
                chance = throttle.chance(now)
                if not throttle.admit(now, registry.rng().random()):
                    self.counts.rejected += 1
                    permit = Rejected(0.0, _CLOSED)
            else:
                chance = 0.0
        if not isinstance(permit, Rejected):
            if permit.change is not None:
                self._tell(permit.change)
                permit.change = None
            return permit
        if chance:
            registry.emit(self, CallRejected, by="throttle", retry_after=0.0)
            raise ThrottledError(self.name, chance)
        wait = permit.retry_after
        if permit.state is BreakerState.HALF_OPEN:  # a probe may hold its place for long, and ends at any time
            wait = min(wait, self.circuit.settings.open_for)
        registry.emit(self, CallRejected, by="breaker", retry_after=wait)
        raise CircuitOpenError(self.name, permit.state, wait, self._failure)

    def renew(self, permit: Permit, admitted: float) -> tuple[Permit, float]:
        """Return a permit of the present generation for one given at *admitted*, and when it was given.

        Who waits for bulkhead or rate limit must not slip through a breaker that opens meanwhile.

        Raises:
            RejectedError: It did.
        """
        if self.circuit.holds(permit):
            return permit, admitted
        renewed, now = self.admit(), self.timeline.now()
        self.counts.unsent += 1
        self.release(permit, admitted)
        return renewed, now

    def succeeded(self, permit: Permit, duration: float = 0.0) -> None:
        """Record a success that could not take the short way."""
        now = self.timeline.now()
        with self.lock:
            change = self.circuit.settle(permit, ok=True, now=now, duration=duration, draw=self._draw)
            if self.throttle is not None:
                self.throttle.settle(True, now)
            self._watch()
        if change is not None:
            self._tell(change)
        if self._health is not Health.OK:
            self.feels(Health.OK, "a call succeeded")

    def failed(self, permit: Permit, error: Exception, duration: float = 0.0) -> bool:
        """Record an error; return whether it was a failure of the far end."""
        now = self.timeline.now()
        plain = is_plain(error)
        if not (plain and not self._has_rules) and not self._is_counted(error):
            with self.lock:
                self.circuit.release(permit)
                if self.throttle is not None:  # the far end answered
                    self.throttle.settle(True, now)
            return False
        self._failure = (type(error), error.args[0] if error.args else "") if plain else describe(error)
        if not self._has_drawn:  # one draw lasts until an opening has used it
            self._draw, self._has_drawn = registry.rng().random(), True
        with self.lock:
            change = self.circuit.settle(permit, ok=False, now=now, duration=duration, draw=self._draw)
            if self.throttle is not None:
                self.throttle.settle(False, now)
            self._watch()
        if change is not None:
            self._has_drawn = False
            self._tell(change)
        return True

    def release(self, permit: Permit, admitted: float | None = None) -> None:
        """Give back a permit whose call was cancelled or never made."""
        now = self.timeline.now()  # not under the lock: a new world takes both the other way round
        with self.lock:
            self.circuit.release(permit)
            if self.throttle is not None and admitted is not None:
                self.throttle.release(admitted, now)

    def pay_in(self, budget: RetryBudget) -> None:
        """Pay the first attempts made since the last time into *budget*."""
        counts = self.counts
        made = self.circuit.outcomes - counts.unsent - counts.repeated
        budget.deposit(made - self._paid.get(budget, made))  # one that is new is full, or another's business so far
        self._paid[budget] = made

    def feels(self, health: Health, why: str) -> None:
        """Note how the dependency does, and have the next success noticed if it does badly."""
        with self.lock:
            before, self._health = self._health, health
            self._watch()
        if before is not health:
            registry.emit(self, GuardHealthChanged, previous=before, health=health, why=why)

    def tell(self, change: Change) -> None:
        """Tell of a move that was made for it."""
        self._tell(change)

    def _learn_rules(self) -> None:
        breaker = self.settings.breaker
        self._counts_error = breaker.counts if isinstance(breaker, Breaker) else is_failure
        self._has_rules = isinstance(breaker, Breaker) and (breaker.ignore is not None or breaker.record is not None)

    def _is_counted(self, error: Exception) -> bool:
        try:
            return self._counts_error(error)
        except Exception as broken:  # noqa: BLE001  # the caller gets the error that it is about
            note_broken_rule(error, self.name, "Breaker.record or ignore", broken)
            return True

    def _start(self, now: float) -> tuple[Change | None, ...]:
        change = self.circuit.reset(now)
        self.counts.clear()
        self._paid.clear()
        self.budget.refill()
        self.adaptive.reset()
        if self.throttle is not None:
            self.throttle.reset()
        self._failure = None
        self._draw = 0.5
        self._has_drawn = False
        self._health = Health.OK
        armed = self._arm(now)
        self._watch()
        return change, armed

    def _make_slots(self) -> Slots | None:
        bulkhead = self.settings.bulkhead
        return None if bulkhead is None else Slots(bulkhead, self.name, self.timeline)

    def _arm(self, now: float) -> Change | None:
        return None if isinstance(self.settings.breaker, Breaker) else self.circuit.disable(now)

    def _start_anew(self) -> None:
        """Forget a past that belongs to another world; its calls give back to the old slots what they hold."""
        with self.lock:
            self.budget = RetryBudget()
            self._start(0.0)
            self.slots = self._make_slots()

    def _enter_new_world(self) -> None:
        """Begin anew, for the call that has found out that this is another world: it belongs there."""
        with self.lock:
            permit = self.circuit.permit
            self._start_anew()
            permit.seq, permit.gated = 0, self.circuit.permit.gated
            self.circuit.permit = permit
        for course in registry.users(self):
            course.forget()

    def _by_hand(self, move: Callable[[float], Change | None]) -> None:
        now = self.timeline.now()
        with self.lock:
            change = move(now)
            self._watch()
        self._tell(change)

    def _watch(self) -> None:
        """Have the next success noticed: it ends a bad health, and it may be the first in another world."""
        if self._health is not Health.OK or self.timeline.may_end:
            self.circuit.permit.gated = True

    def _tell(self, change: Change | None) -> None:
        if change is not None:
            tally = change.tally
            registry.emit(
                self,
                BreakerChanged,
                previous=change.previous,
                state=change.state,
                cause=change.cause,
                open_for=change.open_for,
                calls=0 if tally is None else tally.calls,
                failures=0 if tally is None else tally.failures,
                error=self.last_error or "",
            )
