"""The sandbox as a host's service in a simulated world, and its faults as those of a fault plan."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from duenna.faults import Service
from duenna.wallclock import WallTime
from duenna_actors.sandbox._sandbox import DEFAULT_SYMBOLS, Sandbox, serve_sandbox
from duenna_actors.sandbox.faults import INSTANT, Fault, RateLimited
from duenna_actors.sandbox.schedule import check_duration
from duenna_actors.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from duenna.testing import World

LONGEST_WAIT = 30.0
"""Seconds that a client who does as it is told waits, at most, after a fault of `services` has ended."""


def sandbox_fault(service: Service, duration: float | None = None) -> tuple[Fault, float | None]:
    """Return what the sandbox does for a fault of a plan, and for how long.

    The fault's `name` is a `kind` of `docs/sandbox.md`, its `params` are that kind's fields.
    For a kind that happens in an instant the plan's duration means nothing; for
    `rate_limited` it is the `retry_after`, unless the params have one.

    Args:
        service: The fault, as it stands in the plan.
        duration: How long the plan lets it last, in seconds; None is to the end.

    Raises:
        ValueError: There is no such kind, it has no such field, or a value is out of range.
    """
    fields = {"kind": service.name, **service.params}
    if service.name == "rate_limited" and duration is not None:
        fields.setdefault("retry_after", duration)
    try:
        if "kind" in service.params:
            raise ValueError(f"params must have no 'kind', got {service.params['kind']!r}")  # noqa: TRY301
        fault: Fault = msgspec.convert(fields, Fault)
        lasts = None if isinstance(fault, (*INSTANT, RateLimited)) else duration
        check_duration(fault, lasts)
    except ValueError as error:
        raise ValueError(f"sandbox fault {service.name!r}: {error}") from error
    return fault, lasts


@attrs.define(eq=False)
class SandboxService:
    """An exchange on a host of a simulated world, on port 80.

    `join` puts it into a world.

    Attributes:
        symbols: The names of its contracts.
        seed: Of its prices, and of the chance in its faults.
        wall_time: Gives the date: the world's true one, which no fault of the bot's clock moves.
        settings: Its rules.
        host: The address to listen on: any that its host has.
        port: The port; 0 takes any that is free.
        sandbox: What runs; None before `serve` listens.
    """

    symbols: Sequence[str] = DEFAULT_SYMBOLS
    seed: int = attrs.field(default=0, kw_only=True)
    wall_time: WallTime = attrs.field(kw_only=True)
    settings: SandboxSettings = attrs.field(factory=SandboxSettings, kw_only=True)
    host: str = attrs.field(default="0.0.0.0", kw_only=True)  # noqa: S104  # the host is in memory, and so is who reaches it
    port: int = attrs.field(default=80, kw_only=True)
    sandbox: Sandbox | None = attrs.field(default=None, init=False)

    def join(self, world: "World", host: str = "exchange", names: Sequence[str] = ()) -> None:
        """Run on *host* of *world*, known by *names* too, with faults of its own for random plans."""
        world.host(host, names)
        world.serve(host, self.serve)
        world.on_service_fault(host, self.strike, check=self.check, offers=services(self.symbols))

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the exchange until cancelled."""
        run = partial(
            serve_sandbox,
            symbols=self.symbols,
            seed=self.seed,
            host=self.host,
            port=self.port,
            wall_clock=self.wall_time,
            settings=self.settings,
        )
        try:
            async with trio.open_nursery() as nursery:
                self.sandbox = await nursery.start(run)
                task_status.started()
        finally:
            self.sandbox = None

    def check(self, service: Service, duration: float | None = None) -> None:
        """Refuse a fault that `strike` could not carry out.

        Raises:
            ValueError: As `sandbox_fault`.
        """
        sandbox_fault(service, duration)

    def strike(self, service: Service, duration: float | None = None) -> bool:
        """Carry a fault out; return whether it is over already, for it happens in an instant.

        Raises:
            RuntimeError: The exchange does not run.
            ValueError: As `sandbox_fault`.
        """
        fault, lasts = sandbox_fault(service, duration)
        if self.sandbox is None:
            raise RuntimeError(f"sandbox fault {service.name!r} struck while no sandbox was running")
        self.sandbox.faults.inject(fault, lasts)
        return isinstance(fault, INSTANT)


def services(symbols: Sequence[str] = DEFAULT_SYMBOLS) -> tuple[Service, ...]:
    """Return what random plans draw from, with what is frequent in the field standing there more than once.

    Args:
        symbols: The contracts that are traded, of which one at a time goes mute.
    """
    frequent = [Service(name="mute", params={"symbol": symbol}) for symbol in symbols]
    return tuple(frequent) + _FREQUENT * 2 + _RARE


def _told(name: str, **params: object) -> Service:
    return Service(name=name, params=params)


_FREQUENT = (
    _told("close_sockets", code=1006),
    _told("close_sockets", code=1006, count=1),
    _told("close_sockets", code=1000),
    _told("close_sockets", code=1001),
    _told("half_open", path="/market*"),
    _told("http_failure", status=503),
    _told("rate_limited", patience=1_000),
    _told("slow_answers", latency=3.0, jitter=10.0),
    _told("connections_refused"),
)

_RARE = (
    _told("mute"),
    _told("stale_events", age=300.0),
    _told("stale_events", age=30.0),
    _told("sequence_gap", count=5),
    *(_told("garbled_frames", mode=mode, count=3) for mode in ("truncated", "garbled", "html")),
    *(_told("garbled_frames", mode=mode, count=1) for mode in ("bad_utf8", "bad_frame", "cut")),
    _told("burst", messages=2_000),
    _told("close_sockets", code=1008),
    _told("close_sockets", code=1012),
    _told("close_sockets", code=4_000, reason="unexplained"),
    _told("server_shutdown", notice=10.0),
    _told("upgrade_refused", status=429, retry_after=20.0),
    _told("upgrade_refused", status=403, is_html=True),
    _told("upgrade_refused", status=200),
    _told("upgrade_dropped"),
    _told("closed_after_open", code=1008, after=2.0),
    _told("http_failure", status=502, is_html=True),
    _told("http_failure", status=429, code=-1003, probability=0.5),
    _told("rate_limited", patience=0, ban=LONGEST_WAIT),
    _told("slow_answers", latency=1.0, probability=0.5),
    *(_told("lost_answers", path="*", method="*", mode=mode, probability=0.5) for mode in ("silence", "cut")),
    *(_told("garbled_answers", mode=mode, probability=0.5) for mode in ("html", "truncated", "garbled", "cut")),
    _told("clock_drift", offset=10.0),
    _told("clock_drift", offset=-10.0),
    _told("connections_reset"),
    _told("half_open"),
    _told("listen_key_expired"),
)

SERVICES = services()
"""`services` for the sandbox's own contracts."""
