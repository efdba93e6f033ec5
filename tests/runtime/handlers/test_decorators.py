"""`handle_errors`: retried, reported once, raised or answered by a fallback, whatever runs the function."""

from __future__ import annotations

import asyncio
import inspect
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio

from duenna.error_events import Source
from duenna.guards import CircuitOpenError
from duenna.handlers import default, error_context, handle_errors, record_error, with_circuit_breaker
from duenna.machines.classification import Category, Severity
from duenna.settings import CircuitBreaker, ErrorHandling, Settings
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock

INSTANT = Settings(error_handling=ErrorHandling(base_delay=1e-9, max_delay=1e-9))


class Far:
    """A far end that fails as often as it is told, and counts."""

    def __init__(self, failures: float = float("inf"), error: Any = ConnectionResetError) -> None:
        self.calls = 0
        self.failures = failures
        self.error = error

    def fetch(self, symbol: str = "SOL") -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("down") if isinstance(self.error, type) else self.error
        return symbol

    async def fetch_async(self, symbol: str = "SOL") -> str:
        return self.fetch(symbol)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():  # a name is free again, whoever still holds the guard of the test before
        default.reset()
        yield
        default.reset()


def reports() -> list[Any]:
    return [event.report for event in default.errors.recent]


class TestRetries:
    def test_a_plain_function_with_no_loop(self) -> None:
        default.configure(INSTANT)
        far = Far(failures=2)

        assert handle_errors("fetch", "market")(far.fetch)("BTC") == "BTC"

        assert (far.calls, reports()) == (3, [])

    @pytest.mark.parametrize("retries", [0, 1, 3])
    def test_n_retries_are_n_more_attempts_every_time(self, retries: int) -> None:
        """No budget denies one, and they do not become fewer."""
        default.configure(INSTANT)
        far = Far()
        fetch = handle_errors("fetch", "market", max_retries=retries)(far.fetch)

        for _ in range(12):
            with pytest.raises(ConnectionResetError):
                fetch()

        assert far.calls == 12 * (retries + 1)
        assert [report.retry_count for report in reports()] == [retries] * 12

    async def test_under_trio_the_waits_are_those_of_the_settings(self, autojump_clock: MockClock) -> None:
        far = Far()
        fetch = handle_errors("fetch", "market")(far.fetch_async)

        with pytest.raises(ConnectionResetError):
            await fetch()

        assert (far.calls, trio.current_time()) == (4, 10.0 + 30.0 + 60.0)

    async def test_settings_that_change_hold_from_the_next_call_on(self, autojump_clock: MockClock) -> None:
        far = Far()
        fetch = handle_errors("fetch", "market")(far.fetch_async)
        with pytest.raises(ConnectionResetError):
            await fetch()
        began = trio.current_time()

        default.configure(Settings(error_handling=ErrorHandling(max_retries=1, base_delay=2.0)))
        with pytest.raises(ConnectionResetError):
            await fetch()

        assert (far.calls, trio.current_time() - began) == (4 + 2, 2.0)

    async def test_retry_after_is_a_floor(self, autojump_clock: MockClock) -> None:
        error = ConnectionResetError("busy")
        error.retry_after = 25.0  # type: ignore[attr-defined]
        far = Far(failures=1, error=error)

        await handle_errors("fetch", "market")(far.fetch_async)()

        assert trio.current_time() == 25.0

    def test_under_asyncio(self) -> None:
        default.configure(INSTANT)
        far = Far(failures=2)

        assert asyncio.run(handle_errors("fetch", "market")(far.fetch_async)()) == "SOL"

        assert far.calls == 3

    async def test_a_plain_function_in_a_loop_does_not_block_it(self) -> None:
        far = Far()
        fetch = handle_errors("fetch", "market", fallback_value="old")(far.fetch)

        assert fetch() == "old"

        assert far.calls == 1

    def test_threads(self) -> None:
        default.configure(INSTANT)
        far = [Far(failures=1) for _ in range(8)]

        def work(number: int) -> None:
            for _ in range(50):
                far[number].calls = 0
                handle_errors("fetch", "market")(far[number].fetch)()
                far[number].calls = -9
                with pytest.raises(ConnectionResetError):
                    handle_errors("fetch", "market", max_retries=0)(far[number].fetch)()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert default.errors.total == 8 * 50
        assert len({report.id for report in reports()}) == 400

    @pytest.mark.parametrize("error", [ValueError("bad price"), TypeError("a bug"), KeyError("close_15m")])
    def test_what_is_not_transient_is_tried_once(self, error: Exception) -> None:
        far = Far(error=error)

        with pytest.raises(type(error)):
            handle_errors("fetch", "market")(far.fetch)()

        assert far.calls == 1

    def test_an_unknown_outcome_is_never_tried_again(self) -> None:
        class HalfDoneError(ConnectionError):
            outcome_unknown = True

        far = Far(error=HalfDoneError)

        with pytest.raises(HalfDoneError):
            handle_errors("place", "order", max_retries=3)(far.fetch)()

        assert far.calls == 1

    def test_a_timeout_of_an_order_may_have_had_an_effect(self) -> None:
        """The component says whose code it is, as the kind of an actor does."""
        default.configure(INSTANT)
        order, market = Far(error=TimeoutError), Far(error=TimeoutError)

        for component, far in (("order", order), ("market", market)):
            with pytest.raises(TimeoutError):
                handle_errors("send", component)(far.fetch)()

        assert (order.calls, market.calls) == (1, 4)


class TestReports:
    def test_what_a_report_says(self) -> None:
        far = Far(error=ValueError("bad price"))

        with pytest.raises(ValueError, match="bad price"):
            handle_errors("parse", "market")(far.fetch)()

        (event,) = default.errors.recent
        report = event.report
        assert (report.operation, report.service, report.source) == ("parse", "market", Source.HANDLER)
        assert (report.error_type, report.path, report.id) == ("ValueError", "/", 1)
        assert report.verdict == event.verdict
        assert default.errors.summary().errors_by_service == {"market": 1}

    def test_the_error_is_the_one_that_was_raised(self) -> None:
        error = ValueError("bad price")

        with pytest.raises(ValueError, match="bad price") as caught:
            handle_errors("parse", "market")(Far(error=error).fetch)()

        assert caught.value is error

    def test_within_one_another_the_inner_reports(self) -> None:
        far = Far(error=ValueError("bad price"))
        inner = handle_errors("parse", "market")(far.fetch)
        outer = handle_errors("trade", "bot")(partial(inner, "BTC"))

        with error_context("run", "main", account=7), pytest.raises(ValueError, match="bad price"):
            outer()

        (report,) = reports()
        assert (report.operation, report.service, report.context) == ("parse", "market", {"account": "7"})

    def test_an_object_that_is_raised_again_is_reported_again(self) -> None:
        fetch = handle_errors("parse", "market", fallback_value=None)(Far(error=ValueError("same")).fetch)

        fetch()
        fetch()

        assert len(reports()) + default.errors.repeated == 2


class TestFallback:
    @pytest.mark.parametrize("value", [None, 0, "old"])
    def test_an_explicit_none_is_one(self, value: object) -> None:
        fetch = handle_errors("fetch", "market", max_retries=0, fallback_value=value)(Far().fetch)

        assert fetch() == value
        assert len(reports()) == 1

    async def test_async(self) -> None:
        fetch = handle_errors("fetch", "market", max_retries=0, fallback_value=None)(Far().fetch_async)

        assert await fetch() is None

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
    def test_what_is_no_exception_passes(self, error: type[BaseException]) -> None:
        with pytest.raises(error):
            handle_errors("fetch", "market", fallback_value=None)(Far(error=error).fetch)()

        assert reports() == []

    async def test_a_cancelled_call_is_neither_swallowed_nor_reported(self, autojump_clock: MockClock) -> None:
        @handle_errors("fetch", "market", fallback_value="old")
        async def fetch() -> str:
            await trio.sleep_forever()
            return "new"

        with trio.move_on_after(1.0) as scope:
            await fetch()

        assert (scope.cancelled_caught, reports()) == (True, [])

    async def test_cancelled_in_its_wait(self, autojump_clock: MockClock) -> None:
        with trio.move_on_after(1.0) as scope:
            await handle_errors("fetch", "market", fallback_value="old")(Far().fetch_async)()

        assert (scope.cancelled_caught, reports(), trio.current_time()) == (True, [], 1.0)


class TestTargets:
    def test_a_function_keeps_its_looks(self) -> None:
        @handle_errors("fetch", "market")
        async def fetch(symbol: str, *, limit: int = 5) -> str:
            """Fetch."""
            return f"{symbol}{limit}"

        assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch.")
        assert str(inspect.signature(fetch)) == "(symbol: 'str', *, limit: 'int' = 5) -> 'str'"
        assert inspect.iscoroutinefunction(fetch)

    def test_methods_of_all_kinds(self) -> None:
        class Client:
            name = "c"

            @handle_errors("a", "client")
            def plain(self) -> str:
                return self.name

            @handle_errors("b", "client")
            @classmethod
            def of_class(cls) -> str:
                return cls.name

            @handle_errors("c", "client")
            @staticmethod
            def static(value: str) -> str:
                return value

            @with_circuit_breaker("client-static")
            @staticmethod
            def guarded(value: str) -> str:
                return value

        client = Client()
        assert (client.plain(), Client.of_class(), client.static("s"), client.guarded("g")) == ("c", "c", "s", "g")

    def test_a_partial(self) -> None:
        assert handle_errors("fetch", "market")(partial(Far(failures=0).fetch, "ETH"))() == "ETH"

    @pytest.mark.parametrize("decorator", [handle_errors("fetch", "market"), with_circuit_breaker("market")])
    def test_what_is_refused(self, decorator: Any) -> None:
        def items() -> Iterator[int]:
            yield 1

        async def async_items() -> Any:
            yield 1

        generators: list[Any] = [items, async_items]
        for target in generators:
            with pytest.raises(TypeError, match=r"is a generator: its errors come when it is iterated"):
                decorator(target)
        others: list[Any] = [Far, 3]
        for target in others:
            with pytest.raises(TypeError, match=r"^[a-z_]+: a function is needed, got "):
                decorator(target)

    def test_a_plain_function_that_returns_a_coroutine_is_a_mistake_that_no_fallback_hides(self) -> None:
        def later() -> Any:
            return Far().fetch_async()

        fetch = handle_errors("fetch", "market", fallback_value=None)(later)

        with pytest.raises(TypeError, match="is a plain function that returned a coroutine"):
            fetch()

    def test_wrong_arguments(self) -> None:
        with pytest.raises(TypeError, match=r"^handle_errors: an operation is needed"):
            handle_errors(Far().fetch)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^handle_errors: operation must be a text that is not empty, got ''$"):
            handle_errors("")
        with pytest.raises(TypeError, match=r"^handle_errors: component must be a text, got 3$"):
            handle_errors("fetch", 3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^handle_errors: max_retries must be >= 0, got -1$"):
            handle_errors("fetch", max_retries=-1)
        with pytest.raises(TypeError, match=r"^with_circuit_breaker: a name is needed"):
            with_circuit_breaker(Far().fetch)  # type: ignore[arg-type]


class TestBreaker:
    async def test_defaults_are_those_of_the_settings(self, autojump_clock: MockClock) -> None:
        far = Far()
        fetch = with_circuit_breaker("binance")(far.fetch_async)

        for _ in range(5):
            with pytest.raises(ConnectionResetError):
                await fetch()
        with pytest.raises(CircuitOpenError) as caught:
            await fetch()

        assert (far.calls, caught.value.retry_after) == (5, 60.0)
        assert [(report.service, report.source) for report in reports()] == [("binance", Source.GUARD)] * 5

    async def test_it_follows_the_settings_at_once(self, autojump_clock: MockClock) -> None:
        far = Far()
        fetch = with_circuit_breaker("binance")(far.fetch_async)
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await fetch()

        breaker = CircuitBreaker(failure_threshold=3, recovery_timeout=7.0)
        default.configure(Settings(error_handling=ErrorHandling(circuit_breaker=breaker)))

        with pytest.raises(ConnectionResetError):
            await fetch()
        with pytest.raises(CircuitOpenError) as caught:
            await fetch()
        assert caught.value.retry_after == 7.0
        another = with_circuit_breaker("binance")(far.fetch_async)  # decorated later, it agrees with the first
        with pytest.raises(CircuitOpenError):
            await another()

    def test_what_is_given_stays(self) -> None:
        far = Far()
        fetch = with_circuit_breaker("binance", failure_threshold=1, recovery_timeout=3600.0)(far.fetch)
        default.configure(INSTANT)

        with pytest.raises(ConnectionResetError):
            fetch()
        with pytest.raises(CircuitOpenError):
            fetch()

    def test_two_that_disagree(self) -> None:
        first = with_circuit_breaker("binance", failure_threshold=1)

        with pytest.raises(ValueError, match=r"^guard 'binance': there is one of this name with breaker="):
            with_circuit_breaker("binance", failure_threshold=2)
        assert first(Far(failures=0).fetch)() == "SOL"

    def test_a_name_is_free_when_nothing_uses_it_any_more(self) -> None:
        for threshold in (1, 2, 3):
            with_circuit_breaker("binance", failure_threshold=threshold)(Far(failures=0).fetch)()

    def test_within_handle_errors_the_last_attempt_alone_is_reported(self) -> None:
        default.configure(INSTANT)
        far = Far()
        fetch = handle_errors("fetch", "market")(with_circuit_breaker("binance")(far.fetch))

        with pytest.raises(ConnectionResetError):
            fetch()

        (report,) = reports()
        assert (far.calls, report.service, report.retry_count) == (4, "market", 3)


class TestRecordError:
    def test_label_and_severity_are_the_callers(self) -> None:
        report = record_error("api_timeout", ConnectionResetError("down"), context={"try": 2}, severity="critical")

        assert (report.label, report.context) == ("api_timeout", {"try": "2"})
        assert report.verdict is not None
        assert (report.verdict.severity, report.verdict.category) == (Severity.CRITICAL, Category.NETWORK)
        assert default.errors.summary().errors_by_type == {"api_timeout": 1}

    def test_a_text_will_do(self) -> None:
        report = record_error("odd_answer", "nothing came", component="market")

        assert (report.error_type, report.service) == ("duenna.handlers.handler.RecordedError", "market")
        assert "nothing came" in report.message

    def test_wrong_arguments(self) -> None:
        with pytest.raises(TypeError, match=r"^record_error: error_type must be a text that is not empty, got ''$"):
            record_error("", "x")
        with pytest.raises(TypeError, match=r"^record_error: error must be an exception or a text, got 3$"):
            record_error("x", 3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^record: severity must be one of 'LOW', .*, got 'WORSE'$"):
            record_error("x", "y", severity="worse")

    def test_secrets_do_not_leave(self) -> None:
        report = record_error("auth", ValueError("api_key='abcdef0123456789abcdef'"), context={"password": "hunter22"})

        assert "abcdef0123456789" not in msgspec.json.encode(report).decode()
        assert "hunter22" not in msgspec.json.encode(report).decode()
