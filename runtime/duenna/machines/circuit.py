"""A breaker at work: who may call, and what the outcomes mean.

Theory of operation. Every move begins a new *generation*, with a new, empty window and a new permit. An
outcome of an older generation is counted as late and changes nothing else.

Where calls pass (closed, disabled, metrics_only) all calls of a generation share its permit, so that a call
that succeeds needs no clock, no lock, no try/finally and no object of its own. A shell inlines it so::

    permit = circuit.permit
    if not permit.gated:
        value = call()
        if not permit.gated:
            permit.seq += 1
            return value

and takes the long way whenever ``gated`` is true: `Circuit.admit` before the call, `Circuit.settle` or
`Circuit.release` after it. ``gated`` is true where

- calls do not simply pass (open, half_open, forced_open);
- the permit is of an older generation: it is set when its generation ends, hence the second look;
- each call must be timed (``slow_call``) or dated (a window over seconds);
- the window is still filling and holds so many failures that the *success* that brings it to
  ``minimum_calls`` opens the breaker. In a full window a success can only lower the rate;
- a shell has set it, to be told of the next outcome.

``seq`` numbers the outcomes of the generation; see `window` for why that is enough. A failure always goes
through `Circuit.settle`. Between a look at ``gated`` and ``seq += 1`` an interpreter with a lock of its own
switches no threads; everything else here wants a lock round it where threads share a circuit.

In half_open each call has a `Probe` of its own. At most ``probes`` are out; each is given back by its
outcome, by a release, or to whoever asks after ``probe_timeout``. The outcome of a probe that lost its place
so still counts: it tells something about the far end, and a far end slower than the timeout would
otherwise never be trusted again.
"""

import math

import attrs

from duenna.machines.breaker import BY_HAND, TRANSITIONS, Breaker, BreakerState, Cause, Per
from duenna.machines.permit import Change, CircuitStatistics, Counters, Permit, Probe, Rejected
from duenna.machines.window import CountWindow, Tally, TimeWindow

_CLOSED, _OPEN, _HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
_WATCHED = frozenset({BreakerState.CLOSED, BreakerState.METRICS_ONLY})
_PASSING = _WATCHED | {BreakerState.DISABLED}


@attrs.define(eq=False)
class Circuit:
    """One breaker at work. All times are monotonic seconds.

    Attributes:
        settings: What it was told to do.
        since: When the state was entered.
        state: Whether calls pass. It stays open until a call comes after ``until``.
        until: When an open circuit lets a probe through.
        generation: Counts the moves.
        openings: Openings since it was last closed.
        permit: The permit of the generation; see the module for what a shell may do with it.
    """

    settings: Breaker
    since: float = 0.0
    state: BreakerState = attrs.field(default=_CLOSED, init=False)
    until: float = attrs.field(default=0.0, init=False)
    generation: int = attrs.field(default=0, init=False)
    openings: int = attrs.field(default=0, init=False)
    permit: Permit = attrs.field(init=False)
    _window: CountWindow | TimeWindow | None = attrs.field(init=False)
    _probes: list[Probe] = attrs.field(factory=list[Probe], init=False)
    _passed: int = attrs.field(default=0, init=False)
    _counters: Counters = attrs.field(factory=Counters, init=False)
    _minimum: int = attrs.field(init=False)
    _slow_call: float = attrs.field(init=False)
    _is_measured: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Look up once what every call asks for."""
        self._minimum = self.settings.least_calls
        self._slow_call = math.inf if self.settings.slow_call is None else self.settings.slow_call
        self._is_measured = self.settings.slow_call is not None or self.settings.per == Per.SECONDS
        self._begin()

    @property
    def outcomes(self) -> int:
        """Calls since it was made or reset that have ended, in whatever way."""
        return self._counters.calls + self.permit.seq + self._counters.released

    @property
    def is_unused(self) -> bool:
        """Whether no call has ended or was refused since it was made or reset."""
        return not (self.outcomes or self._counters.rejected)

    def admit(self, now: float) -> Permit | Rejected:
        """Return a permit to settle or release, or how long to wait for one."""
        state = self.state
        if state is _CLOSED:
            return self.permit
        wait = self.retry_after(now)
        if wait:
            self._counters.rejected += 1
            return Rejected(wait, state)
        if state is _OPEN:
            return self._probe(now, self._move(Cause.WAITED, now))
        return self._probe(now) if state is _HALF_OPEN else self.permit

    def holds(self, permit: Permit) -> bool:
        """Return whether *permit* is of this generation."""
        return permit.generation == self.generation if isinstance(permit, Probe) else permit is self.permit

    def retry_after(self, now: float) -> float:
        """Return how many seconds a call would have to wait, 0 if it would be let through."""
        state = self.state
        if state is _OPEN:
            until = self.until
        elif state is _HALF_OPEN and len(self._probes) >= self.settings.probes:
            until = min(probe.expires for probe in self._probes)
        else:
            return math.inf if state is BreakerState.FORCED_OPEN else 0.0
        wait = until - now
        while now + wait < until:  # the difference was rounded down
            wait = math.nextafter(wait, math.inf)
        return wait if wait > 0 else 0.0

    def refuse(self, now: float) -> float:
        """Count a rejection if no call is let through at all; return the wait, 0 if a call should ask `admit`."""
        state = self.state
        if state is _OPEN:
            until = self.until
            wait = until - now
            if wait <= 0:
                return 0.0
            if now + wait < until:  # the difference was rounded down
                wait = self.retry_after(now)
        elif state is BreakerState.FORCED_OPEN:
            wait = math.inf
        else:
            return 0.0
        self._counters.rejected += 1
        return wait

    def settle(
        self, permit: Permit, *, ok: bool, now: float, duration: float = 0.0, draw: float = 0.5
    ) -> Change | None:
        """Record the outcome of a call.

        Args:
            permit: What it was admitted with.
            ok: Whether it succeeded.
            now: When it ended.
            duration: How long it took, in seconds; looked at with ``slow_call`` only.
            draw: A random number in [0, 1) for the jitter, should this open the circuit; 0.5 is none.

        Returns:
            The move that this made, None if it made none.
        """
        slow = duration > self._slow_call
        if permit is self.permit:
            permit.seq += 1
            if ok and not permit.gated:
                return None
            self._counters.failures += not ok
            self._counters.slow += slow
            return self._judge(permit, now, ok=ok, slow=slow, draw=draw)
        if isinstance(permit, Probe) and not self._take_back(permit):
            return None
        self._counters.calls += 1
        self._counters.failures += not ok
        self._counters.slow += slow
        if isinstance(permit, Probe) and permit.generation == self.generation:
            return self._judge_probe(now, ok=ok and not slow, draw=draw)
        self._counters.late += 1
        return None

    def release(self, permit: Permit) -> None:
        """Give back a permit whose call was cancelled or whose error is ignored: neither success nor failure."""
        if not isinstance(permit, Probe) or self._take_back(permit):
            self._counters.released += 1

    def force_open(self, now: float) -> Change | None:
        """Refuse all calls until a hand says otherwise."""
        return self._by_hand(Cause.FORCE_OPEN, now)

    def disable(self, now: float) -> Change | None:
        """Let all calls pass; count them, but judge nothing."""
        return self._by_hand(Cause.DISABLE, now)

    def metrics_only(self, now: float) -> Change | None:
        """Let all calls pass; keep the window, but never open."""
        return self._by_hand(Cause.METRICS_ONLY, now)

    def close(self, now: float) -> Change | None:
        """Let calls pass and judge them, from an empty window unless it was closed already."""
        return self._by_hand(Cause.CLOSE, now)

    def reset(self, now: float) -> Change | None:
        """Begin anew: closed, with an empty window and counters of 0. Outcomes of calls before this are late."""
        previous, change = self.state, self._move(Cause.RESET, now)
        self._counters = Counters()
        return None if previous is self.state else change

    def restore(self, now: float, *, openings: int, left: float, lasted: float) -> Change | None:
        """Be open at *now*, as an earlier process left it; None, and no change, unless it is closed.

        It stays so for no longer than the settings allow: the clocks of two processes may disagree.

        Args:
            now: Monotonic seconds.
            openings: Openings since it was last closed, this one included; less than 1 counts as 1.
            left: Seconds until a probe is let through; 0 or less: the next call is one.
            lasted: Seconds for which it was open already; less than 0 counts as 0.
        """
        if self.state is not _CLOSED:
            return None
        self.openings = max(1, openings)
        wait = min(max(0.0, left), self.settings.opening(self.openings, 1.0))
        change = self._move(Cause.RESTORED, now, wait)
        self.until = now + wait
        self.since = now - max(0.0, lasted)
        return change

    def statistics(self, now: float) -> CircuitStatistics:
        """Return the counters."""
        seq = self.permit.seq
        return self._counters.statistics(self.state, self.since, seq, self._tally(seq, now))

    def _judge(self, permit: Permit, now: float, *, ok: bool, slow: bool, draw: float) -> Change | None:
        """Record an outcome of this generation; open if the window says so."""
        window = self._window
        permit.gated = self._is_measured and window is not None
        if window is None:
            return None
        window.record(permit.seq, now, failed=not ok, slow=slow)
        if self.state is not _CLOSED:
            return None
        # Quotients, not products: 11 / 20 == 0.55, but 0.55 * 20 > 11.
        settings, calls = self.settings, window.calls
        if calls < self._minimum:
            permit.gated = self._is_measured or window.failures / self._minimum >= settings.failure_rate
            return None
        if window.failures / calls >= settings.failure_rate:
            return self._open(Cause.FAILURES, now, draw)
        if window.slow / calls >= settings.slow_rate:
            return self._open(Cause.SLOW_CALLS, now, draw)
        return None

    def _tally(self, seq: int, now: float) -> Tally | None:
        window = self._window
        if window is None:
            return None
        window.forget(seq, now)
        return Tally(window.calls, window.failures, window.slow)

    def _judge_probe(self, now: float, *, ok: bool, draw: float) -> Change | None:
        if not ok:
            return self._open(Cause.PROBE_FAILED, now, draw)
        self._passed += 1
        return self._move(Cause.PROBES_PASSED, now) if self._passed >= self.settings.success_threshold else None

    def _probe(self, now: float, change: Change | None = None) -> Probe:
        if len(self._probes) >= self.settings.probes:
            held = [probe for probe in self._probes if probe.expires > now]
            self._counters.expired += len(self._probes) - len(held)
            self._probes = held
        probe = Probe(generation=self.generation, expires=now + self.settings.probe_timeout, change=change)
        self._probes.append(probe)
        return probe

    def _take_back(self, probe: Probe) -> bool:
        """Return whether this is the first that is told of the end of *probe*."""
        if probe.is_over:
            return False
        probe.is_over = True
        if probe in self._probes:
            self._probes.remove(probe)
        return True

    def _open(self, cause: Cause, now: float, draw: float) -> Change:
        self.openings += 1
        self._counters.opened += 1
        wait = self.settings.opening(self.openings, draw)
        self.until = now + wait
        return self._move(cause, now, wait)

    def _by_hand(self, cause: Cause, now: float) -> Change | None:
        if self.state is BY_HAND[cause]:
            return None
        return self._move(cause, now, math.inf if cause is Cause.FORCE_OPEN else 0.0)

    def _move(self, cause: Cause, now: float, open_for: float = 0.0) -> Change:
        previous, lasted = self.state, now - self.since
        tally = self._tally(self.permit.seq, now)
        self.state = TRANSITIONS[previous, cause]
        self.since = now
        self.generation += 1
        self._counters.calls += self.permit.seq
        self.permit.gated = True
        self._begin()
        return Change(previous, self.state, cause, lasted, open_for, tally)

    def _begin(self) -> None:
        """Begin a generation."""
        state, settings = self.state, self.settings
        if state is _CLOSED:
            self.openings = 0
        self.permit = Permit(gated=state not in _PASSING or (self._is_measured and state in _WATCHED))
        self._probes = []
        self._passed = 0
        if state not in _WATCHED:
            self._window = None
        elif settings.per == Per.SECONDS:
            self._window = TimeWindow(settings.window)
        else:
            self._window = CountWindow(int(settings.window))
