"""Every guard of the process, by name: who shares what, and who hears of it.

Guards of one name share one `Dependency`, whoever makes them and whichever runtime runs. It
is kept when the last guard of its name is gone, so that a guard that is made anew for each
call remembers the calls before; a breaker that forgets is none.
"""

import gc
import threading
from collections import ChainMap
from collections.abc import Callable, Generator, ItemsView, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from duenna._random import generator
from duenna.errors import DuennaError
from duenna.guards._conflict import conflict
from duenna.guards._link import Link
from duenna.guards._verdicts import Judge

if TYPE_CHECKING:
    from random import Random

    from duenna._runtime import Runtime
    from duenna.guard_events import GuardEvent
    from duenna.guards._dependency import Dependency
    from duenna.guards._shared import DependencySettings
    from duenna.guards.statistics import GuardStatistics
    from duenna.machines.classifier import Classifier
    from duenna.machines.permit import Change

MOST = 1000
"""Dependencies that are kept, at most, unless guards of more names live."""

_MOST_NAMED = 10
_MOST_LOOKED_AT = 16


class UnknownGuardError(DuennaError, KeyError):
    """There is no guard of this name.

    Attributes:
        name: What was looked for.
    """

    def __init__(self, name: object, known: str = "") -> None:
        """Say that no guard is called *name*."""
        super().__init__(f"no such guard: {name!r}" + (f", there is {known}" if known else ", there is none at all"))
        self.name = name
        self._known = known

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError shows its argument in quotes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self._known)


class Guards(Mapping[str, "Dependency"]):
    """All guards of the process by name, in alphabetical order; ``runtime.guards`` is this.

    What it holds is what the guards of a name share: their breaker, budget, bulkhead and
    counters. It changes as guards are made; an iteration sees those that were there when it
    began.
    """

    def __init__(self, known: "Callable[[], Mapping[str, Dependency]]") -> None:
        """Show what *known* returns."""
        self._known = known

    def __getitem__(self, name: str) -> "Dependency":
        """Return what the guards called *name* share.

        Raises:
            UnknownGuardError: There is none; it is a KeyError.
        """
        found = self._known().get(name)
        if found is None:
            names = list(self)
            more = ", ..." if len(names) > _MOST_NAMED else ""
            raise UnknownGuardError(name, ", ".join(names[:_MOST_NAMED]) + more)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known()))

    def __len__(self) -> int:
        return len(self._known())

    def items(self) -> "ItemsView[str, Dependency]":
        """Return all of them as they are now, by name; one look, however many there are."""
        return dict(sorted(self._known().items())).items()

    def statistics(self) -> "tuple[GuardStatistics, ...]":
        """Return the counters of all of them, by name."""
        return tuple(dependency.statistics() for _, dependency in sorted(self._known().items()))

    def __repr__(self) -> str:
        return f"<guards: {', '.join(self) or 'none'}>"


class Stage(Protocol):
    """Who hears and decides, in one thread, in place of the runtimes: a rehearsal."""

    def emit(self, kind: "type[GuardEvent]", fields: Mapping[str, Any]) -> None:
        """Take note of what would be an event."""
        ...

    def rng(self) -> "Random":
        """Return the source of chance."""
        ...


class GuardRegistry:
    """The dependencies by name, and the runtimes that are told of them. Thread-safe.

    Attributes:
        guards: The dependencies, to be looked at.
        is_heard: Whether anybody is there who might hear of an event: whoever is in a hurry looks here first.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._lock = threading.RLock()
        self._known: ChainMap[str, Dependency] = ChainMap()
        self._users: WeakKeyDictionary[Dependency, WeakSet[Any]] = WeakKeyDictionary()
        self._links: tuple[Link, ...] = ()
        self._rng: Random | None = None
        self._judge: Judge | None = None
        self._restored: list[tuple[Dependency, Change]] = []
        self._staged = 0
        self.is_heard = False
        self._here = threading.local()
        self.guards = Guards(self._snapshot)

    # -- names -----------------------------------------------------------------

    def find_or_make(
        self, name: str, settings: "DependencySettings", guard: object, make: "Callable[[], Dependency]"
    ) -> "Dependency":
        """Return what all guards called *name* share.

        Args:
            name: Any text.
            settings: What they must agree on, compared by ``==``.
            guard: Who asks; it is held weakly, and counts for as long as it lives.
            make: Makes the dependency if there is none.

        Raises:
            ValueError: There is one with other settings, and a guard that uses it.
        """
        found = self._take(name, settings, guard, make)
        if found.settings != settings:
            gc.collect()  # those that use it may be garbage already
            found = self._take(name, settings, guard, make)
        if found.settings != settings:
            raise ValueError(conflict(name, found.settings, settings))
        if self._restored:
            self._tell_restored()
        return found

    def join(self, dependency: "Dependency", guard: object) -> None:
        """Count *guard* among those that use *dependency*."""
        with self._lock:
            self._users[dependency].add(guard)

    def users(self, dependency: "Dependency") -> list[Any]:
        """Return what uses *dependency* now."""
        with self._lock:
            return list(self._users.get(dependency, ()))

    def reset_all(self) -> None:
        """Have every dependency and every guard that lives begin anew, as if no call had been made yet."""
        with self._lock:
            self._rng = None
            users = [(dependency, list(guards)) for dependency, guards in self._users.items()]
        for dependency, guards in users:
            dependency.begin_anew()
            for guard in guards:
                guard.begin_anew()

    @contextmanager
    def fresh(self) -> Generator[None]:
        """Let all guards begin anew, and names mean new dependencies, while the block runs.

        Those from outside can be used and looked at inside. A guard that outlives the block,
        as that of a module that was imported in it does, stays known.
        """
        self.reset_all()
        with self._lock:
            outside = self._known
            self._known = inside = outside.new_child()
        try:
            yield
        finally:
            if any(self._users[dependency] for dependency in inside.maps[0].values()):
                gc.collect(1)  # what was made in the block is young, and a full collection takes a tenth of a second
            with self._lock:
                self._known = outside
                for name, dependency in inside.maps[0].items():
                    if self._users[dependency]:
                        outside.setdefault(name, dependency)
            self.reset_all()

    # -- runtimes --------------------------------------------------------------

    @contextmanager
    def attached(self, runtime: "Runtime") -> Generator[None]:
        """Tell *runtime*, whose loop runs in this thread, of all guards while the block runs.

        Those that have not been used yet become what its state says that they were.
        """
        link = Link(runtime)
        self._count(came=link)
        try:
            for name, dependency in self._snapshot().items():
                self._recall(link, dependency, is_outer=name not in self._known.maps[0])
            self._tell_restored()
            yield
        finally:
            self._count(went=link)

    def emit(self, dependency: "Dependency", kind: "type[GuardEvent]", **fields: Any) -> None:
        """Post an event of *dependency* to every runtime in which somebody wants it; from any thread.

        Exceptions among the *fields* become text if the event is built. It is the caller's task
        that says which actor the event is about.
        """
        if self._staged and (stage := self._stage()) is not None:
            stage.emit(kind, fields)
            return
        for link in self._links:
            link.post(kind, dependency.name, fields)

    def report(self, dependency: "Dependency", error: Exception, attempts: int) -> None:
        """Report to every runtime that a call failed for good after so many *attempts*; from any thread."""
        if self._staged and self._stage() is not None:
            return
        for link in self._links:
            link.report(dependency.name, error, attempts)

    def link(self) -> Link | None:
        """Return the runtime which runs in this thread, or else the only one; None if there is neither."""
        links = self._links
        for link in links:
            if len(links) == 1 or link.is_here:
                return link
        return None

    def judge(self) -> Judge:
        """Return who asks the classifier: of the runtime in this thread, or of the only one, or the process's."""
        link = self.link() if self._links else None
        if link is not None:
            return link.judge
        judge = self._judge
        if judge is None:
            from duenna.machines.standard import standard_classifier  # noqa: PLC0415  # its table is large

            judge = self._judge = Judge(standard_classifier())
        return judge

    def classify_by(self, classifier: "Classifier | None") -> None:
        """Have *classifier* judge where no runtime is; None: the one with the standard rules."""
        self._judge = None if classifier is None else Judge(classifier)

    def rng(self) -> "Random":
        """Return the source of chance: that of the runtime which runs in this thread, or else of the only one."""
        if self._staged and (stage := self._stage()) is not None:
            return stage.rng()
        link = self.link()
        if link is not None:
            return link.runtime.rng
        with self._lock:
            if self._rng is None:
                self._rng = generator(None)
            return self._rng

    @contextmanager
    def staged(self, stage: Stage) -> Generator[None]:
        """Give this thread names of its own while the block runs, and let *stage* hear and decide."""
        self._here.stage, self._here.known = stage, {}
        self._count(staged=1)
        try:
            yield
        finally:
            self._count(staged=-1)
            del self._here.stage, self._here.known

    # -- parts -----------------------------------------------------------------

    def _count(self, *, came: Link | None = None, went: Link | None = None, staged: int = 0) -> None:
        with self._lock:
            links = (*self._links, came) if came is not None else self._links
            self._links = tuple(link for link in links if link is not went)
            self._staged += staged
            self.is_heard = bool(self._links) or self._staged > 0

    def _stage(self) -> Stage | None:
        return getattr(self._here, "stage", None)

    def _take(
        self, name: str, settings: "DependencySettings", guard: object, make: "Callable[[], Dependency]"
    ) -> "Dependency":
        """Return the dependency called *name*, with *guard* among its users unless it has other settings."""
        with self._lock:
            known = self._layer()
            found = known.get(name)
            if found is None or (found.settings != settings and not self._users[found]):
                found = make()
                self._users[found] = WeakSet()
                if known is self._known.maps[0]:
                    for link in self._links:
                        self._recall(link, found, is_outer=False)
            known.pop(name, None)
            known[name] = found  # the last, again: the first is the one that was asked for longest ago
            if found.settings == settings:
                self._users[found].add(guard)
                self._forget_surplus(known)
            return found

    def _recall(self, link: Link, dependency: "Dependency", *, is_outer: bool) -> None:
        change = link.recall(dependency, is_outer=is_outer)
        if change is not None:
            self._restored.append((dependency, change))

    def _tell_restored(self) -> None:
        """Tell of what was restored; under no lock, for whoever hears of it may make guards."""
        with self._lock:
            restored, self._restored = self._restored, []
        for dependency, change in restored:
            dependency.tell(change)

    def _layer(self) -> "MutableMapping[str, Dependency]":
        return getattr(self._here, "known", self._known.maps[0])

    def _snapshot(self) -> "Mapping[str, Dependency]":
        with self._lock:
            return dict(self._known)

    def _forget_surplus(self, known: "MutableMapping[str, Dependency]") -> None:
        if len(known) <= MOST:
            return
        for name in list(islice(known, _MOST_LOOKED_AT)):
            dependency = known.pop(name)
            if not self._users[dependency]:
                return
            known[name] = dependency  # to the end: the next time, others are looked at


registry = GuardRegistry()
"""The registry of the process."""
