"""Every error becomes one report, and every report gets its verdict."""

import gc
import weakref

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import (
    Actor,
    AskTimeoutError,
    Child,
    Context,
    Guard,
    ManualInterventionError,
    Retry,
    Supervisor,
    open_runtime,
)
from duenna._facts import facts_of
from duenna.error_events import Source
from duenna.machines.classification import Category, Facts, Severity, Verdict
from duenna.machines.classifier import Classifier
from duenna.machines.standard import standard_classifier
from tests.runtime.messaging.support import Puppet, bot, child, crash

from .support import BadKeyError, classified, refused


async def test_crash_is_reported_with_who_what_and_when(autojump_clock: MockClock) -> None:
    """The child, its incarnation, its kind, the error, and the time of the crash."""

    class Api(Puppet):
        kind = "api"

    async with bot(child("a", Api)) as runtime, classified(runtime) as seen:
        await trio.sleep(3)
        runtime.ref("/bot/a").tell(crash(refused()))

    (event,) = seen
    report = event.report
    assert (event.time, event.path) == (3.0, "/bot/a")
    assert (report.id, report.time, report.path, report.incarnation, report.kind) == (1, 3.0, "/bot/a", 1, "api")
    assert (report.source, report.error_type) == (Source.CRASH, "ConnectionRefusedError")
    assert (report.facts.origin, report.repeats) == ("rest", None)
    assert event.verdict.category is Category.NETWORK
    assert event.verdict.transient


async def test_report_of_a_survivor_has_its_details(autojump_clock: MockClock) -> None:
    """`context.report` makes a report, with what the actor added."""
    async with bot(child("a", Puppet)) as runtime, classified(runtime) as seen:
        await runtime.ref("/bot/a").ask(lambda actor: actor.context.report(refused(), symbol="BTCUSDT", tries=3))

    (event,) = seen
    assert event.report.source is Source.REPORT
    assert event.report.context == {"symbol": "BTCUSDT", "tries": "3"}
    assert runtime.tree().children[0].incarnation == 1


async def test_failing_check_says_so(autojump_clock: MockClock) -> None:
    """A report of a connection's check is told from others."""
    async with bot(child("a", Puppet)) as runtime, classified(runtime) as seen:
        await runtime.ref("/bot/a").ask(lambda actor: actor.context.report(refused(), hook="check"))

    assert [event.report.source for event in seen] == [Source.CHECK]


async def test_failed_guard_is_reported_with_the_actor_that_called(autojump_clock: MockClock) -> None:
    """A call that fails for good is an error of the dependency, made by whoever called."""
    guard = Guard("exchange", retry=Retry(attempts=3))

    async def fail() -> None:
        raise refused()

    async def caller(context: Context) -> None:
        with pytest.raises(ConnectionRefusedError):
            await guard.call(fail)
        await trio.sleep_forever()

    async with bot(Child("a", caller)) as runtime, classified(runtime) as seen:
        await trio.sleep(60)

    (event,) = seen
    assert (event.report.source, event.report.service, event.path) == (Source.GUARD, "exchange", "/bot/a")
    assert event.report.retry_count == 2


async def test_crash_with_what_a_guard_has_reported_is_the_same_error(autojump_clock: MockClock) -> None:
    """It is reported again, by whom it ended, and counted once."""
    guard = Guard("exchange", retry=None)

    async def fail() -> None:
        raise refused()

    async def caller(context: Context) -> None:
        await trio.sleep(1)
        if context.incarnation == 1:
            await guard.call(fail)
        await trio.sleep_forever()

    async with bot(Child("a", caller)) as runtime, classified(runtime) as seen:
        await trio.sleep(60)

    assert [(event.report.source, event.report.repeats) for event in seen] == [
        (Source.GUARD, None),
        (Source.CRASH, seen[0].report.id),
    ]
    assert runtime.errors.summary().total_errors == 1


async def test_stop_is_no_error(autojump_clock: MockClock) -> None:
    """Neither an operator's stop, nor a restart by hand, nor a normal end is one."""
    async with bot(child("a", Puppet), child("b", Puppet)) as runtime, classified(runtime) as seen:
        await runtime.stop_child("/bot/a")
        await runtime.restart_child("/bot/b")
        await runtime.ref("/bot/b").ask(lambda actor: actor.context.stop())

    assert seen == []


async def test_errors_of_the_ordered_stop_are_still_classified(autojump_clock: MockClock) -> None:
    """The classifier outlives the user's tree, and empties its mailbox before it ends."""

    class Late(Actor):
        def stopping(self, reason: object) -> None:
            self.context.report(refused())

    async with open_runtime(Supervisor("bot", [Child("a", Late)]), log_level=None) as runtime:
        pass

    assert runtime.errors.summary().total_errors == 1


async def test_down_classifier_holds_nothing_up(autojump_clock: MockClock) -> None:
    """Children are restarted all the same, and the reports are judged when it is back."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.stop_child("/system/classifier")
        for _ in range(5):
            runtime.ref("/bot/a").tell(crash(refused()))
            await wait_all_tasks_blocked()
        incarnation = runtime.tree().children[0].incarnation
        before = runtime.errors.summary().total_errors
        await runtime.restart_child("/system/classifier")
        await wait_all_tasks_blocked()

    assert (incarnation, before) == (6, 0)


async def test_suspended_classifier_loses_nothing_up_to_its_bound(autojump_clock: MockClock) -> None:
    """What came while its mailbox was held is judged in order afterwards."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.suspend("/system/classifier")
        for _ in range(5):
            runtime.ref("/bot/a").tell(crash(refused()))
            await wait_all_tasks_blocked()
        held = runtime.errors.summary().total_errors
        async with classified(runtime) as seen:
            await runtime.resume("/system/classifier")

    assert held == 0
    assert [event.report.id for event in seen] == [1, 2, 3, 4, 5]
    assert runtime.errors.summary().total_errors == 5


async def test_report_does_not_keep_the_error_alive(autojump_clock: MockClock) -> None:
    """Nothing of an exception, nor of the frames it came through, stays behind."""

    class MarkedError(Exception):
        pass

    async with bot(child("a", Puppet)) as runtime:
        error = MarkedError("x")
        gone = weakref.ref(error)
        runtime.ref("/bot/a").tell(crash(error))
        del error
        await wait_all_tasks_blocked()
        gc.collect()

        assert gone() is None


async def test_authentication_error_parks_at_once_and_waits_for_a_hand(autojump_clock: MockClock) -> None:
    """To try again is of no use until somebody has changed the key, so no restart is burnt on it."""
    async with bot(child("a", Puppet, unpark_after=10.0), child("b", Puppet)) as runtime, classified(runtime) as seen:
        runtime.ref("/bot/a").tell(crash(BadKeyError()))
        await trio.sleep(80_000)
        parked, other = runtime.tree().children
        await runtime.restart_child("/bot/a")
        back = runtime.tree().children[0]

    assert (parked.state, parked.incarnation, other.state) == ("failed", 1, "running")
    assert (back.state, back.incarnation) == ("running", 2)
    assert [(event.verdict.category, event.verdict.transient) for event in seen] == [(Category.AUTH, False)]


async def test_ask_to_a_child_that_authentication_parked_fails_at_once(autojump_clock: MockClock) -> None:
    """Nobody waits out a timeout for what waits for a hand."""
    async with bot(child("a", Puppet)) as runtime:
        runtime.ref("/bot/a").tell(crash(BadKeyError()))
        await wait_all_tasks_blocked()
        began = trio.current_time()
        with pytest.raises(Exception, match="parked") as caught:
            await runtime.ref("/bot/a").ask("anything", timeout=60)

        assert trio.current_time() == began
        assert not isinstance(caught.value, AskTimeoutError)


async def test_message_that_is_no_report_is_refused_and_reported(autojump_clock: MockClock) -> None:
    """The classifier goes on, and says what it got."""
    async with bot(child("a", Puppet)) as runtime, classified(runtime) as seen:
        runtime.ref("/system/classifier").tell("nonsense")

    assert [(event.path, event.report.message) for event in seen] == [
        ("/system/classifier", "TypeError: the classifier takes an ErrorReport, got str")
    ]
    assert runtime.tree("/system/classifier").incarnation == 1


async def test_failed_cleanup_is_reported(autojump_clock: MockClock) -> None:
    """What is raised while a child is stopped is an error like others, and stops nothing."""

    class Untidy(Actor):
        def stopping(self, reason: object) -> None:
            raise ValueError("x")

    async with bot(child("a", Untidy)) as runtime, classified(runtime) as seen:
        await runtime.stop_child("/bot/a")

    assert [(event.report.source, event.report.context) for event in seen] == [(Source.REPORT, {"hook": "stopping"})]


@pytest.mark.parametrize(
    ("cause", "category"), [(None, Category.SYSTEM), (refused(), Category.NETWORK), (BadKeyError(), Category.AUTH)]
)
def test_who_asks_for_a_hand_is_serious_and_not_tried_again(cause: Exception | None, category: Category) -> None:
    """It is about what its cause is about; alone, it is about this program."""
    error = ManualInterventionError("look at it")
    error.__cause__ = cause

    verdict = standard_classifier().classify(facts_of(error))

    assert (verdict.category, verdict.severity, verdict.transient) == (category, Severity.HIGH, False)


class BrokenClassifier(Classifier):
    """Fails at every error."""

    def classify(self, facts: Facts) -> Verdict:
        raise RuntimeError(f"no rule for {len(facts.links)} links")


async def test_rules_that_fail_hold_no_restart_up(autojump_clock: MockClock) -> None:
    """Without a verdict a child is restarted by its own budget; the classifier, which fails too, is parked."""
    async with bot(child("a", Puppet), child("b", Puppet)) as runtime:
        runtime.system.classifier = BrokenClassifier()
        for _ in range(5):
            runtime.ref("/bot/a").tell(crash(refused()))
            await wait_all_tasks_blocked()

        assert [(each.state, each.incarnation) for each in runtime.tree().children] == [("running", 6), ("running", 1)]
