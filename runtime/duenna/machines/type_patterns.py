"""Patterns over the names of types: whole names, last parts, packages and globs."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from re import compile as compile_pattern
from re import split

_Glob = tuple[str, Callable[[str], object], int]


class TypeIndex:
    """For each of many patterns some bits, put together for the names that an exception goes by.

    `ReadTimeout` is the last part of a name, `httpx.ReadTimeout` a whole one, and what has a `*` or
    a `?` a glob: over the last part, or over the whole name if it has a dot. All but the true globs
    are found by a lookup; they are of the form `httpx.*` mostly.
    """

    def __init__(self, patterns: Mapping[object, int]) -> None:
        """Take the patterns, each with its bits."""
        self._whole: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._packages: dict[str, int] = {}
        self._globs_whole: list[_Glob] = []
        self._globs_last: list[_Glob] = []
        for given, bits in patterns.items():
            self._add(str(given), bits)

    def _add(self, pattern: str, bits: int) -> None:
        package = pattern.removesuffix(".*")
        if "*" not in package and "?" not in package:
            place = self._packages if package != pattern else self._whole if "." in pattern else self._last
            place[package] = place.get(package, 0) | bits
        else:
            globs = self._globs_whole if "." in pattern else self._globs_last
            needed = max(split(r"[*?]", pattern), key=len)  # hardly any name has it, and that is soon seen
            globs.append((needed, compile_pattern(translate(pattern)).match, bits))

    def met(self, names: Iterable[str]) -> int:
        """Return the bits of all patterns that one of *names* fits."""
        bits = 0
        for name in names:
            last = name.rpartition(".")[2]
            bits |= self._whole.get(name, 0) | self._last.get(last, 0)
            end = name.find(".")
            while end >= 0:
                bits |= self._packages.get(name[:end], 0)
                end = name.find(".", end + 1)
            for needed, fits, those in self._globs_whole:
                if needed in name and fits(name):
                    bits |= those
            for needed, fits, those in self._globs_last:
                if needed in last and fits(last):
                    bits |= those
        return bits
