"""The probes: `livez`, `readyz`, `startupz`.

Each asks one question. `livez`: would a restart of the process help? So it never looks at the exchange or a
database, whose trouble would have every bot restarted for ever; it is answered by the event loop, and while that
is blocked it is not answered at all, which says what it should. `readyz`: do all critical actors work, and on
fresh data? `startupz`: has the bot started?

The body is `application/health+json` (draft-inadarei-api-health-check-06).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna.machines.health import Overall
from duenna_actors.console.metrics.sight import critical_actors, health_of, why_not_alive, why_not_operational

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duenna import Runtime

MEDIA_TYPE: Final = "application/health+json"
OK: Final = 200
UNAVAILABLE: Final = 503

PASS: Final = "pass"  # noqa: S105  # a word of the media type
WARN: Final = "warn"
FAIL: Final = "fail"
_WORDS: Final = {Overall.HEALTHY: PASS, Overall.DEGRADED: WARN, Overall.UNHEALTHY: WARN}

Answer = tuple[int, dict[str, Any]]
"""The status code and the body."""


@attrs.frozen
class Check:
    """One thing that was looked at.

    Attributes:
        name: What: a path, or a word.
        status: `pass`, `warn` or `fail`.
        output: Why it is not `pass`, in words.
    """

    name: str
    status: str = PASS
    output: str = ""


def livez(runtime: Runtime, *, verbose: bool = False, exclude: Iterable[str] = (), detailed: bool = True) -> Answer:
    """Say whether the process does its work, however badly: 503 if only its restart would help.

    Args:
        runtime: The bot.
        verbose: Whether to list what is well, too.
        exclude: Names of checks to leave out.
        detailed: Whether who asks may know what was looked at.
    """
    lag = runtime.loop.lag
    loop = "" if lag is None else f"the event loop answered within {lag * 1000:.1f} ms"
    checks = [Check("loop", PASS, loop), _check("root", why_not_alive(runtime))]
    return answer(checks, verbose=verbose, exclude=exclude, detailed=detailed)


def readyz(
    runtime: Runtime,
    desk: object = None,
    *,
    verbose: bool = False,
    exclude: Iterable[str] = (),
    detailed: bool = True,
) -> Answer:
    """Say whether the bot can do its work: 503 before it has started, while it stops, and if a critical actor cannot.

    A bot that is degraded otherwise, or that needs a hand somewhere, is ready, with status `warn`.

    Args:
        runtime: The bot.
        desk: Not needed.
        verbose: Whether to list what is well, too.
        exclude: Names of checks to leave out: `started`, `stopping`, `health`, or the path of an actor.
        detailed: Whether who asks may know what was looked at.
    """
    del desk
    now, report = runtime.now(), health_of(runtime)
    is_stopping = runtime.stopping.is_set() or runtime.is_over
    checks = [
        _check("started", "" if runtime.has_booted else "the runtime is starting"),
        _check("stopping", f"the runtime is stopping: {runtime.reason}" if is_stopping else ""),
        Check("health", _WORDS[report.overall], "; ".join(report.issues)),
    ]
    checks += [_check(facts.path, why_not_operational(facts, now)) for facts in critical_actors(runtime)]
    return answer(checks, verbose=verbose, exclude=exclude, detailed=detailed)


def startupz(runtime: Runtime, *, verbose: bool = False, exclude: Iterable[str] = (), detailed: bool = True) -> Answer:
    """Say whether the tree has started once, with what was saved of it: 503 until then.

    Args:
        runtime: The bot.
        verbose: Whether to list what is well, too.
        exclude: Names of checks to leave out: `restored`, `started`.
        detailed: Whether who asks may know what was looked at.
    """
    is_restored = runtime.state.is_open or runtime.has_booted
    checks = [
        _check("restored", "" if is_restored else "the state has not been read"),
        _check("started", "" if runtime.has_booted else "the runtime is starting"),
    ]
    return answer(checks, verbose=verbose, exclude=exclude, detailed=detailed)


def answer(checks: Sequence[Check], *, verbose: bool, exclude: Iterable[str], detailed: bool) -> Answer:
    """Return the answer that *checks* give together: the worst of them.

    Args:
        checks: All of them.
        verbose: Whether those that pass are listed, too.
        exclude: Names of those that do not count.
        detailed: Whether any is listed at all.
    """
    excluded = set(exclude)
    counted = [check for check in checks if check.name not in excluded]
    statuses = {check.status for check in counted}
    status = next((word for word in (FAIL, WARN) if word in statuses), PASS)
    body: dict[str, Any] = {"status": status}
    if detailed:
        shown = [check for check in counted if verbose or check.status != PASS]
        body["checks"] = {check.name: [_entry(check)] for check in shown}
        unknown = sorted(excluded - {check.name for check in checks})
        if unknown:
            body["notes"] = [f"there is no check {name!r} to exclude" for name in unknown[:_MOST_NOTES]]
    return (UNAVAILABLE if status == FAIL else OK), body


_MOST_NOTES: Final = 10


def _check(name: str, why_not: str) -> Check:
    return Check(name, FAIL, why_not) if why_not else Check(name)


def _entry(check: Check) -> dict[str, str]:
    entry = {"componentType": "component" if check.name.startswith("/") else "system", "status": check.status}
    if check.output:
        entry["output"] = check.output
    return entry
