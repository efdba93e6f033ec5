"""Matchers: which alerts a silence, an inhibition or a route means, in Alertmanager's spelling."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import attrs

_LONGEST: Final = 256
_FORM: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


class Operator(StrEnum):
    """How a label is compared: equal, not equal, the whole of it matches a regular expression, or does not."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


@attrs.frozen
class Matcher:
    """A condition on one label. A label that is not there counts as empty.

    Attributes:
        label: Its name.
        operator: How it is compared.
        value: With what: a text, or a regular expression that must match all of the label; at
            most 256 characters.
    """

    label: str
    operator: Operator = attrs.field(converter=Operator)
    value: str
    _pattern: re.Pattern[str] | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what is too long, and what is no regular expression.

        Raises:
            ValueError: It is one of these.
        """
        if len(self.value) > _LONGEST:
            message = f"matcher of {self.label}: value must have at most {_LONGEST} characters, got {len(self.value)}"
            raise ValueError(message)
        if self.operator in {Operator.MATCHES, Operator.MATCHES_NOT}:
            try:
                object.__setattr__(self, "_pattern", re.compile(self.value))
            except re.error as exc:
                message = f"matcher of {self.label}: value must be a regular expression, got {self.value!r}: {exc}"
                raise ValueError(message) from None

    @classmethod
    def parse(cls, text: str) -> "Matcher":
        """Read a matcher: `kind="feed_stale"`, `path=~"/bot/feeds/.*"`, `severity!=LOW`, `target!~x.*`.

        Raises:
            ValueError: It is none.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            message = f"a matcher must be label=value, with =, !=, =~ or !~, got {text[:_LONGEST]!r}"
            raise ValueError(message)
        label, operator, value = found.groups()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('\\"', '"')
        return cls(label, operator, value)

    def __str__(self) -> str:
        """Return it as `parse` reads it."""
        quoted = self.value.replace('"', '\\"')
        return f'{self.label}{self.operator}"{quoted}"'

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Return whether an alert with *labels* is meant."""
        value = labels.get(self.label, "")
        if self._pattern is not None:
            return (self._pattern.fullmatch(value) is not None) is (self.operator is Operator.MATCHES)
        return (value == self.value) is (self.operator is Operator.EQUAL)


def matchers(given: Iterable[Matcher | str] | str) -> tuple[Matcher, ...]:
    """Return *given*, with texts read as `Matcher.parse` does.

    Raises:
        TypeError: One is neither a matcher nor a text.
        ValueError: One cannot be read.
    """
    listed: list[object] = [given] if isinstance(given, str) else list(given)
    found: list[Matcher] = []
    for one in listed:
        if isinstance(one, str):
            found.append(Matcher.parse(one))
        elif isinstance(one, Matcher):
            found.append(one)
        else:
            message = f"a matcher must be a Matcher or a text such as 'kind=feed_stale', got {one!r}"
            raise TypeError(message)
    return tuple(found)


def all_fit(wanted: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether every matcher of *wanted* means an alert with *labels*."""
    return all(matcher.fits(labels) for matcher in wanted)
