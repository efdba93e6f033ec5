"""An overloaded server and what becomes of the calls to it: pure, no clock of its own.

The server works on one request after the other, in the order in which they came, and knows nothing of clients that
have stopped waiting: what it does for them is dead work. Its queue has a bound; beyond it a request is refused at
once. That is all that it takes for an overload to outlive its cause: as soon as the queue is longer than the clients'
patience, every request that is served is dead by then, and every one of them comes back as a retry.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable

import attrs

HEALTHY = 0.95
"""The share of a second's calls that must succeed for the second to count as healthy."""


@attrs.frozen
class Scenario:
    """What happens to whom. Times in seconds, rates in requests per second.

    Attributes:
        rate: Calls that the fleet is asked for, all processes together; they come at random (Poisson).
        processes: Client processes; each has a guard of its own, which knows nothing of the others'.
        capacity: What the server can do.
        browned: What it can do in the brownout.
        begins: When the brownout begins.
        lasts: How long it lasts.
        after: How long the fleet is watched after it.
        queue: Requests that may wait at the server.
        latency: On the wire, there and back.
        timeout: How long an attempt waits for its answer.
        judged: Seconds after the brownout that count for what a policy costs.
    """

    rate: float = 400.0
    processes: int = 10
    capacity: float = 500.0
    browned: float = 50.0
    begins: float = 15.0
    lasts: float = 30.0
    after: float = 60.0
    queue: int = 1000
    latency: float = 0.02
    timeout: float = 1.0
    judged: float = 30.0

    @property
    def ends(self) -> float:
        """When the brownout ends."""
        return self.begins + self.lasts

    @property
    def until(self) -> float:
        """When the last call is made."""
        return self.ends + self.after


class Server:
    """A queue with a bound, and one worker whose pace the brownout changes.

    Time is counted in requests that the worker could have finished by then, so that a request that is under way when
    the pace changes is finished at the right moment.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Start idle, at time 0."""
        self._scenario = scenario
        self._busy_until = 0.0  # in requests
        browned = scenario.begins * scenario.capacity
        self._moments = (0.0, scenario.begins, scenario.ends)
        self._paces = (scenario.capacity, scenario.browned, scenario.capacity)
        self._done = (0.0, browned, browned + scenario.lasts * scenario.browned)

    def waiting(self, now: float) -> int:
        """Return the requests that it has taken and not finished."""
        return max(0, math.ceil(round(self._busy_until - self._work(now), 6)))

    def offer(self, now: float) -> float | None:
        """Take a request; return when it will be finished, or None if the queue is full."""
        if self.waiting(now) > self._scenario.queue:
            return None
        self._busy_until = max(self._busy_until, self._work(now)) + 1
        return self._moment(self._busy_until)

    def _work(self, moment: float) -> float:
        span = bisect_right(self._moments, moment) - 1
        return self._done[span] + (moment - self._moments[span]) * self._paces[span]

    def _moment(self, work: float) -> float:
        span = bisect_right(self._done, work) - 1
        return self._moments[span] + (work - self._done[span]) / self._paces[span]


@attrs.define
class Tally:
    """What was sent, what was served, and what the callers saw.

    Attributes:
        sent: When each attempt left.
        served: When the server was through with each request, and whether somebody still waited for it.
        calls: When each call began, how long it took, and whether it succeeded.
    """

    sent: list[float] = attrs.field(factory=list[float])
    served: list[tuple[float, bool]] = attrs.field(factory=list[tuple[float, bool]])
    calls: list[tuple[float, float, bool]] = attrs.field(factory=list[tuple[float, float, bool]])


@attrs.frozen
class Result:
    """One line of the table.

    Attributes:
        goodput: Calls per second that succeeded while the brownout lasted.
        succeeded: The share of the calls that succeeded, from the brownout's begin to ``judged`` seconds after it.
        wasted: The share of the server's work in that time that nobody waited for any more.
        sends: Attempts per call in that time.
        p99: The time within which 99 % of its calls were over, one way or the other, in seconds.
        recovered: Seconds from the end of the brownout until the fleet is healthy for good; None if it never is.
    """

    goodput: float
    succeeded: float
    wasted: float
    sends: float
    p99: float
    recovered: float | None


def result_of(scenario: Scenario, tally: Tally) -> Result:
    """Return what *tally* comes to."""
    last = scenario.ends + scenario.judged
    calls = [call for call in tally.calls if scenario.begins <= call[0] < last]
    served = [waited for moment, waited in tally.served if scenario.begins <= moment < last]
    sent = sum(scenario.begins <= moment < last for moment in tally.sent)
    good = sum(ok for begun, took, ok in tally.calls if scenario.begins <= begun + took < scenario.ends)
    return Result(
        goodput=good / scenario.lasts,
        succeeded=sum(ok for *_, ok in calls) / len(calls),
        wasted=1 - sum(served) / len(served),
        sends=sent / len(calls),
        p99=percentile((took for _, took, _ in calls), 0.99),
        recovered=recovery(scenario, tally.calls),
    )


def recovery(scenario: Scenario, calls: Iterable[tuple[float, float, bool]]) -> float | None:
    """Return how many whole seconds after the brownout the first healthy one begins that only healthy ones follow.

    A second is healthy if at least `HEALTHY` of the calls that began in it succeeded, however late.
    """
    made: dict[int, list[bool]] = {}
    for begun, _, ok in calls:
        if begun >= scenario.ends:
            made.setdefault(int(begun - scenario.ends), []).append(ok)
    sick = [second for second, oks in made.items() if sum(oks) < HEALTHY * len(oks)]
    first = max(sick, default=-1) + 1
    return None if first >= scenario.after else float(first)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest of *values* that at least *share* of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
