"""Faults in time: those of a schedule, those that hold, and their beginnings and ends."""

from typing import Literal

import msgspec

from duenna_actors.sandbox.faults import INSTANT, Fault, RateLimited, kind_of


class Scheduled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault of a schedule.

    Attributes:
        at: Seconds after the sandbox's start.
        fault: Which.
        duration: How long, in seconds; `None` is to the end.
    """

    at: float
    fault: Fault
    duration: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.at < float("inf"):
            raise ValueError(f"at must be >= 0 seconds and finite, got {self.at}")
        check_duration(self.fault, self.duration)


class ActiveFault(msgspec.Struct, frozen=True):
    """A fault that holds now.

    Attributes:
        number: Its number, for `clear`.
        fault: Which.
        since: When it was injected, on the sandbox's clock (seconds after its start).
        until: When it ends by itself; `None` is not at all.
        strikes: How often it has struck.
    """

    number: int
    fault: Fault
    since: float
    until: float | None
    strikes: int


class FaultChanged(msgspec.Struct, frozen=True, tag=True):
    """A fault began or ended.

    Attributes:
        number: Its number.
        fault: Which.
        change: `injected`; `cleared` by hand; `expired` when its time was over; `spent` when it had struck `count`
            times.
        at: When, on the sandbox's clock (seconds after its start).
        duration: How long it is to hold, if it was injected and that is known.
    """

    number: int
    fault: Fault
    change: Literal["injected", "cleared", "expired", "spent"]
    at: float
    duration: float | None = None


def check_duration(fault: Fault, duration: float | None) -> None:
    """Refuse a duration that makes no sense.

    Raises:
        ValueError: It is not greater than 0, or the fault has one of its own, or is an instant one.
    """
    if duration is None:
        return
    if isinstance(fault, INSTANT):
        raise ValueError(f"{kind_of(fault)} happens in an instant and takes no duration, got {duration}")  # noqa: TRY004
    if isinstance(fault, RateLimited):
        raise ValueError(f"{kind_of(fault)} lasts its retry_after and takes no duration, got {duration}")  # noqa: TRY004
    if not 0.0 < duration < float("inf"):
        raise ValueError(f"duration must be > 0 seconds and finite, or null, got {duration}")


def parse_schedule(text: bytes | str) -> list[Scheduled]:
    """Read a schedule from JSON: a list of `{"at": 10, "fault": {"kind": "mute"}, "duration": 20}`.

    Raises:
        ValueError: It is not one; the message says where.
    """
    try:
        return msgspec.json.decode(text, type=list[Scheduled])
    except msgspec.DecodeError as error:
        raise ValueError(f"schedule: {error}") from error
