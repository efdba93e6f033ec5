"""Wrong arguments are refused where they are written, with the thing, the value and what was expected."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from duenna import Backoff, DuennaError
from duenna.guards import (
    AdaptiveThrottle,
    AttemptTimeoutError,
    BadResultError,
    Breaker,
    Bulkhead,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    Fallback,
    Guard,
    Hedge,
    RateLimitedError,
    RejectedError,
    Retry,
    ThrottledError,
    UnavailableError,
)
from tests.runtime.guards.far_end import BoomError, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def message(make: Any, error: type[Exception]) -> str:
    """Return what *make* complains of."""
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    return str(caught.value)


class TestGuard:
    @pytest.mark.parametrize("name", ["", "  ", None, 5, b"api"])
    def test_the_name(self, name: Any) -> None:
        said = message(lambda: Guard(name), TypeError)

        assert said == f"Guard: name must be a text that is not empty, got {name!r}"

    @pytest.mark.parametrize(
        ("given", "error", "text"),
        [
            ({"retry": 3}, TypeError, "retry must be a Retry, got 3"),
            ({"retry": Retry}, TypeError, f"retry must be a Retry, got {Retry!r}"),
            ({"breaker": 5}, TypeError, "breaker must be a Breaker, an AdaptiveThrottle or None, got 5"),
            (
                {"breaker": Breaker},
                TypeError,
                f"breaker must be a Breaker, an AdaptiveThrottle or None, got {Breaker!r}",
            ),
            ({"attempt_timeout": 0}, ValueError, "attempt_timeout must be > 0 seconds, got 0"),
            ({"attempt_timeout": "1"}, TypeError, "attempt_timeout must be a number, got '1'"),
            ({"attempt_timeout": math.nan}, ValueError, "attempt_timeout must be a number, got nan"),
            ({"deadline": -1.0}, ValueError, "deadline must be > 0 seconds, got -1.0"),
            ({"deadline": math.inf}, ValueError, "deadline must be a finite number of seconds, got inf"),
            ({"deadline": True}, TypeError, "deadline must be a number, got True"),
            ({"fallback": 5}, TypeError, "fallback must be a Fallback, got 5"),
            ({"bulkhead": "5"}, TypeError, "bulkhead must be a number, a Bulkhead, an Aimd or None, got '5'"),
            ({"bulkhead": 1.5}, TypeError, "bulkhead must be a number, a Bulkhead, an Aimd or None, got 1.5"),
            ({"rate_limit": 5}, TypeError, "rate_limit must be a RateLimit, got 5"),
            ({"hedge": 0.2}, TypeError, "hedge must be a Hedge, got 0.2"),
            (
                {"hedge": Hedge(0.2), "idempotent": False},
                ValueError,
                "hedge needs calls that may be made twice, but idempotent is False",
            ),
            ({"idempotent": 1}, TypeError, "idempotent must be True or False, got 1"),
            ({"rng": 5}, TypeError, "rng must be a Random, got 5"),
            ({"weight": "x"}, TypeError, "weight must be a number, got 'x'"),
            (
                {"weight": -1},
                ValueError,
                "weight must be >= 0 and finite or a function of the call's arguments, got -1",
            ),
            (
                {"weight": math.inf},
                ValueError,
                "weight must be >= 0 and finite or a function of the call's arguments, got inf",
            ),
        ],
        ids=str,
    )
    def test_the_policies(self, given: Any, error: type[Exception], text: str) -> None:
        assert message(lambda: Guard("api", **given), error) == f"Guard 'api': {text}"

    @pytest.mark.parametrize(
        ("given", "error", "text"),
        [
            ({"bulkhead": 0}, ValueError, "Bulkhead: limit must be >= 1, got 0"),
            ({"bulkhead": True}, TypeError, "Bulkhead: limit must be a whole number, got True"),
        ],
        ids=str,
    )
    def test_a_number_of_calls(self, given: Any, error: type[Exception], text: str) -> None:
        assert message(lambda: Guard("api", **given), error) == text

    def test_a_guard_that_is_refused_leaves_no_name_behind(self) -> None:
        with pytest.raises(TypeError):
            Guard("api", retry=3, breaker=None)  # type: ignore[arg-type]

        assert Guard("api", breaker=Breaker.consecutive(2)).state == "closed"

    def test_what_is_not_known(self) -> None:
        assert "retries" in message(lambda: Guard("api", retries=3), TypeError)  # type: ignore[call-arg]


class TestRetry:
    @pytest.mark.parametrize(
        ("given", "error", "text"),
        [
            ({"attempts": 0}, ValueError, "attempts must be >= 1, got 0"),
            ({"attempts": None}, TypeError, "attempts must be a whole number, got None"),
            ({"attempts": True}, TypeError, "attempts must be a whole number, got True"),
            ({"attempts": 2.0}, TypeError, "attempts must be a whole number, got 2.0"),
            ({"attempts": math.inf}, TypeError, "attempts must be a whole number, got inf"),
            ({"backoff": 2.0}, TypeError, "backoff must be a Backoff, got 2.0"),
            ({"backoff": None}, TypeError, "backoff must be a Backoff, got None"),
            ({"patience": -1}, ValueError, "patience must be >= 0 seconds, got -1"),
            ({"patience": None}, TypeError, "patience must be a number, got None"),
            ({"on": 5}, TypeError, "on must be exception classes or a function of an exception, got 5"),
            ({"on": ()}, TypeError, "on must be exception classes or a function of an exception, got ()"),
            ({"on": "OSError"}, TypeError, "on must be exception classes or a function of an exception, got 'OSError'"),
            ({"on": int}, TypeError, f"on must be exception classes or a function of an exception, got {int!r}"),
            ({"on": (OSError, 5)}, TypeError, None),
            ({"on_result": 5}, TypeError, "on_result must be a function of a result, got 5"),
            ({"budget": 5}, TypeError, "budget must be a RetryBudget or None, got 5"),
        ],
        ids=str,
    )
    def test_arguments(self, given: Any, error: type[Exception], text: str | None) -> None:
        said = message(lambda: Retry(**given), error)

        assert said == f"Retry: {text}" if text else said.startswith("Retry: on must be exception classes")

    def test_all_but_attempts_are_by_name(self) -> None:
        assert Retry(5) == Retry(attempts=5)
        with pytest.raises(TypeError):
            Retry(5, Backoff.none())  # type: ignore[call-arg]


class TestBreaker:
    @pytest.mark.parametrize(
        ("given", "error", "text"),
        [
            ({"failure_rate": 0}, ValueError, "failure_rate must be > 0 and <= 1, got 0"),
            ({"failure_rate": 50}, ValueError, "failure_rate must be > 0 and <= 1, got 50"),
            ({"failure_rate": "0.5"}, TypeError, "failure_rate must be a number, got '0.5'"),
            ({"window": 0}, ValueError, "window must be >= 1, got 0"),
            ({"window": 2.5}, TypeError, "window must be a whole number, got 2.5"),
            ({"window": 0.0, "per": "seconds"}, ValueError, "window must be > 0 seconds, got 0.0"),
            ({"per": "minutes"}, ValueError, "per must be one of 'calls', 'seconds', got 'minutes'"),
            ({"minimum_calls": 0}, ValueError, "minimum_calls must be >= 1, got 0"),
            ({"minimum_calls": 30}, ValueError, "minimum_calls must be <= window (20), got 30"),
            ({"open_for": 0}, ValueError, "open_for must be > 0 seconds, got 0"),
            ({"open_for": math.inf}, ValueError, "open_for must be a finite number of seconds, got inf"),
            ({"open_jitter": 1}, ValueError, "open_jitter must be >= 0 and < 1, got 1"),
            ({"growth": 0.5}, ValueError, "growth must be >= 1 and finite, got 0.5"),
            ({"longest_open": 1.0}, ValueError, "longest_open must be >= open_for (5.0 s), got 1.0"),
            ({"probes": 0}, ValueError, "probes must be >= 1, got 0"),
            ({"probes": 1.0}, TypeError, "probes must be a whole number, got 1.0"),
            ({"probe_timeout": 0}, ValueError, "probe_timeout must be > 0 seconds, got 0"),
            ({"slow_call": 0}, ValueError, "slow_call must be > 0 seconds, got 0"),
            ({"slow_rate": 0.5}, ValueError, "slow_rate must come with slow_call, got 0.5 alone"),
            ({"success_threshold": 0}, ValueError, "success_threshold must be >= 1, got 0"),
            ({"ignore": 5}, TypeError, "ignore must be exception classes or a function of an exception, got 5"),
            (
                {"record": [int]},
                TypeError,
                f"record must be exception classes or a function of an exception, got [{int!r}]",
            ),
        ],
        ids=str,
    )
    def test_arguments(self, given: Any, error: type[Exception], text: str) -> None:
        assert message(lambda: Breaker(**given), error) == f"Breaker: {text}"

    @pytest.mark.parametrize(
        ("given", "error", "text"),
        [
            ({"failures": 0}, ValueError, "Breaker.consecutive: failures must be >= 1, got 0"),
            ({"failures": "5"}, TypeError, "Breaker.consecutive: failures must be a whole number, got '5'"),
            ({"open_for": 0}, ValueError, "Breaker: open_for must be > 0 seconds, got 0"),
            ({"success_threshold": 0}, ValueError, "Breaker: success_threshold must be >= 1, got 0"),
            (
                {"ignore": "OSError"},
                TypeError,
                "Breaker: ignore must be exception classes or a function of an exception, got 'OSError'",
            ),
        ],
        ids=str,
    )
    def test_arguments_of_the_other_form(self, given: Any, error: type[Exception], text: str) -> None:
        assert message(lambda: Breaker.consecutive(**given), error) == text

    def test_an_argument_of_one_form_is_none_of_the_other(self) -> None:
        assert "failure_rate" in message(lambda: Breaker.consecutive(5, failure_rate=0.5), TypeError)  # type: ignore[call-arg]

    def test_both_forms_take_rules(self) -> None:
        for breaker in (
            Breaker(ignore=OSError, record=[BoomError]),
            Breaker.consecutive(ignore=OSError, record=[BoomError]),
        ):
            assert isinstance(breaker, Breaker)
            assert (breaker.ignore, breaker.record) == ((OSError,), (BoomError,))


class TestErrors:
    """What a guard raises of its own: one family, with attributes, so that nobody has to parse text."""

    @pytest.mark.parametrize(
        ("error", "text", "attributes"),
        [
            (
                CircuitOpenError("api", "open", 2.5, "OSError: gone"),
                "guard 'api' refused the call: its breaker is open for another 2.5 s, the last error was OSError: gone",
                {"guard": "api", "state": "open", "retry_after": 2.5, "last_error": "OSError: gone"},
            ),
            (
                CircuitOpenError("api", "forced_open", math.inf),
                "guard 'api' refused the call: its breaker is forced_open",
                {"retry_after": math.inf, "last_error": None},
            ),
            (
                ThrottledError("api", 0.25),
                "guard 'api' refused the call: its throttle refuses 25% of the calls",
                {"guard": "api", "chance": 0.25, "retry_after": 0.0},
            ),
            (
                BulkheadFullError("api", 3),
                "guard 'api' refused the call: 3 calls are under way, no more may be",
                {"guard": "api", "limit": 3, "retry_after": 0.0},
            ),
            (
                RateLimitedError("api", 1.5),
                "guard 'api' refused the call: its turn would come in 1.5 s only",
                {"guard": "api", "retry_after": 1.5},
            ),
            (
                AttemptTimeoutError("api", 1.5),
                "guard 'api': the attempt took longer than 1.5 s",
                {"guard": "api", "timeout": 1.5, "outcome_unknown": True},
            ),
            (
                DeadlineExceededError("api", 1.5, 1),
                "guard 'api': no result within 1.5 s, in 1 attempt",
                {"guard": "api", "deadline": 1.5, "attempts": 1, "outcome_unknown": True},
            ),
            (
                BadResultError("api", [1, 2]),
                "guard 'api': a result that is not accepted: [1, 2]",
                {"guard": "api", "value": [1, 2]},
            ),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_text_and_attributes(self, error: DuennaError, text: str, attributes: dict[str, Any]) -> None:
        assert isinstance(error, DuennaError)
        assert str(error) == text
        assert {name: getattr(error, name) for name in attributes} == attributes

    def test_refusals_are_one_family(self) -> None:
        kinds = {CircuitOpenError, ThrottledError, BulkheadFullError, RateLimitedError}

        assert all(issubclass(kind, RejectedError) for kind in kinds)
        assert not RejectedError("api", "why").outcome_unknown

    def test_what_was_cut_off_is_a_timeout(self) -> None:
        assert issubclass(AttemptTimeoutError, TimeoutError)
        assert issubclass(DeadlineExceededError, TimeoutError)

    def test_a_long_result_is_cut(self) -> None:
        assert len(str(BadResultError("api", "x" * 10_000))) == 300

    def test_the_call_and_its_fallback_fail_together(self) -> None:
        primary, fallback = BoomError("primary"), KeyError("fallback")

        error = UnavailableError("api", primary, fallback)

        assert isinstance(error, DuennaError)
        assert error.exceptions == (primary, fallback)
        assert (error.guard, error.primary, error.fallback) == ("api", primary, fallback)
        assert re.match(r"guard 'api': the call failed and so did its fallback", str(error))
        keys, others = error.split(KeyError)
        assert keys is not None
        assert others is not None
        assert (keys.exceptions, others.exceptions) == ((fallback,), (primary,))
        assert not isinstance(others, UnavailableError)


class TestDefaults:
    """What a guard with nothing but a name does."""

    def test_retry(self) -> None:
        retry = Retry()

        assert (retry.attempts, retry.patience) == (3, 60.0)
        assert retry.backoff == Backoff.exponential(0.5, maximum=30.0, jitter="full")

    def test_breaker(self) -> None:
        breaker = Breaker()

        assert (breaker.failure_rate, breaker.window, breaker.per, breaker.minimum_calls) == (0.5, 20, "calls", None)
        assert (breaker.open_for, breaker.open_jitter, breaker.probes, breaker.success_threshold) == (5.0, 0.2, 1, 1)
        consecutive = Breaker.consecutive()
        assert (consecutive.window, consecutive.failure_rate, consecutive.open_for) == (5, 1.0, 60.0)
        assert (consecutive.success_threshold, consecutive.open_jitter) == (2, 0.0)

    def test_nothing_else(self) -> None:
        guard = Guard("api")
        policy = guard._course.policy

        assert guard.dependency.settings.breaker == Breaker()
        assert guard.dependency.settings.bulkhead is None
        assert policy.retry == Retry()
        for name in ("attempt_timeout", "deadline", "fallback", "rate_limit", "hedge", "rng"):
            assert getattr(policy, name) is None
        assert (policy.weight, policy.idempotent) == (1.0, True)
        assert (Bulkhead(3).queue, Bulkhead(3).max_wait) == (100, 1.0)
        assert (AdaptiveThrottle().k, AdaptiveThrottle().cap) == (2.0, 0.9)
        assert Hedge(0.5).most == 1
        assert not Fallback.value(1).remembers
