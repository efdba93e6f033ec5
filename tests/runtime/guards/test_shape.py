"""The function that stands in the place of a guarded one has its shape, and hides nothing of it."""

from __future__ import annotations

import inspect
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Guard, Retry
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with fresh_guards():
        yield


def everything(first: int, /, second: int, third: int = 3, *, fourth: int, fifth: int = 5) -> tuple[int, ...]:
    return first, second, third, fourth, fifth


async def async_everything(
    first: int, /, second: int, third: int = 3, *, fourth: int, fifth: int = 5
) -> tuple[int, ...]:
    return everything(first, second, third, fourth=fourth, fifth=fifth)


def builtins(type: str, Exception: str, BaseException: str = "b") -> tuple[str, ...]:  # noqa: A002, N803
    return type, Exception, BaseException


def internals(permit: int, value: int, circuit: int, function: int, args: int) -> tuple[int, ...]:
    return permit, value, circuit, function, args


def underscored(permit_: int, circuit_: int = 2) -> tuple[int, ...]:
    return permit_, circuit_


def anything(*args: int, **kwargs: int) -> tuple[tuple[int, ...], dict[str, int]]:
    return args, kwargs


def test_every_kind_of_parameter_is_handed_on() -> None:
    guarded = Guard("shape")(everything)

    for _ in range(2):  # the first call takes the long way, the others do not
        assert guarded(1, 2, fourth=4) == (1, 2, 3, 4, 5)
        assert guarded(1, second=2, third=9, fourth=4, fifth=0) == (1, 2, 9, 4, 0)


async def test_every_kind_of_parameter_is_handed_on_to_an_async_function() -> None:
    guarded = Guard("shape")(async_everything)

    for _ in range(2):
        assert await guarded(1, 2, fourth=4) == (1, 2, 3, 4, 5)
        assert await guarded(1, second=2, third=9, fourth=4, fifth=0) == (1, 2, 9, 4, 0)


@pytest.mark.parametrize("retry", [None, Retry(2)])
def test_parameters_may_be_called_as_they_like(retry: Retry | None) -> None:
    guard = Guard("shape", retry=retry)

    for _ in range(2):
        assert guard(builtins)("LIMIT", Exception="e") == ("LIMIT", "e", "b")
        assert guard(internals)(1, 2, 3, 4, 5) == (1, 2, 3, 4, 5)
        assert guard(underscored)(1) == (1, 2)
        assert guard(anything)(1, 2, x=3) == ((1, 2), {"x": 3})


def test_a_wrong_call_fails_as_it_would_without_the_guard_and_counts_for_nothing() -> None:
    guard = Guard("shape")
    guarded: Any = guard(everything)

    with pytest.raises(TypeError, match=r"^everything\(\) missing 1 required positional argument: 'second'$"):
        guarded(1, fourth=4)
    with pytest.raises(TypeError, match="positional-only"):
        guarded(first=1, second=2, fourth=4)

    assert guard.statistics().attempts == 0


def test_a_default_is_the_very_object() -> None:
    default = object()

    def given(value: object = default) -> object:
        return value

    guarded = Guard("shape")(given)

    assert guarded() is guarded() is default


def test_partials_methods_and_functions_in_c() -> None:
    guard = Guard("shape")

    class Desk:
        @guard
        def place(self, size: int = 1) -> int:
            return size

    for _ in range(2):
        assert guard(partial(everything, 1, fourth=4))(2) == (1, 2, 3, 4, 5)
        assert guard(partial(everything, 1, second=2, fourth=4))() == (1, 2, 3, 4, 5)
        assert Desk().place() == 1
        assert guard(Desk().place)(7) == 7
        assert guard(len)([1, 2]) == 2
        assert guard(max)(1, 2) == 2


def test_the_signature_the_name_and_the_docstring_stay() -> None:
    guarded = Guard("shape")(everything)

    assert inspect.signature(guarded) == inspect.signature(everything)
    assert (guarded.__name__, guarded.__wrapped__) == ("everything", everything)  # type: ignore[attr-defined]
    assert inspect.iscoroutinefunction(Guard("shape")(async_everything))


def test_a_traceback_shows_the_lines() -> None:
    @Guard("shape", retry=None)
    def fails(symbol: str) -> None:
        raise OSError(symbol)

    with pytest.raises(OSError, match="BTC"):
        fails("BTC")
    with pytest.raises(OSError, match="BTC") as failed:  # the second takes the short way
        fails("BTC")

    assert "function_(symbol)" in "".join(traceback.format_exception(failed.value))


def test_two_functions_of_one_shape_stay_apart() -> None:
    guard = Guard("shape")
    first, second = guard(lambda value: value), guard(lambda value: -value)

    assert [(first(1), second(1)) for _ in range(2)] == [(1, -1), (1, -1)]


def test_in_trio_it_is_as_good_as_the_function_itself() -> None:
    assert trio.run(partial(Guard("shape")(async_everything), fourth=4), 1, 2) == (1, 2, 3, 4, 5)
