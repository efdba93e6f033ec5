"""Plans of all kinds, for hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from duenna.faults import (
    INSTANT,
    AnyFault,
    Bandwidth,
    ClockStep,
    Crash,
    DatabaseLost,
    DatabaseSlow,
    DiskFull,
    FaultPlan,
    FlipByte,
    HalfOpen,
    Latency,
    Loss,
    MachineFault,
    NameNotFound,
    Partition,
    Planned,
    Refuse,
    Reset,
    Service,
    Stall,
    Suspend,
    TlsFailure,
    Truncate,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

seconds = st.floats(0.0, 1e9)
lengths = st.floats(1e-3, 1e9)
shares = st.floats(0.0, 1.0, exclude_max=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(bool)
json_values: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
faults: SearchStrategy[AnyFault] = st.one_of(
    st.builds(Latency, extra=seconds, jitter=seconds),
    st.builds(Bandwidth, bytes_per_second=lengths),
    st.builds(Loss, rate=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)),
    st.builds(Stall, direction=st.sampled_from(["from", "to", "both"])),
    st.builds(Truncate, keep=shares, count=st.integers(1, 100)),
    st.builds(FlipByte, count=st.integers(1, 100)),
    st.builds(DatabaseSlow, delay=lengths),
    st.builds(ClockStep, offset=lengths | lengths.map(lambda length: -length)),
    st.builds(Suspend, length=lengths),
    st.builds(Crash, error=st.sampled_from(["OSError", "ValueError"]), text=texts),
    st.builds(Service, name=names, params=st.dictionaries(texts, json_values, max_size=3)),
    st.sampled_from(
        [Partition(), HalfOpen(), Reset(), Refuse(), NameNotFound(), TlsFailure(), DatabaseLost(), DiskFull()]
    ),
)


@st.composite
def entries(draw: st.DrawFn, at: SearchStrategy[float] = seconds, every: SearchStrategy[float] = lengths) -> Planned:
    """Entries of all shapes that there can be."""
    fault = draw(faults)
    repeats = draw(st.booleans())
    duration = None
    if not isinstance(fault, INSTANT) and (repeats or draw(st.booleans())):
        duration = draw(lengths)
    return Planned(
        at=draw(at),
        target="*" if isinstance(fault, MachineFault) else draw(names),
        fault=fault,
        duration=duration,
        every=draw(every) if repeats else None,
        times=draw(st.none() | st.integers(1, 20)) if repeats else None,
    )


plans = st.builds(FaultPlan, st.lists(entries(), max_size=6).map(tuple), name=texts)
busy_plans = st.builds(
    FaultPlan, st.lists(entries(st.floats(0.0, 120.0), st.floats(1.0, 120.0)), max_size=6).map(tuple), name=texts
)
"""Plans of which much happens in the first two minutes."""
