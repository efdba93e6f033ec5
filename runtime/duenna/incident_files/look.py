"""A look at a runtime at one moment: taken at once on the event loop, so only what is cheap is taken.

Text is made of it later, in a thread: all that is kept here are values that nobody changes any more, and code
objects. No value of a message, of an actor's field or of a variable is touched.
"""

import gc
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna._extra import Extra
from duenna._kind import kind_of
from duenna._node import Node
from duenna._reports import CLASSIFIER
from duenna.error_events import ErrorClassified, ErrorReport
from duenna.errors import UnknownPathError
from duenna.machines.lifecycle import ChildState
from duenna.mailbox import NOTHING, Envelope, LatestQueue
from duenna.stacks import RawStack, raw_stacks

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime
    from duenna.events import Event
    from duenna.guards import GuardStatistics
    from duenna.health import HealthReport
    from duenna.settings import Settings

MOST_ACTORS: Final = 2_000
"""Actors of which a look tells; of more, those that run are left out first."""

MOST_FRAMES: Final = 20_000
"""Frames of all tasks together; those of whom it is about come first."""

MOST_MAILBOXES: Final = 200
MOST_MESSAGES: Final = 10_000
MOST_ERRORS: Final = 50
_MOST_OF_ONE: Final = 1_000
_MOST_SEEN: Final = 50_000

RUNS: Final = ChildState.RUNNING


@attrs.frozen
class Seen:
    """One actor or supervisor; see `NodePart`."""

    path: str
    depth: int
    kind: str
    state: str
    incarnation: int
    failures: int
    budget_left: int | None
    uptime: float | None
    mail: int
    last_error: str


@attrs.frozen
class SeenMailbox:
    """A mailbox; see `MailboxPart`. ``waiting`` is the count of each type, and since when the oldest has waited."""

    path: str
    depth: int
    capacity: int
    policy: str
    oldest: float | None
    dropped: int
    received: int
    current: str
    senders: int
    stashed: int
    waiting: dict[str, tuple[int, float | None]]


@attrs.frozen(kw_only=True)
class Look:
    """What was seen.

    Attributes:
        now: The moment, in seconds of trio's clock.
        name: Of the user's root.
        phase: `starting`, `running` or `stopping`.
        stops_because: Why it stops, empty if it does not.
        uptime: Seconds that the user's root has run.
        seen: The actors.
        left_out: How many there are beside them.
        stacks: Where their tasks were, by path.
        unwalked: How many actors that have tasks there was no room for.
        mailboxes: Those with something in them, the fullest first.
        events: The last events.
        errors: The last errors.
        reports: Those that have not been judged yet.
        health: How the bot does; None: there are too many actors to look at.
        breakers: The guards that were used.
        settings: Those in force.
        counts: Errors so far, those of the last minute, the trend, and dead letters.
    """

    now: float
    name: str
    phase: str
    stops_because: str
    uptime: float
    seen: tuple[Seen, ...]
    left_out: int
    stacks: tuple[tuple[str, tuple[RawStack, ...]], ...]
    unwalked: int
    mailboxes: tuple[SeenMailbox, ...]
    events: tuple["Event", ...]
    errors: tuple[ErrorClassified, ...]
    reports: tuple[ErrorReport, ...]
    health: "HealthReport | None"
    breakers: tuple["GuardStatistics", ...]
    settings: "Settings"
    counts: tuple[int, float, str, int]


def look_at(runtime: "Runtime", events: tuple["Event", ...], about: str = "/") -> Look:
    """Return what *runtime* is like now; *events* are the last ones, *about* is whom it is about.

    Holds the event loop some 25 us for each actor.
    """
    collects = gc.isenabled()
    gc.disable()  # all that is made here is kept: a collection in between takes longer than all the rest
    try:
        return _look_at(runtime, events, about)
    finally:
        if collects:
            gc.enable()


def _look_at(runtime: "Runtime", events: tuple["Event", ...], about: str) -> Look:
    now = runtime.now()
    cells = list(islice(_cells(runtime), MOST_ACTORS))
    root, errors = runtime.roots[-1], runtime.errors
    stacks, unwalked = _stacks([cell for cell, _ in cells], about)
    everything = runtime.cell_count + len(runtime.roots)
    return Look(
        now=now,
        name=root.name,
        phase="stopping" if runtime.stopping.is_set() else "running" if runtime.has_booted else "starting",
        stops_because=runtime.reason,
        uptime=0.0 if root.started_at is None else now - root.started_at,
        seen=tuple([_seen(cell, depth, now) for cell, depth in cells]),
        left_out=max(0, everything - len(cells)),
        stacks=stacks,
        unwalked=unwalked,
        mailboxes=_mailboxes([cell for cell, _ in cells]),
        events=events,
        errors=errors.recent[-MOST_ERRORS:],
        reports=_unjudged(runtime),
        health=runtime.health() if everything <= MOST_ACTORS else None,
        breakers=_breakers(runtime),
        settings=runtime.settings,
        counts=(errors.total, errors.rate(now), str(errors.trend(now)), runtime.dead_letters),
    )


def _cells(runtime: "Runtime") -> Iterator[tuple["Cell", int]]:
    """Yield the actors with their depth; of very many that run and have nothing to tell, the first half of a look."""
    todo: list[tuple[Cell, int]] = [(root, 0) for root in reversed(runtime.roots)]
    quiet = MOST_ACTORS if runtime.cell_count <= MOST_ACTORS else MOST_ACTORS // 2
    for _ in range(_MOST_SEEN):
        if not todo:
            return
        cell, depth = todo.pop()
        if isinstance(cell, Node):
            todo += [(child, depth + 1) for child in reversed(cell.children.values())]
        elif cell.state is RUNS and (cell.extra is None or not cell.extra.last_error):
            quiet -= 1
            if quiet < 0:
                continue
        yield cell, depth


def nearness(path: str, about: str) -> int:
    """Return how near *path* is to *about*: at or below it, above it, elsewhere, the runtime's own."""
    if path == about or path.startswith(f"{about}/"):
        return 0
    if about.startswith(f"{path}/"):
        return 1
    return 3 if path.startswith("/system") else 2


def _stacks(cells: list["Cell"], about: str) -> tuple[tuple[tuple[str, tuple[RawStack, ...]], ...], int]:
    """Return where the tasks are, those of *about* first, and how many actors with tasks there was no room for."""
    left, unwalked, found = MOST_FRAMES, 0, list[tuple[str, tuple[RawStack, ...]]]()
    for cell in sorted(cells, key=lambda each: nearness(each.path, about)):
        if left <= 0:
            extra = cell.extra
            unwalked += extra is not None and (extra.worker is not None or extra.host is not None)
        elif raw := raw_stacks(cell):
            left -= sum([len(places) + 1 for _, places in raw])
            found.append((cell.path, tuple(raw)))
    return tuple(found), unwalked


def _seen(cell: "Cell", depth: int, now: float) -> Seen:
    extra, queue, options = cell.extra, cell.queue, cell.spec.options
    runtime = cell.node.runtime
    left = runtime.policies.plan(options).max_failures
    if isinstance(cell, Node):
        left = cell.manager.restarts.window.left(now)
    elif extra is not None:
        left = extra.failures.left(left)
    is_up = cell.state is RUNS and cell.started_at is not None
    return Seen(
        path=cell.path,
        depth=depth,
        kind=kind_of(cell),
        state="suspended" if extra is not None and extra.is_suspended and cell.state is RUNS else str(cell.state),
        incarnation=cell.incarnation,
        failures=extra.failures.failures if extra is not None else 0,
        budget_left=left,
        uptime=now - cell.started_at if is_up and cell.started_at is not None else None,
        mail=len(queue) if queue is not None else 0,
        last_error=(extra.last_error if extra is not None else None) or "",
    )


def _mailboxes(cells: list["Cell"]) -> tuple[SeenMailbox, ...]:
    """Return the fullest mailboxes; so many messages are looked at in all, and no more."""
    busy = [cell for cell in cells if _has_mail(cell)]
    busy.sort(key=lambda cell: -len(cell.queue or ()))
    left, found = MOST_MESSAGES, list[SeenMailbox]()
    for cell in busy[:MOST_MAILBOXES]:
        most = min(left, _MOST_OF_ONE)
        left -= min(most, len(cell.queue or ()))
        found.append(_mailbox(cell, most))
    return tuple(found)


def _has_mail(cell: "Cell") -> bool:
    extra = cell.extra
    if cell.queue or extra is None:
        return bool(cell.queue)
    return extra.worker is not None or bool(extra.senders) or bool(extra.stash)


def _mailbox(cell: "Cell", most: int) -> SeenMailbox:
    extra, queue = cell.extra or _NO_EXTRA, cell.queue  # to look makes none: an idle actor stays as small as it is
    replaced = queue.replaced if isinstance(queue, LatestQueue) else 0
    times = extra.times or ()
    waiting: dict[str, tuple[int, float | None]] = {}
    for message, since in zip_longest(islice(queue or (), most), islice(times, most)):
        name = _type_of(message)
        count, first = waiting.get(name, (0, since))
        waiting[name] = (count + 1, first)
    return SeenMailbox(
        path=cell.path,
        depth=len(queue or ()),
        capacity=cell.capacity,
        policy=cell.spec.options.mailbox.policy,
        oldest=times[0] if times else None,
        dropped=extra.dropped + replaced,
        received=cell.received,
        current="" if cell.current is NOTHING else _type_of(cell.current),
        senders=len(extra.senders or ()),
        stashed=len(extra.stash),
        waiting=waiting,
    )


_NO_EXTRA: Final = Extra()


def _type_of(message: object) -> str:
    return type(message.message if isinstance(message, Envelope) else message).__qualname__


def _unjudged(runtime: "Runtime") -> tuple[ErrorReport, ...]:
    """Return the errors that wait for the classifier: what a child crashed with is not judged yet when it is parked."""
    try:
        classifier: Any = runtime.ref(CLASSIFIER)
    except UnknownPathError:
        return ()
    queue: Any = classifier.queue or ()
    waiting = [*islice(queue, max(0, len(queue) - MOST_ERRORS), None)]
    waiting.insert(0, classifier.current)
    return tuple([each for each in waiting if isinstance(each, ErrorReport)])


def _breakers(runtime: "Runtime") -> tuple["GuardStatistics", ...]:
    found = [guard.statistics() for name in list(runtime.guards) if (guard := runtime.guards.get(name)) is not None]
    return tuple([each for each in found if each.calls or each.rejected or each.state not in {"closed", "disabled"}])
