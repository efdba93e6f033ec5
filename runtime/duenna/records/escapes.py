"""Text on one line, so that nothing in it can be taken for what stands round it."""

import re
from typing import Final

_SHORT: Final = {"\\": "\\\\", "|": "\\|", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG: Final = {escape[1]: character for character, escape in _SHORT.items()}

# Control characters (a terminal obeys some), line ends of other alphabets, and what is no Unicode.
_CONTROL: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_UNSAFE: Final = re.compile(rf"[\\|{_CONTROL}]")
_INVISIBLE: Final = re.compile(rf"[{_CONTROL}]")
_ESCAPED: Final = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))", re.DOTALL)


def escape(text: str) -> str:
    r"""Return *text* without separators, line ends and control characters: as `\|`, `\n`, `\x1b`, `\u2028`.

    A backslash becomes two, so `unescape` gives every text back as it was.
    """
    return _UNSAFE.sub(_escaped, text)


def unescape(text: str) -> str:
    """Return the text of which `escape` made *text*.

    Raises:
        ValueError: *text* has an escape that `escape` does not make.
    """
    if text.endswith("\\") and (len(text) - len(text.rstrip("\\"))) % 2:
        raise ValueError(f"escape must be complete, got {text!r}")
    return _ESCAPED.sub(_unescaped, text)


def visible(text: str) -> str:
    r"""Return *text* for a person: control characters as escapes, further lines indented.

    Not meant to be read back. What a far end sent can then neither forge a line of a log nor
    move the cursor of a terminal.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n    ".join(_INVISIBLE.sub(_escaped, line) for line in lines)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004


def _unescaped(found: re.Match[str]) -> str:
    two, four, one = found.groups()
    if two or four:
        return chr(int(two or four, 16))
    if one not in _LONG:
        raise ValueError(f"escape must be one of {', '.join(map(repr, _SHORT.values()))}, got {found[0]!r}")
    return _LONG[one]
