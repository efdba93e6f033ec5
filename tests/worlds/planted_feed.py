"""Bugs planted in the connections on purpose, each for the time of a ``with`` block: the checkers must find them."""

from __future__ import annotations

from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

import trio

from duenna.connection import Connection
from duenna.machines.failures import FailureCount
from duenna.machines.link import Link, LinkEvent
from duenna_actors._feed_line import FeedLine
from duenna_actors._feed_lines import FeedLines
from duenna_actors._subscriptions import SubscriptionBook
from duenna_actors.feed_errors import FeedClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

_NORMAL = 1000


@contextmanager
def _patched(*patches: tuple[Any, str, Any]) -> Generator[None]:
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


async def _wait(*_: object) -> None:
    await trio.sleep_forever()


def no_receive_timeout() -> AbstractContextManager[None]:
    """Wait for data as long as it takes: no deadline for a subscription, no ping."""
    return _patched((SubscriptionBook, "next_due", lambda _book: inf), (FeedLine, "keep_alive", _wait))


def backoff_reset_at_connect() -> AbstractContextManager[None]:
    """Forget the failures as soon as a link is up, however short it holds."""
    move: Any = Connection._move

    def forgive(connection: Connection, link: Link, event: LinkEvent, why: str) -> None:
        move(connection, link, event, why)
        if event is LinkEvent.CONNECTED:
            cell: Any = connection.context.ref
            cell.more.failures = FailureCount()

    return _patched((Connection, "_move", forgive))


def resubscription_forgotten() -> AbstractContextManager[None]:
    """Subscribe on the first connect, and never again."""
    first: Any = FeedLines._open

    async def forget(lines: FeedLines, line: FeedLine) -> None:
        if lines._context.incarnation == 1:
            await first(lines, line)
        else:
            lines._open_lines.append(line)
            lines._feed.background(line.host)
            await line.open()
            lines._feed.background(lines._read, line)

    return _patched((FeedLines, "_open", forget))


def close_code_1000_is_final() -> AbstractContextManager[None]:
    """Believe that an exchange that says `normal closure` has nothing more to say."""
    read: Any = FeedLine.read
    keep_alive: Any = FeedLine.keep_alive
    closed: dict[FeedLine, None] = {}

    async def read_on(line: FeedLine) -> None:
        try:
            await read(line)
        except FeedClosedError as error:
            if error.code != _NORMAL:
                raise
            closed[line] = None
            line.book.tracks.clear()
            await trio.sleep_forever()

    async def keep_on(line: FeedLine) -> None:
        try:
            await keep_alive(line)
        except FeedClosedError:
            if line not in closed:
                raise
            await trio.sleep_forever()

    return _patched((FeedLine, "read", read_on), (FeedLine, "keep_alive", keep_on))


PLANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "no_receive_timeout": no_receive_timeout,
    "backoff_reset_at_connect": backoff_reset_at_connect,
    "resubscription_forgotten": resubscription_forgotten,
    "close_code_1000_is_final": close_code_1000_is_final,
}
