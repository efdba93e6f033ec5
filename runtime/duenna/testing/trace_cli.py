"""The verb `trace`: compare the traces of two runs, check one, or look at it.

What reads a trace is imported only when it is read: `duenna --help` does not wait for it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import deque
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from duenna.testing._bound import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from duenna.cli import Subparsers
    from duenna.testing.trace import Record

_SAME, _DIFFERS, _MISUSED = 0, 1, 2
_MOST_VIOLATIONS = 20
_PIPED_WIDTH = 1000  # columns where no terminal limits them


def register(subparsers: Subparsers) -> None:
    """Add the verb `trace` to the ``duenna`` command."""
    what = "compare the traces of two simulated runs, check one, or look at it"
    parser = subparsers.add_parser("trace", help=what, description=f"{what[0].upper()}{what[1:]}.")
    verbs = parser.add_subparsers(title="verbs", metavar="verb", required=True)
    _add_diff(verbs.add_parser("diff", help="show where two traces part"))
    _add_check(verbs.add_parser("check", help="check the invariants on a trace"))
    _add_show(verbs.add_parser("show", help="print the records of a trace"))


def _add_diff(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show the first record at which two traces part. Exit status: 0 they are the same, 1 they part."
    )
    parser.add_argument("left", type=Path, metavar="A")
    parser.add_argument("right", type=Path, metavar="B")
    parser.add_argument("--context", type=_count, default=5, metavar="N", help="records to show before it (default: 5)")
    parser.set_defaults(run=_guarded(_diff))


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = "Check the invariants on a trace. Exit status: 0 all hold, 1 one is violated."
    parser.add_argument("file", type=Path, metavar="FILE")
    help_of_bound = f"seconds after a fault within which all must be well again (default: {BOUND:g})"
    parser.add_argument("--bound", type=_seconds, default=BOUND, metavar="SECONDS", help=help_of_bound)
    parser.add_argument(
        "--unexplained", action="store_true", help="allow errors that no fault explains: the actors crash on purpose"
    )
    parser.set_defaults(run=_guarded(_check))


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the records of a trace, one line each."
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--path", metavar="GLOB", help="only of paths that fit it, such as '/bot/*'")
    parser.add_argument("--kind", action="append", metavar="GLOB", help="only of kinds that fit it; may be given again")
    parser.add_argument("--since", type=float, default=0.0, metavar="SECONDS", help="only from this time on")
    parser.add_argument("--until", type=float, default=float("inf"), metavar="SECONDS", help="only up to this time")
    parser.add_argument("--last", type=_count, metavar="N", help="only the last N of those")
    parser.set_defaults(run=_guarded(_show))


def _guarded(verb: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let a file that cannot be read, or is damaged, be one line and exit status 2."""

    def run(arguments: argparse.Namespace) -> int:
        from duenna.testing.trace import TraceError  # noqa: PLC0415

        try:
            return verb(arguments)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
            return _SAME
        except (OSError, TraceError) as exc:
            print(f"duenna trace: {exc}", file=sys.stderr)
            return _MISUSED

    return run


def _diff(arguments: argparse.Namespace) -> int:
    from duenna.testing.trace_diff import diff  # noqa: PLC0415

    parting = diff(arguments.left, arguments.right, context=arguments.context)
    if parting is None:
        print("the traces are the same")
        return _SAME
    print(f"< {arguments.left}")
    print(f"> {arguments.right}")
    print(parting.text(_width()))
    return _DIFFERS


def _check(arguments: argparse.Namespace) -> int:
    from duenna.testing.invariants import check, standard  # noqa: PLC0415
    from duenna.testing.trace import TraceError, read_trace  # noqa: PLC0415

    count, end = 0, 0.0

    def counted(records: Iterable[Record]) -> Iterator[Record]:
        nonlocal count, end
        for record in records:
            count, end = count + 1, record.t
            yield record

    checkers = standard(bound=arguments.bound, explained=not arguments.unexplained)
    number = 0
    for number, violation in enumerate(check(counted(read_trace(arguments.file)), checkers), 1):
        if number <= _MOST_VIOLATIONS:
            print(violation)
    if count == 0:
        raise TraceError(str(arguments.file), 1, "a trace has a record at least, this file is empty")
    if number > _MOST_VIOLATIONS:
        print(f"... and {number - _MOST_VIOLATIONS} more")
    print(
        f"{count} records, {end:.3f} s, {len(checkers)} rules: {number or 'no'} violation{'' if number == 1 else 's'}"
    )
    return _DIFFERS if number else _SAME


def _show(arguments: argparse.Namespace) -> int:
    from duenna.testing._trace_lines import line_of  # noqa: PLC0415
    from duenna.testing.trace import read_trace  # noqa: PLC0415

    def is_wanted(record: Record) -> bool:
        return (
            arguments.since <= record.t <= arguments.until
            and (arguments.path is None or fnmatchcase(record.path, arguments.path))
            and (not arguments.kind or any(fnmatchcase(record.kind, one) for one in arguments.kind))
        )

    width = _width()
    wanted: Iterable[Record] = (record for record in read_trace(arguments.file) if is_wanted(record))
    if arguments.last is not None:
        wanted = deque(wanted, maxlen=arguments.last)
    for record in wanted:
        print(line_of(record, width))
    return _SAME


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH


def _count(text: str) -> int:
    """Return *text* as a whole number of at least 0; a mistake is one line of argparse's."""
    if not text.isdecimal():
        message = f"a whole number of at least 0 is needed, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        message = f"seconds greater than 0 are needed, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return seconds
