"""Blocking calls in threads: their value, their error, and three ways to call them off."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import trio

from duenna_actors._threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 0.05


class Work:
    """A call that waits until it is cancelled, or killed, or released."""

    def __init__(self, ends_by: str) -> None:
        self.ends_by = ends_by
        self.calls: list[str] = []
        self.began = threading.Event()
        self.release = threading.Event()

    def __call__(self) -> str:
        self.began.set()
        self.release.wait()
        self.calls.append("ended")
        return "done"

    def ends(self, how: str) -> Callable[[], None]:
        def end() -> None:
            self.calls.append(how)
            if how == self.ends_by:
                self.release.set()

        return end


async def run(work: Callable[[], str], owner: Work, limiter: trio.CapacityLimiter | None = None) -> str:
    return await run_in_thread(
        work,
        limiter=limiter or trio.CapacityLimiter(1),
        cancel=owner.ends("cancel"),
        kill=owner.ends("kill"),
        patience=PATIENCE,
    )


async def test_the_value_comes_back() -> None:
    assert await run(lambda: "value", Work("")) == "value"


async def test_an_error_comes_out_of_all_groups() -> None:
    def fail() -> str:
        raise KeyError("x")

    with pytest.raises(KeyError, match=r"^'x'$"):
        await run(fail, Work(""))


@pytest.mark.parametrize(
    ("ends_by", "calls"),
    [("cancel", ["cancel", "ended"]), ("kill", ["cancel", "kill", "ended"])],
)
async def test_cancelled_it_is_called_off_and_waited_for(ends_by: str, calls: list[str]) -> None:
    work = Work(ends_by)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, work, work)
        await trio.to_thread.run_sync(work.began.wait)
        nursery.cancel_scope.cancel()

    assert work.calls == calls


async def test_what_cannot_be_called_off_is_left_to_itself_and_keeps_its_place() -> None:
    """The next call must not meet it in the same connection: it waits for the limiter."""
    work, limiter = Work("never"), trio.CapacityLimiter(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, work, work, limiter)
        await trio.to_thread.run_sync(work.began.wait)
        nursery.cancel_scope.cancel()
    assert work.calls == ["cancel", "kill"]

    with trio.move_on_after(PATIENCE) as scope:
        await run(lambda: "next", Work("cancel"), limiter)
    assert scope.cancelled_caught
    work.release.set()

    assert await run(lambda: "next", Work(""), limiter) == "next"


async def test_cancelled_before_it_begins_it_does_not_begin() -> None:
    work = Work("")
    with trio.CancelScope() as scope:
        scope.cancel()
        await run(work, work)

    assert scope.cancelled_caught
    assert not work.began.is_set()
