"""The audit finds what no stand-in could replace."""

from __future__ import annotations

import datetime as dt
import functools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.testing._leaks import Leak

from .support import Bare

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = str(Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__))
INSTEAD = "the world cannot replace this copy of it: look it up when calling, by its module"


def default(now: Callable[[], float] = time.time) -> float:
    return now()


def date_default(now: Callable[[], dt.datetime] = dt.datetime.now) -> dt.datetime:
    return now()


class Holder:
    clock = staticmethod(time.monotonic)

    def read(self) -> float:
        return self.clock()


def in_list(draw: Any = (os.urandom,)) -> bytes:
    return draw[0](4)  # type: ignore[no-any-return]


def place(function: Any) -> str:
    return f"{HERE}:{function.__code__.co_firstlineno + 1}"


@pytest.mark.parametrize(
    ("call", "where", "by"),
    [
        (default, place(default), "time.time"),
        (date_default, place(date_default), "datetime.datetime.now"),
        (lambda: Holder().read(), place(Holder.read), "time.monotonic"),
        (in_list, place(in_list), "os.urandom"),
    ],
)
def test_a_copy_in_a_default_argument_or_a_class_is_found(call: Callable[[], Any], where: str, by: str) -> None:
    bare = Bare(audit=True)

    async def main() -> None:
        for _ in range(3):
            await trio.sleep(1.0)
            call()

    bare.run(main)

    assert bare.leaks == [Leak(f"real {by} called", where, by, INSTEAD)]


def test_without_the_audit_it_goes_unnoticed() -> None:
    bare = Bare()

    assert abs(bare.call(default) - time.time()) < 60.0
    assert bare.leaks == []


def test_what_the_world_replaces_is_no_leak() -> None:
    bare = Bare(audit=True)

    async def main() -> None:
        await trio.to_thread.run_sync(time.sleep, 1.0)
        _ = time.time(), time.localtime(), time.strftime("%Y", time.gmtime(0.0)), dt.datetime.now(), os.urandom(3)
        await trio.Path("/").stat()

    bare.run(main)

    assert bare.leaks == []


def test_a_profiler_is_put_back() -> None:
    calls: list[str] = []
    profiler = functools.partial(lambda *_: calls.append("called"))
    sys.setprofile(profiler)
    try:
        Bare(audit=True).call(int)
        found = sys.getprofile()
    finally:
        sys.setprofile(None)

    assert found is profiler
