"""What one call learns from the verdicts on its errors, and teaches the dependency for the calls after it."""

from __future__ import annotations

import attrs

from duenna.guards._dependency import Dependency
from duenna.guards._hints import retry_after
from duenna.guards._policy import Policy
from duenna.guards._registry import registry
from duenna.guards._verdicts import asked_wait
from duenna.guards.errors import BadResultError, DeadlineExceededError
from duenna.guards.retry import ByVerdict
from duenna.machines.classification import Category, Verdict

_MOST_LEARNT = 2  # failing retries of one call that count: a call with a hundred of them is one witness, not a hundred


@attrs.define(eq=False)
class Lessons:
    """The part of a call that asks the classifier, and adapts.

    Attributes:
        dependency: What is called.
        policy: How.
        stretch: How many times longer its last wait was than it is when retries go well.
    """

    dependency: Dependency
    policy: Policy
    stretch: float = attrs.field(default=1.0, init=False)
    _judged: tuple[BaseException, Verdict] | None = attrs.field(default=None, init=False)
    _learnt: int = attrs.field(default=0, init=False)

    def asked_wait(self, error: Exception) -> float:
        """Return for how many seconds the far end wants to be left alone: by a hint, or in the error's text."""
        hint = retry_after(error)
        if hint or not isinstance(self.policy.retry.on, ByVerdict):
            return hint
        return asked_wait(self._verdict(error))

    def learn(self, before: Exception | None, error: Exception | None) -> None:
        """Note what came of a retry after the error *before*, if there was one: *error*, or None for a success."""
        if before is None or not self.policy.retry.adaptive:
            return
        if error is None:
            self.dependency.retried(self._category(before), ok=True)
            return
        is_own_end = isinstance(error, DeadlineExceededError) and error.guard == self.dependency.name
        if self._learnt < _MOST_LEARNT and not is_own_end:
            self._learnt += 1
            self.dependency.retried(self._category(before), ok=False)

    def adapted(self, error: Exception, now: float) -> tuple[int, float]:
        """Return to how many attempts the call has shrunk, and how many times longer its waits are."""
        adaptive, retry = self.dependency.adaptive, self.policy.retry
        if not retry.adaptive or adaptive.is_calm:
            return retry.attempts, 1.0
        category = self._category(error)
        return adaptive.limit(category, retry.attempts, now), adaptive.stretch(category, now)

    def forget(self) -> None:
        """Let go of the error that was judged last."""
        self._judged = None

    def _category(self, error: BaseException) -> Category:
        is_bad_result = isinstance(error, BadResultError) and error.guard == self.dependency.name
        return Category.DATA if is_bad_result else self._verdict(error).category

    def _verdict(self, error: BaseException) -> Verdict:
        judged = self._judged
        if judged is None or judged[0] is not error:
            judged = self._judged = error, registry.judge().verdict(error)
        return judged[1]
