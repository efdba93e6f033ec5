"""The document of an incident, made of a look at the runtime: text without secrets. Slow, so it is made in a thread."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import msgspec

from duenna.error_events import ErrorClassified, ErrorReport
from duenna.events import Event, LoopBlocked
from duenna.incident_files import document as parts
from duenna.incident_files.look import Look, SeenMailbox
from duenna.incidents import FOLLOWED, Incidents, apply
from duenna.machines.incident_chain import Chain
from duenna.records.dates import timestamp
from duenna.secrets import redact_to
from duenna.settings._changes import in_text
from duenna.stacks import Place, frame_of

if TYPE_CHECKING:
    from duenna.machines.classification import Verdict

_LINE: Final = 500
_LONG: Final = 2_000
_MOST_STACKS: Final = 300
_MOST_NAMES: Final = 20
_MOST_CHAINS: Final = 50
_FRAMES_OF: Final = 20  # errors that are shown with where they were raised
_MOST_BLOCKED: Final = 12
_PACKAGES: Final = ("duenna", "trio", "msgspec", "attrs", "loguru")


@attrs.define(eq=False)
class Maker:
    """Makes one document.

    Attributes:
        look: What was seen.
        summary: What the incident is.
    """

    look: Look
    summary: parts.Summary
    _texts: dict[tuple[str, int], str] = attrs.field(factory=dict[tuple[str, int], str], init=False)

    def document(self) -> parts.Document:
        """Return it."""
        look = self.look
        stacks, left_out = self._stacks()
        return parts.Document(
            summary=self.summary,
            bot=self._bot(),
            health=self._health(),
            why=tuple(self._why()),
            tree=tuple(self._tree()),
            tree_left_out=look.left_out,
            stacks=stacks,
            stacks_left_out=left_out,
            mailboxes=tuple([self._mailbox(each) for each in look.mailboxes]),
            errors=tuple(self._errors()),
            counts=self._counts(),
            breakers=tuple(self._breakers()),
            events=tuple(self._events()),
            settings=in_text(look.settings),
        )

    def _clean(self, text: str, most: int = _LINE) -> str:
        """Return *text* without secrets, bounded; much of it comes many times."""
        found = self._texts.get((text, most))
        if found is None:
            found = self._texts[text, most] = redact_to(text, most)
        return found

    def _date(self, time: float) -> str:
        return timestamp(self.summary.at - (self.look.now - time))

    def _bot(self) -> parts.BotPart:
        look, system = self.look, os.uname()
        return parts.BotPart(
            name=look.name,
            phase=look.phase,
            stops_because=self._clean(look.stops_because),
            uptime=_digits(look.uptime),
            pid=os.getpid(),
            host=self._clean(system.nodename),
            system=f"{system.sysname} {system.release} {system.machine}",
            versions=_versions(),
        )

    def _health(self) -> parts.HealthPart:
        report = self.look.health
        if report is None:
            return parts.HealthPart(overall="", issues=("there are too many actors to look at all",), kpis=())
        return parts.HealthPart(
            overall=str(report.overall),
            issues=tuple([self._clean(issue) for issue in report.issues]),
            kpis=tuple([kpi.text() for kpi in report.kpis]),
        )

    def _tree(self) -> Iterator[parts.NodePart]:
        services: Any = {} if self.look.health is None else self.look.health.services
        for seen in self.look.seen:
            yield parts.NodePart(
                path=self._clean(seen.path),
                depth=seen.depth,
                kind=self._clean(seen.kind),
                state=seen.state,
                status=str(services.get(seen.path, "")),
                incarnation=seen.incarnation,
                failures=seen.failures,
                budget_left=seen.budget_left,
                uptime=None if seen.uptime is None else _digits(seen.uptime),
                mail=seen.mail,
                last_error=self._clean(seen.last_error),
            )

    def _mailbox(self, seen: SeenMailbox) -> parts.MailboxPart:
        waiting = [
            parts.WaitingPart(type=self._clean(name), count=count, oldest=self._age(since))
            for name, (count, since) in seen.waiting.items()
        ]
        return parts.MailboxPart(
            path=self._clean(seen.path),
            depth=seen.depth,
            capacity=seen.capacity,
            policy=seen.policy,
            oldest=self._age(seen.oldest),
            dropped=seen.dropped,
            received=seen.received,
            current=self._clean(seen.current),
            senders=seen.senders,
            stashed=seen.stashed,
            waiting=tuple(waiting),
        )

    def _age(self, since: float | None) -> float | None:
        return None if since is None else _digits(self.look.now - since)

    # -- stacks ----------------------------------------------------------------

    def _stacks(self) -> tuple[tuple[parts.StackPart, ...], int]:
        """Return the tasks by where they are, and how many are left out: a thousand that sleep alike are one."""
        groups: dict[tuple[tuple[int, int], ...], tuple[list[str], tuple[Place, ...]]] = {}
        left_out = self.look.unwalked
        for _, stacks in self.look.stacks:  # those of whom it is about come first
            for name, places in stacks:
                key = tuple([(id(code), line) for code, line in places])
                if key in groups:
                    groups[key][0].append(name)
                elif len(groups) < _MOST_STACKS:
                    groups[key] = ([name], places)
                else:
                    left_out += 1
        return tuple([self._stack(names, places) for names, places in groups.values()]), left_out

    def _stack(self, names: list[str], places: tuple[Place, ...]) -> parts.StackPart:
        frames = [frame_of(*place) for place in places]
        shown = tuple([self._clean(name) for name in names[:_MOST_NAMES]])
        lines = tuple([f"{each.file}:{each.line} {each.function}" for each in frames])
        return parts.StackPart(tasks=shown, count=len(names), frames=lines)

    # -- what happened ---------------------------------------------------------

    def _events(self) -> Iterator[parts.EventPart]:
        for event in self.look.events:
            kind = type(event)
            try:
                text = self._clean(_told(event), _LONG)
            except Exception as exc:  # noqa: BLE001  # a user's own event: the others are told all the same
                text = f"<its text() raised {type(exc).__name__}>"
            yield parts.EventPart(
                timestamp=self._date(event.time),
                type=self._clean(kind.__name__),
                level=str(kind.level),
                path=self._clean(event.path),
                text=text,
            )

    def _errors(self) -> Iterator[parts.ErrorPart]:
        known = [(each.report, each.verdict) for each in self.look.errors]
        every: list[tuple[ErrorReport, Verdict | None]] = [
            *known,
            *((each, each.verdict) for each in self.look.reports),
        ]
        for index, (report, verdict) in enumerate(every, _FRAMES_OF - len(every)):
            yield parts.ErrorPart(
                timestamp=self._date(report.time),
                path=self._clean(report.path),
                type=self._clean(report.error_type),
                message=self._clean(report.message),
                category="" if verdict is None else str(verdict.category),
                severity="" if verdict is None else str(verdict.severity),
                transient=verdict is not None and verdict.transient,
                frames=tuple([self._clean(frame) for frame in report.frames]) if index >= 0 else (),
            )

    def _why(self) -> Iterator[str]:
        """Yield the chains of errors, verdicts, actions and outcomes, those that are over first."""
        incidents, chains = Incidents(), list[Chain]()
        judged = [
            ErrorClassified(time=each.time, path=each.path, report=each, verdict=each.verdict)
            for each in self.look.reports
            if each.verdict is not None
        ]
        for event in (*self.look.events, *judged):
            if isinstance(event, FOLLOWED):
                chains += apply(incidents, event)
        chains += incidents.finish(self.look.now)
        for chain in sorted(chains, key=lambda each: each.began)[-_MOST_CHAINS:]:
            yield self._clean(f"{self._date(chain.began)} {chain.path} {chain.text()}", _LONG)

    def _counts(self) -> parts.CountsPart:
        total, rate, trend, dead_letters = self.look.counts
        return parts.CountsPart(total=total, last_minute=rate, trend=trend, dead_letters=dead_letters)

    def _breakers(self) -> Iterator[parts.BreakerPart]:
        for each in self.look.breakers:
            yield parts.BreakerPart(
                name=self._clean(each.name),
                state=str(each.state),
                health=str(each.health),
                calls=each.calls,
                failures=each.failures,
                rejected=each.rejected,
                last_error=self._clean(each.last_error or ""),
            )


def _told(event: Event) -> str:
    """Return the line of *event*; of a blocked loop the innermost frames, without the source that stands in the log."""
    text = str(event.text())
    if not isinstance(event, LoopBlocked):
        return text
    first, *lines = text.splitlines()
    return "\n".join([first, *[line for line in lines if line.startswith("  File ")][-_MOST_BLOCKED:]])


def encoded(document: parts.Document) -> bytes:
    """Return *document* as JSON of ASCII, whatever its texts hold: a line for each row of a list.

    It is made piece by piece, so that no other thread waits long.
    """
    pieces: list[str] = []
    for key, value in msgspec.to_builtins(document).items():
        pieces.append(f'{"," if pieces else "{"}\n"{key}": ')
        rows = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
        if rows:
            pieces.append("[\n" + ",\n".join([json.dumps(row) for row in rows]) + "\n]")
        else:
            pieces.append(json.dumps(value))
    return "".join([*pieces, "\n}\n"]).encode("ascii")


def _digits(seconds: float) -> float:
    return round(seconds, 3) if isfinite(seconds) else 0.0


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
