"""`error_context`: what leaves a block is reported once, with all that is known there, and perhaps swallowed."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna._scope import current
from duenna.handlers import ErrorHandler, default, error_context, record_error
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from trio.testing import MockClock


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():  # a name is free again, whoever still holds the guard of the test before
        default.reset()
        yield
        default.reset()


def reports() -> list[Any]:
    return [event.report for event in default.errors.recent]


def test_a_block_that_ends_well_says_nothing() -> None:
    with error_context("fetch", "market"):
        pass

    assert reports() == []


def test_the_error_goes_on() -> None:
    with pytest.raises(ValueError, match="bad"), error_context("fetch", "market", symbol="SOL"):
        raise ValueError("bad")

    (report,) = reports()
    assert (report.operation, report.service, report.context) == ("fetch", "market", {"symbol": "SOL"})


def test_or_is_swallowed() -> None:
    with error_context("fetch", "market", swallow=True):
        raise ValueError("bad")

    assert len(reports()) == 1


async def test_async_under_trio(autojump_clock: MockClock) -> None:
    async with error_context("fetch", "market", swallow=True):
        await trio.sleep(5.0)
        raise ValueError("bad")

    assert [report.time for report in reports()] == [5.0]


def test_async_under_asyncio() -> None:
    async def main() -> None:
        async with error_context("fetch", "market", swallow=True):
            await asyncio.sleep(0)
            raise ValueError("bad")

    asyncio.run(main())

    assert len(reports()) == 1


def test_nested_the_inner_reports_with_the_context_of_all() -> None:
    with (
        pytest.raises(ValueError, match="bad"),
        error_context("run", "bot", account=7, symbol="all"),
        error_context("fetch", symbol="SOL"),
    ):
        raise ValueError("bad")

    (report,) = reports()
    assert (report.operation, report.service) == ("fetch", "bot")
    assert report.context == {"account": "7", "symbol": "SOL"}


def test_an_error_made_of_another_is_another() -> None:
    def fetch() -> None:
        with error_context("fetch", "market"):
            raise ValueError("bad")

    def run() -> None:
        try:
            fetch()
        except ValueError as error:
            raise RuntimeError("no price") from error

    with pytest.raises(RuntimeError, match="no price"), error_context("run", "bot"):
        run()

    assert [report.operation for report in reports()] == ["fetch", "run"]


def test_what_was_recorded_inside_is_not_reported_again() -> None:
    error = ValueError("bad")

    def run() -> None:
        record_error("odd", error)
        raise error

    with pytest.raises(ValueError, match="bad"), error_context("run", "bot"):
        run()

    (report,) = reports()
    assert (report.label, report.service) == ("odd", "bot")


async def test_tasks_are_within_the_block_that_started_them() -> None:
    """The group that leaves the nursery holds only what was reported inside."""

    async def fetch(symbol: str) -> None:
        with error_context("fetch", symbol=symbol):
            raise ValueError(symbol)

    with error_context("run", "bot", swallow=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch, "SOL")
            nursery.start_soon(fetch, "BTC")

    assert sorted(report.context["symbol"] for report in reports()) == ["BTC", "SOL"]
    assert {report.service for report in reports()} == {"bot"}


async def test_a_group_with_something_new_is_reported() -> None:
    with error_context("run", "bot", swallow=True):
        error = ValueError("old")
        record_error("odd", error)
        raise ExceptionGroup("both", [error, ValueError("new")])

    assert len(reports()) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_is_no_exception_passes(error: type[BaseException]) -> None:
    with pytest.raises(error), error_context("fetch", "market", swallow=True):
        raise error

    assert reports() == []


def test_a_group_that_holds_such_passes_too() -> None:
    with pytest.raises(BaseExceptionGroup), error_context("fetch", "market", swallow=True):
        raise BaseExceptionGroup("both", [ValueError("bad"), KeyboardInterrupt()])

    assert reports() == []


async def test_cancellation_passes(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1.0) as scope:
        async with error_context("fetch", "market", swallow=True):
            await trio.sleep_forever()

    assert (scope.cancelled_caught, reports()) == (True, [])


def test_one_object_is_for_one_block_at_a_time() -> None:
    block = error_context("fetch", "market", swallow=True)
    for _ in range(2):
        with block:
            raise ValueError("bad")
    assert len(reports()) == 2

    with block, pytest.raises(RuntimeError, match=r"^error_context: this one is in use, make another for each block$"):
        block.__enter__()
    with pytest.raises(RuntimeError, match=r"^error_context: left without being entered$"):
        block.__exit__(None, None, None)


def test_a_generator_that_is_finished_elsewhere_leaves_no_trace() -> None:
    def items() -> Generator[int]:
        with error_context("iterate", "odd"):
            yield 1

    here = items()
    next(here)
    thread = threading.Thread(target=here.close)
    thread.start()
    thread.join()
    del here

    assert current() is None
    with error_context("fetch", "market", swallow=True):
        raise ValueError("bad")
    assert reports()[-1].service == "market"


def test_an_operation_that_ended_elsewhere_is_passed_over() -> None:
    """What is around it still is."""

    def items() -> Generator[int]:
        with error_context("iterate", "odd"):
            yield 1

    with error_context("fetch", "market"):
        here = items()
        next(here)
        thread = threading.Thread(target=here.close)
        thread.start()
        thread.join()
        around = current()

    assert around is not None
    assert around.operation == "fetch"


def test_threads_do_not_share_their_surroundings() -> None:
    seen: list[str] = []

    def work() -> None:
        with error_context("fetch", swallow=True):
            raise ValueError("bad")

    with error_context("run", "bot"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    seen = [report.service for report in reports()]
    assert seen in (["/"], [""])


def test_a_handler_of_ones_own() -> None:
    mine = ErrorHandler()
    with error_context("fetch", "market", swallow=True, handler=mine):
        raise ValueError("bad")

    assert (mine.errors.total, default.errors.total) == (1, 0)


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match=r"^error_context: operation must be a text that is not empty, got None$"):
        error_context(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^error_context: swallow must be True or False, got 1$"):
        error_context("fetch", swallow=1)  # type: ignore[arg-type]
