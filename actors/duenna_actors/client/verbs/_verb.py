"""What all verbs have in common."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client.http import Client
from duenna_actors.client.options import add_json_option, add_target_options, address_of
from duenna_actors.client.running import guarded
from duenna_actors.client.terminal import Terminal, WallClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.cli import Subparsers

_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d|w)?")


def add_verb(
    subparsers: Subparsers,
    name: str,
    what: str,
    verb: Callable[[Client, argparse.Namespace, Terminal], int],
    *,
    more: str = "",
) -> argparse.ArgumentParser:
    """Add the verb *name*, which does *what*, with the options that all have; *verb* does it."""
    parser = subparsers.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}. {more}".strip())
    add_target_options(parser)
    add_json_option(parser)

    def run(arguments: argparse.Namespace) -> int:
        return verb(Client(address_of(arguments)), arguments, Terminal())

    parser.set_defaults(run=guarded(name, run))
    return parser


def clock_of(client: Client, document: dict[str, Any]) -> WallClock:
    """Return the bot's clock as *document*, an answer of it, has it; if it has not, ask."""
    source = document if "now" in document and "at" in document else client.get("/api/v1/tree", depth=0)
    return WallClock(float(source["now"]), float(source["at"]))


def duration(text: str) -> float:
    """Return the seconds of *text*, such as `90s`, `15min`, `12h` or `30d`; without a unit they are seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be a number and s, min, h, d or w, such as 90s, got {text!r}")
    return float(found[1]) * _UNITS[found[2] or "s"]


def count(text: str) -> int:
    """Return the number in *text*, which must be > 0."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number > 0, got {text!r}")
    return int(text)
