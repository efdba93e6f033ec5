"""One turn of a cell: hand it some of its messages, at most ``limit``.

Both forms stop when the cell no longer serves: it crashed, was stopped or suspended, or
its handler gave way to others in the middle (the dispatcher sees that, and says so by
taking ``serves`` back).
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from duenna._ask import Ask
from duenna.mailbox import ENVELOPES, NOTHING

if TYPE_CHECKING:
    from duenna._cell import Cell


Blocked = tuple[Generator[Any, Any, Any], object]


def turn_sync(cell: "Cell", limit: int) -> None:
    """Serve a cell whose ``receive`` is a plain function."""
    queue = cell.queue
    if not queue:
        return
    message: Any = queue.popleft()
    cell.current = message
    if not queue and message.__class__ not in ENVELOPES:  # the common case, alone: a third faster than the loop
        cell.received += 1
        if cell.extra is not None:
            cell.count_extra(1)
        if (result := cell.actor.receive(message)) is not None:
            checked(result)
        cell.current = NOTHING
        return
    receive = cell.actor.receive
    done = 1
    try:
        while True:
            if message.__class__ in ENVELOPES:
                if message.is_wanted(cell.incarnation):
                    cell.answer(message, checked(receive(message.message)))
            elif (result := receive(message)) is not None:
                checked(result)
            if not queue or done >= limit or not cell.serves:
                break
            message = cell.current = queue.popleft()
            done += 1
        cell.current = NOTHING
    finally:
        cell.count_served(done)


def turn_async(cell: "Cell", limit: int) -> Blocked | None:
    """Serve a cell whose ``receive`` is an ``async def``, until it gives way.

    A single plain message, which is the common case, needs no coroutine beside the handler's.
    A ``for`` loop steps the coroutine, because its end costs no exception then.

    Returns:
        None if it came to its end; otherwise the coroutine and what it yielded to trio.
    """
    queue = cell.queue
    if not queue:
        return None
    message: Any = queue.popleft()
    cell.current = message
    if queue:
        turn = _several(cell, message, limit).__await__()
    elif message.__class__ is Ask:
        turn = _answer(cell, message).__await__()
    elif message.__class__ in ENVELOPES:
        turn = _several(cell, message, limit).__await__()
    else:
        cell.received += 1
        if cell.extra is not None:
            cell.count_extra(1)
        turn = cell.actor.receive(message).__await__()
    for trap in turn:
        return turn, trap
    cell.current = NOTHING
    return None


async def _answer(cell: "Cell", ask: Ask) -> None:
    """Serve a single ask."""
    cell.received += 1
    if cell.extra is not None:
        cell.count_extra(1)
    value = await cell.actor.receive(ask.message)
    if not ask.is_deferred:
        ask.answer(value)


async def _several(cell: "Cell", message: Any, limit: int) -> None:
    """Serve *message* and what comes after it; each is counted as it is handed out, for any may block for long."""
    queue = cell.queue
    receive = cell.actor.receive
    done = 1
    while True:
        cell.received += 1
        if cell.extra is not None:
            cell.count_extra(1)
        if message.__class__ in ENVELOPES:
            if message.is_wanted(cell.incarnation):
                cell.answer(message, await receive(message.message))
        else:
            await receive(message)
        if not queue or done >= limit or not cell.serves:
            break
        message = cell.current = queue.popleft()
        done += 1
    cell.current = NOTHING


def checked(result: object) -> object:
    """Return *result*; refuse an awaitable, which nobody would await.

    Raises:
        TypeError: ``receive`` is a plain function and returned an awaitable.
    """
    if hasattr(result, "__await__"):
        close = getattr(result, "close", None)
        if close is not None:
            close()
        message = f"receive returned {type(result).__name__}: make it `async def`, or await the result inside"
        raise TypeError(message)
    return result
