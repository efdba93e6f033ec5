"""The parts of a header that a runtime knows at once."""

from __future__ import annotations

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna import Runtime
from duenna.wallclock import WallTime
from duenna_actors.console.view.model import Bot, KpiRow, Loop, StateRow
from duenna_actors.console.view.texts import brief

if TYPE_CHECKING:
    from duenna.health import HealthReport

_LONGEST: Final = 300


@attrs.define(eq=False)
class BotDesk:
    """Says which bot this is, and how the whole does."""

    _runtime: Runtime
    _wall: WallTime
    _name: str
    _version: str
    _started_at: float = attrs.field(init=False)
    _fixed: dict[str, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Note what does not change."""
        began = self._runtime.roots[0].started_at
        ago = 0.0 if began is None else self._runtime.now() - began
        self._started_at = self._wall() - ago
        self._fixed = {
            "host": socket.gethostname(),
            "duenna": _version_of("duenna"),
            "python": platform.python_version(),
            "trio": trio.__version__,
        }

    def bot(self) -> Bot:
        """Return which bot this is."""
        trading = self._runtime.recovery.trading
        causes = trading.causes
        return Bot(
            name=self._name or self._runtime.roots[-1].name,
            version=self._version,
            phase=self._phase(),
            started_at=self._started_at,
            pid=os.getpid(),
            trading=str(trading.mode),
            trading_why=brief("; ".join(why or cause for cause, why in causes.items()), _LONGEST) if causes else "",
            **self._fixed,
        )

    def _phase(self) -> str:
        runtime = self._runtime
        if runtime.is_over:
            return "stopped"
        if runtime.stopping.is_set():
            return "stopping"
        return "running" if runtime.has_booted else "starting"


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # not installed, but run from its source
        return "unknown"


def loop_of(runtime: Runtime) -> Loop:
    """Return how the event loop does."""
    loop = runtime.loop
    return Loop(
        lag=None if loop.lag is None else round(loop.lag, 4),
        lag_max=None if (most := loop.lag_max(runtime.now())) is None else round(most, 4),
        blocked=sum(loop.blocked.values()),
        blocked_by=loop.blocked_by,
        blocked_at=loop.blocked_at,
    )


def state_of(runtime: Runtime) -> StateRow:
    """Return how the stored state does."""
    status = runtime.state.status()
    return StateRow(
        store=status.store,
        is_durable=status.is_durable,
        problem=brief(status.problem, _LONGEST),
        saved_at=status.saved_at,
        size=status.size,
        is_reconciling=status.is_reconciling,
    )


def kpi_rows(report: HealthReport) -> tuple[KpiRow, ...]:
    """Return the key figures."""
    return tuple(
        KpiRow(
            name=kpi.name,
            value=kpi.value,
            unit=kpi.unit,
            comparison=kpi.comparison,
            target=kpi.target,
            met=kpi.met,
            text=kpi.text(),
        )
        for kpi in report.kpis
    )
