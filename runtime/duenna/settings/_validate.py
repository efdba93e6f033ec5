"""From what the sources say to settings: every key known, every value right, or a list of all that is wrong."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import attrs
import msgspec

from duenna.secrets import redact
from duenna.settings._environment import VARIABLES, strange, value_of
from duenna.settings._fields import Field, fields_of, in_words
from duenna.settings._rules import wrong_rules
from duenna.settings.errors import Problem, SettingsError
from duenna.settings.model import Settings

Key = tuple[str, ...]
ENVIRONMENT = "environment"
DEFAULTS = "defaults"
_SHOWN = 100
_RULES = ("classifier", "rules")
_SMALLER = ((("error_handling", "base_delay"), ("error_handling", "max_delay")),)


@attrs.frozen
class Said:
    """A value, and who says so.

    Attributes:
        value: In the type of its field.
        source: The file as it was named, `environment` or `defaults`.
        name: The key or the variable as it stands there.
    """

    value: Any
    source: str
    name: str


@attrs.define
class Layer:
    """What one source says.

    Attributes:
        source: The file as it was named, or `environment`.
        said: The right values, by key.
        problems: What is wrong with the others.
        wrong: The settings that these are about.
    """

    source: str
    said: dict[Key, Said] = attrs.field(factory=dict[Key, Said])
    problems: list[Problem] = attrs.field(factory=list[Problem])
    wrong: set[Key] = attrs.field(factory=set[Key])

    def blame(self, key: Key, why: str, *, name: str = "") -> None:
        """Note that *key*, which is called *name* in this source, is wrong."""
        self.problems.append(Problem(source=self.source, key=name or _dotted(key), why=redact(why)))
        self.wrong.add(key)

    def take(self, key: Key, field: Field, value: object) -> None:
        """Take *value* as that of *field*, whatever it is: a block, a mapping of blocks, a value."""
        if field.block is not None:
            self.take_block(key, field.block, value)
        elif field.entry is not None:
            self._take_entries(key, field.entry, value)
        else:
            self._take_value(key, field, value)

    def take_block(self, key: Key, block: type[msgspec.Struct], value: object) -> None:
        """Take *value* as the settings of *block*."""
        fields = fields_of(block)
        for name, each in self._items(key, value):
            field = fields.get(name)
            if field is None:
                self.blame((*key, name), f"is no setting, {suggestion(name, fields)}")
            else:
                self.take((*key, name), field, each)

    def _take_value(self, key: Key, field: Field, value: object) -> None:
        try:
            made = field.checked(value)
        except ValueError as error:
            self.blame(key, f"must be {error}, got {in_words(value)}")
            return
        wrong = list(wrong_rules(made)) if key == _RULES else []
        for why in wrong:
            self.blame(key, why)
        if not wrong:
            self.said[key] = Said(made, self.source, _dotted(key))

    def _take_entries(self, key: Key, entry: type[msgspec.Struct], value: object) -> None:
        for name, each in self._items(key, value):
            if not name or not name.isprintable():
                self.blame((*key, in_words(name)), "must be a printable name")
            elif each == {}:
                self.blame((*key, name), f"must have one of {', '.join(fields_of(entry))}, got nothing")
            else:
                self.take_block((*key, name), entry, each)

    def _items(self, key: Key, value: object) -> Iterator[tuple[str, object]]:
        if not isinstance(value, dict):
            self.blame(key, f"must be a mapping, got {in_words(value)}")
            return
        for name, each in cast("dict[object, object]", value).items():
            if isinstance(name, str):
                yield name, each
            else:
                self.blame((*key, in_words(name)), "must be a text, in quotes")


def file_layer(source: str, content: object) -> Layer:
    """Take in *content*, what the file says."""
    layer = Layer(source)
    layer.take_block((), Settings, content)
    return layer


def environment_layer(environment: Mapping[str, str]) -> Layer:
    """Take in what *environment* says; all of it that is not ours is left alone."""
    layer = Layer(ENVIRONMENT)
    for name in sorted(strange(environment)):
        layer.blame((), f"is no setting, {suggestion(name, VARIABLES)}", name=name)
    for name, variable in VARIABLES.items():
        text = environment.get(name)
        if text is None:
            continue
        try:
            value = value_of(variable, field_at(variable.key), text)
        except ValueError as error:
            layer.blame(variable.key, str(error), name=name)
        else:
            layer.said[variable.key] = Said(value, ENVIRONMENT, name)
    return layer


def settings_of(layers: Iterable[Layer]) -> tuple[Settings, dict[Key, Said]]:
    """Return the settings that *layers* make together, the last one first in rank, and who said what.

    Raises:
        SettingsError: Something in any of them is wrong, or they contradict each other.
    """
    said: dict[Key, Said] = {}
    problems: list[Problem] = []
    wrong: set[Key] = set()
    for layer in layers:
        said |= layer.said
        problems += layer.problems
        wrong |= layer.wrong
    for smaller, larger in _SMALLER:
        if wrong.isdisjoint({smaller, larger}):
            problems += _compared(smaller, larger, said)
    if problems:
        raise SettingsError(problems)
    return cast("Settings", _built(Settings, (), said)), said


def field_at(key: Key) -> Field:
    """Return the field that *key* leads to."""
    field = fields_of(Settings)[key[0]]
    for name in key[1:]:
        field = fields_of(cast("type[msgspec.Struct]", field.block))[name]
    return field


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which of *known* was meant, or what there is."""
    names = list(known)
    by_lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower()[:_SHOWN], by_lower, n=1)
    return f"did you mean {by_lower[close[0]]}" if close else f"there is {', '.join(names)}"


def _compared(smaller: Key, larger: Key, said: Mapping[Key, Said]) -> Iterator[Problem]:
    low, high = (said.get(key) or _default(key) for key in (smaller, larger))
    if low.value <= high.value:
        return
    blamed, limit, words = (low, high, "at most") if low.source != DEFAULTS else (high, low, "at least")
    yield Problem(
        source=blamed.source,
        key=blamed.name,
        why=f"must be {words} {limit.name} ({in_words(limit.value)}, {limit.source}), got {in_words(blamed.value)}",
    )


def _default(key: Key) -> Said:
    value: Any = Settings()
    for name in key:
        value = getattr(value, name)
    return Said(value, DEFAULTS, _dotted(key))


def _built(block: type[msgspec.Struct], key: Key, said: Mapping[Key, Said]) -> msgspec.Struct:
    given: dict[str, Any] = {}
    for name, field in fields_of(block).items():
        inner = (*key, name)
        if field.block is not None:
            given[name] = _built(field.block, inner, said)
        elif field.entry is not None:
            names = dict.fromkeys(other[len(inner)] for other in said if other[: len(inner)] == inner)
            given[name] = {each: _built(field.entry, (*inner, each), said) for each in names}
        elif inner in said:
            given[name] = said[inner].value
    return block(**given)


def _dotted(key: Key) -> str:
    return ".".join(part if len(part) <= _SHOWN else f"{part[: _SHOWN - 3]}..." for part in key)
