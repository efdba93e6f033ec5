"""The ``duenna`` command: finds its verbs, and hands over to the one that was named.

A verb comes from any installed distribution, through the entry-point group ``duenna.commands``. The entry point is a
function that adds one parser and names its handler::

    def register(subparsers: Subparsers) -> None:
        parser = subparsers.add_parser("hello", help="greet the caller")
        parser.set_defaults(run=hello)


    def hello(arguments: argparse.Namespace) -> int: ...  # the exit status

Only the module of the verb that was named is imported, and this one imports nothing of the runtime, so that a verb
which only talks to a running bot starts fast. Where an extra is missing, the verb raises an ``ImportError`` that says
what to install, on import or later, as in ``the demo needs HTTP: pip install "duenna[http]"``; its user sees that line.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Subparsers", "main"]

_GROUP = "duenna.commands"
_EXTRA = re.compile(r"\w\[[\w,-]+\]")  # as in duenna[http]
_FAILED = 1
_MISUSED = 2
_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Subparsers(Protocol):
    """What ``register`` is given: the part that a verb needs of argparse's own object."""

    def add_parser(
        self,
        name: str,
        *,
        help: str | None = None,  # noqa: A002 - argparse's own name
        description: str | None = None,
    ) -> argparse.ArgumentParser:
        """Add the parser of the verb *name* and return it."""
        ...


def main(argv: Sequence[str] | None = None, *, verbs: Iterable[EntryPoint] | None = None) -> int:
    """Run the ``duenna`` command.

    Args:
        argv: The arguments after the command's name; ``None`` takes those of the process.
        verbs: The entry points to choose from; ``None`` takes those that are installed.

    Returns:
        The exit status: the verb's own, 1 if its extra is not installed, 2 if no verb was named, 130 after Ctrl-C.

    Raises:
        SystemExit: After ``--help`` or ``--version`` (0), and for wrong arguments (2).
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    known = {entry.name: entry for entry in (entry_points(group=_GROUP) if verbs is None else verbs)}
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    try:
        parser = _parser_of(known[named]) if named in known else _parser_of_all(known.values())
        chosen = parser.parse_args(arguments)
        run: Callable[[argparse.Namespace], int] | None = getattr(chosen, "run", None)
        if run is None:
            parser.print_help(sys.stderr)
            return _MISUSED
        return run(chosen)
    except ImportError as exc:
        if not _EXTRA.search(str(exc)):
            raise  # not a missing extra but a fault, whose traceback is wanted
        print(f"duenna {named}: {exc}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _bare_parser() -> tuple[argparse.ArgumentParser, Subparsers]:
    parser = argparse.ArgumentParser(prog="duenna", description="An actor runtime for bots.")
    parser.add_argument("--version", action="version", version=f"duenna {version('duenna')}")
    return parser, parser.add_subparsers(title="verbs", metavar="verb")


def _parser_of(entry: EntryPoint) -> argparse.ArgumentParser:
    parser, subparsers = _bare_parser()
    entry.load()(subparsers)
    return parser


def _parser_of_all(entries: Iterable[EntryPoint]) -> argparse.ArgumentParser:
    """Build the parser for ``--help`` and for mistakes; a verb that cannot be imported is listed with the reason."""
    parser, subparsers = _bare_parser()
    for entry in sorted(entries, key=lambda entry: entry.name):
        try:
            register = entry.load()
        except ImportError as exc:
            subparsers.add_parser(entry.name, help=f"not available: {exc}".replace("%", "%%"))
        else:
            register(subparsers)
    return parser
