"""A fleet of clients, each with duenna's own guard, in a runtime under trio and a virtual clock."""

from __future__ import annotations

import gc
import random
from math import inf
from typing import TYPE_CHECKING

import attrs
import trio
from _brownout import Result, Scenario, Server, Tally, result_of
from trio.testing import MockClock

import duenna
from duenna import Supervisor
from duenna.guards import AdaptiveThrottle, Aimd, Bulkhead, CircuitOpenError, Guard, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Send = Callable[[], Awaitable[None]]
    Protect = Callable[[str, random.Random, float, Send], Send]


class BusyError(Exception):
    """The server's queue was full."""


class RefusedError(Exception):
    """An open breaker refused, in words that do not forbid a retry."""


def guarded(**policies: object) -> Protect:
    """Return what puts one guard with these policies round a client's calls."""

    def protect(name: str, rng: random.Random, timeout: float, send: Send) -> Send:
        return Guard(name, attempt_timeout=timeout, rng=rng, **policies)(send)  # type: ignore[arg-type]

    return protect


def rejections_retried(attempts: int) -> Protect:
    """Return a retry round a breaker that knows nothing of it, as two libraries on top of each other make it."""

    def protect(name: str, rng: random.Random, timeout: float, send: Send) -> Send:
        inner = Guard(name, attempt_timeout=timeout, retry=None, rng=rng)(send)

        async def attempt() -> None:
            try:
                await inner()
            except CircuitOpenError:
                raise RefusedError from None  # without the breaker's `retry_after`, which the retry would wait for

        outer = Guard(f"{name}, retry", retry=Retry(attempts, budget=None, adaptive=False), breaker=None, rng=rng)
        return outer(attempt)

    return protect


@attrs.frozen
class Policy:
    """What the clients do about failures.

    Attributes:
        title: What the reader sees.
        protect: Puts the policy round a client's calls.
        recovers: What is asked of it: to recover soon, never to, or None for nothing.
    """

    title: str
    protect: Protect
    recovers: bool | None = None


PATIENT = Bulkhead(Aimd(), queue=1_000_000, max_wait=inf)
DEFAULTS = Policy("**3 attempts, budget, breaker: the defaults**", guarded(), recovers=True)
NO_RETRY = Policy("no retry", guarded(retry=None, breaker=None))
JITTER = Policy(
    "3 attempts, full jitter",
    guarded(retry=Retry(3, budget=None, adaptive=False), breaker=None),
    recovers=False,
)
ADAPTIVE = Policy("3 attempts that adapt", guarded(retry=Retry(3, budget=None), breaker=None))
BUDGET = Policy("3 attempts, budget", guarded(retry=Retry(3, adaptive=False), breaker=None))
BREAKER = Policy("3 attempts, breaker", guarded(retry=Retry(3, budget=None, adaptive=False)))
POLICIES = (
    NO_RETRY,
    JITTER,
    Policy(
        "10 attempts, full jitter",
        guarded(retry=Retry(10, budget=None, adaptive=False), breaker=None),
        recovers=False,
    ),
    ADAPTIVE,
    BUDGET,
    BREAKER,
    DEFAULTS,
    Policy("10 attempts, budget, breaker", guarded(retry=Retry(10))),
    Policy("3 attempts, breaker whose rejections are retried", rejections_retried(3)),
    Policy("10 attempts, breaker whose rejections are retried", rejections_retried(10)),
    Policy("3 attempts, budget, throttle over 120 s", guarded(breaker=AdaptiveThrottle())),
    Policy("3 attempts, budget, throttle over 10 s", guarded(breaker=AdaptiveThrottle(window=10.0))),
    Policy("the defaults and `bulkhead=Aimd()`", guarded(bulkhead=Aimd())),
    Policy(
        "3 attempts, budget, `Aimd()` for which calls wait as long as it takes", guarded(breaker=None, bulkhead=PATIENT)
    ),
)


def chance(what: str, seed: int, number: int) -> random.Random:
    """Return a generator of its own for one client process."""
    return random.Random(f"{what} {seed} {number}")  # noqa: S311 - no secrets


class Fleet:
    """The client processes of one run, each with a guard of its own, and the server that they share."""

    def __init__(self, scenario: Scenario, policy: Policy, seed: int) -> None:
        """Set it up at time 0."""
        self.tally = Tally()
        self._scenario = scenario
        self._policy = policy
        self._seed = seed
        self._server = Server(scenario)

    async def run(self) -> None:
        """Make calls until the scenario is over, and wait for the last of them."""
        tree = Supervisor("fleet", [])
        async with (
            duenna.open_runtime(tree, seed=self._seed, log_level=None),
            trio.open_nursery() as nursery,
        ):
            for number in range(self._scenario.processes):
                nursery.start_soon(self._process, number, nursery)

    async def _process(self, number: int, nursery: trio.Nursery) -> None:
        scenario, policy, seed = self._scenario, self._policy, self._seed
        name = f"{policy.title}, {scenario.rate:.0f} per second, seed {seed}, {number} of {scenario.processes}"
        call = policy.protect(name, chance("jitter", seed, number), scenario.timeout, self._send)
        arrivals = chance("arrivals", seed, number)  # the same under every policy
        while True:
            await trio.sleep(arrivals.expovariate(scenario.rate / scenario.processes))
            if trio.current_time() >= scenario.until:
                return
            nursery.start_soon(self._call, call)

    async def _call(self, call: Send) -> None:
        began = trio.current_time()
        try:
            await call()
        except (duenna.DuennaError, BusyError, RefusedError):
            is_ok = False
        else:
            is_ok = True
        self.tally.calls.append((began, trio.current_time() - began, is_ok))

    async def _send(self) -> None:
        now, scenario = trio.current_time(), self._scenario
        self.tally.sent.append(now)
        finished = self._server.offer(now)
        if finished is None:
            await trio.sleep(scenario.latency)
            raise BusyError
        answer = finished + scenario.latency
        self.tally.served.append((finished, answer < now + scenario.timeout))
        await trio.sleep_until(answer)


def simulate(scenario: Scenario, policy: Policy, seed: int) -> Result:
    """Return what becomes of one fleet."""
    fleet = Fleet(scenario, policy, seed)
    gc.disable()  # it would look through tens of thousands of waiting calls, again and again
    try:
        trio.run(fleet.run, clock=MockClock(autojump_threshold=0.0))
    finally:
        gc.enable()
        gc.collect()
    return result_of(scenario, fleet.tally)
