"""What a runtime's health is made of, kept up to date by events; the report is made when it is asked for."""

from typing import TYPE_CHECKING, Any, Self

import attrs
import trio

from duenna import events
from duenna._bus import EventStream
from duenna._node import Node
from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorClassified, HealthChanged
from duenna.guard_events import BreakerChanged, GuardHealthChanged
from duenna.health._facts import LinkRecord, Look
from duenna.health._guards import UsedGuards
from duenna.health._state import STATE, of_state
from duenna.health.report import HealthReport
from duenna.machines.breaker import BreakerState, Cause
from duenna.machines.health import MOST_ISSUES, Announced, Change, Overall, Service, ServiceStatus, Tally
from duenna.machines.kpis import RECENT, Outages, kpis
from duenna.machines.link import UP, ConnectionState
from duenna.state import events as state_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duenna._cell import Cell
    from duenna._runtime import Runtime

_MOST_MARKED = 10_000
_MOST_NAMED = 3
_MINUTE = 60.0


@attrs.define(eq=False)
class HealthMonitor(EventStream):
    """Hears events at once and keeps none: only where each connection is, what is down, and what may have changed.

    It holds an entry for each connection and for each actor that is down. When more than 10,000
    actors may have changed before anybody looked, it goes over the whole tree once.

    Attributes:
        links: Where each connection is, by path.
        outages: What is down, and how long recoveries took.
        opens: How often breakers were opened by their calls while this runtime ran.
    """

    _runtime: "Runtime" = attrs.field(kw_only=True, alias="runtime")
    _guards: UsedGuards = attrs.field(kw_only=True, alias="guards")
    links: dict[str, LinkRecord] = attrs.field(factory=dict[str, LinkRecord], init=False)
    outages: Outages = attrs.field(factory=Outages, init=False)
    opens: int = attrs.field(default=0, init=False)
    _announced: Announced = attrs.field(factory=Announced, init=False)
    _marked: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _removed: set[str] = attrs.field(factory=set[str], init=False)
    _marked_guards: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _is_all_marked: bool = attrs.field(default=True, init=False)
    _has_news: trio.Event = attrs.field(factory=trio.Event, init=False)

    @classmethod
    def of(cls, runtime: "Runtime") -> Self:
        """Return one that listens to *runtime*, which has just been made."""
        monitor = cls(
            1,
            runtime.bus,
            tuple(_HEARD),
            runtime.clock,
            runtime=runtime,
            guards=UsedGuards(runtime.guards),
            skips_routine=True,
        )
        runtime.bus.attach(monitor)
        return monitor

    # -- hearing ---------------------------------------------------------------

    def offer(self, event: events.Event) -> None:
        """Take in *event*."""
        hear = _HEARD.get(type(event))
        if hear is not None:
            hear(self, event)

    def moved(self, event: ConnectionChanged) -> None:
        """Note where a connection is."""
        path, state, previous = event.path, event.state, self.links.get(event.path)
        record = self.links[path] = LinkRecord.of(event)
        if state is ConnectionState.CONNECTING and not record.is_new and previous is not None:
            record.why = previous.why
        if state in UP:
            self.outages.end(path, event.time)
        elif state is ConnectionState.CLOSED:
            self.outages.forget(path)
        elif state is not ConnectionState.CONNECTING:
            self.outages.begin(path, event.time)
        self._mark(path)

    def went_down(self, event: events.Event) -> None:
        """Note that a child has failed, and waits for its restart or for a hand."""
        self.outages.begin(event.path, event.time)
        self._mark(event.path)

    def came_up(self, event: events.Event) -> None:
        """Note that a child has started: a connection is up when its link is."""
        if event.path not in self.links:
            self.outages.end(event.path, event.time)
        self._mark(event.path)

    def was_put_down(self, event: events.Event) -> None:
        """Note that somebody has stopped a child, or removed it."""
        self.outages.forget(event.path)
        if not isinstance(event, events.ChildRemoved):
            if isinstance(self._find(event.path), Node):
                self._forget_outages_below(event.path)
            self._mark(event.path)
            return
        self.links.pop(event.path, None)
        self._removed.add(event.path)  # of a supervisor nothing tells what was below it
        if len(self._removed) > _MOST_MARKED:
            self._forget_removed()
        self._has_news.set()

    def _forget_outages_below(self, path: str) -> None:
        """Those below a supervisor that is stopped by hand are down with it, and nothing tells of each."""
        for name in self.outages.names:
            if name.startswith(f"{path}/"):
                self.outages.forget(name)

    def changed(self, event: events.Event) -> None:
        """Note that a child may do better or worse than before."""
        self._mark(event.path)

    def may_have_changed_all(self, _event: events.Event) -> None:
        """Note that much has changed."""
        self.mark_all()

    def breaker_changed(self, event: BreakerChanged) -> None:
        """Note what a breaker has done."""
        self.opens += event.state is BreakerState.OPEN and event.cause is not Cause.RESTORED
        self._mark_guard(event.guard)

    def guard_changed(self, event: GuardHealthChanged) -> None:
        """Note that a dependency does better or worse."""
        self._mark_guard(event.guard)

    def state_changed(self, _event: events.Event) -> None:
        """Note that the state may do better or worse."""
        self._mark(STATE)

    def erred(self, _event: ErrorClassified) -> None:
        """Note that there was an error: they may come too fast now."""
        self._has_news.set()

    def mark_all(self) -> None:
        """Have everything looked at again."""
        self._is_all_marked = True
        self._marked.clear()
        self._has_news.set()

    def _mark(self, path: str) -> None:
        if not self._is_all_marked:
            self._marked[path] = None
            if len(self._marked) > _MOST_MARKED:
                self.mark_all()
        self._has_news.set()

    def _mark_guard(self, name: str) -> None:
        self._marked_guards[name] = None
        self._has_news.set()

    # -- telling ---------------------------------------------------------------

    async def news(self) -> list[HealthChanged]:
        """Wait until something has changed that is to be announced, and return it; cancelled, nothing is lost."""
        while not self._runtime.stopping.is_set():
            found = self._look_for_news()
            if found:
                return found
            # errors get old without an event: look again when those of this minute have
            deadline = self._runtime.now() + _MINUTE if self._is_erring() else float("inf")
            with trio.CancelScope(deadline=deadline):
                await self._has_news.wait()
        return await trio.sleep_forever()

    def _look_for_news(self) -> list[HealthChanged]:
        self._has_news = trio.Event()
        changes = [change for change in self._changes() if change is not None]
        found = [self._event(change.name, change.previous, change.status, change.why) for change in changes]
        previous = self._announced.judge_all(is_erring=self._is_erring())
        if previous is not None:
            named = [f"{change.name} {change.why}" for change in changes[:_MOST_NAMED] if change.why]
            if len(changes) > _MOST_NAMED:
                named.append(f"{len(changes) - _MOST_NAMED} more")
            if not changes and self._announced.overall is not Overall.HEALTHY:
                named = [self._errors_sentence()]
            found.append(self._event("", previous, self._announced.overall, "; ".join(named)))
        return found

    def _changes(self) -> "Iterator[Change | None]":
        """Yield what has changed among what was marked; the marks are gone."""
        announced, look = self._announced, Look(self.links, self._runtime.now())
        self._forget_removed()
        marked, self._marked = self._marked, {}
        guards, self._marked_guards = self._marked_guards, {}
        if self._is_all_marked:
            self._is_all_marked = False
            services = {service.name: service for service in self._services(look)}
            for name in dict.fromkeys((*announced.names, *services)):
                yield announced.judge(name, services.get(name))
            return
        for path in marked:
            cell = self._find(path)
            if isinstance(cell, Node):
                self.mark_all()  # what is below it does better or worse with it: in the next turn
            else:
                service = None if cell is None else look.one(cell)
                yield announced.judge(path, of_state(self._runtime.state, service) if path == STATE else service)
        for name in guards:
            yield announced.judge(name, self._guards.one(name))

    def _forget_removed(self) -> None:
        """Forget what was removed, and what was below it, unless there is one of that path again."""
        removed, self._removed = self._removed, set()
        if not removed:
            return
        for path in dict.fromkeys((*self.links, *self.outages.names, *self._announced.names)):
            if not any(each in removed for each in _line(path)):
                continue
            if self._find(path) is None:
                self.links.pop(path, None)
                self.outages.forget(path)
            self._mark(path)

    def _find(self, path: str) -> "Cell | None":
        """Return the child at *path*, None if there is none: `runtime.ref` says what there is instead, at a cost."""
        known: dict[str, Any] = {root.name: root for root in self._runtime.roots}
        found: Cell | None = None
        for part in path[1:].split("/"):
            found = known.get(part)
            known = found.children if isinstance(found, Node) else {}
        return found

    def _event(self, name: str, previous: str, status: str, why: str) -> HealthChanged:
        path = name if name.startswith("/") else "/"
        now = self._runtime.now()
        return HealthChanged(time=now, path=path, service=name, previous=str(previous), health=str(status), why=why)

    # -- reporting -------------------------------------------------------------

    def report(self, actors: "Iterable[Service] | None" = None) -> HealthReport:
        """Return how the bot does now: before its boot, while it runs, and after its end.

        Args:
            actors: How the actors do, of whoever has just looked. Those that are well and are no
                connections may be left out: they are missing in ``services`` then, and change
                nothing else. None: it looks itself.
        """
        runtime = self._runtime
        now = runtime.now()
        guards = list(self._guards.look())
        known = self._actors(Look(self.links, now)) if actors is None else self._chosen(actors)
        services = [*known, *(service for _, _, service, _ in guards)]
        if runtime.is_over:
            services = [attrs.evolve(each, status=ServiceStatus.UNAVAILABLE) for each in services]
        recent = runtime.errors.count_since(RECENT)
        return HealthReport(
            time=now,
            overall=self._overall(services),
            services={each.name: each.status for each in services},
            recent_errors=recent,
            breakers={name: dependency.state for name, dependency, _, _ in guards},
            issues=self._issues(services, runtime.state.issues()),
            kpis=kpis(
                recent_errors=recent,
                successes=sum(counts.successes for *_, counts in guards),
                calls=sum(counts.calls for *_, counts in guards),
                opens=self.opens,
                recovery=self.outages.mean(now),
                types=runtime.errors.distinct,
            ),
        )

    def services(self, path: str) -> tuple[Service, ...]:
        """Return how everything at and below *path* does, in start order.

        A supervisor that runs, and a child that has done its work, are none.

        Raises:
            UnknownPathError: There is no such child.
        """
        look = Look(self.links, self._runtime.now())
        found: list[Service] = []
        todo: list[Any] = [self._runtime.ref(path)]
        while todo:
            cell = todo.pop()
            service = look.one(cell)
            if service is not None:
                found.append(service)
            elif isinstance(cell, Node):
                todo += reversed(cell.children.values())
        return tuple(found)

    def _services(self, look: Look) -> "Iterator[Service]":
        yield from self._actors(look)
        for _, _, service, _ in self._guards.look():
            yield service

    def _actors(self, look: Look) -> "Iterator[Service]":
        """Yield how each actor of the bot does, and of the runtime's own those that are not well."""
        runtime = self._runtime
        yield from look.all(runtime.roots[-1:])
        yield from self._own(look.all(runtime.roots[:-1]))

    def _chosen(self, services: "Iterable[Service]") -> "Iterator[Service]":
        """Yield those of *services* that the report is about, as `_actors` does."""
        own: list[Service] = []
        for service in services:
            if service.name.startswith("/system/") or service.name == "/system":
                own.append(service)
            else:
                yield service
        yield from self._own(own)

    def _own(self, services: "Iterable[Service]") -> "Iterator[Service]":
        """Yield those of the runtime's own *services* that are not well."""
        runtime = self._runtime
        if runtime.stopping.is_set():
            return
        saver: Service | None = None
        for service in services:
            if service.name == STATE:
                saver = service
            elif service.status is not ServiceStatus.OPERATIONAL:
                yield service
        state = of_state(runtime.state, saver)
        if state is not None and state.status is not ServiceStatus.OPERATIONAL:
            yield state

    def _overall(self, services: list[Service]) -> Overall:
        runtime = self._runtime
        if runtime.is_over:
            return Overall.UNHEALTHY
        tally = Tally()
        for service in services:
            tally.add(service)
        found = tally.overall(is_erring=self._is_erring())
        if runtime.stopping.is_set() or (not runtime.has_booted and found is Overall.HEALTHY):
            return Overall.DEGRADED
        return found

    def _issues(self, services: list[Service], of_the_state: tuple[str, ...]) -> tuple[str, ...]:
        runtime = self._runtime
        if runtime.is_over:
            return (f"the runtime has ended: {runtime.reason}",)
        if runtime.stopping.is_set():
            return (f"the runtime is stopping: {runtime.reason}",)
        found = [] if runtime.has_booted else ["the runtime is starting"]
        if self._is_erring():
            found.append(self._errors_sentence())
        found += of_the_state
        together = "; ".join(of_the_state)
        found += [f"{each.name} {each.why}" for each in services if each.why and each.why != together]
        if len(found) > MOST_ISSUES:
            found[MOST_ISSUES:] = [f"and {len(found) - MOST_ISSUES} more"]
        return tuple(found)

    def _is_erring(self) -> bool:
        return self._runtime.errors.rate() > self._runtime.settings.alerts.error_rate

    def _errors_sentence(self) -> str:
        borne = self._runtime.settings.alerts.error_rate
        return f"there were {self._runtime.errors.rate():.0f} errors within a minute, more than {borne}"


def _line(path: str) -> "Iterator[str]":
    """Yield *path* and the paths above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


_HEARD: dict[type[events.Event], Any] = {
    ConnectionChanged: HealthMonitor.moved,
    events.ChildRestarting: HealthMonitor.went_down,
    events.ChildParked: HealthMonitor.went_down,
    events.ChildStarted: HealthMonitor.came_up,
    events.ChildStopped: HealthMonitor.was_put_down,
    events.ChildRemoved: HealthMonitor.was_put_down,
    events.ChildSuspended: HealthMonitor.changed,
    events.ChildResumed: HealthMonitor.changed,
    events.ChildExited: HealthMonitor.changed,
    events.SupervisorGaveUp: HealthMonitor.may_have_changed_all,
    events.RuntimeStarted: HealthMonitor.may_have_changed_all,
    BreakerChanged: HealthMonitor.breaker_changed,
    GuardHealthChanged: HealthMonitor.guard_changed,
    ErrorClassified: HealthMonitor.erred,
    state_events.StateDamaged: HealthMonitor.state_changed,
    state_events.StateNotDurable: HealthMonitor.state_changed,
    state_events.StateDurable: HealthMonitor.state_changed,
    state_events.StateUnencodable: HealthMonitor.state_changed,
    state_events.ReconcileBegan: HealthMonitor.state_changed,
    state_events.ReconcileEnded: HealthMonitor.state_changed,
    state_events.StateEncodable: HealthMonitor.state_changed,
}
"""What is heard, and how; everything else costs one look-up."""
