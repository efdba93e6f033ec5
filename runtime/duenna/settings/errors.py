"""What is wrong with settings that were read: all of it at once, and where it stands."""

from collections.abc import Sequence

import msgspec

from duenna.errors import DuennaError

_MOST_SHOWN = 20


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        source: The file as it was named, or `environment`.
        key: The key with its blocks, such as `error_handling.max_retries`, or the variable; empty: the whole file.
        why: Value and expectation, in words.
    """

    source: str
    key: str
    why: str

    def __str__(self) -> str:
        """Return all of it in one line."""
        return f"{self.source}: {self.key} {self.why}" if self.key else f"{self.source}: {self.why}"


class SettingsError(DuennaError):
    """Settings are wrong; none of them is used.

    Attributes:
        problems: All that is wrong, in the order of the sources; at least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Say what is wrong: in the text the first 20 problems, and how many there are besides."""
        shown = [str(problem) for problem in problems[:_MOST_SHOWN]]
        more = len(problems) - len(shown)
        super().__init__("; ".join([*shown, f"and {more} more"] if more else shown))
        self.problems = tuple(problems)
