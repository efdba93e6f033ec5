"""A guarded function takes its arguments exactly as the one that it guards, and hands them on as they were given."""

from __future__ import annotations

import functools
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from duenna import Backoff
from duenna.guards import Breaker, Fallback, Guard, Retry
from tests.runtime.guards.far_end import BoomError, give, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


DEFAULT: list[int] = []


def none() -> Any:
    return ()


def plain(a: Any, b: Any) -> Any:
    return a, b


def defaults(a: Any, b: Any = 2, c: Any = DEFAULT) -> Any:
    return a, b, c


def by_place(a: Any, b: Any = 2, /) -> Any:
    return a, b


def by_place_and_both(a: Any, /, b: Any, c: Any = 3) -> Any:
    return a, b, c


def by_name(*, a: Any, b: Any = 2) -> Any:
    return a, b


def all_kinds(a: Any, b: Any = 2, /, c: Any = 3, *, d: Any = 4, e: Any = 5) -> Any:
    return a, b, c, d, e


def many(*args: Any) -> Any:
    return args


def named(**kwargs: Any) -> Any:
    return kwargs


def everything(a: Any, /, b: Any = 2, *args: Any, c: Any = 3, **kwargs: Any) -> Any:
    return a, b, args, c, kwargs


def our_names(run_: Any, permit_: Any = 2, *, function_: Any = 3) -> Any:
    return run_, permit_, function_


def builtin_names(type: Any, Exception: Any = 2, *, guarded: Any = 3) -> Any:  # noqa: A002, N803
    return type, Exception, guarded


def not_ascii(größe: Any = 1) -> Any:  # noqa: PLC2401 - a user's may
    return größe


def of_another(a: Any, /, **kwargs: Any) -> Any:
    """Stand for any decorator that takes what comes."""
    return a, kwargs


wrapped = functools.wraps(defaults)(many)


class Holder:
    def method(self, a: Any, *, b: Any = 2) -> Any:
        return a, b

    def __call__(self, a: Any, b: Any = 2) -> Any:
        return a, b


TARGETS: list[Callable[..., Any]] = [
    none,
    plain,
    defaults,
    by_place,
    by_place_and_both,
    by_name,
    all_kinds,
    many,
    named,
    everything,
    our_names,
    builtin_names,
    not_ascii,
    of_another,
    wrapped,
    Holder().method,
    Holder(),
    functools.partial(all_kinds, 1, d=9),
    functools.partial(plain, b=7),
    functools.partial(functools.partial(defaults, 1), c=9),
    max,
    divmod,
    "abc".replace,
]
ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((8, 3), {}),
    ((8, 3, 5), {}),
    ((8, 3, 5, 7), {}),
    (("a", "b"), {}),
    ((), {"a": 1}),
    ((), {"a": 1, "b": 3}),
    ((1,), {"b": 3}),
    ((1,), {"c": 3}),
    ((1, 3), {"c": 5}),
    ((1, 3), {"d": 5, "e": 7}),
    ((1,), {"d": 5, "x": 7}),
    ((1,), {"a": 3}),
    ((), {"run_": 1, "function_": 5}),
    ((1,), {"permit_": 5}),
    ((), {"type": 1, "guarded": 5}),
    ((), {"größe": 5}),
    ((), {"function": 1, "self": 2, "guard": 3}),
]
WAYS: dict[str, dict[str, Any]] = {
    "short": {},
    "short, once": {"retry": None},
    "fallback": {"fallback": Fallback.value(None, on=BoomError)},
    "long": {"deadline": 60.0},
}


def called(target: Callable[..., Any], args: Any, kwargs: Any) -> tuple[str, Any]:
    try:
        return "gave", target(*args, **kwargs)
    except TypeError as error:
        return "raised", str(error)


@pytest.mark.parametrize("target", TARGETS, ids=repr)
@pytest.mark.parametrize("policies", WAYS.values(), ids=WAYS)
def test_any_call_gives_what_it_gives_without_a_guard(target: Callable[..., Any], policies: Any) -> None:
    guard = Guard("api", breaker=None, **policies)
    guarded = guard(target)
    guard.call_sync(len, "")  # the first call of all takes the long way

    for args, kwargs in ARGUMENTS:
        kind, expected = called(target, args, kwargs)
        got, value = called(guarded, args, kwargs)

        assert got == kind, (args, kwargs, value)
        if kind == "gave":
            assert value == expected


@pytest.mark.parametrize("policies", WAYS.values(), ids=WAYS)
async def test_the_same_of_async_functions(policies: Any) -> None:
    guard = Guard("api", breaker=None, **policies)
    for target in TARGETS[:12]:

        def shape(each: Callable[..., Any] = target) -> Any:
            async def fetch(*args: Any, **kwargs: Any) -> Any:
                return each(*args, **kwargs)

            return fetch

        guarded = guard(shape())
        for given, by_names in ARGUMENTS:
            kind, expected = called(target, given, by_names)
            if kind == "gave":
                assert await guarded(*given, **by_names) == expected


async def test_an_async_function_of_every_kind_of_parameter() -> None:
    @Guard("api")
    async def fetch(a: Any, b: Any = 2, /, c: Any = 3, *, d: Any = 4) -> Any:
        return a, b, c, d

    for _ in range(2):
        assert await fetch(1) == (1, 2, 3, 4)
        assert await fetch(1, 5, c=6, d=7) == (1, 5, 6, 7)


def test_a_default_is_the_very_same_object() -> None:
    guarded = Guard("api")(defaults)

    for _ in range(2):
        assert guarded(1)[2] is DEFAULT


@pytest.mark.parametrize("policies", WAYS.values(), ids=WAYS)
def test_arguments_of_a_retry_are_those_of_the_first_attempt(policies: Any) -> None:
    script = [BoomError, None, BoomError, None]
    seen: list[Any] = []

    @Guard("api", breaker=None, **({"retry": Retry(2, backoff=Backoff.none())} | policies))
    def get(a: Any, b: Any = 2, /, *, c: Any, d: Any = 4) -> None:
        seen.append((a, b, c, d))
        give(script.pop(0))

    for _ in range(2):
        if policies.get("retry", ...) is None:
            script.remove(BoomError)
        get(1, c=3)

    assert set(seen) == {(1, 2, 3, 4)}


def test_a_fallback_gets_the_arguments_as_they_were_given() -> None:
    def fail(a: Any, b: Any = 2, *, c: Any = 3) -> Any:
        raise BoomError

    def substitute(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    guarded = Guard("api", retry=None, fallback=Fallback.call(substitute))(fail)

    for _ in range(2):
        assert guarded(1) == ((1,), {})
        assert guarded(a=1, c=5) == ((), {"a": 1, "c": 5})


def test_a_wrong_call_says_which_function_it_is() -> None:
    guarded = Guard("api", retry=None)(plain)
    guarded(1, 2)

    with pytest.raises(TypeError, match=r"plain\(\) missing 1 required positional argument: 'b'"):
        guarded(1)  # type: ignore[call-arg]


def test_a_wrong_call_says_nothing_of_the_far_end() -> None:
    guard = Guard("api", retry=None, breaker=Breaker.consecutive(1))
    guarded = guard(plain)

    for _ in range(3):
        with pytest.raises(TypeError):
            guarded(1)  # type: ignore[call-arg]

    assert guard.state == "closed"
    assert guard.statistics().calls == 0


def test_a_traceback_shows_our_lines() -> None:
    guarded = Guard("api", retry=None)(lambda: give(BoomError))

    for way in ("the first call of all takes the long way", "short"):
        with pytest.raises(BoomError) as caught:
            guarded()
        shown = "".join(traceback.format_exception(caught.value))
        assert ("value_ = function_()" in shown) == (way == "short")


def test_two_functions_of_one_shape_are_two() -> None:
    guard = Guard("api")

    assert [guard(each)(8, 3) for each in (plain, lambda a, b: a * b, lambda a, b: a - b)] == [(8, 3), 24, 5]
