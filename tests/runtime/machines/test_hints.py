"""What an exception says about when to try again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.hints import links, retry_after


class BusyError(Exception):
    """The far end says how long to leave it alone."""

    def __init__(self, retry_after: object) -> None:
        super().__init__("busy")
        self.retry_after = retry_after


def caused(error: BaseException, cause: BaseException | None) -> BaseException:
    """Return *error* as ``raise error from cause`` leaves it."""
    error.__cause__ = cause
    return error


def in_the_course_of(error: BaseException, context: BaseException) -> BaseException:
    """Return *error* as it is when raised while *context* is handled."""
    error.__context__ = context
    return error


def hidden(error: BaseException, context: BaseException) -> BaseException:
    """Return *error* as ``raise error from None`` leaves it while *context* is handled."""
    return caused(in_the_course_of(error, context), None)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ValueError("no hint"), 0),
        (BusyError(30.0), 30),
        (BusyError(30), 30),
        (BusyError(0), 0),
        (caused(ValueError(), BusyError(7)), 7),
        (caused(BusyError(3), BusyError(7)), 7),
        (caused(BusyError(9), BusyError(7)), 9),
        (in_the_course_of(ValueError(), BusyError(7)), 7),
        (hidden(ValueError(), BusyError(7)), 0),
        (caused(in_the_course_of(ValueError(), BusyError(9)), BusyError(7)), 7),  # the cause takes the context's place
        (ExceptionGroup("both", [BusyError(2), BusyError(5)]), 5),
        (ExceptionGroup("nested", [ExceptionGroup("inner", [ValueError(), BusyError(5)])]), 5),
        (caused(ValueError(), ExceptionGroup("cause", [BusyError(4)])), 4),
        (BaseExceptionGroup("member has a cause", [caused(ValueError(), BusyError(6))]), 6),
        (BaseExceptionGroup("fatal", [KeyboardInterrupt(), BusyError(6)]), 6),
    ],
)
def test_the_longest_hint_counts_wherever_it_is(error: BaseException, seconds: float) -> None:
    assert retry_after(error) == seconds


@pytest.mark.parametrize("hint", [None, "30", math.inf, math.nan, -1, True, [30], 1j, 10**400])
def test_what_is_no_wait_is_passed_over(hint: object) -> None:
    assert retry_after(caused(BusyError(hint), BusyError(2.0))) == 2


def test_an_attribute_that_raises_is_no_hint() -> None:
    """Whatever an exception's own code does, its supervisor goes on."""

    class RudeError(Exception):
        @property
        def retry_after(self) -> float:
            raise RuntimeError

    assert retry_after(caused(RudeError(), BusyError(2.0))) == 2


def test_a_circle_of_causes_has_an_end() -> None:
    first, second = BusyError(1), BusyError(2)
    first.__cause__, second.__cause__ = second, first

    assert list(links(first)) == [first, second]
    assert retry_after(first) == 2


def test_at_most_100_exceptions_are_looked_at() -> None:
    chain: BaseException = BusyError(5)
    for _ in range(99):
        chain = caused(ValueError(), chain)
    assert retry_after(chain) == 5

    longer = caused(ValueError(), chain)

    assert len(list(links(longer))) == 100
    assert retry_after(longer) == 0


def test_a_wide_group_is_cut() -> None:
    assert len(list(links(ExceptionGroup("many", [ValueError() for _ in range(10_000)])))) == 100


errors = st.recursive(
    st.builds(BusyError, st.none() | st.floats() | st.integers(-10, 10)),
    lambda inner: (
        st.builds(caused, st.builds(BusyError, st.none() | st.floats(0, 100)), inner)
        | st.builds(lambda members: BaseExceptionGroup("some", members), st.lists(inner, min_size=1, max_size=4))
    ),
    max_leaves=15,
)


@given(errors)
def test_the_wait_is_finite_and_the_hint_of_one_of_the_links(error: BaseException) -> None:
    found = list(links(error))
    seconds = retry_after(error)

    assert len({id(link) for link in found}) == len(found)
    assert 0 <= seconds < math.inf
    assert seconds == 0 or seconds in [getattr(link, "retry_after", None) for link in found]
