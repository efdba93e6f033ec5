"""What an exception says about when to try again."""

import math
from collections.abc import Iterator
from typing import cast

_MOST_LINKS = 100


def retry_after(error: BaseException) -> float:
    """Return the longest ``retry_after`` of *error*, its causes and its group's members, in seconds.

    0 when there is none; what is no finite number of at least 0 is passed over. At most
    100 exceptions are looked at.
    """
    if error.__cause__ is None and error.__context__ is None and not members(error):
        return _seconds(error)
    return max((_seconds(link) for link in links(error)), default=0.0)


def links(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, its causes and its groups' members, each once, at most 100 of them."""
    seen: set[int] = set()
    waiting = [error]
    while waiting and len(seen) < _MOST_LINKS:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting.extend(members(link)[:_MOST_LINKS])
        cause = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if cause is not None:
            waiting.append(cause)


def members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the members of *error* if it is a group; none otherwise."""
    return cast("BaseExceptionGroup[BaseException]", error).exceptions if isinstance(error, BaseExceptionGroup) else ()


def _seconds(error: BaseException) -> float:
    try:
        hint = getattr(error, "retry_after", None)
        if isinstance(hint, int | float) and not isinstance(hint, bool) and 0 <= hint < math.inf:
            return float(hint)
    except Exception:  # noqa: BLE001  # an exception's own attribute may raise, or be too large: then it gives no hint
        return 0.0
    return 0.0
