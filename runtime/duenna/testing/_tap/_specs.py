"""The record of a child's spec."""

from math import inf
from typing import Any

from duenna.machines.backoff import Backoff
from duenna.machines.restart_policy import RestartPolicy
from duenna.spec import Child, Supervisor
from duenna.testing._tap._log import Log


def record_spec(log: Log, path: str, spec: Child | Supervisor, plan: RestartPolicy) -> None:
    """Record what *spec*, and *plan* for its restarts, say of the child at *path*: what a checker holds it to."""
    options = spec.options
    fields: dict[str, Any] = {
        "role": "supervisor" if isinstance(spec, Supervisor) else "worker",
        "restart": str(options.restart),
        "significant": options.significant,
        "max_failures": plan.max_failures,
        "on_give_up": str(plan.on_give_up),
        "unpark_after": plan.unpark_after,
        "reset_after": finite(options.reset_after),
        "max_backoff": _longest(plan.backoff),
        "shutdown": finite(options.shutdown),
        "drain": finite(options.drain),
        "start_timeout": finite(options.start_timeout),
    }
    if isinstance(spec, Supervisor):
        fields |= {
            "strategy": str(spec.strategy),
            "intensity": spec.intensity,
            "period": finite(spec.period),
            "auto_shutdown": str(spec.auto_shutdown),
            "children": [child.name for child in spec.children],
        }
    else:
        fields |= {
            "capacity": options.mailbox.capacity,
            "overflow": options.mailbox.policy,
            "is_reconnecting": options.is_reconnecting,
        }
    log.record("spec", path, **fields)


def _longest(backoff: Backoff) -> float | None:
    """Return the longest wait, in seconds; None if there is no cap."""
    if backoff.waits:
        return max(backoff.waits)
    return finite(backoff.maximum) if backoff.initial else 0.0


def finite(seconds: float) -> float | None:
    """Return *seconds*; None for ever, because JSON has no infinity."""
    return None if seconds == inf else seconds
