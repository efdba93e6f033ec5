"""What stands in for a call that failed, for which errors, and in which order."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.guards import Fallback, Outcome
from duenna.guards.fallback import Failed, NoFallbackError
from tests.runtime.guards import virtual_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from trio.testing import MockClock

ERROR = ConnectionError("gone")


def fetch(*args: Any, **kwargs: Any) -> Any:
    raise ERROR


def failed(*args: Any, error: Exception = ERROR, **kwargs: Any) -> Failed:
    return Failed(error, fetch, args, kwargs)


async def both(fallback: Fallback, call: Failed) -> Outcome:
    """Return what stands in for a plain and for an async call: the same."""
    outcome = await fallback.use(call)
    assert fallback.use_sync(call) == outcome
    return outcome


@pytest.mark.parametrize("value", [None, 0, [], "x"])
async def test_a_value_stands_in_none_included(value: object) -> None:
    outcome = await both(Fallback.value(value), failed())

    assert outcome == Outcome(value, is_degraded=True, source="value", age=0.0, error=ERROR)
    assert outcome.value is value


def test_an_answer_is_not_degraded() -> None:
    assert Outcome(1) == Outcome(1, is_degraded=False, source="call", age=0.0, error=None)


async def test_a_function_gets_the_arguments_of_the_call() -> None:
    fallback = Fallback.call(lambda *args, **kwargs: (args, kwargs))

    outcome = await both(fallback, failed("BTC", 5, limit=3))

    assert outcome == Outcome((("BTC", 5), {"limit": 3}), is_degraded=True, source="function", error=ERROR)


async def test_an_async_function_is_awaited(autojump_clock: MockClock) -> None:
    async def replica(symbol: str) -> str:
        await trio.sleep(1.0)
        return f"{symbol} from the replica"

    start = trio.current_time()
    outcome = await Fallback.call(replica).use(failed("BTC"))

    assert outcome == Outcome("BTC from the replica", is_degraded=True, source="function", error=ERROR)
    assert trio.current_time() - start == 1.0


def test_an_async_function_is_awaited_under_asyncio() -> None:
    async def replica(symbol: str) -> str:
        await asyncio.sleep(1.0)
        return symbol

    assert virtual_asyncio.run(Fallback.call(replica).use(failed("BTC"))).value == "BTC"


async def test_a_function_that_returns_an_awaitable_is_awaited() -> None:
    assert (await Fallback.call(make_replica).use(failed())).value is None


async def test_a_fallback_that_is_cancelled_is_cancelled() -> None:
    fallback = Fallback.call(trio.sleep_forever, otherwise=Fallback.value(1))

    with trio.CancelScope() as scope:
        scope.cancel()
        await fallback.use(failed())

    assert scope.cancelled_caught


async def replica(*args: object) -> None: ...


def make_replica() -> Coroutine[object, object, None]:
    return replica()


class Replica:
    async def __call__(self) -> None: ...
    async def method(self) -> None: ...
    def plain(self) -> None: ...


@pytest.mark.parametrize(
    ("fallback", "is_async"),
    [
        (Fallback.value(1), False),
        (Fallback.call(fetch), False),
        (Fallback.call(Replica().plain), False),
        (Fallback.call(Replica), False),
        (Fallback.call(replica), True),
        (Fallback.call(partial(partial(replica, 1), 2)), True),
        (Fallback.call(Replica()), True),
        (Fallback.call(Replica().method), True),
        (Fallback.last_good(1, otherwise=Fallback.call(replica)), True),
        (Fallback.last_good(1), False),
    ],
)
def test_what_needs_an_async_guard_says_so(fallback: Fallback, is_async: bool) -> None:
    assert fallback.is_async is is_async


def test_a_plain_call_refuses_an_async_function_at_the_latest_when_it_is_used() -> None:
    """A function that only turns out to be async when it is called: nothing is left unawaited."""
    with pytest.raises(
        TypeError, match=r"^Fallback.call: a plain function needs a plain one to stand in, but .* is async$"
    ):
        Fallback.call(make_replica).use_sync(failed())


async def test_what_the_fallback_raises_comes_out_as_it_is() -> None:
    def worse() -> None:
        raise LookupError("no replica")

    with pytest.raises(LookupError, match=r"^no replica$"):
        await Fallback.call(worse).use(failed())
    with pytest.raises(LookupError, match=r"^no replica$"):
        Fallback.call(worse).use_sync(failed())


class Boom(Exception):  # noqa: N818
    pass


def raise_boom(*args: object) -> None:
    raise Boom


@pytest.mark.parametrize(
    ("on", "error", "is_meant"),
    [
        (Exception, ValueError(), True),
        (ConnectionError, ConnectionResetError(), True),
        (ConnectionError, ValueError(), False),
        ((ValueError, KeyError), KeyError(), True),
        (lambda error: "busy" in str(error), OSError("busy"), True),
        (lambda error: "busy" in str(error), OSError("down"), False),
        (ConnectionError, ExceptionGroup("both", [ConnectionError(), ConnectionError()]), True),
        (ConnectionError, ExceptionGroup("both", [ConnectionError(), ValueError()]), False),
    ],
)
async def test_only_errors_that_are_meant_are_covered_up(on: Any, error: Exception, is_meant: bool) -> None:
    for fallback in Fallback.value(1, on=on), Fallback.call(lambda: 1, on=on):
        if is_meant:
            assert (await both(fallback, failed(error=error))).value == 1
        else:
            with pytest.raises(NoFallbackError):
                await fallback.use(failed(error=error))
            with pytest.raises(NoFallbackError):
                fallback.use_sync(failed(error=error))


async def test_causes_are_looked_through() -> None:
    error = RuntimeError("translated")
    error.__cause__ = ConnectionError()

    assert (await both(Fallback.value(1, on=ConnectionError), failed(error=error))).value == 1


async def test_otherwise_stands_in_for_a_fallback_that_fails() -> None:
    fallback = Fallback.call(raise_boom, otherwise=Fallback.value(2))

    assert (await both(fallback, failed())).value == 2


async def test_otherwise_stands_in_for_a_memory_that_has_nothing() -> None:
    fallback = Fallback.last_good(1.0, otherwise=Fallback.call(lambda x: x + 1))

    assert (await both(fallback, failed(1))).value == 2


async def test_when_all_fail_the_last_error_comes_out() -> None:
    def worse() -> None:
        raise LookupError("no replica")

    with pytest.raises(Boom):
        await Fallback.call(worse, otherwise=Fallback.call(raise_boom)).use(failed())
    with pytest.raises(Boom):  # a memory that has nothing is no failure, and hides none
        await Fallback.call(raise_boom, otherwise=Fallback.last_good(1.0)).use(failed())


async def test_otherwise_is_for_errors_that_both_mean() -> None:
    fallback = Fallback.call(raise_boom, on=OSError, otherwise=Fallback.value(2, on=ConnectionError))

    assert (await both(fallback, failed(error=ConnectionError()))).value == 2
    with pytest.raises(Boom):
        await fallback.use(failed(error=FileNotFoundError()))
    with pytest.raises(NoFallbackError):
        await fallback.use(failed(error=ValueError()))
    with pytest.raises(NoFallbackError):
        await Fallback.last_good(1.0, on=OSError, otherwise=Fallback.value(2)).use(failed(error=ValueError()))


async def test_the_last_good_answer_stands_in() -> None:
    fallback = Fallback.last_good(60.0)
    memory = fallback.memory()
    assert memory is not None
    memory.remember(fetch, ("BTC",), {}, 7, 100.0)

    outcome = await both(fallback, Failed(ERROR, fetch, ("BTC",), {}, memory, 130.0))

    assert outcome == Outcome(7, is_degraded=True, source="last_good", age=30.0, error=ERROR)
    with pytest.raises(NoFallbackError):
        await fallback.use(Failed(ERROR, fetch, ("ETH",), {}, memory, 130.0))
    with pytest.raises(NoFallbackError):
        await fallback.use(Failed(ERROR, fetch, ("BTC",), {}, memory, 160.0))


async def test_a_none_that_was_the_last_good_answer_stands_in() -> None:
    fallback = Fallback.last_good(60.0, otherwise=Fallback.value("other"))
    memory = fallback.memory()
    assert memory is not None
    memory.remember(fetch, (), {}, None, 0.0)

    outcome = await both(fallback, Failed(ERROR, fetch, (), {}, memory, 0.0))

    assert (outcome.value, outcome.source) == (None, "last_good")


def test_only_a_chain_with_last_good_has_a_memory() -> None:
    assert Fallback.value(1).memory() is None
    assert not Fallback.value(1).remembers
    chain = Fallback.call(fetch, otherwise=Fallback.last_good(1.0, max_keys=3))
    assert chain.remembers
    first, second = chain.memory(), chain.memory()
    assert first is not None
    assert first is not second


async def test_nothing_keeps_the_errors_alive() -> None:
    class Precious(Exception):  # noqa: N818
        pass

    def worse() -> None:
        raise Precious

    async def use() -> weakref.ref[Exception]:
        try:
            await Fallback.call(worse).use(failed(error=Precious()))
        except Precious as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        assert (await use())() is None
    finally:
        gc.enable()


def generate() -> Iterator[int]:
    yield 1


async def generate_async() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Fallback.call(1), TypeError, "Fallback.call: function must be callable, got 1"),  # type: ignore[arg-type]
        (
            lambda: Fallback.call(generate),
            TypeError,
            "Fallback.call: function must return its value, got .*, which is a generator",
        ),
        (
            lambda: Fallback.call(generate_async),
            TypeError,
            "Fallback.call: function must return .*, which is a generator",
        ),
        (
            lambda: Fallback.call(partial(generate)),
            TypeError,
            "Fallback.call: function must return .*, which is a generator",
        ),
        (lambda: Fallback.value(1, on=3), TypeError, "Fallback: on must be exception classes or a function .*, got 3"),
        (lambda: Fallback.last_good(0), ValueError, "Fallback.last_good: max_age must be > 0 seconds, got 0"),
        (lambda: Fallback.last_good(True), TypeError, "Fallback.last_good: max_age must be a number, got True"),
        (lambda: Fallback.last_good(1, max_keys=0), ValueError, "Fallback.last_good: max_keys must be >= 1, got 0"),
        (lambda: Fallback.last_good(1, key="x"), TypeError, "Fallback.last_good: key must be callable, got 'x'"),  # type: ignore[arg-type]
        (
            lambda: Fallback.last_good(1, key=replica),
            TypeError,
            "Fallback.last_good: key must be a plain function, got .*, which is async",
        ),
        (lambda: Fallback.last_good(1, otherwise=2), TypeError, "Fallback: otherwise must be a Fallback, got 2"),  # type: ignore[arg-type]
        (
            lambda: Fallback.last_good(1, otherwise=Fallback.call(fetch, otherwise=Fallback.last_good(2))),
            ValueError,
            "Fallback: one last_good is enough, but otherwise has another",
        ),
    ],
)
def test_what_is_no_fallback_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        make()


def test_a_memory_may_be_of_any_age() -> None:
    assert Fallback.last_good(math.inf).remembers
