"""Settings files: bounded bytes in, what they say out. Whatever a file holds, there is an answer or a `ValueError`."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

MOST_JSON = 1024 * 1024
MOST_YAML = 256 * 1024  # PyYAML takes a second for that much
_MOST_DIGITS = 100


def read_json(path: Path) -> Any:
    """Return what the JSON file at *path* says.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON, or has duplicate keys, or numbers that JSON has not.
    """
    return read(path, MOST_JSON, decode_json)


def read_yaml(path: Path) -> Any:
    """Return what the YAML file at *path* says.

    Raises:
        ImportError: The extra `yaml` is not installed.
        OSError: It cannot be read.
        ValueError: It is no YAML, or has duplicate keys, aliases, or tags of other languages.
    """
    return read(path, MOST_YAML, decode_yaml)


def require_yaml(what: str = "settings") -> Callable[[str], Any]:
    """Return what reads YAML, for *what*.

    Raises:
        ImportError: The extra `yaml` is not installed.
    """
    try:
        from duenna.faults import _yaml as reader  # noqa: PLC0415 - PyYAML comes with an extra
    except ModuleNotFoundError as exc:
        if exc.name != "yaml":
            raise
        raise ImportError(f'{what} in YAML need PyYAML: pip install "duenna[yaml]"') from None
    return reader.decode


def read(path: Path, most: int, decode: Callable[[str], Any]) -> Any:
    """Return what *decode* makes of the file at *path*, of at most so many bytes.

    Raises:
        ImportError: *decode* needs what is not installed.
        OSError: It cannot be read.
        ValueError: It is no regular file, too large, no UTF-8, or not what *decode* wants.
    """
    content = _content(path, most)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ValueError(f"must be UTF-8, got {exc.object[exc.start]:#04x} at byte {exc.start}") from None
    try:
        return decode(text)
    except RecursionError:
        raise ValueError("must not be nested so deep") from None


def _content(path: Path, most: int) -> bytes:
    # Not to wait is for pipes: nobody might ever write into one, and the thread that reads would hang for good.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a path cannot be opened in that way
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("must be a regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"must be at most {most} bytes, got more")
    return content


def decode_json(text: str) -> Any:
    """Return what *text* says in JSON; a `ValueError` if it is none, has duplicate keys, or numbers it must not."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse, parse_int=_whole)
    except json.JSONDecodeError as exc:
        raise ValueError(f"must be JSON: {exc}") from None


def decode_yaml(text: str, what: str = "settings") -> Any:
    """Return what *text* says in YAML; a `ValueError` if it is none, has duplicate keys, aliases or foreign tags."""
    try:
        return require_yaml(what)(text)
    except (ImportError, RecursionError):
        raise
    except ValueError as exc:
        raise ValueError(f"must be YAML: {exc}") from None
    except Exception as exc:  # noqa: BLE001 - PyYAML lets KeyError, IndexError and more through, for `!!bool x`, say
        raise ValueError(f"must be YAML: {type(exc).__name__}: {exc}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"must have each key once, got {twice[:80]!r} twice")
    return made


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:  # Python itself refuses more than 4,300, in words about itself
        raise ValueError(f"must have no number of more than {_MOST_DIGITS} digits, got one of {len(digits)}")
    return int(digits)


def _refuse(constant: str) -> Never:
    raise ValueError(f"must be JSON, which has no {constant}")
