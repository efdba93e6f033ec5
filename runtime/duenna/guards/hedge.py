"""A second try beside the first, when that takes long: the first answer wins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import trio

from duenna.machines import checks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_OWNER = "Hedge"
T = TypeVar("T")


@attrs.frozen
class Hedge:
    """When a call that takes long is tried once more beside the first try; for calls that may be made twice.

    Source: Dean and Barroso, "The Tail at Scale" (2013), "hedged requests": defer the second
    until the first has been out for longer than the 95th percentile of all.

    Attributes:
        after: Seconds without an answer until the next try begins, at least 0.
        most: Tries beside the first, at most, at least 1.
    """

    after: float
    most: int = 1

    def __attrs_post_init__(self) -> None:
        """Refuse what is no hedge."""
        checks.duration(_OWNER, "after", self.after, inf=False)
        checks.count(_OWNER, "most", self.most, least=1)


async def race(library: str, attempt: Callable[[], Awaitable[T]], hedge: Hedge, may_hedge: Callable[[], bool]) -> T:
    """Return the first answer of several tries; the others are cancelled, and have ended when it returns.

    A try that fails while others run leaves the answer to them; when all have failed, and
    no try is under way, it is over, without waiting for the next. Cancelled, it cancels all.

    Args:
        library: `trio` or `asyncio`.
        attempt: Makes one try.
        hedge: When another one begins.
        may_hedge: Asked when one is due, *most* times at most; False leaves it out.

    Raises:
        Exception: All tries failed: what the first of them raised.
    """
    run = race_trio if library == "trio" else race_asyncio
    return await run(attempt, hedge, may_hedge)


@attrs.define(eq=False)
class _Contest(Generic[T]):
    """Several tries, and what became of them.

    Attributes:
        under_way: Tries that have not ended.
        has_answer: Whether one succeeded.
        answer: What the first of these gave.
        errors: What those raised that failed, by their numbers.
    """

    under_way: int = 1
    has_answer: bool = False
    answer: Any = None
    errors: dict[int, Exception] = attrs.field(factory=dict[int, Exception])

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.has_answer or not self.under_way

    async def enter(self, number: int, attempt: Callable[[], Awaitable[T]], over: Callable[[], None]) -> None:
        """Make a try, and tell when it is over."""
        try:
            if not self.has_answer:  # it came before this try could begin
                answer = await attempt()
                if not self.has_answer:
                    self.has_answer, self.answer = True, answer
        except Exception as error:  # noqa: BLE001  # raised in the end, unless another try succeeds
            self.errors[number] = error
        finally:
            self.under_way -= 1
            if self.is_over:
                over()

    def result(self) -> T:
        """Return the answer, or raise the first try's error."""
        if self.has_answer:
            return self.answer  # type: ignore[no-any-return]
        try:
            raise self.errors[0]
        finally:
            self.errors.clear()  # an error must not keep the frame alive that its traceback keeps


async def race_trio(attempt: Callable[[], Awaitable[T]], hedge: Hedge, may_hedge: Callable[[], bool]) -> T:
    """Return the first answer of several tries; see `race`."""
    contest: _Contest[T] = _Contest()
    stray: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            over = nursery.cancel_scope.cancel
            nursery.start_soon(contest.enter, 0, attempt, over)
            for number in range(1, hedge.most + 1):
                await trio.sleep(hedge.after)  # raises once it is over
                if may_hedge():
                    contest.under_way += 1
                    nursery.start_soon(contest.enter, number, attempt, over)
    except BaseExceptionGroup as group:
        stray = _stray(group, contest.has_answer)
    if stray is not None:  # not raised where the group is handled, which would become its context
        try:
            raise stray
        finally:
            del stray
    return contest.result()


def _stray(group: BaseExceptionGroup[BaseException], has_answer: bool) -> BaseException | None:
    """Return what a nursery has to tell beside the answers and errors of tries, without its wrapping."""
    rest = [error for error in group.exceptions if not isinstance(error, trio.Cancelled)]
    if has_answer:  # what a loser raised as it was cancelled is of no interest
        rest = [error for error in rest if not isinstance(error, Exception)]
    if len(rest) > 1:
        return group
    return next(iter(rest), None) or next(
        (error for error in group.exceptions if isinstance(error, trio.Cancelled)), None
    )


async def race_asyncio(attempt: Callable[[], Awaitable[T]], hedge: Hedge, may_hedge: Callable[[], bool]) -> T:
    """Return the first answer of several tries; see `race`."""
    contest: _Contest[T] = _Contest()
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell() -> None:
        if not over.done():
            over.set_result(None)

    tries = [asyncio.create_task(contest.enter(0, attempt, tell))]
    try:
        for number in range(1, hedge.most + 1):
            await asyncio.wait([over], timeout=hedge.after)
            if contest.is_over:
                break
            if may_hedge():
                contest.under_way += 1
                tries.append(asyncio.create_task(contest.enter(number, attempt, tell)))
        await over
    finally:
        await _end(tries)
    if not contest.has_answer:
        tries[0].result()  # raises, if it was cancelled from within
    return contest.result()


async def _end(tries: list[asyncio.Task[None]]) -> None:
    """Cancel what still runs, and wait until it has ended, whatever happens meanwhile."""
    interruption: asyncio.CancelledError | None = None
    pending: list[asyncio.Task[None]] = [each for each in tries if not each.done()]
    for each in pending:
        each.cancel()
    while pending:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            interruption = error
        pending = [each for each in pending if not each.done()]
    for each in tries:
        if not each.cancelled():
            each.exception()  # looked at, or asyncio complains
    if interruption is not None:
        try:
            raise interruption
        finally:
            del interruption
