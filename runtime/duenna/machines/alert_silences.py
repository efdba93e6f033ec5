"""Silences: a person wants to hear nothing of some alerts for a while."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from duenna.machines.alert_matchers import Matcher, all_fit, matchers
from duenna.machines.alert_memory import SilenceMemory

MOST: Final = 1000
"""Silences at a time."""


@attrs.frozen(kw_only=True)
class Silence:
    """Alerts that nobody is told of for a while.

    Attributes:
        id: Its name, given when it was added.
        matchers: Which alerts: those that all of them mean; at least one.
        since: When it began, in seconds of trio's clock.
        until: When it ends.
        author: Who wanted it.
        comment: Why.
    """

    id: str
    matchers: tuple[Matcher, ...]
    since: float
    until: float
    author: str
    comment: str

    def hides(self, labels: Mapping[str, str], now: float) -> bool:
        """Return whether an alert with *labels* is silent at *now*."""
        return now < self.until and all_fit(self.matchers, labels)


@attrs.define
class Silences:
    """All silences, at most `MOST`; those that have ended are forgotten."""

    _kept: dict[str, Silence] = attrs.field(factory=dict[str, Silence], init=False)
    _made: int = attrs.field(default=0, init=False)

    def add(self, wanted: tuple[Matcher, ...], duration: float, now: float, *, author: str, comment: str) -> Silence:
        """Begin a silence of *duration* seconds at *now*; return it.

        Raises:
            ValueError: There are too many, *duration* is not greater than 0, or no matcher is given.
        """
        if not wanted:
            message = "a silence must have at least one matcher, got none: it would hide everything"
            raise ValueError(message)
        if not 0 < duration < float("inf"):
            message = f"duration of a silence must be > 0 and finite seconds, got {duration!r}"
            raise ValueError(message)
        self.expire(now)
        if len(self._kept) >= MOST:
            message = f"there must be at most {MOST} silences at a time: delete one first"
            raise ValueError(message)
        self._made += 1
        made = Silence(
            id=f"silence-{self._made}",
            matchers=wanted,
            since=now,
            until=now + duration,
            author=author,
            comment=comment,
        )
        self._kept[made.id] = made
        return made

    def delete(self, name: str) -> bool:
        """End the silence called *name*; return whether there was one."""
        return self._kept.pop(name, None) is not None

    def expire(self, now: float) -> bool:
        """Forget those that have ended by *now*; return whether there were any."""
        ended = [name for name, silence in self._kept.items() if silence.until <= now]
        for name in ended:
            del self._kept[name]
        return bool(ended)

    def hiding(self, labels: Mapping[str, str], now: float) -> str | None:
        """Return which silence hides an alert with *labels* at *now*; None: none does."""
        return next((name for name, silence in self._kept.items() if silence.hides(labels, now)), None)

    def listed(self) -> tuple[Silence, ...]:
        """Return all of them, in the order in which they were added."""
        return tuple(self._kept.values())

    def next_at(self) -> float:
        """Return when the next one ends; inf if there is none."""
        return min((silence.until for silence in self._kept.values()), default=float("inf"))

    @property
    def made(self) -> int:
        """How many were ever added."""
        return self._made

    def dump(self, ahead: float) -> tuple[SilenceMemory, ...]:
        """Return all of them, with times of a clock that is *ahead* seconds ahead."""
        return tuple(
            SilenceMemory(
                id=silence.id,
                matchers=tuple(map(str, silence.matchers)),
                since=silence.since + ahead,
                until=silence.until + ahead,
                author=silence.author,
                comment=silence.comment,
            )
            for silence in self._kept.values()
        )

    def load(self, silences: Iterable[SilenceMemory], made: int, now: float, ahead: float) -> None:
        """Go on with *silences* that have not ended by *now*; none lasts longer than it was to."""
        self._made = max(self._made, made)
        for memory in silences:
            since = min(now, memory.since - ahead)
            until = min(memory.until - ahead, now + memory.until - memory.since)
            if until > now:
                self._kept[memory.id] = Silence(
                    id=memory.id,
                    matchers=matchers(memory.matchers),
                    since=since,
                    until=until,
                    author=memory.author,
                    comment=memory.comment,
                )
