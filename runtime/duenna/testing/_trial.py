"""One run of a world test, with one seed and one plan, and what broke in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest
import trio

from duenna.faults import FaultPlan
from duenna.testing._decorator import Rules
from duenna.testing._errors import PlanError
from duenna.testing._words import leaf, leaves
from duenna.testing._world import World
from duenna.testing.invariants import Violation

if TYPE_CHECKING:
    from duenna.testing._simulation import Scenario


_NO_RESULT = (
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    pytest.skip.Exception,
    pytest.xfail.Exception,
    pytest.exit.Exception,
)


@attrs.frozen(kw_only=True)
class Trial:
    """What came of one run.

    Attributes:
        seed: Of the world.
        plan: The faults that struck.
        seconds: Virtual time at its end.
        violations: Rules that were broken, in the order of time.
        error: What the test raised, or what ended the bot.
        sha256: Hash of the trace.
        trace_file: Where the trace is, if it was written.
    """

    seed: int
    plan: FaultPlan
    seconds: float
    violations: tuple[Violation, ...]
    error: BaseException | None
    sha256: str
    trace_file: Path | None

    @property
    def ok(self) -> bool:
        """Whether nothing broke."""
        return not self.violations and self.error is None

    @property
    def symptoms(self) -> tuple[str, ...]:
        """The checkers that found something and the type of the error, the first one first."""
        error = () if self.error is None else (f"error:{type(leaf(self.error)).__name__}",)
        return (*error, *dict.fromkeys(violation.checker for violation in self.violations))

    @property
    def began_to_break(self) -> float:
        """Virtual time at which the first symptom showed."""
        return self.seconds if self.error is not None else min(each.t for each in self.violations)


@attrs.frozen
class Experiment:
    """A world test that can be run again and again.

    Attributes:
        test: Given a world; describes a bot, or is async and acts.
        rules: How it is run.
    """

    test: Callable[[World], Any]
    rules: Rules
    is_async: bool

    def run(
        self,
        seed: int,
        faults: FaultPlan | Literal["default"] | None,
        *,
        seconds: float | None = None,
        trace_file: Path | None = None,
    ) -> Trial:
        """Run it once, for *seconds* (None: as its rules say)."""
        rules = self.rules
        options: dict[str, Any] = {"detail": rules.detail, "audit": rules.audit}
        if rules.wall is not None:
            options["wall"] = rules.wall
        world = World(seed, faults=faults, link=rules.link, trace_file=trace_file, **options)
        length = rules.seconds if seconds is None else seconds
        violations: tuple[Violation, ...] = ()
        error: BaseException | None = None
        try:
            if self.is_async:
                violations = self._act(world, length)
            else:
                outcome = world.simulate(self._scenario, length)
                violations, error = outcome.violations, outcome.error
        except _NO_RESULT:
            raise
        except BaseException as exc:  # whatever a test raises is what is told
            if any(isinstance(each, _NO_RESULT) for each in leaves(exc)):
                raise
            if isinstance(exc, PlanError) or (isinstance(exc, TypeError | ValueError) and world.trace.count == 0):
                raise  # wrong use: nothing has happened yet that a seed could repeat
            error = exc
        return Trial(
            seed=seed,
            plan=world.plan,
            seconds=world.clock.current_time(),
            violations=violations,
            error=error,
            sha256=world.trace.sha256,
            trace_file=trace_file,
        )

    def _scenario(self, world: World) -> Scenario:
        made = self.test(world)
        if made is None:
            raise TypeError("a world test that is not async must return a Scenario or a Supervisor, got None")
        return made  # type: ignore[no-any-return]  # the simulation says what it may be

    def _act(self, world: World, seconds: float) -> tuple[Violation, ...]:
        """Run an async test and check what it did.

        Raises:
            TooSlowError: It took more than *seconds*.
        """

        async def act() -> None:
            with trio.move_on_after(seconds) as limit:
                await self.test(world)
            if limit.cancelled_caught:
                raise TooSlowError(f"the test took more than {seconds:g} virtual seconds")

        world.run(act, seconds=seconds)
        return world.violations()


class TooSlowError(AssertionError):
    """An async world test did not end in its time."""
