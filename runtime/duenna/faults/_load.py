"""Plans as files: JSON and YAML in, JSON out. Whatever a file holds, there is a plan or a `ValueError` of one line."""

import json
from pathlib import Path
from typing import Any, Literal

import msgspec

from duenna.faults._plan import FaultPlan
from duenna.faults._read import read_plan

Format = Literal["json", "yaml"]

_FORMATS: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}
_MOST_BYTES = {"json": 8 * 1024 * 1024, "yaml": 256 * 1024}  # what people write by hand is small, and PyYAML slow


def load_plan(path: str | Path) -> FaultPlan:
    """Read a plan from a file: `.json`, `.yaml` or `.yml`.

    Args:
        path: Where it is. UTF-8, 8 MiB of JSON or 256 KiB of YAML at most.

    Raises:
        ImportError: It is YAML and the extra `yaml` is not installed.
        OSError: It cannot be read.
        ValueError: It is no plan; the message names the file, the entry (from 1), the field, what it must be and what
            was there.
    """
    path = Path(path)
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise ValueError(f"{path}: a plan's name must end in {', '.join(_FORMATS)}, got {path.suffix!r}")
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES[format_] + 1)  # no more than that, whatever it is a file of
    return _parse(content, format_, str(path))


def parse_plan(text: str | bytes, *, format: Format = "json") -> FaultPlan:  # noqa: A002 - the word that fits
    """Read a plan from a text.

    Args:
        text: The plan; bytes are UTF-8. 8 MiB of JSON or 256 KiB of YAML at most.
        format: `json` or `yaml`.

    Raises:
        ImportError: It is YAML and the extra `yaml` is not installed.
        TypeError: *text* is no text.
        ValueError: It is no plan; the message names the entry (from 1), the field, what it must be and what was there.
    """
    given: object = text
    if not isinstance(given, str | bytes):
        raise TypeError(f"parse_plan: text must be a str or bytes, got {given!r}")
    if format not in _MOST_BYTES:
        raise ValueError(f"parse_plan: format must be 'json' or 'yaml', got {format!r}")
    content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    return _parse(content, format, "plan")


def dump_plan(plan: FaultPlan) -> str:
    """Return *plan* as JSON, one entry a line; `parse_plan` reads it back, and it is YAML too.

    Fields of faults are all written, so that the plan means the same when defaults change.
    """
    lines = ",\n".join(f"    {msgspec.json.encode(planned).decode()}" for planned in plan.faults)
    entries = f"[\n{lines}\n  ]" if lines else "[]"
    return f'{{\n  "name": {msgspec.json.encode(plan.name).decode()},\n  "faults": {entries}\n}}\n'


def _parse(content: bytes, format_: Format, name: str) -> FaultPlan:
    most = _MOST_BYTES[format_]
    if len(content) > most:
        raise ValueError(f"{name}: {format_} must be at most {most} bytes, got more")
    try:
        return read_plan(_decoded(content, format_))
    except UnicodeDecodeError as exc:
        raise ValueError(
            f"{name}: a plan must be UTF-8, got {exc.object[exc.start]:#04x} at byte {exc.start}"
        ) from None
    except RecursionError:
        raise ValueError(f"{name}: a plan must not be nested so deep") from None
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from None


def _decoded(content: bytes, format_: Format) -> Any:
    text = content.decode("utf-8-sig")
    if not text.strip():
        raise ValueError("a plan must be a list of entries, or a mapping with faults, got nothing")
    return _yaml(text) if format_ == "yaml" else _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc}") from None


def _yaml(text: str) -> Any:
    try:
        from duenna.faults import _yaml as reader  # noqa: PLC0415 - PyYAML comes with an extra
    except ModuleNotFoundError as exc:
        if exc.name != "yaml":
            raise
        raise ImportError('a plan in YAML needs PyYAML: pip install "duenna[yaml]"') from None
    try:
        return reader.decode(text)
    except (ValueError, RecursionError):
        raise
    except Exception as exc:  # noqa: BLE001 - PyYAML lets KeyError, IndexError and more through, for `!!bool x`, say
        raise ValueError(f"not YAML: {type(exc).__name__}: {exc}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"each key must stand there once, got {twice!r} twice")
    return made
