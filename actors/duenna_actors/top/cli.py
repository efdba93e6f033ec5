"""The verb `top`: a running bot on one screen, live with Textual, or once as plain text with nothing installed."""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from duenna_actors.client import Client, ProblemError
from duenna_actors.client.options import add_target_options, address_of
from duenna_actors.client.running import OK, UNMET, USAGE, guarded
from duenna_actors.top.plain import plain
from duenna_actors.top.report import read_report, write_report

if TYPE_CHECKING:
    from duenna.cli import Subparsers

_INTERVAL: Final = 5.0
_PIPE_WIDTH: Final = 120
_DESCRIPTION: Final = (
    "Show a running bot on one screen. With Textual (extra `tui`) the screen is live and takes keys: ? lists them. "
    "--once prints it as plain text and needs nothing. Exit status: 0, 1 with --check if the bot is not healthy, "
    "2 a wrong argument, 3 no bot answers, 4 the bot refused the token, 5 it could not do it."
)
_MISSING: Final = (
    'the live screen needs Textual: pip install "duenna[tui]" (`duenna top --once` prints the same without it)'
)


def register(subparsers: Subparsers) -> None:
    """Add the verb `top` to the ``duenna`` command."""
    parser = subparsers.add_parser("top", help="a running bot on one screen", description=_DESCRIPTION)
    add_target_options(parser)
    parser.add_argument("--once", action="store_true", help="print one plain screen and end")
    parser.add_argument(
        "--count", type=_count, metavar="N", help="print N plain screens, --interval apart; 0: until Ctrl-C"
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        default=_INTERVAL,
        metavar="SECONDS",
        help="between two plain screens, and between two writes of --export (default: %(default)s)",
    )
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the whole report there, as JSON")
    parser.add_argument("--check", action="store_true", help="with --once: exit status 1 if the bot is not healthy")
    parser.set_defaults(run=guarded("top", top))


def top(arguments: argparse.Namespace) -> int:
    """Show the bot, and return the exit status."""
    if arguments.once or arguments.count is not None:
        try:
            return _print_screens(arguments)
        except (KeyError, TypeError) as exc:
            raise ProblemError(0, "", f"this bot speaks another version: {exc!r}") from exc
    if arguments.check:
        print("duenna top: --check needs --once", file=sys.stderr)
        return USAGE
    return _live(arguments)


def _print_screens(arguments: argparse.Namespace) -> int:
    client = Client(address_of(arguments))
    left = 1 if arguments.count is None else arguments.count
    pause = threading.Event()  # nobody sets it: a process of its own may wait, for it has no actors
    while True:
        report = read_report(client)
        if arguments.export is not None and not _exported(report, arguments.export):
            return USAGE
        print(plain(report, width=_width()), end="", flush=True)
        left -= 1
        if left == 0:
            is_met = report["overall"] == "healthy" or not arguments.check
            return OK if is_met else UNMET
        pause.wait(arguments.interval)
        print()


def _exported(report: dict[str, object], path: Path) -> bool:
    try:
        write_report(report, path)
    except OSError as exc:
        print(f"duenna top: report must go to a file that can be written, got {path}: {exc.strerror}", file=sys.stderr)
        return False
    return True


def _live(arguments: argparse.Namespace) -> int:
    try:
        importlib.import_module("textual")
    except ModuleNotFoundError as exc:
        if exc.name != "textual":  # it is there and broken: say that instead
            raise
        raise ImportError(_MISSING) from None
    from duenna_actors.top.app import TopApp  # noqa: PLC0415 - only the live screen needs Textual

    Client(address_of(arguments)).get("/api/v1/whoami")  # a bot that is not there is one line, not a screen
    app = TopApp(
        lambda: Client(address_of(arguments)),  # found anew each time: after a restart it may be elsewhere
        export=arguments.export,
        interval=arguments.interval,
    )
    app.run()
    return app.return_code or OK


def _width() -> int:
    return shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns if sys.stdout.isatty() else _PIPE_WIDTH


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400.0:  # noqa: PLR2004 - said below
        message = f"interval must be 0.1 to 86400 seconds, got {text}"
        raise argparse.ArgumentTypeError(message)
    return seconds


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        message = f"count must be 0 or more, got {text}"
        raise argparse.ArgumentTypeError(message)
    return number
