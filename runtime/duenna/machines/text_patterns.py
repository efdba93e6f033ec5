"""Patterns over an error's words: linear in the text whatever they say, and looked for all at once.

A pattern is a line of groups, parted by spaces, which must all occur, in any order and any distance:

    insufficient|not-enough balance|fund*|margin !maintenance

`|` parts alternatives, `*` ends a stem, `-` joins words that must stand side by side, `!` begins a
group that must not occur, `@ccxt` is the package that an exception's type comes from,
`@plain` stands for a type such as `ValueError` or `OSError`, whose name says nothing,
and `@silent` stands where it has no text. Words are runs of letters or of digits, in lower case; `orderNotFound`,
`ORDER_NOT_FOUND` and `order not found` are the same three words, and an apostrophe is no letter
(`don't` is `dont`). Regular expressions are not understood on purpose: one of them, written in
haste, can keep a bot busy for minutes with one line of text.

Looking is one pass: each word is a dictionary lookup that gives the groups in which it occurs, as
the bits of a number, so that the cost depends on the text and hardly on the number of patterns.
"""

import re
from collections.abc import Sequence
from typing import Final

import attrs

MOST_CHARACTERS: Final = 1_000
"""Of each text, so many characters are looked at."""

MOST_WORDS: Final = 8_192
"""Words, and pairs of words, whose meaning is remembered; when there are more, all are forgotten."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TERM = r"@?[a-z0-9_]+(?:-[a-z0-9]+)*\*?"
_GROUP = re.compile(rf"!?{_TERM}(?:\|{_TERM})*")
_LEAST_STEM = 2
_BEGINNING = 3
_NO_STEMS: Final[dict[str, int]] = {}
_LONGEST_WORD = 32


def words(text: str) -> str:
    """Return the words of the first 1,000 characters of *text* in lower case, parted by single spaces."""
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS]
    return " ".join(_WORD.findall(text.replace("'", ""))).lower()


@attrs.frozen
class TextPattern:
    """One pattern, taken apart.

    Attributes:
        text: As it was written.
        required: The groups that must occur, each with its alternatives.
        forbidden: The alternatives of which none may occur.
    """

    text: str
    required: tuple[tuple[str, ...], ...]
    forbidden: tuple[str, ...]


def parse_pattern(text: str) -> TextPattern:
    """Take a pattern apart.

    Raises:
        ValueError: It is none, for the reason that the message gives.
    """
    groups = text.split()
    required = [tuple(group.split("|")) for group in groups if not group.startswith("!")]
    forbidden = [term for group in groups if group.startswith("!") for term in group[1:].split("|")]
    for group in groups:
        if not _GROUP.fullmatch(group):
            message = f"words in lower case, joined by '-', parted by '|', a stem ending in '*', got {group!r}"
            raise ValueError(message)
    if not required:
        message = f"one group at least that does not begin with '!', got {text!r}"
        raise ValueError(message)
    for term in [*forbidden, *(term for group in required for term in group)]:
        if term.endswith("*") and len(term.rpartition("-")[2]) <= _LEAST_STEM:
            message = f"stems of at least {_LEAST_STEM} letters, got {term!r}"
            raise ValueError(message)
    return TextPattern(text, tuple(required), tuple(forbidden))


class _Meaning:
    """What a word stands for: bits of groups, and the phrases that begin with it."""

    __slots__ = ("bits", "phrases")

    def __init__(self, bits: int, phrases: tuple[tuple[str, int], ...]) -> None:
        self.bits = bits
        self.phrases = phrases


_NOTHING = _Meaning(0, ())


class PatternIndex:
    """Many patterns, looked for in one pass.

    The bits of a text: in the n-th run of `size` bits, those of the patterns whose n-th group
    occurs in it; in the last run, those of the patterns that it must not fit.
    """

    def __init__(self, patterns: Sequence[TextPattern]) -> None:
        """Prepare to look for *patterns*; what is found is told by their numbers, from 0."""
        self._size = len(patterns)
        self._runs = max((len(pattern.required) for pattern in patterns), default=0)
        self._given = 0  # the groups that a pattern does not have
        self._exact: dict[str, int] = {}
        self._stems: dict[str, dict[str, int]] = {}  # by their first letters, of which there are few each
        self._phrases: dict[str, list[tuple[str, int]]] = {}
        self._known: dict[str, _Meaning] = {}
        self._pairs: dict[tuple[str, str], _Meaning] = {}
        for number, pattern in enumerate(patterns):
            for run in range(self._runs):
                bit = 1 << (run * self._size + number)
                if run < len(pattern.required):
                    self._add(pattern.required[run], bit)
                else:
                    self._given |= bit
            self._add(pattern.forbidden, 1 << (self._runs * self._size + number))
        self._all = (1 << self._size) - 1

    def _add(self, terms: Sequence[str], bit: int) -> None:
        for term in terms:
            stem = term.removesuffix("*")
            if "-" in stem:
                phrase = f" {stem.replace('-', ' ')}{'' if term.endswith('*') else ' '}"
                self._phrases.setdefault(stem.partition("-")[0], []).append((phrase, bit))
            elif stem != term:
                alike = self._stems.setdefault(stem[:_BEGINNING], {})
                alike[stem] = alike.get(stem, 0) | bit
            else:
                self._exact[stem] = self._exact.get(stem, 0) | bit

    def found(self, text: str) -> int:
        """Return which patterns the words of *text* fit, as the bits of a number.

        Args:
            text: Words in lower case, parted by single spaces (see `words`).
        """
        bits = self._given
        known = self._known
        before, word_before = _NOTHING, ""
        for word in text.split():
            meaning = known.get(word)
            if meaning is None:
                meaning = self._learn(word)
            bits |= meaning.bits
            if before.phrases:
                pair = self._pairs.get((word_before, word))
                if pair is None:
                    pair = self._learn_pair(word_before, word, before)
                bits |= pair.bits
                for phrase, bit in pair.phrases:
                    if phrase in f" {text} ":
                        bits |= bit
            before, word_before = meaning, word
        size = self._size
        fits = self._all
        for _ in range(self._runs):
            fits &= bits
            bits >>= size
        return fits & ~bits

    def _learn(self, word: str) -> _Meaning:
        bits = self._exact.get(word, 0)
        for beginning in (word[:_LEAST_STEM], word[:_BEGINNING]):
            for stem, those in self._stems.get(beginning, _NO_STEMS).items():
                if word.startswith(stem):
                    bits |= those
        phrases = tuple(self._phrases.get(word, ()))
        meaning = _Meaning(bits, phrases) if bits or phrases else _NOTHING
        if len(self._known) >= MOST_WORDS:
            self._known.clear()
        if len(word) <= _LONGEST_WORD:  # the text itself must not be what is remembered
            self._known[word] = meaning
        return meaning

    def _learn_pair(self, first: str, second: str, meaning: _Meaning) -> _Meaning:
        """Return what two words side by side stand for: phrases, and what may become longer ones."""
        bits = 0
        longer: list[tuple[str, int]] = []
        pair = f" {first} {second} "
        for phrase, bit in meaning.phrases:
            if pair.startswith(phrase):
                bits |= bit
            elif phrase.startswith(pair):
                longer.append((phrase, bit))
        learnt = _Meaning(bits, tuple(longer)) if bits or longer else _NOTHING
        if len(self._pairs) >= MOST_WORDS:
            self._pairs.clear()
        if len(pair) <= _LONGEST_WORD:
            self._pairs[first, second] = learnt
        return learnt
