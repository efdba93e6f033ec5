"""What an error says of itself, by its attributes; through groups and causes, and no further."""

from __future__ import annotations

import math
import socket
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from duenna.guards import CircuitOpenError, RateLimitedError
from duenna.guards._hints import (
    is_failure,
    is_outcome_known,
    is_plain,
    is_rate_limit,
    is_timeout,
    is_transient,
    matches,
    retry_after,
)
from duenna.wallclock import wall_time
from tests.runtime.guards.far_end import BoomError, HttpError, caused_by

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.define
class Response:
    """As HTTP clients have it."""

    status_code: int = 200
    headers: dict[str, str] = attrs.field(factory=dict[str, str])


class WithResponse(Exception):  # noqa: N818 - the shape matters
    """An error of httpx or requests."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.response = Response(status, {name.replace("_", "-"): value for name, value in headers.items()})


class WithStatusCode(Exception):  # noqa: N818 - the shape matters
    """An error of other libraries."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class WithHeaders(Exception):  # noqa: N818 - the shape matters
    """An error of aiohttp or urllib."""

    def __init__(self, status: int, headers: Any) -> None:
        self.status = status
        self.headers = headers


class RaisesError(Exception):
    """Its properties raise, as httpx's do when there is nothing to give."""

    @property
    def response(self) -> Any:
        raise RuntimeError("there is no response")

    retry_after = status = status_code = headers = outcome_unknown = response


def says(**attributes: Any) -> BoomError:
    error = BoomError("text")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def while_handling(context: BaseException) -> BoomError:
    error = BoomError("text")
    error.__context__ = context
    return error


def group(*members: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("several", list(members))


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (BoomError(), 0.0),
            (says(retry_after=2.5), 2.5),
            (says(retry_after=3), 3.0),
            (says(retry_after=0), 0.0),
            (says(retry_after=-1.0), 0.0),
            (says(retry_after=math.inf), 0.0),
            (says(retry_after=math.nan), 0.0),
            (says(retry_after=10**400), 0.0),
            (says(retry_after=True), 0.0),
            (says(retry_after="5"), 0.0),
            (WithResponse(503, Retry_After="7"), 7.0),
            (WithResponse(503, retry_after=" 7 "), 7.0),
            (WithHeaders(503, {"retry-after": 7}), 7.0),
            (WithHeaders(503, {"retry-after": "-7"}), 0.0),
            (WithHeaders(503, {"retry-after": "soon"}), 0.0),
            (WithHeaders(503, {"retry-after": "٣"}), 0.0),
            (WithHeaders(503, {"retry-after": "9" * 400}), 0.0),
            (WithHeaders(503, {}), 0.0),
            (WithHeaders(503, None), 0.0),
            (WithHeaders(503, [("retry-after", "7")]), 7.0),
            (WithHeaders(503, [("Retry-After",)]), 0.0),
            (WithHeaders(503, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}), 0.0),
            (caused_by(says(retry_after=4.0)), 4.0),
            (caused_by(caused_by(WithResponse(503, retry_after="4"))), 4.0),
            (group(says(retry_after=4.0), group(says(retry_after=6.0))), 6.0),
            (caused_by(group(BoomError(), says(retry_after=6.0))), 6.0),
            (while_handling(says(retry_after=4.0)), 0.0),
            (RaisesError(), 0.0),
        ],
    )
    def test_seconds(self, error: Exception, seconds: float) -> None:
        assert retry_after(error) == seconds

    def test_a_date(self) -> None:
        error = WithHeaders(503, {"Retry-After": formatdate(wall_time() + 30.0, usegmt=True)})

        assert 28.0 <= retry_after(error) <= 30.0

    def test_a_chain_without_an_end(self) -> None:
        error = BoomError()
        error.__cause__ = caused_by(error)

        assert retry_after(error) == 0.0
        assert not matches(error, (KeyError,))


class TestStatus:
    @pytest.mark.parametrize(
        "make", [HttpError, WithStatusCode, WithResponse, lambda status: WithHeaders(status, None)]
    )
    @pytest.mark.parametrize(
        ("status", "transient", "failure", "limit"),
        [
            (200, True, True, False),
            (399, True, True, False),
            (400, False, False, False),
            (404, False, False, False),
            (408, True, True, False),
            (418, True, False, True),
            (425, True, False, False),
            (429, True, False, True),
            (499, False, False, False),
            (500, True, True, False),
            (503, True, True, False),
        ],
    )
    def test_what_a_status_means(
        self, make: Callable[[int], Exception], status: int, *, transient: bool, failure: bool, limit: bool
    ) -> None:
        for error in (make(status), caused_by(make(status)), group(make(status))):
            assert is_transient(error) is transient
            assert is_failure(error) is failure
            assert is_rate_limit(error) is limit

    def test_that_of_the_error_itself_goes_before_that_of_its_cause(self) -> None:
        error = HttpError(503)
        error.__cause__ = HttpError(404)

        assert is_transient(error)
        assert is_failure(error)

    def test_one_that_is_being_handled_is_none_of_ours(self) -> None:
        assert is_transient(while_handling(HttpError(404)))
        assert is_failure(while_handling(HttpError(404)))
        assert not is_rate_limit(while_handling(HttpError(429)))

    @pytest.mark.parametrize("status", ["404", 404.0, True, None])
    def test_what_is_no_number_is_no_status(self, status: Any) -> None:
        assert is_transient(says(status=status))
        assert is_failure(says(status=status))

    def test_a_property_that_raises_says_nothing(self) -> None:
        assert is_transient(RaisesError())
        assert is_failure(RaisesError())
        assert not is_rate_limit(RaisesError())
        assert not is_outcome_known(RaisesError())


class TestFailure:
    def test_a_mixed_group_is_transient_if_all_are_and_a_failure_if_one_is(self) -> None:
        mixed = group(HttpError(404), HttpError(500))

        assert not is_transient(mixed)
        assert is_failure(mixed)

    def test_retry_after_says_that_the_far_end_manages_its_load(self) -> None:
        assert not is_failure(HttpError(503, 1.0))
        assert not is_failure(caused_by(HttpError(503, 1.0)))
        assert is_transient(HttpError(503, 1.0))

    def test_a_refusal_by_a_guard_says_nothing_new(self) -> None:
        for error in (CircuitOpenError("api", "open", 1.0), RateLimitedError("api", 1.0)):
            assert not is_failure(error)
            assert not is_transient(error)


class TestOutcome:
    @pytest.mark.parametrize(
        ("error", "is_known"),
        [
            (BoomError(), False),
            (says(outcome_unknown=False), True),
            (says(outcome_unknown=True), False),
            (ConnectionRefusedError(), True),
            (socket.gaierror(), True),
            (ConnectionResetError(), False),
            (TimeoutError(), False),
            (caused_by(ConnectionRefusedError()), True),
            (while_handling(ConnectionRefusedError()), False),
            (group(ConnectionRefusedError(), socket.gaierror()), True),
            (group(ConnectionRefusedError(), BoomError()), False),
            (CircuitOpenError("api", "open", 1.0), True),
        ],
    )
    def test_whether_it_certainly_had_no_effect(self, error: Exception, *, is_known: bool) -> None:
        assert is_outcome_known(error) is is_known

    @pytest.mark.parametrize(
        ("error", "is_one"),
        [
            (TimeoutError(), True),
            (caused_by(TimeoutError()), True),
            (group(BoomError(), TimeoutError()), True),
            (while_handling(TimeoutError()), False),
            (BoomError(), False),
        ],
    )
    def test_whether_the_far_end_may_still_be_busy(self, error: Exception, *, is_one: bool) -> None:
        assert is_timeout(error) is is_one


class TestPlain:
    """The quick look never says otherwise than the slow one."""

    @pytest.mark.parametrize(
        "error",
        [
            BoomError("text"),
            BoomError(),
            BoomError(5),
            OSError("text"),
            KeyError("key"),
            HttpError(404),
            RaisesError("text"),
            CircuitOpenError("api", "open", 1.0),
            says(retry_after=1.0),
            caused_by(HttpError(404)),
            group(HttpError(404)),
        ],
        ids=repr,
    )
    def test_a_plain_error_is_a_failure_with_no_hints(self, error: Exception) -> None:
        if is_plain(error):
            assert is_failure(error)
            assert is_transient(error)
            assert retry_after(error) == 0.0

    def test_what_is_plain(self) -> None:
        assert is_plain(BoomError("text"))
        assert is_plain(OSError("text"))
        assert is_plain(BoomError())
        noted = BoomError("text")
        noted.add_note("a note says nothing, but is looked at")
        for error in (BoomError("a", "b"), HttpError(404), noted, OSError(2, "text"), KeyError("key")):
            assert not is_plain(error)

    def test_very_many_types_are_not_kept(self) -> None:
        for number in range(2100):
            assert is_plain(type(f"Error{number}", (Exception,), {})("text"))


class TestMatches:
    def test_a_function_is_asked_about_each_link_until_it_says_yes(self) -> None:
        asked: list[BaseException] = []
        cause = KeyError()
        error = caused_by(cause)

        def rule(each: BaseException) -> bool:
            asked.append(each)
            return isinstance(each, KeyError)

        assert matches(error, rule)
        assert asked == [error, cause]

    def test_of_a_group_all_must_match(self) -> None:
        assert matches(group(BoomError(), group(BoomError())), (BoomError,))
        assert not matches(group(BoomError(), KeyError()), (BoomError,))
        assert matches(group(BoomError(), KeyError()), (BoomError, KeyError))
        assert matches(group(caused_by(KeyError()), KeyError()), (KeyError,))
