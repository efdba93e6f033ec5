"""A breaker at work whose settings may change."""

import math

import attrs

from duenna.machines.breaker import Breaker, BreakerState, Per
from duenna.machines.circuit import Circuit
from duenna.machines.window import CountWindow, TimeWindow

_WATCHED = frozenset({BreakerState.CLOSED, BreakerState.METRICS_ONLY})


@attrs.define(eq=False)
class LiveCircuit(Circuit):
    """A `Circuit` that can follow other settings without a break."""

    def follow(self, settings: Breaker) -> None:
        """Follow *settings* from now on, in whatever state it is.

        A window over calls keeps its failures as far as the new one reaches back, so that what is
        about to open opens with the next; any other that changes begins anew. What is open stays
        so until as long after its opening as the new settings say, jitter apart; probes that are
        out keep their time.
        """
        before, self.settings = self.settings, settings
        self._minimum = settings.least_calls
        self._slow_call = math.inf if settings.slow_call is None else settings.slow_call
        self._is_measured = settings.slow_call is not None or settings.per == Per.SECONDS
        if self.state is BreakerState.OPEN:
            self.until = self.since + settings.opening(self.openings, 0.5)
        if self.state not in _WATCHED:
            return
        window = self._window
        if isinstance(window, CountWindow) and settings.per == Per.CALLS:
            window.size = int(settings.window)
        elif (before.per, before.window) != (settings.per, settings.window):
            is_timed = settings.per == Per.SECONDS
            self._window = TimeWindow(settings.window) if is_timed else CountWindow(int(settings.window))
        self.permit.gated = True  # the next outcome is judged by the new settings, and says how to go on
