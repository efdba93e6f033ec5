"""How a verb ends: with a status that a script can use, and at most one line on the standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client.errors import (
    ClientError,
    NoBotError,
    RefusedError,
    SeveralBotsError,
    UnreachableError,
    UsageError,
)
from duenna_actors.client.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

OK: Final = 0
UNMET: Final = 1
USAGE: Final = 2
NO_BOT: Final = 3
REFUSED: Final = 4
FAILED: Final = 5
INTERRUPTED: Final = 130

_KINDS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (UsageError, USAGE),
    (SeveralBotsError, USAGE),
    (NoBotError, NO_BOT),
    (UnreachableError, NO_BOT),
    (RefusedError, REFUSED),
    (ClientError, FAILED),
    (OSError, FAILED),
)


def guarded(name: str, verb: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return *verb* as a handler that tells whatever goes wrong in one line, and gives its exit status."""

    def run(arguments: argparse.Namespace) -> int:
        if sys.stdout is None:  # the caller closed it
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as the process lives
        _take_every_character()
        try:
            status = verb(arguments)
            sys.stdout.flush()  # here, where a full disk is one line
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
            return OK
        except KeyboardInterrupt:
            return _tell("", INTERRUPTED)
        except (ClientError, UsageError, OSError) as exc:
            return _tell(f"duenna {name}: {_said(exc)}\n", status_of(exc))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as exc:
            what = visible(f"{type(exc).__name__}: {exc}", 300)
            line = f"duenna {name}: the bot's answer is not as expected, is its version another one? {what}\n"
            return _tell(line, FAILED)
        return status

    return run


def status_of(exc: Exception) -> int:
    """Return the exit status for *exc*."""
    return next(status for kind, status in _KINDS if isinstance(exc, kind))


def _tell(line: str, status: int) -> int:
    """Write *line* after all that was said before it, if anybody listens."""
    try:
        sys.stdout.flush()
        if sys.stderr is not None:
            sys.stderr.write(line)
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _said(exc: Exception) -> str:
    if not isinstance(exc, OSError):
        return visible(str(exc))
    return visible(f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror or exc)


def _take_every_character() -> None:
    """Let the output take every character, whatever the terminal's are."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
