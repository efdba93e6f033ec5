"""The verb `state`: look at what a bot has stored, check it, and change it, without the bot's code.

What reads a state is imported only when one is read: `duenna --help` does not wait for it.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.cli import Subparsers

_DESCRIPTION: Final = (
    "Look at what a bot has stored, check it, and change it; the bot's code is not needed. DIR is the folder of the "
    "state, or the base directory that has it in data/state. Exit status: 0 all well, 1 something is damaged, 2 an "
    "argument was wrong, or the state is in use or cannot be read."
)
_WELL: Final = 0
_DAMAGED: Final = 1
_MISUSED: Final = 2
_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d|w)")


def register(subparsers: Subparsers) -> None:
    """Add the verb `state` to the ``duenna`` command."""
    parser = subparsers.add_parser("state", help="look at what a bot has stored, check it, change it")
    parser.description = _DESCRIPTION
    verbs = parser.add_subparsers(title="verbs", metavar="verb", required=True)
    for name, what, add in (
        ("show", "list what is stored, or show the values of one path", _add_show),
        ("verify", "read every file and say what is wrong; changes nothing, minds no bot at work", None),
        ("export", "write all of it as one JSON document", _add_export),
        ("prune", "remove what is stored of paths that are gone; the bot must not run", _add_prune),
        ("migrate", "write it anew, elsewhere, or under other paths; the bot must not run", _add_migrate),
    ):
        verb = verbs.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        verb.add_argument("directory", metavar="DIR", type=_folder, help="where the state is")
        if add is not None:
            add(verb)
        verb.set_defaults(run=_guarded(name))


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", nargs="?", help="an actor such as /bot/ledger, with all below it; a pattern; a key"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", help="replace FILE as a whole (default: the standard output)")


def _add_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="an actor such as /bot/ledger, with all below it; a pattern; a key"
    )
    parser.add_argument("--aside", action="store_true", help="only what was set aside; without a PATH, all of that")
    parser.add_argument(
        "--older-than", type=_duration, metavar="AGE", help="only what was saved so long ago: 90s, 15min, 12h, 30d"
    )
    parser.add_argument("--money", action="store_true", help="what is marked as money, and intents, too")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _add_migrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=_folder, metavar="DIR2", help="write it there, and leave DIR as it is")
    parser.add_argument(
        "--move",
        type=_move,
        metavar="OLD=NEW",
        action="append",
        default=[],
        help="what is stored of the path OLD, and below it, is NEW's from now on; may be given again",
    )


def _guarded(name: str) -> Callable[[argparse.Namespace], int]:
    """Let whatever is wrong be one line, and exit status 2; 1 if it is the state that is."""

    def run(arguments: argparse.Namespace) -> int:
        from duenna.state import _edit_cli, _look_cli  # noqa: PLC0415
        from duenna.storage import StateError  # noqa: PLC0415

        verbs = {
            "show": _look_cli.show,
            "verify": _look_cli.verify,
            "export": _look_cli.export,
            "prune": _edit_cli.prune,
            "migrate": _edit_cli.migrate,
        }
        try:
            _write_anything(is_json=name == "export" or bool(getattr(arguments, "json", False)))
            status = verbs[name](arguments)
            print(end="", flush=True)  # here, where a full disk is one line
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
            return _WELL
        except (OSError, StateError, ValueError) as exc:
            print(f"duenna state {name}: {_said(exc)}", file=sys.stderr)
            return _DAMAGED if isinstance(exc, _edit_cli.DamagedStateError) else _MISUSED
        return status

    return run


def _said(exc: Exception) -> str:
    from duenna.records.escapes import visible  # noqa: PLC0415
    from duenna.secrets import redact  # noqa: PLC0415

    if isinstance(exc, OSError) and exc.strerror:
        where = exc.filename2 or exc.filename
        return visible(f"{where}: {exc.strerror}" if where else exc.strerror)
    return visible(redact(str(exc)))


def _write_anything(*, is_json: bool) -> None:
    """Let the output take every character, whatever the terminal's are; a document of JSON is UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            is_utf8 = is_json and stream is sys.stdout
            reconfigure(encoding="utf-8" if is_utf8 else None, errors="backslashreplace")


def _folder(text: str) -> str:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"a directory is needed, got {text!r}")
    return text


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else math.inf
    if not math.isfinite(seconds):
        raise argparse.ArgumentTypeError(f"an age such as 90s, 15min, 12h or 30d is needed, got {text!r}")
    return seconds


def _move(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or old == new or not (_is_path(old) and _is_path(new)):
        raise argparse.ArgumentTypeError(f"two different paths such as /bot/old=/bot/new are needed, got {text!r}")
    return old, new


def _is_path(text: str) -> bool:
    names = text.split("/")
    return len(names) > 1 and not names[0] and all(name and name not in {".", ".."} for name in names[1:])
