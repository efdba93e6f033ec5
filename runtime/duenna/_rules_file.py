"""Rules of classification from a file: YAML or JSON, a list of rules or a mapping with `rules`."""

from functools import partial
from pathlib import Path
from typing import Any, Final

from duenna.machines.rules import Rule, rules_from
from duenna.settings._files import decode_json, decode_yaml, read

_MOST_BYTES: Final = 256 * 1024  # what people write by hand is small, and PyYAML slow
_DECODERS: Final[dict[str, Any]] = {
    ".yaml": partial(decode_yaml, what="rules"),
    ".yml": partial(decode_yaml, what="rules"),
    ".json": decode_json,
}


class RulesFileError(ValueError):
    """A file of rules cannot be used; the message names the file, the rule and what is wrong."""


def read_rules(path: str | Path) -> tuple[Rule, ...]:
    """Return the rules in a file, in their order.

    Args:
        path: The file: `.yaml`, `.yml` or `.json`, a regular one of at most 256 KiB.

    Raises:
        ImportError: It is YAML and the extra `yaml` is not installed.
        OSError: It cannot be read.
        RulesFileError: It holds none, or a wrong one.
    """
    path = Path(path)
    decode = _DECODERS.get(path.suffix.lower())
    if decode is None:
        message = f"{path}: a file of rules must end in .yaml, .yml or .json, got {path.suffix!r}"
        raise RulesFileError(message)
    try:
        return rules_from(read(path, _MOST_BYTES, decode))
    except ValueError as exc:
        message = f"{path}: {exc}"
        raise RulesFileError(message) from None
