"""A gate that guards share: what holds whoever asks, waits, is cancelled or banned, in whatever order."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from duenna.guards import RateLimit, RateLimitedError
from tests.runtime.guards import virtual_asyncio

if TYPE_CHECKING:
    from collections.abc import Sequence

# Sums, products and quotients of these are exact, so the bounds hold to the last bit.
times = st.integers(0, 32).map(lambda n: n / 8)
weights = st.integers(0, 8).map(lambda n: n / 4)
gates = st.builds(
    lambda rate, burst, max_wait: (rate * 4 + burst, 4.0, burst, max_wait),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from([2.0, 3.0]),
    st.one_of(times, st.just(math.inf)),
)


@attrs.frozen
class Ask:
    """A caller: comes, asks for so much, waits for so long, unless it is cancelled before."""

    comes: float
    weight: float
    left: float
    cancelled_after: float


@attrs.frozen
class Block:
    """A ban of all calls."""

    comes: float
    seconds: float


steps = st.one_of(
    st.builds(Ask, comes=times, weight=weights, left=st.one_of(times, st.just(math.inf)), cancelled_after=times),
    st.builds(Ask, comes=times, weight=weights, left=st.just(math.inf), cancelled_after=st.just(math.inf)),
    st.builds(Block, comes=times, seconds=times),
)


@attrs.define
class Host:
    """The other side: writes down what comes."""

    gate: RateLimit
    sent: list[tuple[float, float]] = attrs.field(factory=list)
    refused: int = 0

    def receive(self, ask: Ask, now: float, began: float) -> None:
        assert self.gate.blocked_for == 0.0
        assert now - began <= min(self.gate.max_wait, max(0.0, ask.left))
        self.sent.append((now, ask.weight))

    def refuse(self, error: RateLimitedError) -> None:
        assert error.retry_after > 0
        self.refused += 1

    def check(self) -> None:
        statistics = self.gate.statistics()
        assert statistics.waiting == 0
        assert statistics.calls == len(self.sent)
        assert statistics.taken == sum(weight for _, weight in self.sent)
        assert statistics.refused == self.refused
        for first, (begin, _) in enumerate(self.sent):
            within = [weight for at, weight in self.sent[first:] if at <= begin + self.gate.per]
            assert sum(within) <= self.gate.limit


def in_trio(host: Host, script: Sequence[Ask | Block]) -> None:
    gate = host.gate

    async def follow(step: Ask | Block) -> None:
        await trio.sleep(step.comes)
        if isinstance(step, Block):
            gate.block(step.seconds)
            return
        began = trio.current_time()
        with trio.CancelScope(relative_deadline=step.cancelled_after):
            try:
                await gate.acquire(step.weight, step.left)
            except RateLimitedError as error:
                host.refuse(error)
            else:
                host.receive(step, trio.current_time(), began)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for step in script:
                nursery.start_soon(follow, step)
        host.check()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def in_asyncio(host: Host, script: Sequence[Ask | Block]) -> None:
    gate = host.gate
    loop = virtual_asyncio.VirtualLoop()

    async def ask(step: Ask) -> None:
        began = loop.time()
        try:
            await gate.acquire(step.weight, step.left)
        except RateLimitedError as error:
            host.refuse(error)
        else:
            host.receive(step, loop.time(), began)

    async def follow(step: Ask | Block) -> None:
        await asyncio.sleep(step.comes)
        if isinstance(step, Block):
            gate.block(step.seconds)
            return
        task = asyncio.create_task(ask(step))
        await asyncio.wait([task], timeout=None if step.cancelled_after == math.inf else step.cancelled_after)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None, task.exception()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for step in script:
                group.create_task(follow(step))
        host.check()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def host_of(gate: tuple[float, float, float, float]) -> Host:
    limit, per, burst, max_wait = gate
    return Host(RateLimit(limit, per, burst=burst, max_wait=max_wait))


@given(gates, st.lists(steps, max_size=16))
def test_the_host_never_gets_more_than_the_limit_under_trio(
    gate: tuple[float, float, float, float], script: list[Ask | Block]
) -> None:
    in_trio(host_of(gate), script)


@given(gates, st.lists(steps, max_size=16))
def test_the_host_never_gets_more_than_the_limit_under_asyncio(
    gate: tuple[float, float, float, float], script: list[Ask | Block]
) -> None:
    in_asyncio(host_of(gate), script)
