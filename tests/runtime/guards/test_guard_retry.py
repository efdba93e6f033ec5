"""Retries of a guard: what is tried again, and how often."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from duenna import Backoff
from duenna.guards import (
    AttemptTimeoutError,
    BadResultError,
    CircuitOpenError,
    Guard,
    Retry,
)
from duenna.machines.retry import Retry as PlainRetry
from tests.runtime.guards.far_end import HANGS, BoomError, Draws, FarEnd, HttpError, caused_by, give, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


class OtherError(Exception):
    """Another failure."""


class UnknownOutcomeError(Exception):
    """Says that it may have had an effect."""

    outcome_unknown = True


class NothingHappenedError(Exception):
    """Says that it had none."""

    outcome_unknown = False


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(attempts: int = 3, wait: float = 1.0, **settings: Any) -> Guard:
    """Return a guard that only retries, each time after the same wait."""
    retry = Retry(attempts, backoff=Backoff.steps(wait), **settings)
    return Guard("api", retry=retry, breaker=None)


class TestWhat:
    @pytest.mark.parametrize(
        ("on", "error", "is_tried_again"),
        [
            (BoomError, BoomError(), True),
            (BoomError, OtherError(), False),
            ((OtherError, OSError), TimeoutError(), True),
            ([OtherError], OtherError(), True),
            (lambda error: "again" in str(error), BoomError("again"), True),
            (lambda error: "again" in str(error), BoomError("never"), False),
            (BoomError, ExceptionGroup("both", [BoomError(), BoomError()]), True),
            (BoomError, ExceptionGroup("nested", [ExceptionGroup("", [BoomError()])]), True),
            (BoomError, ExceptionGroup("mixed", [BoomError(), OtherError()]), False),
            (OtherError, caused_by(caused_by(OtherError())), True),
            (OtherError, caused_by(ExceptionGroup("both", [OtherError(), OtherError()])), True),
            (OtherError, caused_by(KeyError()), False),
            (ExceptionGroup, ExceptionGroup("mixed", [BoomError(), OtherError()]), True),
        ],
    )
    def test_by_type_by_function_through_groups_and_causes(
        self, on: Any, error: Exception, *, is_tried_again: bool
    ) -> None:
        far = FarEnd([error, "up"])

        with suppress(Exception):
            assert guard(2, 0.0, on=on).call_sync(far.get) == "up"

        assert far.calls == 1 + is_tried_again

    @pytest.mark.parametrize(
        ("error", "is_tried_again"),
        [
            (BoomError(), True),
            (OSError(), True),
            (TimeoutError(), True),
            (HttpError(500), True),
            (HttpError(503, retry_after=0.0), True),
            (HttpError(429), True),
            (HttpError(418), True),
            (HttpError(408), True),
            (HttpError(425), True),
            (HttpError(400), False),
            (HttpError(401), False),
            (HttpError(404), False),
            (HttpError(499), False),
            (caused_by(HttpError(404)), False),
            (caused_by(HttpError(502)), True),
            (ExceptionGroup("", [BoomError(), HttpError(404)]), False),
            (TypeError(), False),
            (AttributeError(), False),
            (NameError(), False),
            (AssertionError(), False),
            (NotImplementedError(), False),
            (ZeroDivisionError(), False),
            (RecursionError(), False),
            (MemoryError(), False),
            (ImportError(), False),
            (CircuitOpenError("another", "open", 1.0), False),
            (ExceptionGroup("", [CircuitOpenError("another", "open", 1.0)]), False),
        ],
    )
    def test_by_default_the_error_is_taken_at_its_word(self, error: Exception, *, is_tried_again: bool) -> None:
        far = FarEnd([error, "up"])

        with suppress(Exception):
            guard(2, 0.0).call_sync(far.get)

        assert far.calls == 1 + is_tried_again

    def test_cancellation_and_exits_are_never_tried_again(self) -> None:
        far = FarEnd([KeyboardInterrupt])

        with pytest.raises(KeyboardInterrupt):
            guard(on=BaseException).call_sync(far.get)

        assert far.calls == 1

    async def test_by_result(self, autojump_clock: MockClock) -> None:
        far = FarEnd([None, [], 7])

        assert await guard(3, on_result=lambda value: not value).call(far.fetch) == 7

        assert far.at == [0.0, 1.0, 2.0]

    def test_a_result_that_is_never_good(self) -> None:
        far = FarEnd([None, []])

        with pytest.raises(BadResultError) as caught:
            guard(2, 0.0, on_result=lambda value: not value).call_sync(far.get)

        assert str(caught.value) == "guard 'api': a result that is not accepted: []"
        assert (caught.value.value, caught.value.guard) == ([], "api")
        assert caught.value.__notes__[0].endswith("no attempts are left")

    def test_a_result_that_is_not_accepted_is_a_failure_of_the_breaker(self) -> None:
        judged = Guard("judged", retry=Retry(1, on_result=lambda value: value is None))

        for answer in (None, 1):
            with suppress(BadResultError):
                judged.call_sync(FarEnd([answer]).get)

        assert judged.statistics().window == (2, 1, 0)

    def test_a_result_is_judged_whatever_errors_are_tried_again(self) -> None:
        far = FarEnd([None, 7])

        assert guard(2, 0.0, on=OSError, on_result=lambda value: value is None).call_sync(far.get) == 7

    def test_a_rule_that_fails_is_told_and_the_caller_gets_his_error(self) -> None:
        def rule(error: BaseException) -> bool:
            raise OtherError

        with pytest.raises(BoomError) as caught:
            guard(on=rule).call_sync(FarEnd().get)

        note = "duenna: guard 'api': Retry.on could not judge this error, it raised OtherError"
        assert caught.value.__notes__ == [note]


class TestIdempotent:
    @pytest.mark.parametrize(
        ("error", "is_sent_again"),
        [
            (BoomError(), False),
            (UnknownOutcomeError(), False),
            (TimeoutError(), False),
            (ConnectionResetError(), False),
            (HttpError(503), False),
            (NothingHappenedError(), True),
            (ConnectionRefusedError(), True),
            (ExceptionGroup("", [ConnectionRefusedError(), ConnectionRefusedError()]), True),
            (ExceptionGroup("", [ConnectionRefusedError(), TimeoutError()]), False),
            (caused_by(ConnectionRefusedError()), True),
        ],
    )
    def test_an_ambiguous_outcome_is_never_tried_again(self, error: Exception, *, is_sent_again: bool) -> None:
        far = FarEnd([error, "placed"])
        place = Guard("orders", retry=Retry(2, backoff=Backoff.none()), breaker=None, idempotent=False)

        with suppress(Exception):
            place.call_sync(far.get)

        assert far.calls == 1 + is_sent_again
        if not is_sent_again:
            assert error.__notes__[0].endswith("it may have had an effect and must not have two")

    def test_a_refused_connection_that_is_being_handled_says_nothing_of_the_order(self) -> None:
        far = FarEnd([TimeoutError])
        place = Guard("orders", retry=Retry(3, backoff=Backoff.none()), breaker=None, idempotent=False)

        try:
            give(ConnectionRefusedError)
        except ConnectionRefusedError:
            with pytest.raises(TimeoutError):
                place.call_sync(far.get)

        assert far.calls == 1

    async def test_an_attempt_that_was_cut_off_is_ambiguous(self, autojump_clock: MockClock) -> None:
        far = FarEnd([HANGS])
        place = Guard("orders", retry=Retry(3), attempt_timeout=1.0, idempotent=False)

        with pytest.raises(AttemptTimeoutError):
            await place.call(far.fetch)

        assert far.calls == 1

    def test_a_result_that_is_not_accepted_is_ambiguous(self) -> None:
        far = FarEnd([None])
        place = Guard("orders", retry=Retry(3, on_result=lambda value: value is None), idempotent=False)

        with pytest.raises(BadResultError):
            place.call_sync(far.get)

        assert far.calls == 1


class FrozenError(Exception):
    """Takes no attributes, and so no notes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


@pytest.mark.parametrize("notes", ["none can be added", "they are no list"])
def test_an_error_that_takes_no_notes_is_raised_all_the_same(notes: str) -> None:
    error: Exception = FrozenError()
    if notes == "they are no list":
        error = BoomError()
        error.__notes__ = ()  # type: ignore[assignment]

    with pytest.raises((FrozenError, BoomError)) as caught:
        guard(2, 0.0).call_sync(FarEnd([error]).get)

    assert caught.value is error


class TestPresets:
    @pytest.mark.parametrize(
        ("retry", "attempts", "longest"),
        [
            (Retry.api(), 6, [2.0, 4.0, 8.0, 16.0, 32.0]),
            (Retry.database(), 4, [0.5, 1.0, 2.0]),
            (Retry.read(), 4, [0.5, 1.0, 2.0]),
            (Retry.read(5), 6, [0.5, 1.0, 2.0, 4.0, 8.0]),
            (Retry.write(), 2, [0.5]),
            (Retry.write(2), 3, [0.5, 1.0]),
            (Retry.critical(), 1, []),
            (Retry.critical(1), 2, [0.5]),
            (Retry.none(), 1, []),
            (Retry(), 3, [0.5, 1.0]),
        ],
        ids=["api", "database", "read", "read 5", "write", "write 2", "critical", "critical 1", "none", "default"],
    )
    async def test_how_often_and_how_long_at_most(
        self, autojump_clock: MockClock, retry: Retry, attempts: int, longest: list[float]
    ) -> None:
        far = FarEnd()

        with suppress(BoomError):
            await Guard("api", retry=retry, breaker=None, rng=Draws(1.0)).call(far.fetch)

        assert retry.attempts == far.calls == attempts
        assert [after - before for before, after in zip(far.at, far.at[1:], strict=False)] == longest

    @pytest.mark.parametrize(
        ("preset", "retries", "message"),
        [
            (Retry.read, 2, r"^Retry\.read: retries must be >= 3, got 2$"),
            (Retry.read, 6, r"^Retry\.read: retries must be <= 5, got 6$"),
            (Retry.write, 3, r"^Retry\.write: retries must be <= 2, got 3$"),
            (Retry.critical, 2, r"^Retry\.critical: retries must be <= 1, got 2$"),
        ],
    )
    def test_their_bounds(self, preset: Any, retries: int, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            preset(retries)

    @pytest.mark.parametrize(
        ("preset", "first", "cap"), [(Retry.api(), 2.0, 120.0), (Retry.database(), 0.5, 10.0)], ids=["api", "database"]
    )
    def test_their_caps(self, preset: Retry, first: float, cap: float) -> None:
        assert (preset.backoff.delay(1, 1.0), preset.backoff.delay(50, 1.0)) == (first, cap)

    def test_they_make_a_retry_of_a_guard(self) -> None:
        assert isinstance(Retry.api(), Retry)
        with pytest.raises(TypeError, match=r"^Guard 'api': retry must be a Retry, got Retry\("):
            Guard("api", retry=PlainRetry.api())  # type: ignore[arg-type]
