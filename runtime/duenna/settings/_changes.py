"""What differs between two settings, as text for people: bounded, and without secrets."""

import json
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from duenna.secrets import HIDDEN, is_secret_name, redact
from duenna.settings._fields import fields_of, in_words
from duenna.settings.model import ClassifierSettings, Settings

_ABSENT = "not set"
_SHOWN = 200


def changes_between(old: Settings, new: Settings) -> dict[str, tuple[str, str]]:
    """Return each setting that differs, by its dotted key: its value before and now."""
    if old == new:
        return {}
    before, now = dict(_flat("", old)), dict(_flat("", new))
    keys = [*now, *(key for key in before if key not in now)]
    pairs = ((key, before.get(key, _ABSENT), now.get(key, _ABSENT)) for key in keys)
    return {key: (_shown(one), _shown(other)) for key, one, other in pairs if one != other}


def in_text(settings: Settings) -> dict[str, str]:
    """Return every setting by its dotted key, as text."""
    values = {key: HIDDEN if is_secret_name(key.rpartition(".")[2]) else value for key, value in _flat("", settings)}
    return {_shown(key): _shown(value) for key, value in values.items()}


def _flat(prefix: str, block: msgspec.Struct) -> Iterator[tuple[str, str]]:
    if isinstance(block, ClassifierSettings):
        yield from _rules(prefix, block)
        return
    for name, field in fields_of(type(block)).items():
        key, value = f"{prefix}{name}", getattr(block, name)
        if field.block is not None:
            yield from _flat(f"{key}.", value)
        elif field.entry is not None:
            for each, entry in cast("dict[str, msgspec.Struct]", value).items():
                yield from _flat(f"{key}.{each}.", entry)
        else:
            yield key, in_words(value)


def _rules(prefix: str, block: ClassifierSettings) -> Iterator[tuple[str, str]]:
    """Show the rules' names in their order, which counts, and each rule whole: it is one decision."""
    rules = {_name(rule, number): rule for number, rule in enumerate(block.rules, 1)}
    yield f"{prefix}rules", ", ".join(rules) or "none"
    for name, rule in rules.items():
        yield f"{prefix}rules.{name}", _as_json(rule)


def _name(rule: dict[str, Any], number: int) -> str:
    name = rule.get("name")
    return _shown(name) if isinstance(name, str) and name else str(number)


def _shown(text: str) -> str:
    safe = redact(text)
    return safe if len(safe) <= _SHOWN else f"{safe[: _SHOWN - 3]}..."


def _as_json(rule: dict[str, Any]) -> str:
    return json.dumps(rule, default=str, skipkeys=True, ensure_ascii=False)
