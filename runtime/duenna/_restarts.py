"""What the end of a child leads to: nothing, a restart after a wait, parking, or giving up."""

from functools import partial
from typing import TYPE_CHECKING

from duenna import events
from duenna._cell import Cell
from duenna._letters import bury_below, fail_asks_below
from duenna._text import describe
from duenna.errors import ActorDiedError, GaveUpError, ManualInterventionError, StartFailedError, StoppedError
from duenna.machines.backoff import Backoff, Jitter
from duenna.machines.classification import Verdict
from duenna.machines.failures import FailureCount
from duenna.machines.intensity import IntensityWindow
from duenna.machines.lifecycle import ALIVE, ChildState, Step, after
from duenna.machines.plan import Strategy
from duenna.machines.restart_policy import floor
from duenna.machines.verdict import AutoShutdown, Fate, OnGiveUp, ends_supervisor, fate
from duenna.storage import StateRefusedError

if TYPE_CHECKING:
    from duenna._manager import Manager


_UP = ALIVE | {ChildState.BACKOFF, ChildState.PENDING}


def uptime_of(cell: Cell) -> float:
    """Return for how many seconds *cell* has been up, as far as they count towards its ``reset_after``."""
    more = cell.extra
    since = more.stable_since if more is not None and more.is_unstable else cell.started_at
    return 0.0 if since is None else cell.node.runtime.now() - since


def has_held_out(cell: Cell) -> bool:
    """Return whether *cell* runs, and has for so long that its next failure will be its first."""
    return cell.state is ChildState.RUNNING and uptime_of(cell) >= cell.spec.options.reset_after


class Restarts:
    """Ask the machines what to do about a child that ended by itself, and do it."""

    def __init__(self, manager: "Manager") -> None:
        """Decide for the children of *manager*'s supervisor."""
        self._manager = manager
        self._node = manager.node
        self._runtime = manager.node.runtime
        spec = manager.node.spec
        self._newborn: Cell | None = None
        self._witness: Cell | None = None
        self._newborn_error: BaseException | None = None
        self.window = IntensityWindow(spec.intensity, spec.period)

    def decide(self, cell: Cell, reason: str | BaseException, uptime: float | None, verdict: Verdict | None) -> None:
        """Decide about *cell*, which ended by itself after *uptime* seconds; None: it never was ready.

        Args:
            cell: The child.
            reason: Its exit reason.
            uptime: Seconds.
            verdict: What its error means, None if there is none.
        """
        manager = self._manager
        fallback = None
        if uptime is None:
            if cell is self._newborn:
                self._newborn = None
                self._newborn_error = self._start_error(cell, reason)
                manager.remove(cell)
                return
            self._fail_calls(cell, reason)
            fallback, cell.more.fallback = cell.more.fallback, None
        if manager.is_ending or manager.sweeper.absorbs(cell):
            manager.reset(cell)
        elif fallback is not None:
            fallback(cell)
        elif isinstance(reason, StateRefusedError):
            self.park(cell, reason, None)  # at boot, too: a bot must start though one of its actors waits for a hand
        elif uptime is None and manager.sweeper.is_booting(cell):
            manager.reset(cell)
            manager.end(self._start_error(cell, reason))
        else:
            crashed = isinstance(reason, BaseException)
            fates = Fate.RESTART if uptime is None else fate(cell.spec.options.restart, crashed=crashed)
            if fates is Fate.RESTART:
                self._restart(cell, reason, uptime or 0.0, verdict)
            else:
                self._end_for_good(cell, fates)

    def _end_for_good(self, cell: Cell, its_fate: Fate) -> None:
        if its_fate is Fate.REMOVE:
            self._manager.remove(cell)
        else:
            cell.state = after(cell.state, Step.FINISH)
            bury_below(cell, "it is finished")
        if not cell.spec.options.significant:
            return
        rule = self._node.spec.auto_shutdown
        if ends_supervisor(rule, others_alive=rule is AutoShutdown.ALL and self._is_another_up(cell)):
            self._manager.end(None)

    def _is_another_up(self, cell: Cell) -> bool:
        """Return whether another significant child is up, or about to be.

        The one that was found last time is asked first, so that all of them ending one after
        the other costs one scan, not one each.
        """
        witness = self._witness
        if witness is not None and witness is not cell and witness.state in _UP:
            return True
        for other in self._node.children.values():
            if other is not cell and other.spec.options.significant and other.state in _UP:
                self._witness = other
                return True
        return False

    def _restart(self, cell: Cell, reason: str | BaseException, uptime: float, verdict: Verdict | None) -> None:
        manager = self._manager
        options = cell.spec.options
        plan = self._runtime.policies.plan(options)
        failures = cell.more.failures
        count = failures.record(uptime, options.reset_after)
        if verdict is not None and self._needs_a_hand(cell, reason, verdict):
            self.park(cell, reason, None)
            return
        if isinstance(reason, ManualInterventionError):
            self.park(cell, reason, plan.unpark_after)
            return
        refused = self._runtime.state.needs_a_hand(cell.path)
        if refused is not None:
            self.park(cell, refused, None)
            return
        if failures.is_spent(plan.max_failures):
            if plan.on_give_up is OnGiveUp.PARK:
                self.park(cell, reason, _unpark_after(plan.unpark_after, verdict))
            else:
                self._give_up(cell, reason, f"{cell.name} failed {count} times in a row")
            return
        if not options.is_reconnecting and not self.window.record(manager.now):  # see Child.connection
            spec = self._node.spec
            self._give_up(cell, reason, f"more than {spec.intensity} restarts within {spec.period} s")
            return
        delay = self._delay(plan.backoff, failures, verdict)
        cell.state = after(cell.state, Step.RETRY)
        self._post_restarting(cell, reason, delay, count)
        if self._node.spec.strategy is Strategy.ONE_FOR_ONE:
            self.start_in(cell, delay)
        else:
            manager.sweeper.restart_group(cell, delay)

    def _needs_a_hand(self, cell: Cell, reason: str | BaseException, verdict: Verdict) -> bool:
        """Say whether to restart *cell* would be of no use, or against the settings."""
        return verdict.needs_a_hand or not self._runtime.policies.is_automatic(cell, reason)

    def _delay(self, backoff: Backoff, failures: FailureCount, verdict: Verdict | None) -> float:
        draw = 0.0 if backoff.jitter is Jitter.NONE else self._runtime.rng.random()
        delay = backoff.delay(failures.failures, draw, failures.previous_delay)
        delay = failures.previous_delay = max(delay, 0.0 if verdict is None else floor(verdict))
        return delay

    def start_newborn(self, cell: Cell) -> None:
        """Start a child that was just added; if it fails at once, it is gone again.

        Raises:
            StartFailedError: It failed at once.
        """
        self._newborn = cell
        self._manager.life.start(cell)
        self._newborn = None
        error, self._newborn_error = self._newborn_error, None
        if error is not None:
            raise error

    def start_in(self, cell: Cell, delay: float) -> None:
        """Start *cell*, which is in backoff, in *delay* seconds."""
        if delay > 0:
            due = partial(self._manager.post, self.start_now, cell, cell.incarnation)
            cell.more.due = self._runtime.timers.after(delay, due)
        else:
            self._manager.restarting.append((cell, cell.incarnation))

    def start_now(self, cell: Cell, incarnation: int) -> None:
        """Start *cell* if it is still in backoff after *incarnation*."""
        if cell.incarnation == incarnation and cell.state is ChildState.BACKOFF and not self._manager.is_ending:
            self._manager.life.start(cell)

    def park(self, cell: Cell, reason: str | BaseException, unpark_after: float | None) -> None:
        """Set *cell* aside until a hand, or the end of *unpark_after* seconds, starts it; None: only a hand."""
        cell.state = after(cell.state, Step.PARK)
        cell.more.unpark_after = unpark_after
        fail_asks_below(cell, "it is parked: manual intervention required")
        text = reason if isinstance(reason, str) else describe(reason)
        if self._runtime.bus.wants(events.ChildParked):
            self._runtime.bus.post(
                events.ChildParked(
                    time=self._runtime.now(),
                    path=cell.path,
                    failures=cell.more.failures.failures,
                    reason=text,
                    unpark_after=unpark_after,
                )
            )
        self.await_unpark(cell)

    def await_unpark(self, cell: Cell) -> None:
        """Arm the timer that gives a parked child a new round of attempts."""
        wait = cell.more.unpark_after
        if wait is not None:
            due = partial(self._manager.post, self._unpark, cell, cell.incarnation)
            cell.more.due = self._runtime.timers.after(wait, due)

    def _unpark(self, cell: Cell, incarnation: int) -> None:
        if cell.incarnation == incarnation and cell.state is ChildState.FAILED and not self._manager.is_ending:
            self.forgive(cell)
            if not self._manager.sweeper.takes(cell):
                self._manager.life.start(cell)

    def forgive(self, cell: Cell) -> None:
        """Forget the failures of *cell*."""
        failures = cell.more.failures
        failures.failures = 0
        failures.previous_delay = 0.0

    def _give_up(self, cell: Cell, reason: str | BaseException, why: str) -> None:
        manager = self._manager
        manager.reset(cell)
        text = f"{why}; last of {cell.path}: {reason if isinstance(reason, str) else describe(reason)}"
        if self._runtime.bus.wants(events.SupervisorGaveUp):
            self._runtime.bus.post(
                events.SupervisorGaveUp(
                    time=self._runtime.now(), path=self._node.path, reason=text, restarts=self._node.spec.intensity
                )
            )
        error = GaveUpError(self._node.path, text)
        error.__cause__ = reason if isinstance(reason, BaseException) else None
        manager.end(error)

    def _start_error(self, cell: Cell, reason: str | BaseException) -> BaseException:
        if isinstance(reason, StartFailedError):
            return reason  # a sub-supervisor's boot: its error names the child that failed
        error = StartFailedError(cell.path, reason if isinstance(reason, str) else describe(reason))
        error.__cause__ = reason if isinstance(reason, BaseException) else None
        return error

    def _fail_calls(self, cell: Cell, reason: str | BaseException) -> None:
        calls, cell.more.calls = cell.more.calls, []
        for call in calls:
            call.fail(self._start_error(cell, reason))

    def let_go(self, cell: Cell) -> None:
        """Let go whoever waits for *cell* to become ready, which it will not, or to end, which it has.

        A supervisor that is down serves no calls either: those that wait for it fail.
        """
        cell.let_go_below()
        extra = cell.extra
        if extra is None:
            return
        calls, extra.calls = extra.calls, []
        for call in calls:
            call.fail(self._stopped_error(cell))
        enders, extra.enders = extra.enders, []
        for call in enders:
            call.done()

    def _stopped_error(self, cell: Cell) -> Exception:
        if self._manager.is_ending:
            return StoppedError(self._node.path)
        return ActorDiedError(cell.path, "it was stopped before it was ready")

    def _post_restarting(self, cell: Cell, reason: str | BaseException, delay: float, failures: int) -> None:
        if self._runtime.bus.wants(events.ChildRestarting):
            self._runtime.bus.post(
                events.ChildRestarting(
                    time=self._runtime.now(),
                    path=cell.path,
                    incarnation=cell.incarnation,
                    delay=delay,
                    failures=failures,
                    reason=reason if isinstance(reason, str) else describe(reason),
                )
            )


def _unpark_after(wait: float | None, verdict: Verdict | None) -> float | None:
    """Return when a parked child gets its new round: not before the far end wants to be called again."""
    return wait if wait is None or verdict is None else max(wait, floor(verdict))
