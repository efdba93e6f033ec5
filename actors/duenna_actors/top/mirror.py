"""The bot as the live stream tells it: one snapshot, kept up to date by what follows."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

_EVENTS_KEPT: Final = 1_000


class OutOfStepError(Exception):
    """A part of the stream is missing, or makes no sense: begin again with a whole snapshot."""


class Mirror:
    """What is known of the bot.

    Attributes:
        header: All of the snapshot but the tree; empty before the first.
        rows: The actors by path.
        order: Their paths, parents before children.
        events: The last 1,000 events, oldest first.
        missed: Events that the bot dropped because this viewer was slow.
        seen_at: When the bot was heard last, on the viewer's clock; None: never.
    """

    def __init__(self) -> None:
        self.header: dict[str, Any] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.events: deque[dict[str, Any]] = deque(maxlen=_EVENTS_KEPT)
        self.missed = 0
        self.seen_at: float | None = None

    def take(self, kind: str, data: Any, at: float) -> None:
        """Take in one frame of the stream: its kind, its data as parsed from JSON, and when it came.

        Raises:
            OutOfStepError: It does not follow the one before, or is not what it says it is.
        """
        try:
            match kind:
                case "snapshot":
                    self._begin(data)
                case "delta":
                    self._follow(data)
                case "events":
                    self.events.extend(data)
                case "dropped":
                    self.missed += int(data.get("events", data.get("count", 0)))
                case _:  # a newer bot may say more
                    return
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise OutOfStepError(f"{kind} cannot be read: {exc!r}") from exc
        self.seen_at = at

    def now(self, at: float) -> float:
        """Return the bot's own time at *at* on the viewer's clock, as if it had gone on since it was heard."""
        return float(self.header.get("now", 0.0)) + self.age(at)

    def age(self, at: float) -> float:
        """Return for how many seconds the bot has not been heard."""
        return 0.0 if self.seen_at is None else max(0.0, at - self.seen_at)

    def wall(self, moment: float) -> float:
        """Return seconds since 1970 of a *moment* on the bot's clock."""
        return float(self.header.get("at", 0.0)) - float(self.header.get("now", 0.0)) + moment

    def _begin(self, data: dict[str, Any]) -> None:
        header = dict(data["header"])
        rows = {str(row["path"]): row for row in data["rows"]}
        self.header, self.rows, self.order = header, rows, list(rows)

    def _follow(self, data: dict[str, Any]) -> None:
        if not self.header or data["base"] != self.header["id"]:
            raise OutOfStepError(f"delta must follow tick {self.header.get('id')}, got {data['base']}")
        changed = {str(row["path"]): row for row in data["rows"]}
        header = {**self.header, **data["header"]}
        rows = {**self.rows, **changed}
        order = data.get("order")
        if order is not None:
            rows = {path: rows[path] for path in order}
        self.header, self.rows, self.order = header, rows, list(rows)
