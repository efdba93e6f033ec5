"""What an error says of itself: whether to come back and when, and what became of the call.

Errors speak by their attributes, so that nobody has to translate those of a library:
``retry_after`` (seconds), ``outcome_unknown``, ``status`` or ``status_code`` (HTTP), and
``response`` with ``status_code`` and ``headers``, as HTTP clients have it. All of them are
looked for through exception groups and chains of causes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import trio

from duenna._says import MARK, ask, members, status_of, wait_of
from duenna.guards.errors import RejectedError
from duenna.wallclock import wall_time

ErrorRule = tuple[type[BaseException], ...] | Callable[[BaseException], bool]
"""Which errors are meant: their types, or a function that is asked about each."""

_DEEPEST = 16
_MOST_LINKS = 100
_TOO_MANY = frozenset({418, 429})
_COME_BACK = frozenset({408, 425}) | _TOO_MANY
_BUGS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    MemoryError,
    NameError,
    NotImplementedError,
    RecursionError,
    SyntaxError,
    TypeError,
)
_NEVER_SENT = (ConnectionRefusedError, socket.gaierror)
_THE_END = (StopIteration, StopAsyncIteration)  # an answer: there is no more


_MARKED = frozenset({MARK})
_PLAIN: dict[type, bool] = {}
_MOST_TYPES = 1000
_WORDS = ("retry_after", "outcome_unknown", "status", "status_code", "response", "headers", "exceptions")


def is_plain(error: BaseException) -> bool:
    """Return whether *error* says nothing but its text: a quick look that spares many slow ones."""
    kind = type(error)
    plain = _PLAIN.get(kind)
    if plain is None:
        if len(_PLAIN) >= _MOST_TYPES:
            _PLAIN.clear()
        plain = _PLAIN[kind] = (
            not any(hasattr(kind, word) for word in _WORDS)
            and kind.__str__ in {BaseException.__str__, OSError.__str__}
            and not issubclass(kind, (RejectedError, *_THE_END))
        )
    args = error.args
    return (
        plain
        and (not args or (len(args) == 1 and type(args[0]) is str))
        and error.__cause__ is None
        and error.__context__ is None
        and (not error.__dict__ or error.__dict__.keys() == _MARKED)
    )


def matches(error: BaseException, rule: ErrorRule, depth: int = 0) -> bool:
    """Return whether *rule* means *error*, or what caused it; of a group, whether it means all of its members."""
    if _means(rule, error):
        return True
    if depth >= _DEEPEST:
        return False
    if inside := members(error):
        return all(matches(member, rule, depth + 1) for member in inside)
    cause = error.__cause__
    return cause is not None and matches(cause, rule, depth + 1)


def _means(rule: ErrorRule, error: BaseException) -> bool:
    return isinstance(error, rule) if isinstance(rule, tuple) else rule(error)


def is_transient(error: BaseException) -> bool:
    """Return whether another attempt may succeed, by what the error itself says: the last word where no rule knows it.

    Bugs (`TypeError` and the like) stay bugs, an answer of 4xx stays what it is (other than
    408, 418, 425 and 429), and what a guard refuses is not asked for again at once.
    """
    if inside := members(error):
        return all(is_transient(member) for member in inside)
    if isinstance(error, (RejectedError, *_BUGS, *_THE_END)):
        return False
    status = _said(error)
    return status is None or not 400 <= status < 500 or status in _COME_BACK  # noqa: PLR2004  # HTTP


def is_failure(error: BaseException) -> bool:
    """Return whether an error tells that the far end is in trouble: the default of `Breaker.record`.

    An answer of 4xx tells that it is well, Retry-After that it manages its load, and a
    rejection by a guard tells nothing new.
    """
    if is_plain(error):
        return True
    if inside := members(error):
        return any(is_failure(member) for member in inside)
    if isinstance(error, (RejectedError, *_THE_END)):
        return False
    status = _said(error)
    if status is not None and 400 <= status < 500 and status != 408:  # noqa: PLR2004  # HTTP
        return False
    return not retry_after(error)


def is_rate_limit(error: BaseException) -> bool:
    """Return whether the far end says that there were too many calls."""
    return any(status_of(link) in _TOO_MANY for link in links_of(error))


def retry_after(error: BaseException) -> float:
    """Return for how many seconds the far end wants to be left alone, a week at most; 0 if it does not say."""
    return max(wait_of(link, wall_time) or 0.0 for link in links_of(error))


def is_outcome_known(error: BaseException, depth: int = 0) -> bool:
    """Return whether a call that failed with *error* certainly had no effect.

    So say errors whose ``outcome_unknown`` is False, a refused connection and a name that
    does not resolve.
    """
    if inside := members(error):
        return depth < _DEEPEST and all(is_outcome_known(member, depth + 1) for member in inside)
    said = ask(error, "outcome_unknown")
    if said is not None:
        return not said
    cause = error.__cause__
    return isinstance(error, _NEVER_SENT) or (
        cause is not None and depth < _DEEPEST and is_outcome_known(cause, depth + 1)
    )


def is_timeout(error: BaseException) -> bool:
    """Return whether the far end may still be busy with the call."""
    return any(isinstance(link, TimeoutError | trio.TooSlowError) for link in links_of(error))


def links_of(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, its causes and its groups' members, at most so many.

    Not its contexts: a call that is made while another error is handled has that for its
    context, and would take its hints for its own.
    """
    waiting = [error]
    for _ in range(_MOST_LINKS):
        if not waiting:
            return
        link = waiting.pop()
        yield link
        waiting.extend(members(link)[:_MOST_LINKS])
        if link.__cause__ is not None:
            waiting.append(link.__cause__)


def _said(error: BaseException) -> int | None:
    """Return the HTTP status of *error* or else of what caused it."""
    return next((status for link in links_of(error) if (status := status_of(link)) is not None), None)
