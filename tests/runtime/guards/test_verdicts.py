"""A guard asks the classifier what to try again, adapts to what came of it, and reports what failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff, Breaker, Child, Fallback, Guard, Retry, Supervisor, open_runtime
from duenna.error_events import ErrorClassified, Source
from duenna.guards import CircuitOpenError
from duenna.guards._registry import registry
from duenna.guards._verdicts import Judge
from duenna.handlers import error_context
from duenna.machines.classification import Category, Facts, Severity, Verdict
from duenna.machines.classifier import Classifier
from duenna.machines.rules import Rule
from duenna.testing import rehearse
from tests.runtime.guards.far_end import FarEnd, HttpError, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock

NETWORK = Category.NETWORK


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield
    registry.classify_by(None)


def guard(attempts: int = 3, **policies: Any) -> Guard:
    retry = Retry(attempts, backoff=Backoff.none(), budget=None, **policies.pop("retrying", {}))
    return Guard("api", **({"retry": retry, "breaker": None} | policies))


def tries(guarded: Guard, error: BaseException) -> int:
    far = FarEnd([error])
    with pytest.raises(type(error)):
        guarded.call_sync(far.get)
    return far.calls


class OddError(Exception):
    """No rule knows it."""


class TestWhatIsTriedAgain:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (ConnectionResetError("reset"), 3),
            (TimeoutError("timed out"), 3),
            (HttpError(503), 3),
            (HttpError(429), 3),
            (HttpError(401), 1),
            (ValueError("no such symbol"), 1),
            (KeyError("close_15m"), 1),
            (TypeError("a bug"), 1),
            (Exception("API key invalid"), 1),
            (OddError("what no rule knows is taken at its word"), 3),
            (ExceptionGroup("all", [ConnectionResetError("reset"), TimeoutError("timed out")]), 3),
            (ExceptionGroup("some", [ConnectionResetError("reset"), ValueError("bad")]), 1),
        ],
        ids=repr,
    )
    def test_what_the_classifier_calls_transient(self, error: Exception, expected: int) -> None:
        assert tries(guard(), error) == expected

    def test_rules_of_the_users_own(self) -> None:
        rule = Rule(name="mine", types=("ValueError",), texts=("glitch",), category=NETWORK, transient=True)
        registry.classify_by(Classifier((rule,)))

        assert tries(guard(), ValueError("a glitch")) == 3
        assert tries(guard(), ValueError("no glass")) == 1

    async def test_those_of_the_runtime_that_runs_here(self, autojump_clock: MockClock) -> None:
        rule = Rule(name="mine", types=("OddError",), category=Category.DATA, severity=Severity.LOW, transient=False)
        far = FarEnd([OddError("odd")])

        async def idle(context: Any) -> None:
            await context.stop_requested.wait()

        async with open_runtime(Supervisor("bot", [Child("idle", idle)]), rules=[rule]):
            with pytest.raises(OddError):
                await guard().call(far.fetch)

        assert far.calls == 1

    def test_what_handled_another_error_has_nothing_to_do_with_it(self) -> None:
        """The context of an error is that of its caller."""
        far = FarEnd([ConnectionResetError("reset")])

        def refuse() -> None:
            raise PermissionError("API key invalid")

        try:
            refuse()
        except PermissionError:
            with pytest.raises(ConnectionResetError):
                guard().call_sync(far.get)

        assert far.calls == 3

    def test_a_retry_after_in_the_verdict_is_a_floor(self) -> None:
        rule = Rule(name="mine", texts=("glitch",), category=NETWORK, transient=True, retry_after=7.0)
        registry.classify_by(Classifier((rule,)))

        plan = rehearse(guard(2), [ConnectionError("a glitch"), "up"])

        assert [attempt.at for attempt in plan.attempts] == [0.0, 7.0]

    def test_one_that_is_too_long_ends_the_call(self) -> None:
        rule = Rule(name="mine", texts=("glitch",), category=NETWORK, transient=True, retry_after=61.0)
        registry.classify_by(Classifier((rule,)))

        assert tries(guard(), ConnectionError("a glitch")) == 1


class CountingClassifier:
    """Says the same of everything."""

    def __init__(self) -> None:
        self.asked = 0

    def classify(self, facts: Facts) -> Verdict:
        self.asked += 1
        return Verdict(category=NETWORK, severity=Severity.MEDIUM, transient=True, rule=facts.origin)


class TestMemory:
    def test_of_plain_errors_by_type_text_and_origin(self) -> None:
        classifier = CountingClassifier()
        judge = Judge(classifier)  # type: ignore[arg-type]  # a fake of it

        for _ in range(3):
            judge.verdict(ConnectionError("down"))
            judge.verdict(ConnectionError("up"))
            judge.verdict(TimeoutError("down"))
            judge.verdict(TimeoutError("down"), "order")

        assert classifier.asked == 4
        assert judge.verdict(TimeoutError("down"), "order").rule == "order"

    def test_not_of_errors_that_say_more_than_their_text(self) -> None:
        classifier = CountingClassifier()
        judge = Judge(classifier)  # type: ignore[arg-type]  # a fake of it

        for _ in range(3):
            judge.verdict(HttpError(503))

        assert classifier.asked == 3

    def test_it_is_bounded(self) -> None:
        judge = Judge(CountingClassifier())  # type: ignore[arg-type]  # a fake of it
        for number in range(2500):
            judge.verdict(ConnectionError(f"down {number}"))
        judge.verdict(ConnectionError("x" * 201))

        assert len(judge._known) == 500

    def test_of_a_large_group_the_first_are_judged(self) -> None:
        classifier = CountingClassifier()
        judge = Judge(classifier)  # type: ignore[arg-type]  # a fake of it
        errors = [ConnectionError(f"down {number}") for number in range(10_000)]

        assert judge.is_worth(ExceptionGroup("all", errors))
        assert judge.is_transient(ExceptionGroup("all", errors))
        assert not judge.is_worth(ExceptionGroup("all", [*errors, TypeError("a bug")]))
        assert classifier.asked == 32


class TestAdaptive:
    async def test_attempts_shrink_while_retries_fail_and_come_back(self, autojump_clock: MockClock) -> None:
        guarded = guard(3)
        far = FarEnd([ConnectionResetError("reset")])
        made: list[int] = []
        for _ in range(12):
            before = far.calls
            with pytest.raises(ConnectionResetError):
                await guarded.call(far.fetch)
            made.append(far.calls - before)

        # Ten failing retries change nothing; then there are fewer, and the last call makes none.
        assert made == [3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2]
        statistics = guarded.statistics()
        (strained,) = statistics.strained
        assert (strained.category, strained.stretch) == (NETWORK, 8**strained.level)
        assert strained.level == pytest.approx(0.8)

        with pytest.raises(ConnectionResetError) as caught:
            await guarded.call(far.fetch)
        assert guarded.statistics().adapted == statistics.adapted + 1
        assert caught.value.__notes__[-1].endswith("retries of this kind keep failing")

        await trio.sleep(60.0)
        before = far.calls
        with pytest.raises(ConnectionResetError):
            await guarded.call(far.fetch)
        assert far.calls - before == 3

    def test_successful_retries_bring_them_back(self) -> None:
        guarded = guard(2)
        for _ in range(20):
            tries(guarded, ConnectionResetError("reset"))
        assert tries(guarded, ConnectionResetError("reset")) == 1

        for _ in range(3):
            guarded.dependency.retried(NETWORK, ok=True)

        assert guarded.call_sync(FarEnd([ConnectionResetError("reset"), 5]).get) == 5
        assert guarded.statistics().strained == ()

    def test_categories_are_apart(self) -> None:
        guarded = guard(2)
        for _ in range(20):
            tries(guarded, ConnectionResetError("reset"))

        assert tries(guarded, ConnectionResetError("reset")) == 1
        assert tries(guarded, HttpError(429)) == 2

    async def test_the_waits_stretch_up_to_their_cap(self, autojump_clock: MockClock) -> None:
        backoff = Backoff.exponential(1.0, maximum=5.0, jitter="none")
        guarded = Guard("api", retry=Retry(2, backoff=backoff, budget=None), breaker=None)
        adaptive = guarded.dependency.adaptive
        waits: list[float] = []
        for failures in (0, 10, 13, 14):
            adaptive.reset()
            for _ in range(failures):
                adaptive.failed(NETWORK, trio.current_time())
            began = trio.current_time()
            with pytest.raises(ConnectionResetError):
                await guarded.call(FarEnd([ConnectionResetError("reset")]).fetch)
            waits.append(trio.current_time() - began)

        assert waits[:2] == [1.0, 1.0]
        assert waits[2:] == pytest.approx([8**0.3, 8**0.4])

    async def test_a_stretched_wait_is_not_begun_past_the_deadline(self, autojump_clock: MockClock) -> None:
        guarded = Guard("api", retry=Retry(2, backoff=Backoff.steps(1.0), budget=None), breaker=None, deadline=1.5)
        for _ in range(14):
            guarded.dependency.adaptive.failed(NETWORK, 0.0)

        with pytest.raises(ConnectionResetError) as caught:
            await guarded.call(FarEnd([ConnectionResetError("reset")]).fetch)

        assert trio.current_time() == 0.0
        assert caught.value.__notes__[-1].endswith("the deadline is too near")

    def test_one_call_is_one_witness(self) -> None:
        """However many retries a lone caller configured, one call that fails is no reason to make fewer."""
        assert [tries(guard(50), ConnectionResetError("reset")) for _ in range(3)] == [50, 50, 50]

    def test_it_can_be_turned_off(self) -> None:
        guarded = guard(2, retrying={"adaptive": False})

        assert [tries(guarded, ConnectionResetError("reset")) for _ in range(40)] == [2] * 40
        assert guarded.statistics().strained == ()

    def test_reset_forgets(self) -> None:
        guarded = guard(2)
        for _ in range(30):
            tries(guarded, ConnectionResetError("reset"))

        guarded.reset()

        assert tries(guarded, ConnectionResetError("reset")) == 2

    def test_guards_of_a_name_learn_together(self) -> None:
        guarded = guard(2)
        for _ in range(20):
            guarded.dependency.retried(NETWORK, ok=False)

        assert tries(guarded.with_(retry=Retry(5, backoff=Backoff.none(), budget=None)), ConnectionResetError("x")) == 1

    def test_rejections_teach_nothing(self) -> None:
        guarded = guard(2, breaker=Breaker.consecutive(1, open_for=1e6))
        tries(guarded, ConnectionResetError("reset"))
        for _ in range(40):
            with pytest.raises(CircuitOpenError):
                guarded.call_sync(FarEnd([5]).get)

        assert guarded.dependency.adaptive.is_calm

    def test_wrong_use(self) -> None:
        with pytest.raises(TypeError, match=r"^Retry: adaptive must be True or False, got 1$"):
            Retry(adaptive=1)  # type: ignore[arg-type]


class TestReports:
    @pytest.mark.parametrize(
        ("policies", "error", "retries"),
        [
            ({}, ConnectionResetError("reset"), 2),
            ({}, ValueError("not transient"), 0),
            ({"retry": None}, ConnectionResetError("reset"), 0),
            ({"retry": None, "deadline": 5.0}, ConnectionResetError("reset"), 0),
        ],
    )
    async def test_a_call_that_failed_for_good(
        self, autojump_clock: MockClock, policies: dict[str, Any], error: Exception, retries: int
    ) -> None:
        async def caller(context: Any) -> None:
            with pytest.raises(type(error)):
                await guard(**policies).call(FarEnd([error]).fetch)
            await context.stop_requested.wait()

        async with open_runtime(Supervisor("bot", [Child("caller", caller)])) as runtime:
            await trio.testing.wait_all_tasks_blocked()
            (event,) = runtime.errors.recent

        report = event.report
        assert (report.source, report.service, report.path) == (Source.GUARD, "api", "/bot/caller")
        assert (report.retry_count, report.error_type) == (retries, type(error).__name__)

    async def test_with_what_is_around_it(self, autojump_clock: MockClock) -> None:
        """The block that the error leaves afterwards does not report it again: its words would be lost."""
        async with self._idle() as runtime:
            async with error_context("rebalance", "portfolio", swallow=True, symbol="SOL"):
                await guard(1).call(FarEnd([ConnectionResetError("reset")]).fetch)
            await trio.testing.wait_all_tasks_blocked()
            (event,) = runtime.errors.recent

        report = event.report
        assert (report.service, report.operation, report.context["symbol"]) == ("api", "rebalance", "SOL")

    async def test_one_that_a_fallback_answers_too(self, autojump_clock: MockClock) -> None:
        async with self._idle() as runtime:
            answered = guard(1, fallback=Fallback.value(7))
            assert await answered.call(FarEnd([ConnectionResetError("reset")]).fetch) == 7
            await trio.testing.wait_all_tasks_blocked()

            assert runtime.errors.total == 1

    async def test_neither_rejections_nor_the_end_of_an_iteration(self, autojump_clock: MockClock) -> None:
        async with self._idle() as runtime:
            forced = guard(1, breaker=Breaker())
            forced.force_open()
            with pytest.raises(CircuitOpenError):
                await forced.call(FarEnd([1]).fetch)
            ended = Guard("ended", retry=None)
            with pytest.raises(StopAsyncIteration):
                await ended.call(FarEnd([StopAsyncIteration()]).fetch)
            await trio.testing.wait_all_tasks_blocked()

            assert runtime.errors.total == 0

    async def test_neither_a_rehearsal(self, autojump_clock: MockClock) -> None:
        async with self._idle() as runtime:
            rehearse(guard(2), [ConnectionResetError("reset")])
            await trio.testing.wait_all_tasks_blocked()

            assert runtime.errors.total == 0

    async def test_from_another_thread(self) -> None:
        async with self._idle() as runtime:
            with runtime.events(ErrorClassified) as events:
                await trio.to_thread.run_sync(tries, guard(2), ConnectionResetError("reset"))
                event = await anext(aiter(events))

        assert isinstance(event, ErrorClassified)
        assert (event.report.service, event.report.path) == ("api", "/")

    def _idle(self) -> Any:
        async def idle(context: Any) -> None:
            await context.stop_requested.wait()

        return open_runtime(Supervisor("bot", [Child("idle", idle)]))
