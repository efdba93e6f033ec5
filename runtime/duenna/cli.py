"""The ``duenna`` command: finds its verbs, and hands over to the one that was named.

A verb comes from any installed distribution, through the entry-point group ``duenna.commands``. The entry point is a
function that adds one parser and names its handler::

    def register(subparsers: Subparsers) -> None:
        parser = subparsers.add_parser("hello", help="greet the caller")
        parser.set_defaults(run=hello)


    def hello(arguments: argparse.Namespace) -> int: ...  # the exit status

Only the module of the verb that was named is imported, and this one imports nothing of the runtime, so that a verb
which only talks to a running bot starts fast. For the same reason the verbs are looked up in the installed files, and
``importlib.metadata``, which takes longer than all the rest, is asked only where those do not say. Where an extra is
missing, the verb raises an ``ImportError`` that says what to install, on import or later, as in ``the demo needs HTTP:
pip install "duenna[http]"``; its user sees that line.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Protocol

from duenna import _verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Subparsers", "Verb", "main", "parser_of"]

_EXTRA = re.compile(r"\w\[[\w,-]+\]")  # as in duenna[http]
_FAILED = 1
_MISUSED = 2
_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_USUAL_WIDTH = 80
_MARGIN = 2  # as argparse has it


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


class Verb(Protocol):
    """What ``main`` needs of an entry point."""

    @property
    def name(self) -> str:
        """The verb."""
        ...

    def load(self) -> Any:
        """Import its module and return its ``register``."""
        ...


def main(argv: Sequence[str] | None = None, *, verbs: Iterable[Verb] | None = None) -> int:
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
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    try:
        parser = _parser_for(named, arguments, verbs)
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


def parser_of(verb: Verb) -> argparse.ArgumentParser:
    """Build the parser of the command as *verb* sees it: there is no other."""
    parser, subparsers = _bare_parser()
    verb.load()(subparsers)
    return parser


def _parser_for(named: str, arguments: Sequence[str], verbs: Iterable[Verb] | None) -> argparse.ArgumentParser:
    """Build as little as will do."""
    if not named and "--version" in arguments:
        return _bare_parser()[0]
    verb = _verbs.named(named) if verbs is None else next((verb for verb in verbs if verb.name == named), None)
    if verb is not None:
        return parser_of(verb)
    return _parser_of_all(_verbs.every() if verbs is None else verbs)


class _Formatter(argparse.HelpFormatter):
    """Finds the width of the terminal itself: argparse asks `shutil`, which brings all kinds of compression with it."""

    def __init__(
        self,
        prog: str,
        indent_increment: int = 2,
        max_help_position: int = 24,
        width: int | None = None,
        **options: Any,
    ) -> None:
        columns = _width() if width is None else width
        super().__init__(prog, indent_increment, max_help_position, columns, **options)


class _Parser(argparse.ArgumentParser):
    """The parser of the command, and of each verb."""

    def __init__(self, *, formatter_class: Any = _Formatter, **options: Any) -> None:
        super().__init__(formatter_class=formatter_class, **options)


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if not columns.isdecimal() or not int(columns):
        try:
            columns = str(os.get_terminal_size(sys.__stdout__.fileno()).columns) if sys.__stdout__ else "0"
        except (OSError, ValueError):  # it is no terminal, or closed
            columns = "0"
    return (int(columns) or _USUAL_WIDTH) - _MARGIN


class _Version(argparse.Action):
    """Prints the version; only then is it looked up."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - it takes its time

        print(f"duenna {version('duenna')}")
        parser.exit()


def _bare_parser() -> tuple[argparse.ArgumentParser, Subparsers]:
    parser = _Parser(prog="duenna", description="An actor runtime for bots.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    return parser, parser.add_subparsers(title="verbs", metavar="verb", prog="duenna")


def _parser_of_all(verbs: Iterable[Verb]) -> argparse.ArgumentParser:
    """Build the parser for ``--help`` and for mistakes; a verb that cannot be imported is listed with the reason."""
    parser, subparsers = _bare_parser()
    for verb in sorted(verbs, key=lambda verb: verb.name):
        try:
            register = verb.load()
        except ImportError as exc:
            subparsers.add_parser(verb.name, help=f"not available: {exc}".replace("%", "%%"))
        else:
            register(subparsers)
    return parser
