"""The base class of actors."""

import inspect
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from duenna.fields import check_class

if TYPE_CHECKING:
    from duenna.context import Context
    from duenna.freshness import Freshness


class Hook(Enum):
    """How a class wrote one of the hooks."""

    ABSENT = "absent"
    PLAIN = "def"
    ASYNC = "async def"


@attrs.frozen
class Blueprint:
    """Which hooks a class has, found once when the class is made."""

    started: Hook
    receive: Hook
    run: Hook
    stopping: Hook

    @property
    def needs_host(self) -> bool:
        """Whether an incarnation needs a task of its own from the beginning."""
        return self.run is not Hook.ABSENT or self.started is Hook.ASYNC


class Actor:
    """Private state and a mailbox, one message at a time.

    Write a class, most simply with ``@attrs.define``, and any of the hooks below, each as
    ``def`` or as ``async def``. A plain ``def receive`` is the fastest. What the fields hold
    is gone after a crash: the next incarnation is made by the factory in the spec.

    Attributes:
        kind: What the tree shows this actor as.
    """

    __slots__ = ("_context",)

    kind: ClassVar[str] = "actor"
    _duenna_hooks: ClassVar[Blueprint] = Blueprint(Hook.ABSENT, Hook.ABSENT, Hook.ABSENT, Hook.ABSENT)

    _context: "Context"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Find the hooks of the new class.

        Raises:
            TypeError: A hook is no function, or a generator.
        """
        super().__init_subclass__(**kwargs)
        cls._duenna_hooks = Blueprint(
            started=_hook(cls, "started"),
            receive=_hook(cls, "receive"),
            run=_hook(cls, "run"),
            stopping=_hook(cls, "stopping"),
        )

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        """Check the persistent fields of the new class, once attrs has made it.

        Raises:
            TypeError: One of them would not come back as it was saved.
        """
        check_class(cls)

    @property
    def context(self) -> "Context":
        """The actor's way to its runtime.

        Raises:
            RuntimeError: The actor is not started yet; it is from ``started()`` on.
        """
        try:
            return self._context
        except AttributeError:
            message = f"{type(self).__name__} has no context before it is started: use it from started() on"
            raise RuntimeError(message) from None

    def started(self) -> Any:
        """Get what the actor needs; raising is a failed start, returning makes it ready."""

    def receive(self, message: Any) -> Any:
        """Handle one message; the value returned answers an ask, an exception is a crash."""

    def run(self) -> Any:
        """Do what the actor does by itself: a read loop, a poller. Returning is a normal end."""

    def freshness(self) -> "Freshness | None":
        """Say how fresh the data is that this actor is there for, and how often more must come; None: it has none.

        Called whenever somebody looks at the bot, on the event loop: it must be quick and wait for nothing.
        """
        return None

    def stopping(self, reason: Any) -> Any:
        """Clean up, also after a crash; within the shutdown time, shielded from cancellation.

        Args:
            reason: `"normal"`, `"shutdown"`, or the exception.
        """


def _hook(cls: type[Actor], name: str) -> Hook:
    function = getattr(cls, name)
    if function is getattr(Actor, name):
        return Hook.ABSENT
    if not callable(function):
        message = f"{cls.__name__}.{name} must be a function, got {function!r}"
        raise TypeError(message)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        message = f"{cls.__name__}.{name} must be `def` or `async def` without yield, got a generator function"
        raise TypeError(message)
    return Hook.ASYNC if inspect.iscoroutinefunction(function) else Hook.PLAIN


def hooks_of(actor: Actor) -> Blueprint:
    """Return which hooks the class of *actor* has."""
    return type(actor)._duenna_hooks  # noqa: SLF001  # named so that no field of a user's can hide it
