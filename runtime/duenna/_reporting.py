"""Makes the report of an error: bounded, without secrets, and without the error itself."""

from __future__ import annotations

from contextlib import suppress
from reprlib import Repr
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from duenna._facts import facts_of
from duenna._frames import frames_of
from duenna._says import MARK, ask
from duenna._text import MOST, describe, in_a_line
from duenna.error_events import ErrorReport, Source
from duenna.machines.classification import origin_of
from duenna.secrets import HIDDEN, is_secret_name, redact_to
from duenna.wallclock import wall_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duenna.machines.classification import Facts, Verdict
    from duenna.wallclock import WallTime

_MOST_ENTRIES: Final = 50
_LONGEST_KEY: Final = 100
_MOST_REPORTERS: Final = 32


def make_report(
    error: BaseException,
    *,
    id: int,  # noqa: A002  # the report's field
    time: float,
    at: float,
    path: str = "/",
    incarnation: int = 0,
    kind: str = "",
    source: Source = Source.REPORT,
    service: str = "",
    operation: str = "",
    label: str = "",
    retry_count: int = 0,
    context: Mapping[str, Any] | None = None,
    verdict: Verdict | None = None,
    facts: Facts | None = None,
    wall: WallTime = wall_time,
) -> ErrorReport:
    """Return the report of *error*: the one place where secrets are taken out of it.

    Nothing in it refers to *error*, its traceback or its frames. If somebody else has reported
    *error* before, `ErrorReport.repeats` is that report's number; an error that takes no
    attributes is a new one each time. Whatever *error* and the values in *context* do, this returns.

    Args:
        error: What went wrong.
        id: The report's number, from 1.
        time: When, in seconds of trio's clock.
        at: When, in seconds since 1970.
        path: The actor, `/` if it was none.
        incarnation: Which of the actor's.
        kind: The actor's kind.
        source: Who noticed it.
        service: What it counts under; empty: *path*.
        operation: What was being done.
        label: The name that it is counted under.
        retry_count: Attempts that failed before.
        context: What to add: at most 50 entries, of 500 characters each. What stands under the
            name of a secret is left out.
        verdict: The verdict, if there is one.
        facts: Of *error*, if they have been made.
        wall: Gives the time of day, for a Retry-After that is a date.
    """
    if facts is None:
        facts = facts_of(error, origin=origin_of(kind), wall=wall)
    frames, function = frames_of(error)
    first = facts.links[0]
    is_lone = len(facts.links) == 1
    return ErrorReport(
        id=id,
        time=time,
        at=at,
        path=path,
        incarnation=incarnation,
        kind=kind,
        source=source,
        error_type=first.type,
        message=in_a_line(type(error).__qualname__, first.message) if is_lone else describe(error),
        facts=facts,
        frames=frames,
        function=function,
        service=_short(service) or path,
        operation=_short(operation),
        label=_short(label),
        retry_count=retry_count,
        repeats=_earlier(error, id, (source, path, service, operation)),
        context=clean_context(context) if context else {},
        verdict=verdict,
    )


def _earlier(error: BaseException, number: int, who: tuple[str, ...]) -> int | None:
    """Return the number of the report that others made of *error* before; mark it as being in one of *who* now.

    One that the same reporter meets again was raised again, be it the same object, as those
    are that a module keeps: it is a new error.
    """
    # From its own attributes alone: one that answers to any name would answer to this one.
    own: Any = ask(error, "__dict__")
    mark: Any = cast("dict[str, Any]", own).get(MARK) if type(own) is dict else None
    if type(mark) is _Mark and who not in mark.reporters:
        if len(mark.reporters) < _MOST_REPORTERS:
            mark.reporters.add(who)
        return mark.number
    with suppress(Exception):  # one that takes no attributes is not recognised again
        setattr(error, MARK, _Mark(number, {who}))
    return None


@attrs.frozen
class _Mark:
    """What is written on an error: the number of its first report, and who has reported it."""

    number: int
    reporters: set[tuple[str, ...]]


def _short(text: str) -> str:
    return redact_to(text) if text else ""


def clean_context(context: Mapping[str, Any]) -> dict[str, str]:
    """Return *context* as bounded text without secrets."""
    clean: dict[str, str] = {}
    try:
        for name, value in context.items():
            if len(clean) >= _MOST_ENTRIES:
                break
            key = redact_to(name if isinstance(name, str) else _said(name), _LONGEST_KEY)
            clean[key] = HIDDEN if is_secret_name(key) and value is not None else _value(key, value)
    except Exception as exc:  # noqa: BLE001  # a mapping of the user's own; the report is what counts
        clean["context"] = f"<it raised {type(exc).__name__}>"
    return clean


def _value(key: str, value: Any) -> str:
    if isinstance(value, BaseException):
        return describe(value)
    # With its name, a value may be known for what it is.
    label = f"{key}="
    text = redact_to(label + _said(value), MOST + len(label))
    return text.removeprefix(label)[:MOST]


_BOUNDED: Final = Repr()
_BOUNDED.maxlevel = 6
_BOUNDED.maxdict = _BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxset = _BOUNDED.maxfrozenset = 50
_BOUNDED.maxdeque = _BOUNDED.maxarray = 50
_BOUNDED.maxstring = _BOUNDED.maxother = _BOUNDED.maxlong = 4_000


def _said(value: Any) -> str:
    try:
        if type(value) is str:
            return value
        return _BOUNDED.repr(value) if isinstance(value, _CONTAINERS) else str(value)
    except BaseException as exc:  # noqa: BLE001  # a broken __str__ must not cost the report
        return f"<its __str__ raised {type(exc).__name__}>"


_CONTAINERS: Final = (dict, list, tuple, set, frozenset)
