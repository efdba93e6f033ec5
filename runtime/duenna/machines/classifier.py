"""The classifier: from what is known of an error to a verdict, by an ordered table of rules.

Theory of operation. Every condition of every rule is compiled into bits: the n-th bit of a number
stands for the n-th rule. What holds of an error gives, for each kind of condition, the number of
the rules whose condition of that kind it meets, mostly by one lookup: of types, codes and words the
answer is remembered (each in a bounded cache), since bots meet few of them again and again; of whole
messages it is not. Rules without a condition of a kind meet it anyhow. The rules that match are what
all kinds have in common, one `&` each; their bits are gone through from the first rule on until
category, severity, transience and outcome are decided. So the cost hardly depends on the number of
rules. A rule with `categories` is asked last, when the category is known.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, cast

import msgspec

from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.machines.error_details import complete
from duenna.machines.rule_table import STANDARD
from duenna.machines.rules import EFFECTS, Rule, Where, code_range, merged, status_range
from duenna.machines.text_echoes import without_echoes
from duenna.machines.text_patterns import MOST_CHARACTERS, PatternIndex, parse_pattern, words
from duenna.machines.type_patterns import TypeIndex
from duenna.machines.type_words import words_of_type

MOST_LINKS: Final = 32
"""Exceptions of one chain that are looked at."""

MOST_REMEMBERED: Final = 4_096
"""Types, and codes, whose rules are remembered; when there are more, all are forgotten."""

_LONGEST_CODE = 64
_LONGEST_TYPE = 200
_KINDS: Final = (
    "types",
    "statuses",
    "codes",
    "sqlstates",
    "errnos",
    "close_codes",
    "texts",
    "unknown",
    "causes",
    "origins",
)
_OF_LINKS: Final = 8  # the first of them are asked of each exception; the others of the whole
_BUILT_IN: Final = "builtins."
_SILENT: Final = "@silent"


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule.

    Attributes:
        name: The rule.
        matched: Whether all its conditions held.
        held: Those that did, as field and value, such as `statuses 429`.
        failed: Those that did not.
        decided: What it decided, such as `category RATE_LIMIT`; empty if others had before.
    """

    name: str
    matched: bool
    held: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, and how it came about.

    Attributes:
        facts: What was judged, with what was read out of the texts.
        verdict: The verdict.
        rules: Every rule of the table, in its order.
    """

    facts: Facts
    verdict: Verdict
    rules: tuple[RuleOutcome, ...]


class Classifier:
    """Judges errors by rules. It may be asked at any time, also in a crash: it raises nothing."""

    def __init__(self, rules: Iterable[Rule] = (), *, table: Iterable[Rule] = STANDARD) -> None:
        """Put *rules* before those of *table*; one of the same name replaces it, a disabled one takes it out.

        Raises:
            TypeError: One of them is no `Rule`.
            ValueError: There are more than 1,000 *rules*, two of them have the same name, or one
                disables what is not there.
        """
        own = tuple(rules)
        for rule in own:
            if not isinstance(rule, Rule):
                message = f"classifier: rules must be of type Rule, got {rule!r}"
                raise TypeError(message)
        self._rules = merged(own, table)
        self._effects = [_effects_of(rule) for rule in self._rules]
        self._all = (1 << len(self._rules)) - 1
        self._free = [self._those(partial(_is_free, kind)) for kind in _KINDS]
        self._late = self._those(_decides_more)
        self._any = self._those(lambda rule: rule.where is Where.ANY)
        self._outermost = self._those(lambda rule: rule.where is Where.OUTERMOST)
        self._root = self._those(lambda rule: rule.where is Where.ROOT)
        self._statuses = self._ranges("statuses", status_range)
        self._closes = self._ranges("close_codes", _bounds_of_close_code)
        self._errnos = self._exact("errnos")
        self._origins = self._exact("origins")
        self._sqlstates = self._exact("sqlstates")
        self._codes = {code: bits for code, bits in self._exact("codes").items() if not _is_wide(str(code))}
        self._code_tests = self._tests_of_codes()
        self._unknown = {said: self._those(partial(_says_unknown, said)) for said in (True, False)}
        self._types = TypeIndex(self._exact("types"))
        self._causes = TypeIndex(self._exact("causes"))
        texts = self._exact("texts")
        self._texts = PatternIndex([parse_pattern(str(text)) for text in texts])
        self._of_text = list(texts.values())
        self._types_met: dict[tuple[str, tuple[str, ...]], tuple[int, int, str, str]] = {}
        self._codes_met: dict[str, int] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that are in force, in their order."""
        return self._rules

    def classify(self, facts: Facts) -> Verdict:
        """Return the verdict on *facts*. At most the first 32 links and 1,000 characters of each text count."""
        links = [complete(link) for link in facts.links[:MOST_LINKS]]
        return self._judged(self._matches(self._met(links, facts.origin)), links)[0]

    def explain(self, facts: Facts) -> Explanation:
        """Return the verdict on *facts* with what every rule of the table had to do with it."""
        links = [complete(link) for link in facts.links[:MOST_LINKS]]
        met = self._met(links, facts.origin)
        verdict, by = self._judged(self._matches(met), links)
        read = Facts(links=tuple(links), origin=facts.origin)
        outcomes = tuple(self._outcome(number, met, by, (read, verdict)) for number in range(len(self._rules)))
        return Explanation(facts=read, verdict=verdict, rules=outcomes)

    def _matches(self, met: list[int]) -> int:
        """Return the rules that meet every kind of condition."""
        matches = self._all
        for free, bits in zip(self._free, met, strict=True):
            matches &= free | bits
        return matches

    def _judged(self, matches: int, links: list[Link]) -> tuple[Verdict, dict[str, int]]:  # noqa: C901 - see below
        """Return the verdict, and for each thing that a rule decided the number of the rule."""
        category = severity = transient = unknown = wait = None
        by: dict[str, int] = {}
        effects = self._effects
        while matches:  # from the first rule on, the lowest bit; spelt out, for this is what every error waits for
            lowest = matches & -matches
            matches ^= lowest
            number = lowest.bit_length() - 1
            among, about, badness, again, doubt, pause = effects[number]
            if among:
                if category not in among:
                    continue
            elif about is not None and about is not category:
                if category is not None:  # it speaks of something else
                    continue
                category = about
                by["category"] = number
            if severity is None and badness is not None:
                severity = badness
                by["severity"] = number
            if transient is None and again is not None:
                transient = again
                by["transient"] = number
                if severity is not None and category is not None:  # what most errors come down to
                    matches &= self._late
            if unknown is None and doubt is not None:
                unknown = doubt
                by["outcome_unknown"] = number
            if wait is None and pause is not None:
                wait = pause
                by["retry_after"] = number
        if unknown and transient:  # what may have happened must not be done again, whoever calls it transient
            transient = False
            by.pop("transient", None)
        asked = _asked(links)
        if asked is not None:
            by.pop("retry_after", None)
        verdict = Verdict(  # what nobody decides is the worst that leaves the bot running: its own fault, for good
            category=Category.SYSTEM if category is None else category,
            severity=Severity.HIGH if severity is None else severity,
            transient=bool(transient),
            outcome_unknown=bool(unknown),
            retry_after=wait if asked is None else asked,
            rule=self._rules[by["category"]].name if "category" in by else "",
        )
        return verdict, by

    def _outcome(
        self, number: int, met: list[int], by: Mapping[str, int], judged: tuple[Facts, Verdict]
    ) -> RuleOutcome:
        rule = self._rules[number]
        facts, verdict = judged
        held: list[str] = []
        failed: list[str] = []
        for kind, bits in zip(_KINDS, met, strict=True):
            if _is_free(kind, rule):
                continue
            if bits >> number & 1:
                held.append(f"{kind} {_told(_values_met(rule, kind, facts))}")
            else:
                failed.append(f"{kind} {_told(getattr(rule, kind))}")
        if rule.categories:
            told = f"categories {_told(rule.categories)}"
            (held if verdict.category in rule.categories else failed).append(told)
        return RuleOutcome(
            name=rule.name,
            matched=not failed,
            held=tuple(held),
            failed=tuple(failed),
            decided=tuple(f"{effect} {getattr(verdict, effect)}" for effect in EFFECTS if by.get(effect) == number),
        )

    def _met(self, links: list[Link], origin: str) -> list[int]:
        """Return for each kind of condition the rules that meet it."""
        first, causes = self._met_by(links[0])
        if len(links) == 1:
            return [*first, 0, self._origins.get(origin, 0)]
        others = [self._met_by(link) for link in links[1:]]
        causes = 0
        met = list(first)
        for bits, cause in others:
            causes |= cause
            for kind in range(_OF_LINKS):
                met[kind] |= bits[kind]
        last = others[-1][0]
        for kind in range(_OF_LINKS):
            met[kind] = met[kind] & self._any | first[kind] & self._outermost | last[kind] & self._root
        return [*met, causes, self._origins.get(origin, 0)]

    def _met_by(self, link: Link) -> tuple[tuple[int, ...], int]:
        """Return for each kind that is asked of one exception the rules that meet it; and those whose cause it is."""
        key = (link.type, link.bases)
        known = self._types_met.get(key)
        if known is None:
            known = self._learn_type(key)
        types, cause, named, last = known
        message = link.message
        if len(message) > MOST_CHARACTERS:
            message = message[:MOST_CHARACTERS]
        message = message.removeprefix(last)  # str() of some errors begins with what is known already
        text = f"{named}{words(without_echoes(message)) if message else _SILENT}"
        code = link.code
        codes = 0
        if code is not None:
            codes = self._met_by_code(code)
            if not code.isdecimal() and code not in link.message:
                text = f"{text} . {words(code)}"
        found = self._texts.found(text)
        texts = 0
        of_text = self._of_text
        while found:
            lowest = found & -found
            texts |= of_text[lowest.bit_length() - 1]
            found ^= lowest
        return (
            types,
            self._statuses.get(link.status, 0),
            codes,
            0 if link.sqlstate is None else self._met_by_sqlstate(link.sqlstate),
            self._errnos.get(link.errno, 0),
            self._closes.get(link.close_code, 0),
            texts,
            0 if link.outcome_unknown is None else self._unknown[link.outcome_unknown],
        ), cause

    def _met_by_code(self, code: str) -> int:
        bits = self._codes_met.get(code)
        if bits is None:
            bits = self._codes.get(code, 0)
            for fits, those in self._code_tests:
                if fits(code):
                    bits |= those
            if len(self._codes_met) >= MOST_REMEMBERED:
                self._codes_met.clear()
            if len(code) <= _LONGEST_CODE:
                self._codes_met[code] = bits
        return bits

    def _met_by_sqlstate(self, sqlstate: str) -> int:
        bits = self._sqlstates.get(sqlstate, 0)
        for end in range(1, len(sqlstate)):
            bits |= self._sqlstates.get(f"{sqlstate[:end]}*", 0)
        return bits

    def _learn_type(self, key: tuple[str, tuple[str, ...]]) -> tuple[int, int, str, str]:
        names = [name[:_LONGEST_TYPE].removeprefix(_BUILT_IN) for name in (key[0], *key[1])]
        last = names[0].rpartition(".")[2]
        named = f"{words_of_type(names[0])} . "
        known = (self._types.met(names), self._causes.met(names), named, last)
        if len(self._types_met) >= MOST_REMEMBERED:
            self._types_met.clear()
        if all(len(name) <= _LONGEST_TYPE for name in (key[0], *key[1])):
            self._types_met[key] = known
        return known

    def _those(self, holds: Callable[[Rule], bool]) -> int:
        return sum(1 << number for number, rule in enumerate(self._rules) if holds(rule))

    def _exact(self, kind: str) -> dict[object, int]:
        bits: dict[object, int] = {}
        for number, rule in enumerate(self._rules):
            for value in dict.fromkeys(getattr(rule, kind)):
                bits[value] = bits.get(value, 0) | 1 << number
        return bits

    def _ranges(self, kind: str, bounds: Callable[[int | str], tuple[int, int]]) -> dict[int | None, int]:
        bits: dict[int | None, int] = {}
        for value, those in self._exact(kind).items():
            first, last = bounds(value if isinstance(value, int) else str(value))
            for number in range(first, last + 1):
                bits[number] = bits.get(number, 0) | those
        return bits

    def _tests_of_codes(self) -> list[tuple[Callable[[str], bool], int]]:
        return [(_code_test(str(code)), bits) for code, bits in self._exact("codes").items() if _is_wide(str(code))]


_Effects = tuple[tuple[Category, ...], Category | None, Severity | None, bool | None, bool | None, float | None]


def _effects_of(rule: Rule) -> _Effects:
    """Return what *rule* says, in the form that is read fastest."""
    return rule.categories, rule.category, rule.severity, rule.transient, rule.outcome_unknown, rule.retry_after


def _asked(links: list[Link]) -> float | None:
    """Return the longest wait that the far end asked for, in seconds."""
    asked = [link.retry_after for link in links if link.retry_after is not None and link.retry_after >= 0]
    return max(asked) if asked else None


def _is_free(kind: str, rule: Rule) -> bool:
    return getattr(rule, kind) in ((), None)


def _decides_more(rule: Rule) -> bool:
    """Return whether *rule* has to do with more than category, severity and transience."""
    return rule.outcome_unknown is not None or rule.retry_after is not None


def _says_unknown(said: bool, rule: Rule) -> bool:
    return rule.unknown is said


def _is_wide(code: str) -> bool:
    return code.endswith("*") or code_range(code) is not None


def _bounds_of_close_code(value: int | str) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else code_range(value) or (0, -1)


def _code_test(pattern: str) -> Callable[[str], bool]:
    bounds = code_range(pattern)
    if bounds is None:
        return lambda code: code.startswith(pattern[:-1])
    return lambda code: len(code) <= _LONGEST_CODE and code.lstrip("-").isdecimal() and _is_in(code, bounds)


def _is_in(code: str, bounds: tuple[int, int]) -> bool:
    return code.rfind("-") <= 0 and bounds[0] <= int(code) <= bounds[1]


def _values_met(rule: Rule, kind: str, facts: Facts) -> object:
    """Return those of the values of one condition that hold: each is tried as a rule of its own."""
    values: object = getattr(rule, kind)
    if not isinstance(values, tuple):
        return values
    return tuple(value for value in cast("tuple[object, ...]", values) if _holds(rule.where, kind, value, facts))


def _holds(where: Where, kind: str, value: object, facts: Facts) -> bool:
    options: dict[str, Any] = {kind: (value,)}
    alone = Rule(name="alone", where=where, severity=Severity.LOW, **options)
    return Classifier(table=(alone,)).classify(facts).severity is Severity.LOW


def _told(value: object) -> str:
    return ", ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else str(value)


__all__ = ["EFFECTS", "Classifier", "Explanation", "RuleOutcome"]
