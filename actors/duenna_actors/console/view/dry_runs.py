"""What an action would do, for the person who is asked whether to do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna import Supervisor
from duenna.dry_run import plan_of
from duenna.inspection import cell_of
from duenna.machines import checks
from duenna.machines.affected import Command
from duenna.machines.plan import Strategy
from duenna.machines.verdict import RestartType
from duenna_actors.console.view.model import DryRun
from duenna_actors.console.view.texts import brief, counted

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.machines.affected import Plan

_NAMED: Final = 5
_LONGEST: Final = 500


def dry_run(runtime: Runtime, action: str, path: str) -> DryRun:
    """Return what *action* would do to the actor at *path*, and to others; nothing is done.

    Raises:
        UnknownPathError: There is no such actor.
        ValueError: There is no such action.
    """
    command = checks.choice("dry run", "action", action, Command)
    plan = plan_of(runtime, command, path)
    cell = cell_of(runtime, path)
    above = "" if cell in runtime.roots else str(cell.node.spec.strategy)
    waits = 0 if cell.queue is None else len(cell.queue)
    is_temporary = cell.spec.options.restart is RestartType.TEMPORARY
    return DryRun(
        action=str(command),
        path=cell.path,
        is_possible=not plan.why_not,
        why_not=f"{cell.path} {plan.why_not}" if plan.why_not else "",
        stops=plan.stops,
        starts=plan.starts,
        strategy=above,
        text=brief(
            _of_all_below(command, cell.name, plan)
            if isinstance(cell.spec, Supervisor) and command in {Command.SUSPEND, Command.RESUME}
            else _text(command, cell.path, above, plan, waits, is_temporary=is_temporary),
            _LONGEST,
        ),
    )


def _of_all_below(command: Command, name: str, plan: Plan) -> str:
    if plan.why_not:
        return f"{name} {plan.why_not}."
    if command is Command.RESUME:
        return f"Serves the mailboxes of all actors below {name} again."
    return f"Holds the mailboxes of all actors below {name}: messages wait in them until they are resumed."


def _text(command: Command, path: str, strategy: str, plan: Plan, waits: int, *, is_temporary: bool) -> str:
    name = path.rpartition("/")[2]
    kept = _waiting(waits)
    if plan.why_not:
        text = f"{name} {plan.why_not}."
    elif command is Command.SUSPEND:
        text = f"Holds the mailbox of {name}: messages wait in it until it is resumed."
    elif command is Command.RESUME:
        text = f"Serves the mailbox of {name} again. {kept}"
    elif command is Command.STOP:
        below = _with(_others(path, plan.stops))
        gone = f"{counted(waits, 'message')} in its mailbox will not be read." if waits else ""
        then = "it is temporary, and gone for good" if is_temporary else "it stays down until somebody starts it"
        text = f"Stops {name}{below}; {then}. {gone}"
    else:
        text = f"{_begun(path, name, strategy, plan)} {kept}"
    return text.strip()


def _begun(path: str, name: str, strategy: str, plan: Plan) -> str:
    """Say who is started, and with whom."""
    also = _others(path, plan.stops[::-1] or plan.starts)
    verb = "restarts" if plan.stops else "starts"
    if all(each.startswith(f"{path}/") for each in also):
        return f"{verb.capitalize()} {name}{_with(also) or ' alone'}."
    why = strategy if strategy != Strategy.ONE_FOR_ONE else "its group"
    return f"{why}: also {verb} {_named(path, also)}."


def _others(path: str, paths: tuple[str, ...]) -> list[str]:
    return [each for each in paths if each != path]


def _with(below: list[str]) -> str:
    return f" with {counted(len(below), 'actor')} below it" if below else ""


def _named(path: str, paths: list[str]) -> str:
    """Name the first few; by their last part where they are siblings."""
    above = f"{path.rpartition('/')[0]}/"
    names = [each.removeprefix(above) for each in paths]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _waiting(waits: int) -> str:
    if not waits:
        return ""
    return f"{counted(waits, 'message')} {'waits and is' if waits == 1 else 'wait and are'} kept."
