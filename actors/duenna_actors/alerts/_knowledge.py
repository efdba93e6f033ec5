"""What rules know of the bot beside the event at hand: which path is what kind of connection, and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from duenna.machines.alert_words import Condition
from duenna.machines.classification import Severity

MOST_KNOWN: Final = 1000
"""Things of one sort that are remembered; of more, the one that was met longest ago is forgotten."""

_CONNECTIONS: Final = frozenset({"api", "balance", "websocket", "database"})


@attrs.define(eq=False)
class Knowledge:
    """Makes conditions with all their labels.

    Attributes:
        own: Path of the supervisor of alerting, whose errors raise no alert but that of the receiver.
        labels: Labels for alerts about a path and what is below it, or about a guard or another target.
    """

    own: str
    labels: Mapping[str, Mapping[str, str]]
    _kinds: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _speaking: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def _condition(
        self,
        kind: str,
        target: str,
        severity: Severity,
        summary: str,
        *,
        path: str = "",
        details: str = "",
        labels: Mapping[str, str] | None = None,
        expires: bool = False,
    ) -> Condition:
        connection = self._kinds.get(path or target, "")
        found = {"connection": connection} if connection else {}
        return Condition(
            kind=kind,
            target=target,
            severity=severity,
            summary=summary,
            details=details,
            path=path,
            expires=expires,
            labels=self._given(path or target) | self._given(target) | found | dict(labels or {}),
        )

    def _given(self, place: str) -> dict[str, str]:
        """Return the labels that were given for *place*: those of a longer path over those of one above it."""
        found: dict[str, str] = {}
        while place:
            found = dict(self.labels.get(place, {})) | found
            place = place.rpartition("/")[0]
        return found

    def _exchange(self, path: str) -> str:
        return self._given(path).get("exchange", "exchange")

    def _exchange_down(self, path: str, text: str, *, expires: bool) -> Condition:
        return self._condition(
            "exchange_down", self._exchange(path), Severity.CRITICAL, text, path=path, expires=expires
        )

    def learn(self, path: str, kind: str, *, speaks: bool = False) -> None:
        """Note that the actor at *path* is a connection of *kind*, if *kind* is one or it *speaks* as one.

        One that speaks says when it is well; any other actor of such a kind is well when it is started.
        """
        if path != "/" and (speaks or kind in _CONNECTIONS):
            remember(self._kinds, path, kind)
        if speaks:
            remember(self._speaking, path, None)

    def forget(self, path: str) -> None:
        """Forget what the actor at *path*, which is gone, was."""
        self._kinds.pop(path, None)
        self._speaking.pop(path, None)

    def _is_within(self, path: str) -> bool:
        return path == self.own or path.startswith(self.own + "/")


def remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep *value* as the latest of *known*, at the cost of the oldest."""
    known.pop(key, None)
    known[key] = value
    if len(known) > MOST_KNOWN:
        del known[next(iter(known))]
