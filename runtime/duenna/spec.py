"""Specs: how a child is made, restarted and stopped. Frozen, and validated when they are made."""

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Never

import attrs

from duenna._options import (
    DEFAULT_BACKOFF,
    DEFAULT_MAILBOX,
    ChildOptions,
    ReadyMode,
    check_significant,
    checked_options,
    giving_up,
    instance,
    options_of,
)
from duenna.actor import Actor
from duenna.machines import checks
from duenna.machines.backoff import Backoff
from duenna.machines.plan import Strategy
from duenna.machines.verdict import AutoShutdown, OnGiveUp, RestartType
from duenna.mailbox import Mailbox


class _Frozen:
    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> Never:
        message = f"a {type(self).__name__} spec is frozen: cannot set {name}"
        raise AttributeError(message)


class Child(_Frozen):
    """The recipe for one actor.

    Attributes:
        name: Last part of its path.
        start: A factory that returns a new `Actor`, or an async function of one `Context`.
        options: Everything else.
        is_function: Whether ``start`` is an async function rather than a factory.
    """

    __slots__ = ("is_function", "name", "options", "start")

    name: str
    start: Callable[..., Any]
    options: ChildOptions
    is_function: bool

    def __init__(  # a spec is a list of options
        self,
        name: str,
        start: Callable[..., Any],
        *,
        restart: str = RestartType.PERMANENT,
        backoff: Backoff = DEFAULT_BACKOFF,
        max_failures: int | None = None,
        on_give_up: str = OnGiveUp.ESCALATE,
        unpark_after: float | None = 300.0,
        reset_after: float = 60.0,
        start_timeout: float = 30.0,
        ready: str = ReadyMode.AUTO,
        drain: float = 0.0,
        shutdown: float = 5.0,
        significant: bool = False,
        mailbox: Mailbox = DEFAULT_MAILBOX,
        critical: bool | None = None,
    ) -> None:
        """Describe a child.

        Args:
            name: Last part of its path: printable, not empty, without `/`.
            start: A factory (a class, a function, a ``partial``) that returns a new `Actor`
                each time, or an async function that is called with a `Context`. Never an
                instance: a restart must begin with fresh state.
            restart: `permanent`: always; `transient`: only after a crash; `temporary`: never,
                and its spec goes with it.
            backoff: The wait before each restart.
            max_failures: Consecutive restarts allowed; the next failure gives up. None: no
                limit of its own (its supervisor's intensity still counts).
            on_give_up: `escalate` ends the supervisor; `park` sets the child aside.
            unpark_after: Seconds until a parked child gets a new round of attempts; None: only
                an operator's hand starts it.
            reset_after: Seconds of uptime after which the failures are forgotten.
            start_timeout: Seconds it may take to become ready; greater than 0.
            ready: `auto`: when ``started`` has returned, or the function's task begins;
                `manual`: when it calls ``context.ready()``.
            drain: Seconds it may go on with what it has when it is stopped, before it is
                cancelled. 0: none.
            shutdown: Seconds it may take to end once cancelled, before it is reported stuck.
            significant: Whether its normal end may end its supervisor.
            mailbox: Bound and overflow rule.
            critical: Whether the bot is not ready without it, for probes and the dead-man heartbeat;
                None: it is if it is a connection.

        Raises:
            TypeError: An option has the wrong type, or *start* is an instance.
            ValueError: An option is out of range, or options contradict each other.
        """
        checks.name("Child", name)
        owner = f"child {name!r}"
        _check_start(owner, start)
        given = (
            *(restart, backoff, max_failures, on_give_up, unpark_after, reset_after),
            *(start_timeout, ready, drain, shutdown, significant, mailbox, critical),
        )
        try:
            options = options_of(*given)
        except (TypeError, ValueError):
            options = checked_options(owner, *given)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "is_function", not isinstance(start, type) and _is_async(start))

    @classmethod
    def connection(cls, name: str, start: Callable[..., Any], **options: Any) -> "Child":
        """Describe a child whose restarts follow the settings of the runtime, as they are at that moment.

        By default it waits 10, 30 and 60 s; the fourth failure in a row parks it: manual
        intervention required (`ErrorHandling` names the figures). Its restarts do not count in
        its supervisor's intensity: an outage of all connections would spend that, and end the bot.

        Args:
            name: As for a `Child`.
            start: As for a `Child`.
            options: The options of a `Child` but ``backoff``, ``max_failures``, ``on_give_up``
                and ``unpark_after``.

        Raises:
            TypeError: An option has the wrong type, or is none of these.
            ValueError: An option is out of range.
        """
        for option in ("backoff", "max_failures", "on_give_up", "unpark_after"):
            if option in options:
                message = (
                    f"child {name!r}: {option} of a connection is the settings' to say; use Child(...) to set it here"
                )
                raise TypeError(message)
        child = cls(name, start, **options)
        object.__setattr__(child, "options", attrs.evolve(child.options, is_reconnecting=True))
        return child

    def __repr__(self) -> str:
        """Return name and factory."""
        return f"Child({self.name!r}, {self.start!r})"

    def __getattr__(self, name: str) -> Any:
        """Give the options as attributes of the spec."""
        if name in _OPTION_NAMES:
            return getattr(self.options, name)
        message = f"a Child spec has no attribute {name!r}"
        raise AttributeError(message)


_OPTION_NAMES = frozenset(field.name for field in attrs.fields(ChildOptions))


@attrs.frozen(init=False, eq=False, repr=False)
class Supervisor:
    """The recipe for a supervisor: its children, and what it does when one ends.

    It is itself a child of its own supervisor: it has a shutdown and a start time of
    ``inf``, and when it gives up, that is a crash for its parent.

    Attributes:
        name: Last part of its path.
        children: Specs in start order.
        strategy: Who is restarted with a child.
        intensity: Restarts tolerated within ``period``, summed over all children.
        period: Seconds.
        auto_shutdown: Whether the normal end of significant children ends it.
        options: As those of a `Child`.
    """

    name: str
    children: tuple["Child | Supervisor", ...]
    strategy: Strategy
    intensity: int
    period: float
    auto_shutdown: AutoShutdown
    options: ChildOptions
    is_function: bool

    def __init__(  # a spec is a list of options
        self,
        name: str,
        children: Iterable["Child | Supervisor"] = (),
        *,
        strategy: str = Strategy.ONE_FOR_ONE,
        intensity: int = 3,
        period: float = 5.0,
        restart: str = RestartType.PERMANENT,
        significant: bool = False,
        auto_shutdown: str = AutoShutdown.NEVER,
        backoff: Backoff = DEFAULT_BACKOFF,
        max_failures: int | None = None,
        on_give_up: str = OnGiveUp.ESCALATE,
        unpark_after: float | None = 300.0,
        reset_after: float = 60.0,
    ) -> None:
        """Describe a supervisor.

        Args:
            name: Last part of its path.
            children: Specs in start order, names all different.
            strategy: `one_for_one`, `one_for_all` or `rest_for_one`.
            intensity: More restarts than this within *period*: it gives up. 0: at the first.
            period: Seconds, greater than 0, both ends included.
            restart: As for a `Child`.
            significant: As for a `Child`.
            auto_shutdown: `never`; `any`: the first significant child that ends for good ends
                it; `all`: the last one does.
            backoff: As for a `Child`.
            max_failures: As for a `Child`.
            on_give_up: As for a `Child`.
            unpark_after: As for a `Child`.
            reset_after: As for a `Child`.

        Raises:
            TypeError: An option has the wrong type.
            ValueError: An option is out of range, a name comes twice, or a child is
                significant although *auto_shutdown* is `never`.
        """
        checks.name("Supervisor", name)
        owner = f"supervisor {name!r}"
        put = partial(object.__setattr__, self)
        put("name", name)
        put("children", _children(owner, children))
        put("strategy", checks.choice(owner, "strategy", strategy, Strategy))
        put("intensity", checks.count(owner, "intensity", intensity, least=0))
        put("period", checks.duration(owner, "period", period, zero=False))
        put("auto_shutdown", checks.choice(owner, "auto_shutdown", auto_shutdown, AutoShutdown))
        restarts = checks.choice(owner, "restart", restart, RestartType)
        check_significant(owner, significant=checks.flag(owner, "significant", significant), restart=restarts)
        options = ChildOptions(
            restart=restarts,
            start_timeout=float("inf"),
            ready=ReadyMode.AUTO,
            drain=0.0,
            shutdown=float("inf"),
            significant=significant,
            mailbox=DEFAULT_MAILBOX,
            **giving_up(owner, backoff, max_failures, on_give_up, unpark_after, reset_after),
        )
        put("options", options)
        for child in self.children:
            self.check_child(child)

    def __repr__(self) -> str:
        """Return the name and the number of children."""
        return f"Supervisor({self.name!r}, {len(self.children)} children)"

    def check_child(self, child: "Child | Supervisor") -> None:
        """Refuse a child that contradicts this supervisor's options.

        Raises:
            ValueError: It is significant, and ``auto_shutdown`` is `never`.
        """
        if child.options.significant and self.auto_shutdown is AutoShutdown.NEVER:
            message = (
                f"supervisor {self.name!r}: child {child.name!r} is significant, "
                "which needs auto_shutdown='any' or 'all', got 'never'"
            )
            raise ValueError(message)

    def __getattr__(self, name: str) -> Any:
        """Give the options as attributes of the spec."""
        if name in _OPTION_NAMES:
            return getattr(self.options, name)
        message = f"a Supervisor spec has no attribute {name!r}"
        raise AttributeError(message)


def _children(owner: str, children: Iterable[Child | Supervisor]) -> tuple[Child | Supervisor, ...]:
    given: object = children
    if not isinstance(given, Iterable):
        message = f"{owner}: children must be an iterable of Child or Supervisor, got {given!r}"
        raise TypeError(message)
    specs = tuple(children)
    seen: set[str] = set()
    for spec in specs:
        instance(owner, "each of children", spec, Child, Supervisor)
        if spec.name in seen:
            message = f"{owner}: the names of its children must all be different, got {spec.name!r} twice"
            raise ValueError(message)
        seen.add(spec.name)
    return specs


def _check_start(owner: str, start: object) -> None:
    rule = "start must be a factory (a class or a function that returns a new Actor) or an async function"
    if isinstance(start, Actor):
        message = f"{owner}: {rule}, got an instance of {type(start).__name__}: a restart needs a fresh one"
        raise TypeError(message)
    if not callable(start):
        message = f"{owner}: {rule}, got {start!r}"
        raise TypeError(message)
    if isinstance(start, type):
        if not issubclass(start, Actor):
            message = f"{owner}: {rule}, got the class {start.__name__}, which is no Actor"
            raise TypeError(message)
        return
    if _flags(start) & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        message = f"{owner}: {rule}, got the generator function {start!r}"
        raise TypeError(message)


def _is_async(start: Any) -> bool:
    if isinstance(start, type):
        return False
    return bool(_flags(start) & inspect.CO_COROUTINE)


def _flags(start: Any) -> int:
    """Return the code flags of the function that *start* is, wraps, or calls."""
    while isinstance(start, partial):
        start = start.func
    code = getattr(start, "__code__", None) or getattr(getattr(start, "__call__", None), "__code__", None)  # noqa: B004  # the code is what is wanted
    return code.co_flags if code is not None else 0
