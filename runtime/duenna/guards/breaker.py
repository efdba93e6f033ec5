"""Which errors a guard's breaker counts."""

from __future__ import annotations

from typing import Any, Self

import attrs

from duenna.guards._hints import ErrorRule, is_failure, matches
from duenna.guards.retry import error_rule
from duenna.machines import breaker as machine


def _ignore(given: object) -> ErrorRule | None:
    return None if given is None else error_rule("Breaker", "ignore", given)


def _record(given: object) -> ErrorRule | None:
    return None if given is None else error_rule("Breaker", "record", given)


@attrs.frozen(kw_only=True)
class Breaker(machine.Breaker):
    """When to stop calling what fails, for how long, and when to trust it again.

    All settings of `duenna.machines.breaker.Breaker`, where they are described, and:

    Attributes:
        ignore: Errors that are neither success nor failure; a half-open permit is given back.
        record: Errors that are failures; all others are ignored. The default takes the error
            at its word: an HTTP status of 4xx other than 408, an error with Retry-After, and
            what another guard refuses, are no failures; everything else is.
    """

    ignore: ErrorRule | None = attrs.field(default=None, converter=_ignore)
    record: ErrorRule | None = attrs.field(default=None, converter=_record)

    @classmethod
    def consecutive(
        cls,
        failures: int = 5,
        *,
        open_for: float = 60.0,
        success_threshold: int = 2,
        open_jitter: float = 0.0,
        growth: float = 1.0,
        longest_open: float | None = None,
        probes: int = 1,
        probe_timeout: float = 60.0,
        slow_call: float | None = None,
        ignore: Any = None,
        record: Any = None,
    ) -> Self:
        """Open after so many *failures* in a row; see `duenna.machines.breaker.Breaker.consecutive`."""
        breaker = super().consecutive(
            failures,
            open_for=open_for,
            success_threshold=success_threshold,
            open_jitter=open_jitter,
            growth=growth,
            longest_open=longest_open,
            probes=probes,
            probe_timeout=probe_timeout,
            slow_call=slow_call,
        )
        return attrs.evolve(breaker, ignore=ignore, record=record)

    def counts(self, error: BaseException) -> bool:
        """Return whether *error* is a failure."""
        if self.ignore is not None and matches(error, self.ignore):
            return False
        return is_failure(error) if self.record is None else matches(error, self.record)
