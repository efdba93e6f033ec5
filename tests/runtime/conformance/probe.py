"""Children that write down what befalls them, in each shape that an actor may have.

A `Probe` makes the specs. Each child of it does as its `Script` says, and as `Probe.crash` and
`Probe.end` tell it, and writes `+name` when it is ready, `-name` when it has ended, `!name` when
a start of it failed.
"""

import enum
import math
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, NamedTuple, TypedDict, Unpack

import attrs
import trio

from duenna import (
    Actor,
    Backoff,
    Child,
    Context,
    Mailbox,
)

NOW = Backoff.none()
LONG = 1_000_000.0


class BoomError(Exception):
    """The crash of a test that does not care which."""


class Flavour(enum.StrEnum):
    """The shapes of an actor."""

    CELL = "cell"  # a class that only answers messages
    TASK = "task"  # a class with run()
    FUNCTION = "function"  # an async function


class ChildOptions(TypedDict, total=False):
    """The options of `Child`."""

    restart: Literal["permanent", "transient", "temporary"]
    backoff: Backoff
    max_failures: int | None
    on_give_up: Literal["escalate", "park"]
    unpark_after: float | None
    reset_after: float
    start_timeout: float
    ready: Literal["auto", "manual"]
    drain: float
    shutdown: float
    significant: bool
    mailbox: Mailbox


Ending = BaseException | type[BaseException] | None


@attrs.frozen
class Script:
    """What one incarnation does.

    Attributes:
        start_takes: Seconds from the first instruction to being ready.
        start_error: Raised then, instead of being ready.
        lives: Seconds from being ready to the end.
        ends: What it ends with; None is a normal return.
        stop_takes: Seconds that its clean-up takes.
        stop_error: What its clean-up raises.
        stubborn: Seconds for which it ignores that it was cancelled.
        ready_value: What it is ready with.
    """

    start_takes: float = 0.0
    start_error: Ending = None
    lives: float = math.inf
    ends: Ending = None
    stop_takes: float = 0.0
    stop_error: BaseException | None = None
    stubborn: float = 0.0
    ready_value: object = None

    @property
    def is_slow(self) -> bool:
        """Whether its hooks wait, and must be async."""
        return bool(self.start_takes or self.stop_takes or self.stubborn)


class Mark(NamedTuple):
    """A line of the log: `~` a start began, `+` ready, `!` a start failed, `-` ended."""

    time: float
    sign: str
    name: str


@attrs.frozen
class Finish:
    """The message that ends a child."""

    ending: Ending = None


@attrs.define(eq=False)
class Life:
    """One incarnation, as the probe sees it."""

    probe: "Probe"
    name: str
    script: Script
    context: Context
    order: trio.Event = attrs.field(factory=trio.Event)
    ending: Ending = None
    is_up: bool = False
    is_over: bool = False

    def up(self) -> None:
        self.is_up = True
        self.probe.mark("+", self.name)

    def over(self) -> None:
        """Write down the end, once."""
        if not self.is_over:
            self.is_over = True
            self.probe.alive[self.name] -= 1
            self.probe.mark("-" if self.is_up else "!", self.name)

    async def start(self) -> None:
        """Do the start, for as long as the script says."""
        if self.script.start_takes:
            await trio.sleep(self.script.start_takes)
        self.start_now()

    def start_now(self) -> None:
        if self.script.start_error is not None:
            raise self.script.start_error
        self.up()

    async def live(self) -> None:
        """Live until told to end, or for as long as the script says."""
        with trio.move_on_after(self.script.lives):
            await self.order.wait()
        self.end(self.ending if self.order.is_set() else self.script.ends)

    def end(self, ending: Ending) -> None:
        if ending is not None:
            raise ending

    async def resist(self) -> None:
        """Ignore every cancellation for as long as the script says."""
        with trio.CancelScope(shield=True):
            await trio.sleep(self.script.stubborn)


@attrs.define
class QuickCell(Actor):
    """A message-only actor, all of whose hooks return at once."""

    probe: "Probe"
    name: str
    life: Life | None = attrs.field(default=None, init=False)

    def started(self) -> None:
        life = self.life = self.probe.begin(self.name, self.context)
        try:
            life.start_now()
        except BaseException:
            life.over()
            raise
        if life.script.lives == 0:
            self.context.ref.tell(Finish(life.script.ends))
        elif life.script.lives < math.inf:
            self.context.tell_after(life.script.lives, Finish(life.script.ends))

    def receive(self, message: Finish) -> None:
        if message.ending is None:
            self.context.stop()
        else:
            raise message.ending

    def stopping(self, reason: object) -> None:
        life = self.life
        if life is not None and life.is_up:
            self.probe.reasons.append((self.name, reason))
            life.over()
            life.end(life.script.stop_error)


@attrs.define
class SlowCell(Actor):
    """A message-only actor whose start and clean-up take time."""

    probe: "Probe"
    name: str
    life: Life | None = attrs.field(default=None, init=False)

    async def started(self) -> None:
        life = self.life = self.probe.begin(self.name, self.context)
        try:
            await life.start()
        except BaseException:
            life.over()
            raise
        if life.script.lives == 0:
            self.context.ref.tell(Finish(life.script.ends))
        elif life.script.lives < math.inf:
            self.context.tell_after(life.script.lives, Finish(life.script.ends))

    def receive(self, message: Finish) -> None:
        if message.ending is None:
            self.context.stop()
        else:
            raise message.ending

    async def stopping(self, reason: object) -> None:
        life = self.life
        if life is None or not life.is_up:
            return
        self.probe.reasons.append((self.name, reason))
        try:
            if life.script.stubborn:
                await life.resist()
            if life.script.stop_takes:
                await trio.sleep(life.script.stop_takes)
        finally:
            life.over()
        life.end(life.script.stop_error)


@attrs.define
class Task(Actor):
    """An actor with a body of its own."""

    probe: "Probe"
    name: str
    life: Life | None = attrs.field(default=None, init=False)

    async def started(self) -> None:
        life = self.life = self.probe.begin(self.name, self.context)
        try:
            await life.start()
        except BaseException:
            life.over()
            raise

    async def run(self) -> None:
        assert self.life is not None
        try:
            await self.life.live()
        except trio.Cancelled:
            if self.life.script.stubborn:
                await self.life.resist()
            raise

    async def stopping(self, reason: object) -> None:
        life = self.life
        if life is None or not life.is_up:
            return
        self.probe.reasons.append((self.name, reason))
        try:
            if life.script.stop_takes:
                await trio.sleep(life.script.stop_takes)
        finally:
            life.over()
        life.end(life.script.stop_error)


@attrs.define
class Probe:
    """Makes children and keeps their log.

    Attributes:
        flavour: The shape of the children.
        mixed: The shape of some, by name, where it is another.
    """

    flavour: Flavour
    mixed: dict[str, Flavour] = attrs.field(factory=dict)
    marks: list[Mark] = attrs.field(factory=list, init=False)
    reasons: list[tuple[str, object]] = attrs.field(factory=list, init=False)
    lives: dict[str, Life] = attrs.field(factory=dict, init=False)
    starts: dict[str, int] = attrs.field(factory=lambda: defaultdict(int), init=False)
    alive: dict[str, int] = attrs.field(factory=lambda: defaultdict(int), init=False)
    peak: dict[str, int] = attrs.field(factory=lambda: defaultdict(int), init=False)
    _plans: dict[str, deque[Script]] = attrs.field(factory=dict, init=False)
    _always: dict[str, Script] = attrs.field(factory=dict, init=False)
    _slow: set[str] = attrs.field(factory=set, init=False)

    def plan(self, name: str, *scripts: Script) -> None:
        """Say what the next incarnations of *name* do; the later ones do what is usual."""
        self._plans[name] = deque(scripts)
        if any(script.is_slow for script in scripts):
            self._slow.add(name)

    def always(self, name: str, script: Script) -> None:
        """Say what every incarnation of *name* that has no plan does."""
        self._always[name] = script
        if script.is_slow:
            self._slow.add(name)

    def shape(self, name: str) -> Flavour:
        """Return the flavour of *name*."""
        return self.mixed.get(name, self.flavour)

    def child(self, name: str, **options: Unpack[ChildOptions]) -> Child:
        """Make a spec; without a backoff, unless one is given."""
        settings: ChildOptions = {"backoff": NOW, **options}
        if self.shape(name) is Flavour.FUNCTION:
            settings.setdefault("ready", "manual")
            return Child(name, self._function(name), **settings)
        return Child(name, partial(self.make, name), **settings)

    def children(self, names: str, **options: Unpack[ChildOptions]) -> list[Child]:
        """Make a spec for each word of *names*."""
        return [self.child(name, **options) for name in names.split()]

    def crash(self, name: str, error: BaseException | None = None) -> None:
        """Make *name* crash at its next turn."""
        self._finish(name, error or BoomError(name))

    def end(self, name: str) -> None:
        """Make *name* return at its next turn."""
        self._finish(name, None)

    @property
    def log(self) -> list[str]:
        """What befell the children, in order."""
        return [mark.sign + mark.name for mark in self.marks if mark.sign != "~"]

    @property
    def timed(self) -> list[tuple[float, str]]:
        """What befell the children, and when."""
        return [(mark.time, mark.sign + mark.name) for mark in self.marks if mark.sign != "~"]

    def times(self, sign: str, name: str) -> list[float]:
        """When *sign* was written for *name*."""
        return [mark.time for mark in self.marks if mark[1:] == (sign, name)]

    def forget(self) -> None:
        """Begin a new log."""
        self.marks.clear()
        self.reasons.clear()

    def begin(self, name: str, context: Context) -> Life:
        """Write down that an incarnation began."""
        plan = self._plans.get(name)
        script = plan.popleft() if plan else self._always.get(name, Script())
        life = self.lives[name] = Life(self, name, script, context)
        self.starts[name] += 1
        self.alive[name] += 1
        self.peak[name] = max(self.peak[name], self.alive[name])
        self.mark("~", name)
        return life

    def mark(self, sign: str, name: str) -> None:
        """Write a line."""
        self.marks.append(Mark(trio.current_time(), sign, name))

    @property
    def overlaps(self) -> list[str]:
        """The children that once had two live incarnations."""
        return [name for name, peak in self.peak.items() if peak > 1]

    def _finish(self, name: str, ending: Ending) -> None:
        life = self.lives[name]
        if self.shape(name) is Flavour.CELL:
            life.context.ref.tell(Finish(ending))
        else:
            life.ending = ending
            life.order.set()

    def make(self, name: str) -> Actor:
        """Make an actor of a class flavour."""
        if self.shape(name) is Flavour.TASK:
            return Task(self, name)
        return SlowCell(self, name) if name in self._slow else QuickCell(self, name)

    def _function(self, name: str) -> Callable[[Context], Awaitable[None]]:
        async def body(context: Context) -> None:
            life = self.begin(name, context)
            reason: object = "normal"
            try:
                if life.script.start_takes:
                    await trio.sleep(life.script.start_takes)
                life.start_now()
                context.ready(life.script.ready_value)
                await life.live()
            except trio.Cancelled:
                reason = "shutdown"
                if life.script.stubborn and life.is_up:
                    await life.resist()
                raise
            except BaseException as error:
                reason = error
                raise
            finally:
                if life.is_up:
                    self.reasons.append((name, reason))
                    if life.script.stop_takes:
                        with trio.CancelScope(shield=True):
                            await trio.sleep(life.script.stop_takes)
                life.over()
                if life.is_up and reason == "shutdown":
                    life.end(life.script.stop_error)

        return body
