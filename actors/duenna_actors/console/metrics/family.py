"""Metric families as text, in the two formats that Prometheus reads.

Our own, for the library's encoder takes five times as long: it makes an object of each sample, sorts its labels,
and escapes them anew every time. The lines of both formats are the same; their heads and ends differ.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final

import attrs

from duenna_actors.console.metrics.labels import clean, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duenna_actors.console.metrics.counts import LabelCounts

_INF: Final = float("inf")


@attrs.define(eq=False)
class Family:
    """All samples of one metric.

    Attributes:
        name: Its name; of a counter without `_total`.
        kind: `counter`, `gauge` or `histogram`.
        meaning: One line for people.
        lines: The samples, each with its line feed.
    """

    name: str
    kind: str
    meaning: str
    lines: list[str] = attrs.field(factory=list[str], init=False)

    @property
    def sample(self) -> str:
        """The name that the samples of a counter or a gauge have."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def text(self, *, openmetrics: bool) -> str:
        """Return the head and the samples."""
        name = self.name if openmetrics else self.sample
        return f"# HELP {name} {self.meaning}\n# TYPE {name} {self.kind}\n{''.join(self.lines)}"

    def put(self, value: float, **labels: str) -> None:
        """Add a sample; *labels* are taken as they are, and quoted."""
        inside = ",".join(f'{name}="{quoted(clean(label))}"' for name, label in labels.items())
        self.lines.append(
            f"{self.sample}{{{inside}}} {number(value)}\n" if inside else f"{self.sample} {number(value)}\n"
        )

    def put_counts(self, names: Sequence[str], counts: LabelCounts) -> None:
        """Add a sample for each set of labels in *counts*, which have these *names*."""
        for labels, count in counts.items():
            self.put(count, **dict(zip(names, labels, strict=True)))

    def put_histogram(self, bounds: Iterable[float], counts: Iterable[int], total: float) -> None:
        """Add the buckets: how many fell into each, not into those below it, too; the last has no bound."""
        count = 0
        for bound, inside in zip((*bounds, _INF), counts, strict=True):
            count += inside
            self.lines.append(f'{self.name}_bucket{{le="{number(float(bound))}"}} {count}\n')
        self.lines.append(f"{self.name}_sum {number(total)}\n{self.name}_count {count}\n")


def number(value: float) -> str:
    """Return *value* as both formats spell it."""
    if isinstance(value, float):
        if value in {_INF, -_INF}:
            return "+Inf" if value > 0 else "-Inf"
        return "NaN" if isnan(value) else repr(value)
    return str(int(value))


def page(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """Return *families* as one answer."""
    text = "".join([family.text(openmetrics=openmetrics) for family in families])
    return (text + "# EOF\n" if openmetrics else text).encode()
