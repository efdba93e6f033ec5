"""Counters with labels, of which there are never more than a stated number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from duenna_actors.console.metrics.labels import clean

if TYPE_CHECKING:
    from collections.abc import ItemsView

MOST: Final = 1000
"""Sets of labels of one metric, at most; what is more is counted under `OTHER`."""

OTHER: Final = "_other_"
"""The first label of what came when there were `MOST` sets already."""


@attrs.define(eq=False)
class LabelCounts:
    """How often each set of labels came; the labels are `clean`.

    When there are `MOST` of them, a new one is counted with `OTHER` in the place of its first
    label, which is the one that anybody can make more of: an actor's path, a name. The others come
    from a few words.
    """

    _counts: dict[tuple[str, ...], int] = attrs.field(factory=dict[tuple[str, ...], int], init=False)

    def __len__(self) -> int:
        """Return how many sets of labels came; those with `OTHER` count, too."""
        return len(self._counts)

    def __getitem__(self, labels: tuple[str, ...]) -> int:
        """Return how often *labels* came."""
        return self._counts.get(labels, 0)

    def add(self, *labels: str, count: int = 1) -> None:
        """Count *labels* so many times."""
        known = self._counts.get(labels)
        if known is not None:
            self._counts[labels] = known + count
        else:
            self._add_new(labels, count)

    def items(self) -> ItemsView[tuple[str, ...], int]:
        """Return the labels and how often they came, in the order in which they came first."""
        return self._counts.items()

    def _add_new(self, labels: tuple[str, ...], count: int) -> None:
        counts, labels = self._counts, tuple(map(clean, labels))
        if labels not in counts and len(counts) >= MOST:
            labels = (OTHER, *labels[1:])
        counts[labels] = counts.get(labels, 0) + count
