"""`world_test`: makes a pytest test of a function that describes a bot in a simulated world."""

from __future__ import annotations

import inspect
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from duenna.faults import FaultPlan
from duenna.machines import checks
from duenna.testing._net import Link

if TYPE_CHECKING:
    from collections.abc import Callable

Faults = FaultPlan | Path | Literal["default"] | None

_WORLD = "world"
_REQUEST = "request"


@attrs.frozen(kw_only=True)
class Rules:
    """How a world test is run, as its decorator says.

    Attributes:
        seeds: How many seeds, from 0 on.
        seconds: Of virtual time, for each.
        faults: What strikes.
        link: Between hosts that nothing else was said of; None for the world's default.
        wall: Time of day at which it begins, in unix seconds; None for the world's default.
        detail: How much is recorded.
        audit: Whether calls of real clocks that no patch sees are looked for.
    """

    seeds: int
    seconds: float
    faults: Faults
    link: Link | None
    wall: float | None
    detail: Literal["events", "messages"]
    audit: bool


def world_test(
    *,
    seeds: int = 20,
    seconds: float = 3600.0,
    faults: Faults = "default",
    link: Link | None = None,
    wall: float | None = None,
    detail: Literal["events", "messages"] = "events",
    audit: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Run a test in one simulated world per seed, and stop at the first that breaks.

    The test is a function with a parameter ``world``, which is a `World`. Other parameters are
    fixtures or parametrized, as always; they are made once, for all seeds, so what a run changes
    is best made in the function itself.

    - ``def test_x(world) -> Scenario | Supervisor`` describes the bot and what it needs. It is
      simulated for *seconds*, under faults, and stopped; then the rules that hold for every bot
      are checked, and those of the scenario.
    - ``async def test_x(world)`` runs in the world, and may take *seconds*. What it opens with
      ``world.open_runtime`` is checked by the same rules, and struck by the same faults.

    A failure names the seed, and the command that repeats it; the trace is written, and the fault
    plan is shrunk to the faults that matter (this needs ``pip install "duenna[testing]"``).

    Args:
        seeds: How many, from 0 on. At least 1. ``--world-seeds=N`` overrides it, ``--world-seed=K`` runs one.
        seconds: Of virtual time. Greater than 0.
        faults: A plan, a file with one, ``"default"`` for one that is drawn from each seed, None for peace.
            ``--world-faults=FILE`` overrides it.
        link: Latency and so on between hosts that nothing else was said of.
        wall: Time of day at which the world begins, in unix seconds.
        detail: ``messages`` also records, and checks, every message of every actor; slower.
        audit: Look for calls of real clocks that no patch can see; about twice as slow.

    Returns:
        The decorator.

    Raises:
        TypeError: The test has no parameter ``world``, or an argument has the wrong type.
        ValueError: An argument is out of range.
    """
    if not isinstance(faults, FaultPlan | Path | None) and faults != "default":
        raise TypeError(f"world_test: faults must be a FaultPlan, a Path, 'default' or None, got {faults!r}")
    if detail not in {"events", "messages"}:
        raise ValueError(f"world_test: detail must be 'events' or 'messages', got {detail!r}")
    if not isinstance(link, Link | None):
        raise TypeError(f"world_test: link must be a Link or None, got {link!r}")
    rules = Rules(
        seeds=checks.count("world_test", "seeds", seeds, least=1),
        seconds=checks.duration("world_test", "seconds", seconds, zero=False, inf=False),
        faults=faults,
        link=link,
        wall=None if wall is None else checks.number("world_test", "wall", wall),
        detail=detail,
        audit=checks.flag("world_test", "audit", audit),
    )

    def decorate(test: Callable[..., Any]) -> Callable[..., None]:
        return _collected(test, rules)

    return decorate


def is_machinery(excinfo: Any) -> bool:
    """Tell pytest whether to hide a frame of ours: not where there is no other, because a rule was broken."""
    return str(excinfo.typename) != "Failed"


def _collected(test: Callable[..., Any], rules: Rules) -> Callable[..., None]:
    """Return what pytest collects: a function that is not async, without `world`, with `request`."""
    signature = inspect.signature(test)
    parameters = dict(signature.parameters)
    if parameters.pop(_WORLD, None) is None:
        raise TypeError(f"world_test: {test.__qualname__} must have a parameter named world, got {signature}")
    wants_request = _REQUEST in parameters
    if not wants_request:
        parameters[_REQUEST] = inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY)

    @wraps(test)
    def run(*args: Any, request: Any, **fixtures: Any) -> None:
        __tracebackhide__ = is_machinery
        from duenna.testing.plugin import run_world_test  # noqa: PLC0415  # it imports pytest

        if wants_request:
            fixtures[_REQUEST] = request
        run_world_test(request, rules, test, args, fixtures)

    collected: Any = run
    del collected.__wrapped__  # pytest and its plugins would look through it: it may be async
    collected.__signature__ = signature.replace(parameters=list(parameters.values()), return_annotation=None)
    return run
