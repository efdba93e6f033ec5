"""Incidents: errors, verdicts, actions and outcomes of one actor, joined into one line.

An incident begins with the first error of an actor (or of a service where there is no actor)
and lasts while something is done about it or the actor's link is not well. Errors that come
meanwhile join it. It is told when it has been over for a moment (``settle``), so that what
comes back only to fail again, and a burst of errors that nothing is done about, is one line.
"""

from collections import OrderedDict
from itertools import islice
from typing import Final

import attrs
import msgspec

from duenna.machines import checks
from duenna.machines.classification import Verdict
from duenna.machines.incident_chain import Action, Chain, Outcome

MOST: Final = 1000
"""Incidents that are open at the same time, at most; of more, the oldest is told as it stands."""

MOST_LINKS: Final = 1000
"""Links that are known not to be well, at most; of more, the oldest is forgotten."""

MOST_IDS: Final = 10_000
"""Errors that are known by their number, at most; of more, the oldest is forgotten."""

MOST_VERDICTS: Final = 3
MOST_ACTIONS: Final = 5

_OWNER: Final = "Incidents"


@attrs.define(eq=False)
class _Open:
    """An incident that is not told yet."""

    key: str
    began: float
    error: str
    errors: int = 0
    first_id: int = 0
    last_id: int = 0
    verdicts: list[Verdict] = attrs.field(factory=list[Verdict])
    actions: list[Action] = attrs.field(factory=list[Action])
    running: set[str] = attrs.field(factory=set[str])
    has_crashed: bool = False
    has_given_up: bool = False
    is_stopped: bool = False
    is_lost: bool = False
    was_down: bool = False
    well: float | None = None

    def judge(self, verdict: Verdict) -> None:
        """Note a verdict; of those of one category, the worst."""
        for index, known in enumerate(self.verdicts):
            if known.category is verdict.category:
                if verdict.severity.rank > known.severity.rank:
                    self.verdicts[index] = verdict
                return
        if len(self.verdicts) < MOST_VERDICTS:
            self.verdicts.append(verdict)

    def note(self, action: str, attempt: int, status: str) -> None:
        """Note where an action is: a later attempt of the last one takes its place."""
        known = [each.name for each in self.actions]
        given = Action(action, attempt, status)
        if action in known:
            self.actions[known.index(action)] = given
        elif len(self.actions) < MOST_ACTIONS:
            self.actions.append(given)

    def drop(self) -> None:
        """Note that what was under way counts for nothing any more."""
        for index, action in enumerate(self.actions):
            if action.status == "started":
                self.actions[index] = msgspec.structs.replace(action, status="dropped")
        self.running.clear()

    def outcome(self) -> Outcome:
        """Return how it ended, if it is over."""
        if self.has_given_up:
            return Outcome.GAVE_UP
        if self.is_stopped:
            return Outcome.STOPPED
        if self.well is not None:
            return Outcome.RECOVERED
        if self.is_lost or self.has_crashed:
            return Outcome.UNKNOWN
        return Outcome.FAILED if any(action.status == "failed" for action in self.actions) else Outcome.SURVIVED

    def chain(self, outcome: Outcome, end: float) -> Chain:
        ids = () if not self.first_id else tuple(dict.fromkeys((self.first_id, self.last_id)))
        return Chain(
            path=self.key,
            began=self.began,
            took=max(0.0, end - self.began),
            error=self.error,
            errors=max(1, self.errors),
            ids=ids,
            verdicts=tuple(self.verdicts),
            actions=tuple(self.actions),
            outcome=outcome,
        )


@attrs.define(eq=False)
class Incidents:
    """Joins what happens into incidents. Every method that is given the time returns those that are over by then.

    At most 1,000 are open, of 10,000 errors that are known by number.

    Attributes:
        settle: Seconds that an incident must have been over before it is told, greater than 0.
        longest: Seconds after which errors that nothing is done about do not put off the telling any more.
    """

    settle: float = attrs.field(default=1.0)
    longest: float = attrs.field(default=60.0)
    _open: OrderedDict[str, _Open] = attrs.field(factory=OrderedDict[str, _Open], init=False)
    _over: OrderedDict[str, float] = attrs.field(factory=OrderedDict[str, float], init=False)
    _ids: OrderedDict[int, str] = attrs.field(factory=OrderedDict[int, str], init=False)
    _down: OrderedDict[str, None] = attrs.field(factory=OrderedDict[str, None], init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse times that are none."""
        checks.duration(_OWNER, "settle", self.settle, zero=False, inf=False)
        checks.duration(_OWNER, "longest", self.longest)

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    @property
    def due(self) -> float | None:
        """When the next one is to be told, unless something happens to it; None: none is over."""
        return next(iter(self._over.values())) + self.settle if self._over else None

    def open(self, now: float, most: int | None = None) -> tuple[Chain, ...]:
        """Return the incidents that are not told yet, as they stand, oldest first; of more than *most*, the newest."""
        newest = islice(reversed(self._open.values()), most)
        return tuple(incident.chain(Outcome.OPEN, now) for incident in newest)[::-1]

    # -- what happens ----------------------------------------------------------

    def error(
        self,
        now: float,
        path: str,
        error: str,
        verdict: Verdict,
        *,
        number: int = 0,
        repeats: int | None = None,
        is_crash: bool = False,
    ) -> list[Chain]:
        """Take an error that was judged.

        Args:
            now: Monotonic seconds.
            path: The actor, or the service where there is none.
            error: Type and message in one line.
            verdict: What it means.
            number: Of its report; 0: it has none.
            repeats: The number of an earlier report of the same exception: that counts once.
            is_crash: Whether the actor died of it.
        """
        told = self.advance(now)
        key = self._ids.get(repeats or 0, path)
        if not is_crash:
            told += self._well_before(key)
        incident, evicted = self._find(key, now, error)
        if repeats is None or not incident.errors:
            incident.errors += 1
        self._name(incident, number)
        incident.judge(verdict)
        incident.has_crashed = incident.has_crashed or is_crash
        incident.has_given_up = incident.is_stopped = False
        incident.well = None
        self._look(incident, now)
        return told + evicted

    def action(
        self, now: float, path: str, action: str, status: str, *, attempt: int = 1, number: int = 0, error: str = ""
    ) -> list[Chain]:
        """Take a step of a recovery action.

        Args:
            now: Monotonic seconds.
            path: The actor, or the service where there is none.
            action: Name of the action.
            status: `started`, `success`, `failed` or `gave_up`.
            attempt: Which attempt, counted from 1.
            number: Of the report that it answers; 0: none.
            error: What it answers, or failed with.
        """
        told = self.advance(now)
        key = self._ids.get(number, path)
        if key not in self._open and status == "success":  # of an incident that was told before its time
            return told
        incident, evicted = self._find(key, now, error)
        incident.note(action, attempt, status)
        if status == "started":
            incident.running.add(action)
            incident.has_given_up = incident.is_stopped = False
            incident.well = None
        else:
            incident.running.discard(action)
        if status == "success":
            incident.well = now
        elif status == "gave_up":
            incident.has_given_up = True
            incident.running.clear()
        self._look(incident, now)
        return told + evicted

    def link(self, now: float, path: str, *, is_well: bool) -> list[Chain]:
        """Take that the link of the actor at *path* is well now, or is not."""
        told = self.advance(now)
        if is_well:
            self._down.pop(path, None)
        else:
            self._down[path] = None
            if len(self._down) > MOST_LINKS:
                self._down.popitem(last=False)
        incident = self._open.get(path)
        if incident is not None:
            if is_well and incident.was_down:
                incident.well = now
                incident.has_given_up = False
            self._look(incident, now)
        return told

    def stopped(self, now: float, path: str) -> list[Chain]:
        """Take that the actor at *path* was stopped by hand, or is gone: nothing more is done for it."""
        told = self.advance(now)
        self._down.pop(path, None)
        incident = self._open.get(path)
        if incident is not None:
            incident.drop()
            incident.is_stopped = True
            self._look(incident, now)
        return told

    def lost(self, now: float) -> list[Chain]:
        """Take that something happened that nobody heard of: nobody can say any more what is under way."""
        told = self.advance(now)
        self._down.clear()
        for incident in self._open.values():
            incident.drop()
            incident.is_lost = True
            self._look(incident, now)
        return told

    def advance(self, now: float) -> list[Chain]:
        """Return the incidents that are over, and have been for long enough at *now*."""
        told: list[Chain] = []
        while self._over:
            key, since = next(iter(self._over.items()))
            if since + self.settle > now:
                break
            del self._over[key]
            told.append(self._close(key, since))
        return told

    def finish(self, now: float) -> list[Chain]:
        """Return all that is left: what is over, and what is not, as it stands."""
        told = [self._close(key, since) for key, since in self._over.items()]
        self._over.clear()
        left = list(self._open)
        return told + [self._open.pop(key).chain(Outcome.OPEN, now) for key in left]

    # -- inside ----------------------------------------------------------------

    def _well_before(self, key: str) -> list[Chain]:
        """Close the incident at *key* if it had ended well, and an error comes that leaves the actor as it is."""
        known = self._open.get(key)
        if known is None or known.well is None or key not in self._over or key in self._down:
            return []
        return [self._close(key, self._over.pop(key))]

    def _find(self, key: str, now: float, error: str) -> tuple[_Open, list[Chain]]:
        incident = self._open.get(key)
        if incident is not None:
            return incident, []
        incident = self._open[key] = _Open(key, now, error)
        if len(self._open) <= MOST:
            return incident, []
        oldest = next(iter(self._open))
        since = self._over.pop(oldest, None)
        if since is not None:
            return incident, [self._close(oldest, since)]
        return incident, [self._open.pop(oldest).chain(Outcome.OPEN, now)]

    def _name(self, incident: _Open, number: int) -> None:
        if not number:
            return
        incident.first_id = incident.first_id or number
        incident.last_id = number
        self._ids[number] = incident.key
        if len(self._ids) > MOST_IDS:
            self._ids.popitem(last=False)

    def _look(self, incident: _Open, now: float) -> None:
        """See whether *incident* is over for now."""
        is_down = incident.key in self._down
        incident.was_down = incident.was_down or is_down
        is_under_way = (is_down or bool(incident.running)) and not (incident.has_given_up or incident.is_stopped)
        if is_under_way:
            self._over.pop(incident.key, None)
        elif incident.key not in self._over or now - incident.began < self.longest:
            self._over[incident.key] = now
            self._over.move_to_end(incident.key)

    def _close(self, key: str, since: float) -> Chain:
        incident = self._open.pop(key)
        end = since if incident.well is None else incident.well
        return incident.chain(incident.outcome(), end)
