"""All about one actor, made when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna import inspection
from duenna.errors import UnknownPathError
from duenna.mailbox_facts import mailbox_of
from duenna.recipe import recipe_of
from duenna.stacks import stacks
from duenna.storage.entries import ACTOR, key_of
from duenna_actors.console.view.history import DAY, MOST_STATES
from duenna_actors.console.view.model import Details, MailboxDetails, MailboxRow, Transition, Waiting
from duenna_actors.console.view.rows import row_of

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.child_facts import Facts
    from duenna.inspection import Inspector
    from duenna.stacks import TaskStack
    from duenna_actors.console.view.errors import ErrorDesk
    from duenna_actors.console.view.memory import ConsoleMemory
    from duenna_actors.console.view.rows import RowBook

MOST_ERRORS: Final = 20
MOST_WHY: Final = 20
MOST_EVENTS: Final = 100


def details(memory: ConsoleMemory, inspector: Inspector, book: RowBook, errors: ErrorDesk, path: str) -> Details:
    """Return all about the actor at *path*.

    Raises:
        UnknownPathError: There is none.
    """
    runtime = inspector.runtime
    facts, now = inspector.one(path), runtime.now()
    cell = inspection.cell_of(runtime, path)
    path = facts.path
    called = tuple(name for name, users in memory.guards.items() if path in users and name in runtime.guards)
    open_ones = tuple(name for name in called if str(runtime.guards[name].state) != "closed")
    stored = runtime.state.entries.get(key_of(ACTOR, path))
    return Details(
        row=row_of(facts, now, *book.pace(path), open_ones),
        spec=recipe_of(cell),
        errors=errors.find(path=path, limit=MOST_ERRORS),
        sparkline=memory.errors_by_minute.of(path, now),
        why=memory.why.rows(now, path=path, most=MOST_WHY),
        history=_history(memory, facts, now),
        events=memory.ring.rows(most=MOST_EVENTS, path=path),
        mailbox=None if facts.is_supervisor else _mailbox(inspector, facts),
        saved_at=None if stored is None else stored.at,
        children=inspection.children_of(cell),
    )


def _history(memory: ConsoleMemory, facts: Facts, now: float) -> tuple[Transition, ...]:
    """Return the states of the last day; of an actor that came to its only one unheard, that."""
    told = memory.history.of(facts.path, now - DAY)[-MOST_STATES:]
    if not told and facts.started_at is not None:
        return (Transition(facts.started_at, facts.state, ""),)
    return told


def mailbox(inspector: Inspector, path: str) -> MailboxDetails:
    """Return the mailbox of the actor at *path*.

    Raises:
        UnknownPathError: There is none, or it is a supervisor.
    """
    facts = inspector.one(path)
    if facts.is_supervisor:
        raise UnknownPathError(path)
    return _mailbox(inspector, facts)


def _mailbox(inspector: Inspector, facts: Facts) -> MailboxDetails:
    inside = mailbox_of(inspection.cell_of(inspector.runtime, facts.path))
    return MailboxDetails(
        mailbox=MailboxRow(facts.depth_now, facts.capacity, facts.oldest_at, facts.dropped, facts.received),
        policy=inside.policy,
        current=inside.current,
        waiting=tuple(Waiting(kind, at) for kind, at in inside.waiting),
        senders=inside.senders,
        stashed=inside.stashed,
    )


def stacks_of(runtime: Runtime, path: str) -> tuple[TaskStack, ...]:
    """Return where the tasks of the actor at *path* are.

    Raises:
        UnknownPathError: There is none.
    """
    cell = inspection.cell_of(runtime, path)
    return tuple(stacks(runtime, cell.path).get(cell.path, ()))
