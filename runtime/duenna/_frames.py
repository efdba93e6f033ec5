"""Where an exception was raised, without reading source files and without keeping a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna._says import ask, members
from duenna.secrets import redact_to

if TYPE_CHECKING:
    from types import TracebackType

_MOST: Final = 50
_LONGEST: Final = 500
_DEEPEST: Final = 16
_MOST_KNOWN: Final = 4_096

_known: dict[tuple[str, int, str], str] = {}


def frames_of(error: BaseException) -> tuple[tuple[str, ...], str]:
    """Return where *error* was raised, outermost first, the last 50 frames; and the name of the function that did.

    Each is `File "...", line n, in function`. Those of a group are followed by those of its
    first member.
    """
    found: list[tuple[str, int, str]] = []
    link: BaseException | None = error
    depth = 0
    while link is not None and depth < _DEEPEST:
        _walk(ask(link, "__traceback__"), found)
        inside = members(link)
        link = inside[0] if inside else None
        depth += 1
    return tuple([_line(at) for at in found[-_MOST:]]), (found[-1][2].rpartition(".")[2] if found else "")


def _walk(traceback: TracebackType | None, found: list[tuple[str, int, str]]) -> None:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found.append((code.co_filename, traceback.tb_lineno or 0, code.co_qualname))
        traceback = traceback.tb_next
        if len(found) > 4 * _MOST:  # that of a RecursionError is long, its end is what counts
            del found[:-_MOST]


def _line(at: tuple[str, int, str]) -> str:
    text = _known.get(at)
    if text is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        name, line, function = at
        text = _known[at] = redact_to(f'File "{name}", line {line}, in {function}', _LONGEST)
    return text
