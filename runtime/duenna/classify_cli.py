"""The verb `classify`: its options. What it does is in `duenna._classify`, which is imported when it is done."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna.cli import Subparsers

_STATUSES = (100, 599)
_DESCRIPTION = (
    "Say what an error means, and which rule says so. Give its text, such as 'httpx.ReadTimeout: timed out', or a file "
    "of records, one JSON object a line (FILE.jsonl, or - for the standard input); what is known of an error besides "
    "its text, such as --status, is for a text only. A line that is no record is told on the standard error with its "
    "number, the others are classified all the same. Exit status: 0 all well, 2 a line or an argument was wrong."
)


def register(subparsers: Subparsers) -> None:
    """Add the verb `classify` to the ``duenna`` command."""
    parser = subparsers.add_parser("classify", help="say what an error means, rule by rule", description=_DESCRIPTION)
    parser.add_argument("error", metavar="ERROR|FILE.jsonl", help="the error's type and text, or a file of records")
    parser.add_argument("--json", action="store_true", help="write one verdict a line as JSON; ERROR is a file then")
    parser.add_argument("--rules", metavar="FILE", help="rules of your own before the built-in ones: YAML or JSON")
    parser.add_argument("--all", action="store_true", help="show the rules that did not match, too, and why not")
    parser.add_argument("--cause", metavar="ERROR", action="append", help="its cause; may be given again")
    parser.add_argument("--origin", help="what raised it: rest, order, ws_feed, database, strategy, config, runtime")
    parser.add_argument("--status", type=_status, metavar="N", help="HTTP status, 100 to 599")
    parser.add_argument("--code", help="the far end's own code")
    parser.add_argument("--sqlstate", help="SQLSTATE of a database error")
    parser.add_argument("--errno", type=_whole, metavar="N", help="the system's error number")
    parser.add_argument("--close-code", type=_whole, metavar="N", help="close code of a websocket")
    parser.add_argument("--retry-after", type=_seconds, metavar="SECONDS", help="how long the far end asked to wait")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from duenna._classify import classify  # noqa: PLC0415 - `duenna --help` does not wait for it

    return classify(arguments)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = f"a whole number is needed, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


def _status(text: str) -> int:
    number = _whole(text)
    least, most = _STATUSES
    if not least <= number <= most:
        message = f"a whole number from {least} to {most} is needed, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        message = f"seconds of at least 0 are needed, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return seconds
