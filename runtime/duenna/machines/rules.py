"""One rule of classification, as data: conditions on an error, and what follows for its verdict."""

import difflib
import errno as _errno
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, cast

import attrs

from duenna.machines.classification import Category, Severity
from duenna.machines.text_patterns import parse_pattern

_STATUS = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", re.IGNORECASE)
_SQLSTATE = re.compile(r"[0-9A-Z]{5}|[0-9A-Z]{1,4}\*")
_CODE_RANGE = re.compile(r"(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})")
_TYPE = re.compile(r"[\w.<>*?-]+")
_CLOSE_CODES = (1000, 4999)
_CLOSE_DIGITS = 4
_LARGEST = 2**31

MOST_RULES: Final = 1_000
"""Rules of one's own, at most: with so many the table is made anew within a fifth of a second at a reload."""


class Where(StrEnum):
    """Which exceptions of a chain a rule looks at: any, the outermost, the last cause."""

    ANY = "any"
    OUTERMOST = "outermost"
    ROOT = "root"


@attrs.frozen(kw_only=True)
class Rule:
    """What an error must be like, and what that means.

    All conditions that are given must hold; a condition that lists several values holds if one of
    them does. With `where="any"`, each condition may hold for another exception of the chain.
    The first rule of the table that says a thing decides it: one rule may decide the category, a
    later one the severity. A rule whose category is not the one that was decided says nothing.

    Attributes:
        name: What the verdict calls it; a rule of the same name in the table is replaced.
        types: The exception's type or a base of it: `ReadTimeout` the last part of the name,
            `httpx.ReadTimeout` the whole, `httpx.*` or `*Timeout*` a glob (over the whole name if
            it has a dot, or else over the last part).
        causes: The same, of an exception that is not the outermost.
        statuses: HTTP status: `429`, `"5xx"`, `"500-599"`.
        codes: The far end's code: `-1021`, `"-11*"`, `"50000..50099"`.
        sqlstates: SQLSTATE: `"40P01"`, or its beginning, `"08*"`.
        errnos: The system's error number: `111` or `"ECONNREFUSED"`.
        close_codes: Close code of a websocket: `1006`, `"4000..4099"`.
        texts: Patterns over the words of the type's name, the message and the code; see
            `duenna.machines.text_patterns`.
        origins: The kind of code that raised it, such as `order`; empty: not known.
        unknown: What the error itself says of its outcome: True, unknown; False, known.
        categories: The category that a rule before has decided; such a rule cannot decide it.
        where: `any`, `outermost` or `root`: which exceptions of the chain the conditions are about.
        category: What it is about.
        severity: How bad it is.
        transient: Whether the same call may succeed after a wait.
        outcome_unknown: Whether the call may have taken effect; such an error is never transient.
        retry_after: Seconds to leave the far end alone where the error does not say; greater than 0.
        enabled: False takes the rule of this name out of the table.
    """

    name: str
    types: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    statuses: tuple[int | str, ...] = ()
    codes: tuple[int | str, ...] = ()
    sqlstates: tuple[str, ...] = ()
    errnos: tuple[int | str, ...] = ()
    close_codes: tuple[int | str, ...] = ()
    texts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    unknown: bool | None = None
    categories: tuple[Category, ...] = ()
    where: Where = Where.ANY
    category: Category | None = None
    severity: Severity | None = None
    transient: bool | None = None
    outcome_unknown: bool | None = None
    retry_after: float | None = None
    enabled: bool = True

    def __attrs_post_init__(self) -> None:
        """Check every field, and bring lists and single values into the form of a tuple.

        Raises:
            TypeError: A field is of a wrong type.
            ValueError: A field has a wrong value, or the rule decides nothing.
        """
        if not isinstance(self.name, str) or not self.name.strip():
            message = f"rule: name must be a text that is not empty, got {self.name!r}"
            raise ValueError(message)
        for field, check in _CHECKS.items():
            values = self._many(field)
            object.__setattr__(self, field, tuple(check(self.name, field, value) for value in values))
        self._one_of("where", Where)
        self._one_of("category", Category)
        self._one_of("severity", Severity)
        for field in ("unknown", "transient", "outcome_unknown", "enabled"):
            value = getattr(self, field)
            if not isinstance(value, bool) and (value is not None or field == "enabled"):
                raise TypeError(_wrong(self.name, field, "true or false", value))
        if self.retry_after is not None:
            object.__setattr__(self, "retry_after", _seconds(self.name, self.retry_after))
        if self.categories and self.category is not None:
            message = f"rule {self.name!r}: category must not be given beside categories: it is decided already"
            raise ValueError(message)
        if self.enabled and all(getattr(self, effect) is None for effect in EFFECTS):
            message = f"rule {self.name!r}: one of {', '.join(EFFECTS)} must be given: it decides nothing"
            raise ValueError(message)

    def _many(self, field: str) -> tuple[object, ...]:
        given: object = getattr(self, field)
        if isinstance(given, list | tuple):
            return tuple(cast("Sequence[object]", given))
        if isinstance(given, str | int) and not isinstance(given, bool):
            return (given,)
        raise TypeError(_wrong(self.name, field, "a list of values", given))

    def _one_of(self, field: str, options: type[StrEnum]) -> None:
        value: object = getattr(self, field)
        if value is not None:
            object.__setattr__(self, field, _option(self.name, field, value, options))


EFFECTS: Final = ("category", "severity", "transient", "outcome_unknown", "retry_after")
"""The fields of a rule that say something about the verdict."""


def rule_from(data: object, *, number: int = 1) -> Rule:
    """Return the rule that a mapping of field names describes.

    Args:
        data: The mapping, as a file gives it.
        number: Its place in a list, from 1, for the message.

    Raises:
        ValueError: It describes none; the message names rule, field, value and expectation.
    """
    if not isinstance(data, Mapping):
        message = f"rule {number} must be a mapping with a name, got {_shown(data)}"
        raise ValueError(message)  # noqa: TRY004 - what a file says is no wrong use by the caller
    fields: dict[Any, Any] = dict(data)  # pyright: ignore[reportUnknownArgumentType]
    name = fields.get("name")
    known = tuple(field.name for field in attrs.fields(Rule))
    for field in fields:
        if field not in known:
            near = difflib.get_close_matches(str(field), known, 1)
            hint = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
            message = f"rule {name if name is not None else number!r}: there is no field {_shown(field)}{hint}"
            raise ValueError(message)
    if "name" not in fields:
        message = f"rule {number}: name must be a text that is not empty, got nothing"
        raise ValueError(message)
    try:
        return Rule(**fields)
    except TypeError as exc:
        raise ValueError(str(exc)) from None


def rules_from(data: object) -> tuple[Rule, ...]:
    """Return the rules that a list of mappings describes, or a mapping whose `rules` is that list.

    Raises:
        ValueError: One of them describes none, or two have the same name.
    """
    given: Any = data
    if isinstance(data, Mapping):
        if set(given) != {"rules"}:
            message = f"rules must be a list, or a mapping with the one key 'rules', got {_shown(given)}"
            raise ValueError(message)
        given = given["rules"]
    if not isinstance(given, list | tuple):
        message = f"rules must be a list of mappings, got {_shown(given)}"
        raise ValueError(message)  # noqa: TRY004 - as above
    ones = cast("Sequence[object]", given)
    rules = tuple(rule_from(one, number=number) for number, one in enumerate(ones, 1))
    _check_once(rules)
    return rules


def check_together(rules: Sequence[Rule]) -> None:
    """Check that *rules* can stand together before a table, whatever is in it.

    Raises:
        ValueError: There are more than 1,000, or two of them have the same name.
    """
    if len(rules) > MOST_RULES:
        message = f"rules of one's own must be at most {MOST_RULES}, got {len(rules)}"
        raise ValueError(message)
    _check_once(rules)


def merged(rules: Iterable[Rule], table: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return *rules*, then those of *table* that they do not replace; disabled ones are left out.

    Raises:
        ValueError: There are more than 1,000 *rules*, two of them have the same name, or one that
            is disabled is not in *table*.
    """
    own, built_in = tuple(rules), tuple(table)
    check_together(own)
    names = [rule.name for rule in built_in]
    for rule in own:
        if not rule.enabled and rule.name not in names:
            near = difflib.get_close_matches(rule.name, names)
            hint = f", did you mean {' or '.join(map(repr, near))}?" if near else ""
            message = f"rule {rule.name!r}: enabled is false, but there is no such rule in the table{hint}"
            raise ValueError(message)
    replaced = {rule.name for rule in own}
    return tuple(rule for rule in (*own, *(rule for rule in built_in if rule.name not in replaced)) if rule.enabled)


def code_range(text: str) -> tuple[int, int] | None:
    """Return the bounds of a range of codes such as `50000..50099`, both inclusive; None if it is none."""
    found = _CODE_RANGE.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def status_range(value: int | str) -> tuple[int, int]:
    """Return the first and the last status that a condition names, such as `5xx`; it must be a right one."""
    found = cast("re.Match[str]", _STATUS.fullmatch(str(value)))
    if found[1]:
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    return int(found[2]), int(found[3] or found[2])


def _check_once(rules: Sequence[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            message = f"rule {rule.name!r}: each name must stand there once, got it twice"
            raise ValueError(message)
        seen.add(rule.name)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a message


def _wrong(name: str, field: str, rule: str, value: object) -> str:
    return f"rule {name!r}: {field} must be {rule}, got {_shown(value)}"


def _option(name: str, field: str, value: object, options: type[StrEnum]) -> StrEnum:
    try:
        return options(cast("str", value))
    except ValueError:
        allowed = ", ".join(str(option) for option in options)
        raise ValueError(_wrong(name, field, f"one of {allowed}", value)) from None


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(_wrong(name, "retry_after", "a number of seconds", value))
    if not 0 < value < math.inf:
        raise ValueError(_wrong(name, "retry_after", "seconds > 0 and finite", value))
    return float(value)


def _text(name: str, field: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(_wrong(name, field, "texts", value))
    return value


def _type(name: str, field: str, value: object) -> str:
    if not _TYPE.fullmatch(_text(name, field, value)):
        raise ValueError(_wrong(name, field, "names of types such as 'httpx.ReadTimeout' or 'httpx.*'", value))
    return str(value)


def _status(name: str, field: str, value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not _STATUS.fullmatch(str(value)):
        raise ValueError(_wrong(name, field, "100 to 599, '5xx' or '500-599'", value))
    first, last = status_range(value)
    if last < first:
        raise ValueError(_wrong(name, field, "a range with the smaller status first", value))
    return value


def _code(name: str, field: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value):
        raise TypeError(_wrong(name, field, "codes such as -1021, '-11*' or '50000..50099'", value))
    bounds = code_range(str(value))
    if bounds is not None and bounds[1] < bounds[0]:
        raise ValueError(_wrong(name, field, "a range with the smaller code first", value))
    return str(value)


def _sqlstate(name: str, field: str, value: object) -> str:
    if not isinstance(value, str) or not _SQLSTATE.fullmatch(value):
        raise ValueError(_wrong(name, field, "five characters, such as '40P01', or a beginning, such as '08*'", value))
    return value


def _errno_of(name: str, field: str, value: object) -> int | str:
    if isinstance(value, str) and isinstance(getattr(_errno, value, None), int):
        return cast("int", getattr(_errno, value))
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        raise ValueError(_wrong(name, field, "numbers or names such as 'ECONNREFUSED'", value))
    return value


def _close_code(name: str, field: str, value: object) -> int | str:
    value = int(value) if isinstance(value, str) and value.isdecimal() and len(value) <= _CLOSE_DIGITS else value
    bounds = (value, value) if isinstance(value, int) else code_range(value) if isinstance(value, str) else None
    least, most = _CLOSE_CODES
    if isinstance(value, bool) or bounds is None or not least <= bounds[0] <= bounds[1] <= most:
        raise ValueError(_wrong(name, field, f"{least} to {most}, or a range such as '4000..4099'", value))
    return cast("int | str", value)


def _pattern(name: str, field: str, value: object) -> str:
    text = _text(name, field, value)
    try:
        return parse_pattern(text).text
    except ValueError as exc:
        message = f"rule {name!r}: {field} must be {exc}"
        raise ValueError(message) from None


def _category(name: str, field: str, value: object) -> Category:
    return cast("Category", _option(name, field, value, Category))


_CHECKS: Final = {
    "types": _type,
    "causes": _type,
    "statuses": _status,
    "codes": _code,
    "sqlstates": _sqlstate,
    "errnos": _errno_of,
    "close_codes": _close_code,
    "texts": _pattern,
    "origins": _text,
    "categories": _category,
}
