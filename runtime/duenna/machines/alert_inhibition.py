"""Inhibition: an alert that explains others keeps these from being told.

The exchange is down: that is one alert, not one more for each of its feeds.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from duenna.machines.alert_matchers import Matcher, matchers
from duenna.machines.alert_words import Alert


def _matchers(given: Iterable[Matcher | str]) -> tuple[Matcher, ...]:
    return matchers(given)


@attrs.frozen
class Inhibition:
    """While an alert fires that ``source`` means, those that ``target`` means are not told.

    An alert that is meant by both sides is not inhibited by another one of which the same is true, so
    that two never hide each other. Source: Alertmanager, `inhibit_rule`.

    Attributes:
        source: Which alerts inhibit; all matchers must fit.
        target: Which are inhibited.
        equal: Labels that must have the same value in both; one that is in neither is equal.
        below: Whether the target's `path` must be that of the source or below it.
    """

    source: tuple[Matcher, ...] = attrs.field(converter=_matchers)
    target: tuple[Matcher, ...] = attrs.field(converter=_matchers)
    equal: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    below: bool = attrs.field(default=False, kw_only=True)

    def is_source(self, alert: Alert) -> bool:
        """Return whether *alert* inhibits others."""
        return all(matcher.fits(alert.labels) for matcher in self.source)

    def is_target(self, alert: Alert) -> bool:
        """Return whether *alert* can be inhibited."""
        return all(matcher.fits(alert.labels) for matcher in self.target)

    def places(self, alert: Alert) -> "Iterator[tuple[Any, ...]]":
        """Yield where a source must be filed to inhibit *alert*: its own values, or one of each path above it."""
        values = tuple(alert.labels.get(name, "") for name in self.equal)
        if not self.below:
            yield values
            return
        path = alert.labels.get("path", "")
        while path:
            yield (*values, path)
            path = path.rpartition("/")[0]

    def place(self, alert: Alert) -> tuple[Any, ...] | None:
        """Return where a source is filed; None: it has no path, and there is nothing below it."""
        return next(self.places(alert), None)


@attrs.define
class Inhibitor:
    """Which alerts that fire inhibit which others. Every question takes time by the number of rules alone.

    Attributes:
        rules: All rules.
    """

    rules: tuple[Inhibition, ...]
    _filed: list[dict[tuple[Any, ...], dict[str, bool]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with no alert."""
        self._filed = [{} for _ in self.rules]

    def add(self, alert: Alert) -> bool:
        """File an *alert* that fires, again if its labels changed; return whether it inhibits others."""
        filed = False
        for rule, places in zip(self.rules, self._filed, strict=True):
            place = rule.place(alert) if rule.is_source(alert) else None
            if place is not None:
                places.setdefault(place, {})[alert.id] = rule.is_target(alert)
                filed = True
        return filed

    def remove(self, alert: Alert) -> bool:
        """Forget an *alert* that is over; return whether it inhibited others."""
        was_filed = False
        for rule, places in zip(self.rules, self._filed, strict=True):
            place = rule.place(alert)
            if place is not None and alert.id in (sources := places.get(place, {})):
                was_filed = True
                del sources[alert.id]
                if not sources:
                    del places[place]
        return was_filed

    def inhibiting(self, alert: Alert) -> str | None:
        """Return the id of an alert that inhibits *alert*; None: none does."""
        for rule, places in zip(self.rules, self._filed, strict=True):
            if not places or not rule.is_target(alert):
                continue
            is_both = rule.is_source(alert)
            for place in rule.places(alert):
                for source, is_target_too in places.get(place, {}).items():
                    if source != alert.id and not (is_both and is_target_too):
                        return source
        return None


def default_inhibitions() -> tuple[Inhibition, ...]:
    """Return the rules that hold unless others are given.

    - A supervisor that gave up explains all that is at or below its path.
    - A parked child explains its own recovery, its status and its staleness.
    - An exchange that is down explains what its feeds suffer. Which exchange is the label
      `exchange`; in a bot without such labels there is one.
    - So does a breaker, an API connection that is unavailable or parked, where it has that label.
    """
    feeds = (
        "kind=~feed_stale|service_status|child_parked|recovery_attempts|recovery_failed",
        "connection=~websocket|balance",
    )
    return (
        Inhibition(("kind=supervisor_gave_up",), ("kind!=supervisor_gave_up",), below=True),
        Inhibition(
            ("kind=child_parked",),
            ("kind=~feed_stale|service_status|recovery_attempts|recovery_failed",),
            ("path",),
        ),
        Inhibition(("kind=exchange_down",), feeds, ("exchange",)),
        Inhibition(("kind=breaker_open", "exchange!="), feeds, ("exchange",)),
        Inhibition(
            ("kind=~service_status|child_parked", "connection=api", "severity=~HIGH|CRITICAL"),
            feeds,
            ("exchange",),
        ),
    )
