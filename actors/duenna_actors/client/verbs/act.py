"""`duenna restart`, `stop`, `start`, `suspend` and `resume`: do something to an actor, after saying what."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client import completing
from duenna_actors.client.errors import ProblemError, UnreachableError, UsageError
from duenna_actors.client.names import resolve
from duenna_actors.client.options import completed
from duenna_actors.client.running import FAILED, INTERRUPTED, OK, UNMET
from duenna_actors.client.text import span, visible
from duenna_actors.client.urls import actor_path
from duenna_actors.client.verbs._verb import add_verb, duration

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_WHAT: Final = {
    "restart": "stop an actor and start it again",
    "stop": "stop an actor, until it is started by hand",
    "start": "start an actor that was stopped, or that gave up",
    "suspend": "hold the mailbox of an actor; it goes on with what it does",
    "resume": "let a suspended actor go on with its mailbox",
}
_FIRST_POLL: Final = 0.05  # seconds; each wait is half as long again as the one before
_LAST_POLL: Final = 1.0
_WAIT: Final = 60.0
_PATIENCE: Final = 5.0  # seconds without the console, in the middle of an operation
_LONGEST: Final = 1_000


def register_restart(subparsers: Subparsers) -> None:
    """Add the verb `restart`."""
    parser = _register(subparsers, "restart")
    parser.add_argument("--fresh", action="store_true", help="without the state it has stored")


def register_stop(subparsers: Subparsers) -> None:
    """Add the verb `stop`."""
    _register(subparsers, "stop")


def register_start(subparsers: Subparsers) -> None:
    """Add the verb `start`."""
    parser = _register(subparsers, "start")
    parser.add_argument("--fresh", action="store_true", help="without the state it has stored")


def register_suspend(subparsers: Subparsers) -> None:
    """Add the verb `suspend`."""
    _register(subparsers, "suspend")


def register_resume(subparsers: Subparsers) -> None:
    """Add the verb `resume`."""
    _register(subparsers, "resume")


def _register(subparsers: Subparsers, action: str) -> argparse.ArgumentParser:
    def verb(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
        return act(action, client, arguments, terminal)

    parser = add_verb(
        subparsers,
        action,
        _WHAT[action],
        verb,
        more="On a terminal it says first what that takes down, and asks; elsewhere it needs --yes.",
    )
    target = parser.add_argument("target", metavar="PATH", help="the actor: its path, or a name that means it alone")
    completed(target, completing.actors)
    parser.add_argument("--reason", metavar="TEXT", help="why; it goes into the recovery log")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would do")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait for its end")
    parser.add_argument("--wait", dest="wait", action="store_true", default=True, help="wait for its end (default)")
    parser.add_argument(
        "--timeout", type=duration, default=_WAIT, metavar="TIME", help="wait at most so long (default: 60s)"
    )
    return parser


def act(action: str, client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do *action*; return 1 if it is not wanted or not possible, 5 if it failed."""
    path = resolve(client, arguments.target)
    url = actor_path(path, action)
    if arguments.dry_run or not arguments.yes:
        plan = client.post(url, dry_run=1)
        if arguments.dry_run:
            if arguments.json:
                terminal.document(plan)
            else:
                _show_plan(plan, terminal)
            return OK if plan["is_possible"] else UNMET
        if not _is_wanted(plan, terminal):
            return UNMET
    body = {"reason": arguments.reason, "fresh": getattr(arguments, "fresh", None) or None}
    accepted = client.post(url, {key: value for key, value in body.items() if value is not None})
    if not arguments.wait:
        if arguments.json:
            terminal.document(accepted)
        else:
            terminal.whole(f"{action} of {visible(path)} has begun: operation {visible(accepted['operation_id'])}")
        return OK
    return _wait(action, client, accepted, arguments, terminal)


def _is_wanted(plan: dict[str, Any], terminal: Terminal) -> bool:
    """Say what would be done, and ask."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"nobody can be asked here, so it needs --yes: {plan['text'] or plan['why_not']}")
    if not plan["is_possible"]:
        raise ProblemError(0, "", str(plan["why_not"]))
    question = f"{visible(plan['action'])} {visible(plan['path'])}? {visible(plan['text'], _LONGEST)} [y/N] "
    terminal.flush()
    sys.stderr.write(question)
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer in {"y", "yes"}:
        return True
    sys.stderr.write("nothing was done\n")
    return False


def _show_plan(plan: dict[str, Any], terminal: Terminal) -> None:
    if not plan["is_possible"]:
        terminal.whole(f"not possible: {visible(plan['why_not'], _LONGEST)}")
        return
    terminal.whole(visible(plan["text"], _LONGEST))
    for what in ("stops", "starts"):
        for path in plan[what]:
            terminal.line(f"  {what:<7} ", visible(path))


def _wait(
    action: str, client: Client, accepted: dict[str, Any], arguments: argparse.Namespace, terminal: Terminal
) -> int:
    """Wait for the end of what was accepted, and tell it."""
    number = str(accepted["operation_id"])
    try:
        operation = _ended(client, number, arguments.timeout)
    except KeyboardInterrupt:
        sys.stderr.write(f"the bot goes on with it: operation {visible(number)}\n")
        return INTERRUPTED
    if operation is None:
        raise UnreachableError(
            f"{action} of {accepted['path']} has not ended within {span(arguments.timeout)}; "
            f"the bot goes on with it: operation {number}"
        )
    is_well = operation["state"] == "succeeded"
    if arguments.json:
        terminal.document(operation)
    elif is_well:
        took = span((operation["ended_at"] or 0.0) - operation["started_at"])
        also = [path for path in operation["affected"] if path != operation["path"]]
        more = f", with {', '.join(map(visible, also))}" if also else ""
        terminal.whole(f"{action} of {visible(operation['path'])} succeeded in {took}{more}")
    if not is_well:
        sys.stdout.flush()
        why = visible(operation["error"] or operation["state"], _LONGEST)
        sys.stderr.write(f"duenna {action}: {visible(operation['path'])}: it failed: {why}\n")
    return OK if is_well else FAILED


def _ended(client: Client, number: str, timeout: float) -> dict[str, Any] | None:
    """Ask for the operation until it is over; None: it is not by then."""
    waited, lost, pause = 0.0, 0.0, _FIRST_POLL
    while True:
        try:
            operation, lost = client.get(f"/api/v1/operations/{number}"), 0.0
        except UnreachableError:  # it may be the console itself that is restarted
            if lost >= _PATIENCE:
                raise
            operation, lost = {"state": "running"}, lost + pause
        if operation["state"] != "running":
            return operation
        if waited >= timeout:
            return None
        time.sleep(pause)  # noqa: TID251 - a process of its own, whose only work is to wait
        waited += pause
        pause = min(pause * 1.5, _LAST_POLL)
