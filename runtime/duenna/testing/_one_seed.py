"""One seed of `duenna simulate`: a world, a bot, an outcome, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from duenna.errors import GaveUpError, StartFailedError
from duenna.faults import FaultPlan, load_plan
from duenna.testing._errors import PlanError
from duenna.testing._simulation import Outcome, Simulation
from duenna.testing._words import leaves
from duenna.testing._world import World
from duenna.testing.simulate_cli import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duenna.spec import Supervisor
    from duenna.testing._simulation import Scenario


@attrs.frozen
class Run:
    """What came of it.

    Attributes:
        outcome: As far as it got.
        is_interrupted: Whether Ctrl-C ended it.
    """

    outcome: Outcome
    is_interrupted: bool


def faults_of(text: str) -> FaultPlan | Literal["default"] | None:
    """Return what ``--faults`` means.

    Raises:
        OptionError: It is a file that is no plan.
    """
    if text == "default":
        return "default"
    if text == "none":
        return None
    try:
        return load_plan(text)
    except OSError as exc:
        raise OptionError(f"--faults must be a file, 'default' or 'none', got {text!r}: {exc.strerror}") from exc
    except (ValueError, ImportError) as exc:
        raise OptionError(f"--faults: {exc}") from exc


def run_seed(
    scenario: Callable[[World], Scenario | Supervisor],
    seed: int,
    seconds: float,
    faults: FaultPlan | Literal["default"] | None,
    *,
    trace: Path | None = None,
    begun: Callable[[World], None] = lambda _: None,
) -> Run:
    """Simulate one seed.

    Args:
        scenario: As `load_scenario` returns it.
        seed: Of the world.
        seconds: Of virtual time.
        faults: What strikes.
        trace: Where the trace goes.
        begun: Given the world before it runs.

    Raises:
        OptionError: The scenario is none, or the plan does not fit it.
    """
    try:
        world = World(seed, faults=faults, trace_file=trace)
    except OSError as exc:
        raise OptionError(f"--trace must be a file that can be written, got {str(trace)!r}: {exc.strerror}") from exc
    simulation = Simulation(world, seconds)
    begun(world)
    error: BaseException | None = None
    try:
        world.run_prepared(lambda: simulation.prepare(scenario), simulation.run, seconds=seconds)
    except OptionError:
        raise
    except PlanError as exc:
        raise OptionError(f"--faults: {exc}") from exc
    except (GaveUpError, StartFailedError) as exc:
        error = exc
    except BaseException as exc:
        if any(isinstance(each, KeyboardInterrupt) for each in leaves(exc)):
            return Run(simulation.outcome(None), is_interrupted=True)
        if not (isinstance(exc, Exception) or hasattr(exc, "exceptions")):  # a group may hold anything
            raise
        error = exc
    return Run(simulation.outcome(error), is_interrupted=False)
