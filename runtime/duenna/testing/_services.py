"""The servers of a world, and the faults that only they can have."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import trio

from duenna._text import describe
from duenna.faults import FaultPlan, NetworkFault, Service, kind_of
from duenna.machines.hints import members
from duenna.testing._errors import PlanError, WorldError
from duenna.testing._net import Host, Network

Serve = Callable[..., Awaitable[None]]
"""Runs a server; called with ``task_status``."""

Strike = Callable[[Service, float | None], bool | None]
"""Carries out a fault for so many seconds (None: to the end, or an instant); true: it is over already."""

Check = Callable[[Service, float | None], None]
"""Raises `ValueError` for a fault and a duration that there cannot be."""


@attrs.frozen(eq=False)
class _Faulty:
    strike: Strike
    check: Check | None
    offers: tuple[Service, ...]


@attrs.define(eq=False)
class Services:
    """Who serves on which host, and who carries out faults of the kind `Service` there.

    Attributes:
        network: Where the hosts are.
        nursery: Where they run; None before and after the run.
    """

    network: Network
    nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _servers: list[tuple[Host, Serve]] = attrs.field(factory=list[tuple[Host, Serve]], init=False)
    _faulty: dict[str, _Faulty] = attrs.field(factory=dict[str, _Faulty], init=False)

    def add(self, host: Host, serve: Serve) -> None:
        """Have *serve* run on *host*."""
        self._servers.append((host, serve))

    def on_fault(self, host: Host, strike: Strike, check: Check | None, offers: Sequence[Service]) -> None:
        """Have *strike* carry out faults on *host*."""
        self._faulty[host.name] = _Faulty(strike, check, tuple(offers))

    async def start(self) -> None:
        """Start the servers that do not run yet, in the order of their adding, each when the one before is ready."""
        nursery = self.nursery
        if nursery is None:
            raise RuntimeError("a world serves while it runs: call this in what World.run was given")
        while self._servers:
            host, serve = self._servers.pop(0)
            with host.here():
                await nursery.start(_serve, host, serve, name=f"{host.name} ({serve!r})")

    def strike(self, fault: Service, target: str, duration: float | None) -> bool:
        """Have *fault* carried out on every host that fits *target*; return whether it is over already."""
        over = [self._faulty[name].strike(fault, duration) for name in self._able(target)]
        return all(over)

    def offers(self) -> dict[str, tuple[Service, ...]]:
        """Return what random plans may choose from, by host."""
        return {name: faulty.offers for name, faulty in self._faulty.items() if faulty.offers}

    def check(self, plan: FaultPlan) -> None:
        """Refuse a plan with a fault that no host here can have.

        Raises:
            PlanError: The text names the entry, counted from 1.
        """
        for number, planned in enumerate(plan.faults, start=1):
            fault = planned.fault
            if isinstance(fault, NetworkFault) and not self.network.can_strike(planned.target):
                known = ", ".join(self.network.matching("*"))
                raise PlanError(
                    f"fault {number} ({kind_of(fault)}): target must fit a host ({known}), got {planned.target!r}"
                )
            if not isinstance(fault, Service):
                continue
            able = self._able(planned.target)
            if not able:
                known = ", ".join(self._faulty) or "none"
                raise PlanError(
                    f"fault {number} (service {fault.name}): "
                    f"target must fit a host with faults of its own ({known}), got {planned.target!r}"
                )
            for name in able:
                check = self._faulty[name].check
                try:
                    if check is not None:
                        check(fault, planned.duration)
                except ValueError as exc:
                    raise PlanError(f"fault {number} (service {fault.name} on {name}): {exc}") from exc

    def _able(self, target: str) -> list[str]:
        return [name for name in self.network.matching(target) if name in self._faulty]


async def _serve(host: Host, serve: Serve, *, task_status: trio.TaskStatus[Any]) -> None:
    try:
        await serve(task_status=task_status)
    except Exception as exc:
        cause: BaseException = exc
        while len(inside := members(cause)) == 1:
            cause = inside[0]
        raise WorldError(f"the server on {host.name!r} failed: {describe(cause)}") from exc
