"""``runtime.recovery``: what is done about errors, by whom, and what came of it."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from duenna._random import generator
from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorClassified
from duenna.events import Event
from duenna.guard_events import BreakerChanged, FallbackUsed
from duenna.guards._timeline import Timeline
from duenna.machines import checks
from duenna.machines.breaker import BreakerState
from duenna.machines.link import ConnectionState
from duenna.machines.reconnect import ReconnectPolicy
from duenna.machines.recovery_plan import RecoveryPlan, is_automatic
from duenna.recovery._lines import Lines, plain, title
from duenna.recovery._ports import Classify, EventSink, NoSink, Now, RecordSink, RecoverySettings
from duenna.recovery.action import RecoveryAction
from duenna.recovery.actions import NETWORK_RETRY, built_in
from duenna.recovery.attempts import Journal, RecoveryMemory, RecoveryStatistics, Subject, TypeStatistics
from duenna.recovery.courses import Courses
from duenna.recovery.data import LastGoodData
from duenna.recovery.gateways import Gateways
from duenna.recovery.reconnecting import RECONNECT, Reconnect, Reconnector
from duenna.recovery.runner import Runner, Spawn
from duenna.recovery.trading import TradingMode
from duenna.settings import Settings
from duenna.wallclock import WallTime, wall_time

LONGEST_RECONNECT: Final = 30.0
"""Seconds that one reconnection of `Recovery.recover` may take unless its caller says otherwise."""

LONGEST_PAUSE: Final = 3 * 86_400.0
"""Seconds for which a pause of an earlier process may last on: no ban is longer, and wall clocks may be wrong."""

_MOST_PAUSES: Final = 1000


class Recovery:
    """Recovery actions, reconnection for code that is no actor, and the statistics of both.

    A runtime has one, as ``runtime.recovery``. Without a runtime it needs no argument: then
    its time is that of the event loop that calls, and its events go nowhere.

    Attributes:
        policy: The waits and the number of attempts of a reconnection, as the settings say.
        trading: Whether orders go to the exchange or to paper trading.
        data: The last good value of each source of data.
        courses: What supervisors and connections do about children that fail.
        runner: The incidents that are open.
    """

    def __init__(
        self,
        *,
        now: Now | None = None,
        rng: Random | None = None,
        settings: RecoverySettings | None = None,
        classify: Classify | None = None,
        events: EventSink | None = None,
        sink: RecordSink | None = None,
        actions: Iterable[RecoveryAction] = (),
        restarts_allowed: Callable[[str], int] = lambda path: 0,  # noqa: ARG005  # a port
        has_held: Callable[[str], bool] = lambda path: False,  # noqa: ARG005  # a port
        forgive: Callable[[str], None] = lambda path: None,  # noqa: ARG005  # a port
        breaker_of: Callable[[str], BreakerState | None] = lambda guard: None,  # noqa: ARG005  # a port
        log_level: str | None = "INFO",
        wall: WallTime = wall_time,
    ) -> None:
        """Make it with the built-in actions.

        Args:
            now: Gives monotonic seconds; None: the clock of the event loop that calls.
            rng: Draws the jitter, if the settings ask for any; None: a generator of its own.
            settings: What to follow; None: the defaults.
            classify: Gives the verdict on an error of an actor of a kind; None: no error needs a
                hand, and none asks for a wait.
            events: Who hears of what is done; None: nobody.
            sink: Who keeps a record of it, given with the kind; None: nobody.
            actions: The user's own actions, which settings may name.
            restarts_allowed: Gives how often the child at a path may be restarted in a row; 0: no limit.
            has_held: Says whether the child at a path has been up long enough for its next failure to be its first.
            forgive: Has the supervisor forget the failures of the child at a path.
            breaker_of: Gives the state of a guard's breaker; None: there is no such guard.
            log_level: The least level of the log lines about reconnections; None: no line.
            wall: Gives the time of day.

        Raises:
            ValueError: Two actions have one name, or the settings name an action that is not there.
        """
        self._now = Timeline().now if now is None else now
        self._settings: RecoverySettings = Settings() if settings is None else settings
        self._forgive = forgive
        sinks = NoSink() if events is None else events
        self.policy = _policy(self._settings)
        self._journal = Journal(self._now, sinks, sink, Lines(log_level), wall)
        self.trading = TradingMode(self._now, sinks)
        self.data = LastGoodData(self._now, sinks)
        repairs_allowed = lambda: self._settings.health.max_restart_attempts  # noqa: E731  # a port
        self.courses = Courses(self._journal, restarts_allowed, repairs_allowed, has_held)
        draws = generator(None) if rng is None else rng
        self._reconnector = Reconnector(self._now, draws, self._journal, classify, self.policy)
        self.runner = Runner(self._now, self._journal, self._enabled, self.is_automatic)
        self._gateways = Gateways(self._now, wall, self.runner, self.trading, breaker_of)
        self._plan = RecoveryPlan()
        self._actions: dict[str, RecoveryAction] = {}
        self._pauses: OrderedDict[str, float] = OrderedDict()
        for action in (*built_in(self), *actions):
            self.add(action)
        self.configure(self._settings)

    # -- actions ---------------------------------------------------------------

    @property
    def actions(self) -> tuple[RecoveryAction, ...]:
        """All actions, in the order in which they have their turn, those that are not enabled included."""
        return tuple(self._actions[name] for name in self._plan.order())

    def add(self, action: RecoveryAction) -> None:
        """Add an action.

        Raises:
            TypeError: *action* is none.
            ValueError: There is one of that name, or there are 1,000.
        """
        given: object = action
        if not isinstance(given, RecoveryAction):
            message = f"recovery: a RecoveryAction is needed, got {given!r}"
            raise TypeError(message)
        self._plan.add(action.name, priority=action.priority, enabled=action.enabled)
        self._actions[action.name] = action

    def remove(self, name: str) -> None:
        """Forget an action; one that is at work goes on to its end.

        Raises:
            ValueError: There is none of that name.
        """
        self._plan.remove(name)
        del self._actions[name]

    def enable(self, name: str) -> None:
        """Let an action run, whatever the settings say, until these change what they say of it.

        Raises:
            ValueError: There is none of that name.
        """
        self._plan.switch(name, enabled=True)

    def disable(self, name: str) -> None:
        """Keep an action from running; one that is at work goes on to its end.

        Raises:
            ValueError: There is none of that name.
        """
        self._plan.switch(name, enabled=False)

    def is_enabled(self, name: str) -> bool:
        """Return whether there is an action of that name that may run."""
        return self._plan.is_enabled(name)

    def priority(self, name: str) -> int:
        """Return the priority of an action as it counts now, the settings included.

        Raises:
            ValueError: There is none of that name.
        """
        return self._plan.priority(name)

    def check(self, settings: RecoverySettings) -> None:
        """Refuse settings that `configure` would refuse; changes nothing.

        Raises:
            ValueError: They name an action that is not there.
        """
        self._plan.check(settings.error_handling.recovery_actions)

    def configure(self, settings: RecoverySettings) -> None:
        """Follow *settings* from now on; a wait that has begun stays as it is.

        Raises:
            ValueError: They name an action that is not there; nothing has changed.
        """
        policy = _policy(settings)
        self._plan.configure(settings.error_handling.recovery_actions)
        self._settings = settings
        self.policy = policy
        self._reconnector.follow(policy)

    def is_automatic(self, kind: str) -> bool:
        """Return whether what is of *kind* is recovered without a hand."""
        return is_automatic(self._settings, kind)

    # -- reconnection ----------------------------------------------------------

    async def recover(
        self,
        kind: str,
        error: BaseException | str,
        reconnect: Reconnect,
        *,
        context: str = "",
        timeout: float = LONGEST_RECONNECT,
        path: str = "/",
    ) -> bool:
        """Wait, and reconnect, as often as a supervised connection would be restarted.

        Each kind and context has a count of its own. It begins anew after a success that held
        for 60 s. When the last attempt allowed has failed, a hand is needed: until `reset_counters`,
        or until ``unpark_after`` seconds are over, further calls return False at once. An
        authentication or configuration error needs a hand at once, and time does not end that.

        A call for what is being recovered waits for that and has its result. Cancelled, the
        attempt under way counts for nothing; another caller that waits goes on in its place.

        Args:
            kind: `api`, `balance`, `websocket`, `database`, or a word of your own.
            error: What was wrong.
            reconnect: A function without arguments, `def` or `async def`; False or an exception
                says that it is not connected.
            context: What was being done; kept in one line, without secrets, 500 characters at most.
            timeout: Seconds that one call of *reconnect* may take if it is `async def`, greater than 0;
                inf: no limit.
            path: The actor that asks, for events and records; `/` if it is none.

        Returns:
            Whether it is connected.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: *kind* is empty, or *timeout* is out of range.
        """
        _check_call(kind, error, reconnect, context)
        checks.duration("recover", "timeout", timeout, zero=False)
        subject = Subject(kind=kind, action=RECONNECT, path=path, context=plain(context), is_reconnection=True)
        if not self.is_automatic(kind):
            line = f"{title(kind)} is not recovered: the settings leave it to a hand"
            self._journal.write("WARNING", line, subject)
            await self._reconnector.pass_by()
            return False
        return await self._reconnector.recover(subject, error, reconnect, timeout)

    # -- statistics ------------------------------------------------------------

    def statistics(self) -> RecoveryStatistics:
        """Return every attempt that is over, counted, and the last 1,000 themselves."""
        return self._journal.statistics((*self._reconnector.counters(), *self.courses.counters()))

    def reset_counters(self, kind: str | None = None, path: str | None = None, *, context: str | None = None) -> None:
        """Set the attempts back to 0: the next one is the first, and nothing waits for a hand any more.

        A child that is parked stays so: ``runtime.restart_child`` starts it.

        Args:
            kind: Of this kind alone; None: of all.
            path: Of the child at this path alone; None: of all, and of code that is no actor.
            context: Of this context of `recover` alone; None: of all.
        """
        if path is None:
            self._reconnector.reset(kind, None if context is None else plain(context))
        if context is None:
            known = self.courses.reset(kind, path)
            for each in known if path is None or kind is not None else [path]:  # it need not have been heard of
                self._forgive(each)

    def clear_history(self) -> None:
        """Forget the attempts that are over, and their counts; the present rounds go on."""
        self._journal.clear()

    # -- pauses and gateways ---------------------------------------------------

    def pause(self, source: str, seconds: float) -> None:
        """Ask whoever calls *source* to leave it alone for so many seconds; of 1,000 sources, the latest."""
        until = self._now() + seconds
        self._pauses[source] = max(until, self._pauses.get(source, until))
        self._pauses.move_to_end(source)
        if len(self._pauses) > _MOST_PAUSES:
            self._pauses.popitem(last=False)

    def pause_left(self, source: str) -> float:
        """Return the seconds for which *source*, a guard's name or a path, is to be left alone; 0: it is not."""
        return max(0.0, self._pauses.get(source, 0.0) - self._now())

    def dump(self, to_wall: Callable[[float], float]) -> RecoveryMemory | None:
        """Return the counts and the pauses that last, for the next process; None: there is nothing yet."""
        now = self._now()
        memory = self._journal.dump({name: to_wall(until) for name, until in self._pauses.items() if until > now})
        return None if memory == _NOTHING else memory

    def load(self, memory: RecoveryMemory, from_wall: Callable[[float], float]) -> None:
        """Go on from the counts and the pauses of an earlier process."""
        self._journal.load(memory)
        for source, until in memory.pauses.items():
            left = from_wall(until) - self._now()
            if left > 0:
                self.pause(source, min(left, LONGEST_PAUSE))

    def add_gateway(self, guard: str) -> None:
        """Name the guard of an order gateway: while its breaker is open, orders go to paper trading.

        Raises:
            TypeError: *guard* is no str.
            ValueError: There are 1,000.
        """
        self._gateways.add(guard)

    @property
    def gateways(self) -> tuple[str, ...]:
        """The guards whose open breaker stops trading."""
        return self._gateways.names

    def is_breaker_closed(self, guard: str) -> bool:
        """Return whether there is a guard of that name, and calls pass its breaker now."""
        return self._gateways.is_closed(guard)

    # -- what comes in ---------------------------------------------------------

    def attend(self, spawn: Spawn | None) -> None:
        """Have *spawn* run what answers; None: nobody does. For `/system/recovery`, also when it missed events."""
        self._gateways.attend(spawn)

    def heard(self, event: Event, spawn: Spawn) -> None:
        """Take an event; for `/system/recovery`."""
        if isinstance(event, BreakerChanged):
            self._gateways.changed(event, spawn)
        elif isinstance(event, FallbackUsed):
            if event.source == "last_good":
                self.data.stood_in(event.guard, event.time)
        elif not event.path.startswith("/system/"):
            self.courses.heard(event)
            if isinstance(event, ConnectionChanged) and event.state is ConnectionState.OPERATIONAL:
                self.trading.healthy(event.path)

    def classified(self, event: ErrorClassified, spawn: Spawn) -> None:
        """Take an error that was judged; for `/system/recovery`. Its own errors are not answered."""
        report = event.report
        if report.path.startswith("/system/"):
            return
        actions = self.runner.take(event, spawn)
        follows = any(action.observes and action.name == NETWORK_RETRY for action in actions)
        text = " ".join(report.facts.links[0].message.split()) or report.message
        self.courses.classified(report, action=NETWORK_RETRY if follows else None, error=text)

    def _enabled(self) -> list[RecoveryAction]:
        return [self._actions[name] for name in self._plan.order() if self._plan.is_enabled(name)]


_NOTHING: Final = RecoveryMemory(whole=TypeStatistics())


def _policy(settings: RecoverySettings) -> ReconnectPolicy:
    handling = settings.error_handling
    return ReconnectPolicy(
        max_attempts=handling.max_retries,
        base=handling.base_delay,
        factor=handling.backoff_factor,
        maximum=handling.max_delay,
        jitter=handling.jitter,
        unpark_after=handling.unpark_after,
    )


def _check_call(kind: object, error: object, reconnect: object, context: object) -> None:
    if not isinstance(kind, str) or not isinstance(context, str):
        message = f"recover: kind and context must be texts, got {kind!r} and {context!r}"
        raise TypeError(message)
    if not kind:
        message = "recover: kind must not be empty, got ''"
        raise ValueError(message)
    if not isinstance(error, BaseException | str):
        message = f"recover: error must be an exception or a text, got {error!r}"
        raise TypeError(message)
    if not callable(reconnect):
        message = f"recover: reconnect must be a function without arguments, got {reconnect!r}"
        raise TypeError(message)
