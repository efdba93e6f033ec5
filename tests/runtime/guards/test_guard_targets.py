"""What can be guarded; what cannot is refused, and never left unprotected in silence."""

from __future__ import annotations

import functools
import inspect
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, assert_type

import attrs
import pytest

from duenna import Backoff
from duenna.guards import Breaker, Fallback, Guard, Hedge, Outcome, Retry
from tests.runtime.guards.far_end import BoomError, FarEnd, no_other_guards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(**policies: Any) -> Guard:
    """Return a guard that makes two attempts, one right after the other."""
    guarded = Guard("api", **({"retry": Retry(2, backoff=Backoff.none())} | policies))
    if not policies.keys() & {"attempt_timeout", "hedge", "fallback"}:
        guarded.call_sync(int)  # the first call of all takes the long way
    return guarded


LONG_WAY: dict[str, Any] = {"deadline": 60.0}
"""A policy that keeps each call off the short way."""

WAYS = pytest.mark.parametrize("policies", [{}, LONG_WAY, {"breaker": None}], ids=["short", "long", "no breaker"])


@attrs.define
class Client:
    """Fails at the first call of each kind."""

    calls: list[Any] = attrs.field(factory=list)

    def note(self, what: str, x: int, y: int) -> tuple[str, int, int]:
        self.calls.append(what)
        if self.calls.count(what) == 1:
            raise BoomError(what)
        return what, x, y


client = Client()


class TestKinds:
    @pytest.fixture(autouse=True)
    def _first(self) -> None:
        client.calls.clear()

    @WAYS
    async def test_async_functions(self, policies: Any) -> None:
        @guard(**policies)
        async def fetch(x: int, *, y: int) -> Any:
            return client.note("async", x, y)

        assert await fetch(1, y=2) == ("async", 1, 2)

    @WAYS
    def test_plain_functions(self, policies: Any) -> None:
        @guard(**policies)
        def fetch(x: int, *, y: int) -> Any:
            return client.note("plain", x, y)

        assert fetch(1, y=2) == ("plain", 1, 2)

    @WAYS
    async def test_methods_of_all_kinds(self, policies: Any) -> None:
        guarded = guard(**policies)

        class Api:
            z = 5

            @guarded
            async def fetch(self, x: int, y: int) -> Any:
                return client.note("method", x, y), self.z

            @guarded
            def get(self, x: int, y: int) -> Any:
                return client.note("plain method", x, y), self.z

            @guarded
            @staticmethod
            async def static(x: int, y: int) -> Any:
                return client.note("static", x, y)

            @staticmethod
            @guarded
            def under_static(x: int, y: int) -> Any:
                return client.note("under static", x, y)

            @guarded
            @classmethod
            async def of_class(cls, x: int, y: int) -> Any:
                return client.note("class", x, y), cls.z

            @classmethod
            @guarded
            def under_class(cls, x: int, y: int) -> Any:
                return client.note("under class", x, y), cls.z

        api = Api()
        assert await api.fetch(1, y=2) == (("method", 1, 2), 5)
        assert api.get(1, 2) == (("plain method", 1, 2), 5)
        assert await api.static(1, 2) == ("static", 1, 2)
        assert Api.under_static(1, 2) == ("under static", 1, 2)
        assert await Api.of_class(1, 2) == (("class", 1, 2), 5)
        assert api.under_class(1, 2) == (("under class", 1, 2), 5)

    @WAYS
    async def test_bound_methods(self, policies: Any) -> None:
        far = FarEnd([BoomError, "up", BoomError, "up"])
        guarded = guard(**policies)

        assert await guarded(far.fetch)(1) == "up"
        assert guarded(far.get)(1) == "up"
        assert far.calls == 4

    @WAYS
    async def test_partials(self, policies: Any) -> None:
        async def fetch(x: int, y: int) -> Any:
            return client.note("async", x, y)

        def get(x: int, y: int) -> Any:
            return client.note("plain", x, y)

        guarded = guard(**policies)
        assert await guarded(functools.partial(functools.partial(fetch, 1), y=2))() == ("async", 1, 2)
        assert guarded(functools.partial(get, y=2))(1) == ("plain", 1, 2)

    @WAYS
    async def test_callable_objects(self, policies: Any) -> None:
        class Fetch:
            async def __call__(self, x: int, y: int) -> Any:
                return client.note("async", x, y)

        @attrs.frozen
        class Get:
            x: int

            def __call__(self, y: int) -> Any:
                return client.note("plain", self.x, y)

        guarded = guard(**policies)
        assert await guarded(Fetch())(1, 2) == ("async", 1, 2)
        assert guarded(Get(1))(2) == ("plain", 1, 2)

    @WAYS
    def test_built_in_functions(self, policies: Any) -> None:
        assert guard(**policies)(len)("four") == 4

    def test_the_short_way_is_taken_where_there_is_one(self) -> None:
        assert not guard().dependency.circuit.permit.gated
        assert not guard(**LONG_WAY)._course.is_quick

    async def test_a_guarded_function_under_another_guard(self) -> None:
        far = FarEnd([BoomError] * 3 + ["up"])
        inner = Guard("inner", retry=Retry(2, backoff=Backoff.none()))

        assert await guard()(inner(far.fetch))() == "up"

    async def test_the_same_guard_round_several_functions(self) -> None:
        guarded = guard(retry=None, breaker=Breaker.consecutive(2))

        @guarded
        async def fetch() -> None:
            raise BoomError

        @guarded
        def get() -> None:
            raise BoomError

        with suppress(BoomError):
            await fetch()
        with suppress(BoomError):
            get()

        assert guarded.state == "open"


class TestRefused:
    @pytest.mark.parametrize("policies", [{}, LONG_WAY], ids=["short", "long"])
    def test_generators(self, policies: Any) -> None:
        def items() -> Iterator[int]:
            yield 1

        async def stream() -> AsyncIterator[int]:
            yield 1

        class Items:
            def __call__(self) -> Iterator[int]:
                yield 1

        targets: dict[str, Any] = {"items": items, "stream": stream, "Items": Items(), "part": functools.partial(items)}
        for name, target in targets.items():
            with pytest.raises(
                TypeError, match=f"^guard 'api': .*{name}.* is a generator: a guard would protect "
            ) as c:
                guard(**policies)(target)
            assert str(c.value).endswith("its making and not its items; guard the call that gets each of them")
        with pytest.raises(TypeError, match="is a generator"):
            guard(**policies)(staticmethod(items))

    def test_classes(self) -> None:
        with pytest.raises(TypeError, match=r"^guard 'api': Client is a class: guard the function that makes its inst"):
            guard()(Client)

    @pytest.mark.parametrize("target", [None, 5, "fetch", property(len), functools.partialmethod(len)])
    def test_what_cannot_be_called(self, target: Any) -> None:
        with pytest.raises(TypeError, match=r"^guard 'api': a function is needed, got "):
            guard()(target)

    @WAYS
    @pytest.mark.parametrize("lazy", ["coroutine", "generator", "async generator"])
    def test_a_plain_function_that_returns_something_unfinished(self, policies: Any, lazy: str) -> None:
        async def coroutine() -> None:
            """Do nothing."""

        def generator() -> Iterator[int]:
            yield 1

        async def async_generator() -> AsyncIterator[int]:
            yield 1

        made = {"coroutine": coroutine, "generator": generator, "async generator": async_generator}[lazy]

        def unfinished() -> object:
            return made()

        for call in (guard(**policies)(unfinished), functools.partial(guard(**policies).call_sync, unfinished)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a coroutine that nobody awaits
                with pytest.raises(TypeError, match=r"^guard 'api': .*\.unfinished is a plain function ") as caught:
                    call()
            assert f"that returned a {lazy.replace(' ', '_')}: its work would be done outside" in str(caught.value)

    @pytest.mark.parametrize("policies", [{"attempt_timeout": 1.0}, {"hedge": Hedge(after=1.0)}])
    def test_policies_that_nothing_can_do_to_a_plain_function(self, policies: Any) -> None:
        needs = f"which nothing can cut off: {next(iter(policies))} needs an async one$"

        with pytest.raises(TypeError, match=r"^guard 'api': FarEnd\.get is a plain function, " + needs):
            guard(**policies)(FarEnd().get)
        with pytest.raises(TypeError, match=needs):
            guard(**policies).call_sync(FarEnd().get)
        with pytest.raises(TypeError, match=needs):
            guard(**policies).outcome_sync(FarEnd().get)

    def test_an_async_fallback_of_a_plain_function(self) -> None:
        guarded = guard(fallback=Fallback.call(FarEnd().fetch))

        for use in (lambda: guarded(FarEnd().get), lambda: guarded.call_sync(FarEnd().get)):
            with pytest.raises(TypeError, match=r"is a plain function, its fallback must be one, too$"):
                use()


class TestMetadata:
    @WAYS
    def test_name_documentation_and_signature_are_kept(self, policies: Any) -> None:
        def get(symbol: str, *, limit: int = 5) -> list[str]:
            """Get it."""
            return [symbol] * limit

        async def fetch(symbol: str) -> str:
            """Fetch it."""
            return symbol

        get.mark = "kept"  # type: ignore[attr-defined]
        for function in (get, fetch):
            guarded = guard(**policies)(function)

            assert guarded.__name__ == function.__name__
            assert guarded.__qualname__ == function.__qualname__
            assert guarded.__module__ == __name__
            assert guarded.__doc__ == function.__doc__
            assert guarded.__annotations__ == function.__annotations__
            assert guarded.__wrapped__ is function  # type: ignore[attr-defined]
            assert inspect.signature(guarded) == inspect.signature(function)
            assert inspect.iscoroutinefunction(guarded) == inspect.iscoroutinefunction(function)
        assert guard(**policies)(get).mark == "kept"  # type: ignore[attr-defined]

    def test_types_are_kept_for_checkers(self) -> None:
        @guard()
        def get(symbol: str, limit: int = 5) -> list[str]:
            return [symbol] * limit

        @guard()
        async def fetch(symbol: str) -> float:
            return float(symbol)

        async def uses() -> None:
            assert_type(get("a"), list[str])
            assert_type(await fetch("1"), float)
            assert_type(await guard().call(fetch, "1"), float)
            assert_type(guard().call_sync(get, "a", limit=2), list[str])
            assert_type(await guard().outcome(fetch, "1"), Outcome)
            get(5)  # type: ignore[arg-type]
            await guard().call(fetch, "1", 2)  # type: ignore[call-arg]

        assert inspect.iscoroutinefunction(uses)
