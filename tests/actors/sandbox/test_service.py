"""The sandbox as a service of a simulated world: its faults under the names of a plan."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
import trio
import trio.testing

from duenna.faults import Service
from duenna_actors.sandbox._fault_base import kind_name
from duenna_actors.sandbox.faults import INSTANT, ClockDrift, CloseSockets, Fault, Mute, RateLimited
from duenna_actors.sandbox.service import LONGEST_WAIT, SERVICES, SandboxService, sandbox_fault, services

KINDS = {kind_name(kind.__name__): kind for kind in get_args(Fault)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_name(kind: str) -> None:
    fault, _ = sandbox_fault(Service(name=kind))

    assert fault == KINDS[kind]()


def test_params_are_the_fields() -> None:
    service = Service(name="close_sockets", params={"code": 1012, "count": 2, "path": "/market*"})

    assert sandbox_fault(service) == (CloseSockets(code=1012, count=2, path="/market*"), None)


def test_what_lasts_has_the_duration_of_the_plan() -> None:
    assert sandbox_fault(Service(name="mute", params={"symbol": "BTC*"}), 20.0) == (Mute(symbol="BTC*"), 20.0)
    assert sandbox_fault(Service(name="clock_drift", params={"offset": -3.0})) == (ClockDrift(offset=-3.0), None)


@pytest.mark.parametrize("kind", [kind_name(kind.__name__) for kind in INSTANT])
def test_an_instant_kind_has_no_use_for_a_duration(kind: str) -> None:
    assert sandbox_fault(Service(name=kind), 20.0)[1] is None


def test_a_rate_limit_lasts_as_long_as_the_plan_says() -> None:
    """Unless it says itself when to come again."""
    assert sandbox_fault(Service(name="rate_limited"), 40.0) == (RateLimited(retry_after=40.0), None)
    told = Service(name="rate_limited", params={"retry_after": 7.0})
    assert sandbox_fault(told, 40.0) == (RateLimited(retry_after=7.0), None)


@pytest.mark.parametrize(
    ("service", "duration", "message"),
    [
        (Service(name="mut"), None, r"^sandbox fault 'mut': Invalid value 'mut' - at `\$\.kind`$"),
        (
            Service(name="mute", params={"symbl": "BTC*"}),
            None,
            r"^sandbox fault 'mute': Object contains unknown field `symbl`$",
        ),
        (
            Service(name="close_sockets", params={"code": 1005}),
            None,
            r"^sandbox fault 'close_sockets': close_sockets: code must be 1000, .* got 1005$",
        ),
        (
            Service(name="close_sockets", params={"code": "1006"}),
            None,
            r"^sandbox fault 'close_sockets': Expected `int`, got `str` - at `\$\.code`$",
        ),
        (
            Service(name="mute"),
            0.0,
            r"^sandbox fault 'mute': duration must be > 0 seconds and finite, or null, got 0\.0$",
        ),
        (
            Service(name="mute", params={"kind": "half_open"}),
            None,
            r"^sandbox fault 'mute': params must have no 'kind', got 'half_open'$",
        ),
    ],
)
def test_what_cannot_be_is_refused(service: Service, duration: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SandboxService(wall_time=lambda: 0.0).check(service, duration)


@pytest.mark.parametrize("service", SERVICES, ids=repr)
def test_every_offer_can_be_carried_out(service: Service) -> None:
    fault, _ = sandbox_fault(service, 60.0)

    for name in ("retry_after", "ban"):
        wait = getattr(fault, name, None) or 0.0
        assert wait <= LONGEST_WAIT or wait == 60.0 or getattr(fault, "patience", 0) >= 1_000


def test_the_offers_are_of_nearly_every_kind_and_weighted() -> None:
    """Without books there is none to be stale or out of order; a world has disk faults of its own."""
    offered = Counter(service.name for service in SERVICES)

    assert offered.keys() == KINDS.keys() - {"stale_snapshot", "repeated_events", "late_events", "database_lost"}
    assert offered["close_sockets"] > offered["upgrade_dropped"]


def test_each_symbol_can_go_mute_alone() -> None:
    muted = [service.params["symbol"] for service in services(["AUSDT", "BUSDT"]) if "symbol" in service.params]

    assert muted == ["AUSDT", "BUSDT"]


def test_a_strike_before_the_start_is_an_error() -> None:
    service = SandboxService(wall_time=lambda: 0.0)

    with pytest.raises(RuntimeError, match=r"^sandbox fault 'mute' struck while no sandbox was running$"):
        service.strike(Service(name="mute"), 1.0)


async def test_it_serves_and_is_struck(autojump_clock: trio.testing.MockClock) -> None:
    service = SandboxService(wall_time=trio.current_time, host="127.0.0.1", port=0)
    async with trio.open_nursery() as nursery:
        await nursery.start(service.serve)
        assert service.sandbox is not None
        faults = service.sandbox.faults
        service.strike(Service(name="mute", params={"symbol": "BTC*"}), 20.0)
        held = [active.fault for active in faults.active]
        await trio.sleep(20.0)
        left = faults.active
        nursery.cancel_scope.cancel()

    assert held == [Mute(symbol="BTC*")]
    assert left == ()
    assert service.sandbox is None
