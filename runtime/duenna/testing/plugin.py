"""Runs a world test under pytest: seed by seed, and tells of the one that broke.

The options stand in the package `duenna_world`, which every pytest run loads; this module is
loaded by the first world test that runs.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest

import duenna
from duenna.faults import FaultPlan, dump_plan, load_plan
from duenna.testing._decorator import is_machinery
from duenna.testing._trial import Experiment, Trial
from duenna.testing._words import counted, error_line, plan_lines, violation_line
from duenna_world import PROPERTY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from duenna.testing._decorator import Rules

_RUNS = 60  # of a shrink
_MOST_TOLD = 5
_JUDGED_WITHIN = 600.0  # seconds after the first symptom in which a smaller plan must show it, too


@attrs.frozen(kw_only=True)
class _Order:
    """What the command line and the decorator ask for."""

    seeds: Sequence[int]
    faults: FaultPlan | Literal["default"] | None
    faults_file: str | None
    shrink_runs: int
    keeps_going: bool


def run_world_test(
    request: pytest.FixtureRequest,
    rules: Rules,
    test: Callable[..., Any],
    args: tuple[Any, ...],
    fixtures: Mapping[str, Any],
) -> None:
    """Run *test* with each seed until one breaks.

    Raises:
        pytest.fail.Exception: A rule was broken.
        BaseException: What the test raised, with notes that tell how to repeat it.
    """
    __tracebackhide__ = is_machinery
    order = _order(request, rules)
    call = partial(test, *args, **fixtures)
    experiment = Experiment(lambda world: call(world=world), rules, inspect.iscoroutinefunction(test))
    passed: list[int] = []
    broken: list[Trial] = []
    for seed in order.seeds:
        trial = experiment.run(seed, order.faults)
        (passed if trial.ok else broken).append(seed if trial.ok else trial)  # type: ignore[arg-type]
        if broken and not order.keeps_going:
            break
    if passed:
        request.node.user_properties.append((PROPERTY, f"passed {len(passed)}"))
    if broken:
        report = _Report(request, experiment, order)
        text = "\n".join([*report.lines(broken[0], len(passed)), *report.others(broken[1:])])
        _fail(broken[0], text)


def _fail(trial: Trial, text: str) -> None:
    __tracebackhide__ = is_machinery
    if trial.error is None:
        pytest.fail(text, pytrace=False)
    trial.error.add_note(text)
    raise trial.error.with_traceback(_without_machinery(trial.error.__traceback__))


def _without_machinery(traceback: TracebackType | None) -> TracebackType | None:
    """Return *traceback* without the frames of trio and of the simulator, unless there are no others."""
    import trio  # noqa: PLC0415  # only a failure needs its folder

    hidden = tuple(f"{Path(module.__file__ or '').parent}{os.sep}" for module in (trio, duenna))
    kept: list[TracebackType] = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(hidden):
            kept.append(traceback)
        traceback = traceback.tb_next
    linked: TracebackType | None = None
    for each in reversed(kept):
        linked = TracebackType(linked, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return linked


@attrs.define
class _Report:
    """Tells what broke, repeats it for the trace, and shrinks its plan."""

    request: pytest.FixtureRequest
    experiment: Experiment
    order: _Order

    def lines(self, trial: Trial, passed: int) -> Iterator[str]:
        """Yield the report of the first seed that broke."""
        before = f" ({counted(passed, 'seed')} passed)" if passed else ""
        yield f"seed {trial.seed} broke{before}: {_first(trial)}"
        rest = [violation_line(each) for each in trial.violations][0 if trial.error is not None else 1 :]
        yield from (f"  {line}" for line in rest[:_MOST_TOLD])
        if len(rest) > _MOST_TOLD:
            yield f"  and {len(rest) - _MOST_TOLD} more"
        command = self._command(trial.seed, self.order.faults_file)
        yield f"again:   {command}"
        again = self.experiment.run(trial.seed, self.order.faults, trace_file=self._file(trial.seed, ".jsonl"))
        yield f"trace:   {self._shown(again)}"
        if again.sha256 != trial.sha256:
            yield (
                "careful: the same seed gave another trace the second time, so something real is left in it: "
                "audit=True finds calls of real clocks; a fixture that a run changes is another cause"
            )
        else:
            shrunk = yield from self._shrink(trial)
            command = shrunk or command
        self.request.node.user_properties.append((PROPERTY, f"failed {command}"))

    def others(self, trials: Sequence[Trial]) -> Iterator[str]:
        """Yield two lines for each further seed that broke."""
        for trial in trials:
            yield f"seed {trial.seed} broke: {_first(trial)}"
            command = self._command(trial.seed, self.order.faults_file)
            yield f"again:   {command}"
            self.request.node.user_properties.append((PROPERTY, f"failed {command}"))

    def _shrink(self, trial: Trial) -> Generator[str, None, str | None]:
        """Yield what became of the plan, and return the command that repeats the smaller one."""
        plan, runs = trial.plan, self.order.shrink_runs
        if not plan.faults:
            yield "faults:  none"
            return None
        if not runs:
            yield from _listed(f"faults:  {len(plan.faults)}", plan)
            return None
        try:
            from duenna.testing.shrink import shrink  # noqa: PLC0415  # it needs hypothesis
        except ModuleNotFoundError as error:
            if error.name != "hypothesis":
                raise
            yield from _listed(f'faults:  {len(plan.faults)}, not shrunk: pip install "duenna[testing]"', plan)
            return None
        symptom, seconds = trial.symptoms[0], self.experiment.rules.seconds
        horizon = min(seconds, trial.began_to_break + _JUDGED_WITHIN)
        found = shrink(
            plan,
            trial.seconds,
            lambda smaller: symptom in self.experiment.run(trial.seed, smaller, seconds=horizon).symptoms,
            runs=runs,
        )
        file = self._file(trial.seed, ".faults.json")
        file.write_text(dump_plan(found.plan))
        check = self.experiment.run(trial.seed, load_plan(file), trace_file=self._file(trial.seed, ".shrunk.jsonl"))
        if symptom not in check.symptoms:
            yield from _listed(f"faults:  {len(plan.faults)}; no smaller plan was found that breaks the same", plan)
            return None
        limit = f", which was the limit: --world-shrink={2 * runs} tries longer" if found.is_exhausted else ""
        told = f"faults:  {len(plan.faults)}, shrunk to {len(found.plan.faults)} in {counted(found.runs, 'run')}{limit}"
        yield from _listed(told, found.plan)
        command = self._command(trial.seed, str(self._near(file)))
        yield f"shrunk:  {command}"
        yield f"trace:   {self._shown(check)}"
        return command

    def _command(self, seed: int, faults: str | None) -> str:
        node = self.request.node
        _, separator, name = node.nodeid.partition("::")
        words = ["pytest", f"{self._near(node.path)}{separator}{name}", f"--world-seed={seed}"]
        return shlex.join([*words, *([] if faults is None else [f"--world-faults={faults}"])])

    def _file(self, seed: int, ending: str) -> Path:
        given = self.request.config.getoption("world_traces", None)
        cache = getattr(self.request.config, "cache", None)
        if given is not None:
            folder = Path(given)
        elif cache is not None:
            folder = cache.mkdir("duenna_world")
        else:
            folder = Path(tempfile.gettempdir()) / f"duenna-world-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]+", "_", self.request.node.nodeid.replace("/", "."))[-120:]
        return folder / f"{name}-{seed}{ending}"

    def _near(self, path: Path) -> Path:
        """Return *path* as seen from where pytest was called, if it is below that."""
        try:
            return path.absolute().relative_to(self.request.config.invocation_params.dir)
        except ValueError:
            return path

    def _shown(self, trial: Trial) -> str:
        return f"{self._near(trial.trace_file or Path())} (sha256:{trial.sha256})"


def _first(trial: Trial) -> str:
    if trial.error is not None:
        return error_line(trial.error)
    return violation_line(trial.violations[0])


def _listed(head: str, plan: FaultPlan) -> Iterator[str]:
    yield head
    yield from (f"  {line}" for line in plan_lines(plan))


def _order(request: pytest.FixtureRequest, rules: Rules) -> _Order:
    given = partial(request.config.getoption, default=None)
    one, many, runs = given("world_seed"), given("world_seeds"), given("world_shrink")
    file = given("world_faults")
    return _Order(
        seeds=(one,) if one is not None else range(rules.seeds if many is None else many),
        faults=_faults(request, rules, file),
        faults_file=file,
        shrink_runs=_RUNS if runs is None else runs,
        keeps_going=bool(given("world_keep_going")),
    )


def _faults(request: pytest.FixtureRequest, rules: Rules, file: str | None) -> FaultPlan | Literal["default"] | None:
    """Return what is to strike; a path in the decorator is seen from the test's own folder."""
    if file == "none":
        return None
    path = Path(file) if file is not None else rules.faults
    if not isinstance(path, Path):
        return path
    try:
        return load_plan(path if file is not None else request.path.parent / path)
    except (OSError, ValueError, ImportError) as error:
        pytest.fail(f"the fault plan {path} cannot be read: {error_line(error)}", pytrace=False)
