"""Which recovery actions answer an error, in which order, and whether anything is done without a hand."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import attrs

from duenna.machines import checks
from duenna.machines.classification import Category, Severity, Verdict

MOST_ACTIONS: Final = 1000
"""Actions that a plan holds, at most."""


class Switches(Protocol):
    """The settings that say whether anything is done without a hand."""

    @property
    def auto_recovery_enabled(self) -> bool:
        """Whether anything is."""
        ...

    @property
    def trade_engine_auto_restart(self) -> bool:
        """Whether it is for what is of kind `trade_engine`."""
        ...

    @property
    def database_auto_reconnect(self) -> bool:
        """Whether it is for what is of kind `database`."""
        ...


def is_automatic(settings: Switches, kind: str) -> bool:
    """Return whether what is of *kind* is recovered without a hand; errors are detected either way."""
    if not settings.auto_recovery_enabled:
        return False
    if kind == "trade_engine":
        return settings.trade_engine_auto_restart
    if kind == "database":
        return settings.database_auto_reconnect
    return True


def _set(given: Any) -> Any:
    if isinstance(given, str):
        return frozenset({given})
    if not isinstance(given, Iterable):
        message = f"Conditions: a collection is needed, got {given!r}"
        raise TypeError(message)
    found: frozenset[Any] = frozenset(given)  # pyright: ignore[reportUnknownArgumentType]  # checked by whoever has it
    return found


@attrs.frozen
class Conditions:
    """When an action is meant, as data; what is empty or None does not matter.

    Attributes:
        categories: The verdict's category is one of these.
        min_severity: The verdict is at least so severe.
        kinds: The actor's kind is one of these.
        transient: The verdict says so, or says the contrary.
    """

    categories: frozenset[Category] = attrs.field(default=frozenset[Category](), converter=_set)
    min_severity: Severity | None = None
    kinds: frozenset[str] = attrs.field(default=frozenset[str](), converter=_set)
    transient: bool | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what can never hold.

        Raises:
            TypeError: A kind is no str, or *transient* is no bool.
            ValueError: A category or the severity is unknown.
        """
        owner = "Conditions"
        categories = frozenset(checks.choice(owner, "categories", value, Category) for value in self.categories)
        object.__setattr__(self, "categories", categories)
        if self.min_severity is not None:
            severity = checks.choice(owner, "min_severity", self.min_severity, Severity)
            object.__setattr__(self, "min_severity", severity)
        for kind in self.kinds:
            given: object = kind
            if not isinstance(given, str):
                message = f"{owner}: kinds must be texts, got {given!r}"
                raise TypeError(message)
        if self.transient is not None:
            checks.flag(owner, "transient", self.transient)

    def hold(self, verdict: Verdict, kind: str) -> bool:
        """Return whether they hold for an error of an actor of *kind*."""
        if self.categories and verdict.category not in self.categories:
            return False
        if self.min_severity is not None and verdict.severity.rank < self.min_severity.rank:
            return False
        if self.kinds and kind not in self.kinds:
            return False
        return self.transient is None or verdict.transient is self.transient


class Override(Protocol):
    """What the settings change about one action; None leaves it as it was made."""

    @property
    def enabled(self) -> bool | None:
        """Whether it may run."""
        ...

    @property
    def priority(self) -> int | None:
        """The lowest runs first."""
        ...


@attrs.define
class _Entry:
    enabled: bool
    priority: int
    override: Override | None = None
    by_hand: bool | None = None

    @property
    def is_enabled(self) -> bool:
        if self.by_hand is not None:
            return self.by_hand
        if self.override is not None and self.override.enabled is not None:
            return self.override.enabled
        return self.enabled

    @property
    def place(self) -> int:
        if self.override is not None and self.override.priority is not None:
            return self.override.priority
        return self.priority


@attrs.define
class RecoveryPlan:
    """The order of the actions, by name.

    The lowest priority comes first; among equals, the one that was added first. A hand's
    `enable` or `disable` stands above the settings until these change what they say of the
    action; the settings stand above what the action was made with. Holds `MOST_ACTIONS`.
    """

    _entries: dict[str, _Entry] = attrs.field(factory=dict[str, _Entry], init=False)

    def __contains__(self, name: object) -> bool:
        """Say whether there is an action of that name."""
        return name in self._entries

    def add(self, name: str, *, priority: int, enabled: bool) -> None:
        """Add an action.

        Raises:
            ValueError: There is one of that name, or there are too many.
        """
        if name in self._entries:
            message = f"recovery action {name!r} is there already: remove it first"
            raise ValueError(message)
        if len(self._entries) >= MOST_ACTIONS:
            message = f"recovery holds at most {MOST_ACTIONS} actions, {name!r} is one more"
            raise ValueError(message)
        self._entries[name] = _Entry(enabled, priority)

    def remove(self, name: str) -> None:
        """Forget an action.

        Raises:
            ValueError: There is none of that name.
        """
        self._entry(name)
        del self._entries[name]

    def switch(self, name: str, *, enabled: bool) -> None:
        """Enable or disable an action by hand.

        Raises:
            ValueError: There is none of that name.
        """
        self._entry(name).by_hand = enabled

    def check(self, overrides: Mapping[str, Override]) -> None:
        """Refuse settings for an action that is not there.

        Raises:
            ValueError: There is none of one of these names.
        """
        for name in overrides:
            self._entry(name, "recovery_actions: ")

    def configure(self, overrides: Mapping[str, Override]) -> None:
        """Follow the settings: all of them, or none if one is wrong.

        Raises:
            ValueError: There is no action of one of these names.
        """
        self.check(overrides)
        for name, entry in self._entries.items():
            override = overrides.get(name)
            before = entry.override.enabled if entry.override is not None else None
            if before != (override.enabled if override is not None else None):
                entry.by_hand = None
            entry.override = override

    def is_enabled(self, name: str) -> bool:
        """Return whether there is an action of that name that may run."""
        entry = self._entries.get(name)
        return entry is not None and entry.is_enabled

    def priority(self, name: str) -> int:
        """Return the priority of an action as it counts now.

        Raises:
            ValueError: There is none of that name.
        """
        return self._entry(name).place

    def order(self) -> tuple[str, ...]:
        """Return the names, the first to run first, those that are not enabled included."""
        return tuple(sorted(self._entries, key=lambda name: self._entries[name].place))  # sorted is stable

    def _entry(self, name: str, where: str = "") -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            near = difflib.get_close_matches(str(name), self._entries, n=1)
            hint = f", did you mean {near[0]!r}" if near else ""
            known = ", ".join(list(self.order())[:10])
            message = f"{where}there is no recovery action {name!r}{hint}: there is {known or 'none'}"
            raise ValueError(message)
        return entry
