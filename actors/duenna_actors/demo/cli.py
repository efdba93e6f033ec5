"""`duenna demo`: see the README's first command."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from duenna_actors.demo.options import OptionError, add_options, read_options

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers

_MISUSED = 2
_LIBRARIES = ("h11", "httpx2", "wsproto")


def register(subparsers: Subparsers) -> None:
    """Add the verb `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="run a trading bot against a local exchange that misbehaves",
        description="Run a trading bot, with paper money, against a local exchange that misbehaves on a schedule, and "
        "see faults, restarts and recoveries. Ends by itself or with Ctrl-C. Exit status: 0 after an orderly stop, "
        "1 if the bot gave up, 2 for wrong options, 3 if not every connection is operational at the end.",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit status.

    Raises:
        ImportError: An extra is missing; the text names it.
    """
    try:
        options = read_options(arguments)
    except OptionError as error:
        print(f"duenna demo: {error}", file=sys.stderr)
        return _MISUSED
    for library in _LIBRARIES:
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            if error.name != library:  # it is there and broken: say that instead
                raise
            raise ImportError(f'the demo needs {library}: pip install "duenna[demo]"') from None
    # The rest of the package is imported only here: `duenna --help` does not wait for trio.
    if options.is_virtual:
        from duenna_actors.demo.virtual import virtual_demo  # noqa: PLC0415

        return virtual_demo(options)
    from duenna_actors.demo.main import demo  # noqa: PLC0415

    return demo(options)
