"""Alerts keep their distance, and each has one end."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants.errors import has_crashed
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Key = tuple[str, str]

_CLOSED = frozenset({"closed", "disabled", "metrics_only"})
_OVER = frozenset({"child_started", "child_stopped", "child_removed"})
_SLACK = 1e-6
_PARKED, _BREAKER = _KINDS = "child_parked", "breaker_open"


@attrs.define(eq=False)
class _Raised:
    """An alert, and how many seconds the next of its kind and target has to keep away."""

    record: Record
    apart: float


@attrs.define(eq=False)
class AlertPairs:
    """Rule 20: alerts of one kind and target are a cooldown apart, and each is resolved once, after it was raised.

    An alert that waited for its group is told up to the group's wait later than it began: by so
    much less than the cooldown it may be followed by the next, which does not wait if it is
    CRITICAL. After what a parked child or an open breaker was about is over, its alert ends within
    ``bound`` seconds.

    Attributes:
        bound: Seconds.
        cooldown: Seconds; None: those of the runtime's settings. For alerts that are given settings of their own.
    """

    name = "alert_pairs"
    kinds = frozenset(
        {
            "errors_begin",
            "alert_settings",
            "alert_raised",
            "alert_resolved",
            "child_parked",
            "child_exited",
            "runtime_stopping",
            "breaker_changed",
        }
        | _OVER
    )
    bound: float
    cooldown: float | None = None
    _apart: float = 0.0
    _wait: float = 0.0
    _longest: float = 0.0
    _open: dict[_Key, Record] = attrs.field(factory=dict[_Key, Record])
    _raised: dict[_Key, _Raised] = attrs.field(factory=dict[_Key, _Raised])
    _bad: dict[_Key, None] = attrs.field(factory=dict[_Key, None])
    _over: dict[_Key, float] = attrs.field(factory=dict[_Key, float])
    _stopping: float = inf

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of an alert, or of what ends one."""
        match record.kind:
            case "alert_raised":
                return self._raise(record)
            case "alert_resolved":
                return self._resolve(record)
            case "errors_begin":
                self._forget()
                self._stopping = inf
                self._follow(record.fields, is_first=True)
            case "alert_settings":
                self._follow(record.fields, is_first=False)
            case "runtime_stopping":
                self._stopping = record.t
            case "child_exited":
                if record.path.endswith("/alerter") and has_crashed(record):
                    self._forget()  # the next one begins anew
            case _:
                self._watch(record)
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:
        """Return the alerts that should have ended long ago."""
        for key, record in self._open.items():
            since = self._over.get(key, inf)
            if since + self.bound < min(end, self._stopping):
                text = f"{_named(record)} is not resolved, and what it is about was over at {since:.3f} s"
                yield Violation(self.name, end, 0, record.path, f"{text} {at(record)}")

    def _forget(self) -> None:
        self._open.clear()
        self._raised.clear()
        self._over.clear()

    def _follow(self, fields: dict[str, Any], *, is_first: bool) -> None:
        """Go by other settings: an alert that began under those before may still be on its way."""
        given = fields.get("cooldown") if self.cooldown is None else self.cooldown
        self._apart = inf if given is None else given
        for raised in self._raised.values():
            raised.apart = min(raised.apart, self._apart)
        wait, before = fields.get("group_wait"), self._wait
        self._wait = inf if wait is None else wait
        self._longest = self._wait if is_first else max(self._wait, before)

    def _raise(self, record: Record) -> Iterator[Violation]:
        key = _key(record)
        known, before = self._open.get(key), self._raised.pop(key, None)
        if known is not None:
            yield self._broken(record, f"it is raised, and is open {at(known)}")
        elif before is not None and record.t - before.record.t < before.apart - self._longest - _SLACK:
            gap, earlier = record.t - before.record.t, at(before.record)
            text = f"it is raised {gap:.3f} s after the one before {earlier}, within its cooldown of {before.apart} s"
            yield self._broken(record, text)
        self._open[key] = record
        self._raised[key] = _Raised(record, self._apart)
        for other, raised in list(self._raised.items()):  # the oldest come first
            if record.t - raised.record.t < raised.apart:
                break
            del self._raised[other]
        if key[0] in _KINDS and key not in self._bad:
            self._over[key] = record.t

    def _resolve(self, record: Record) -> Iterator[Violation]:
        opened = self._open.pop(_key(record), None)
        self._over.pop(_key(record), None)
        fields = record.fields
        if opened is None:
            yield self._broken(record, "it is resolved, and was not raised, or is resolved already")
        elif opened.fields.get("id") != fields.get("id"):
            text = f"{fields.get('id')} is resolved, and {opened.fields.get('id')} is open {at(opened)}"
            yield self._broken(record, text)
        elif fields.get("duration", 0.0) < record.t - opened.t - _SLACK:
            yield self._broken(record, f"it lasted longer than {fields.get('duration')} s {at(opened)}")

    def _watch(self, record: Record) -> None:
        if record.kind == "breaker_changed":
            key, is_over = (_BREAKER, record.fields.get("guard", "")), record.fields.get("state") in _CLOSED
        else:
            key, is_over = (_PARKED, record.path), record.kind in _OVER
        if not is_over:
            self._bad[key] = None
            self._over.pop(key, None)
            return
        self._bad.pop(key, None)
        if key in self._open:
            self._over.setdefault(key, record.t)

    def _broken(self, record: Record, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, f"{_named(record)}: {text}")


def _key(record: Record) -> _Key:
    return record.fields.get("kind", ""), record.fields.get("target", "")


def _named(record: Record) -> str:
    kind, target = _key(record)
    return f"alert {kind} of {target}"
