"""Chance as a function of a position instead of a sequence.

Theory of operation: the whole market is a pure function of a key and the time. A generator that is stepped would have
to be stepped through every instant that nobody looked at, and would give another market to a bot that looks more often.
A hash of the position needs no memory, costs nothing while nobody looks, and gives every observer of one seed the same
prices, past and future alike.
"""

from collections.abc import Callable, Sequence
from math import floor

import attrs

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_ACROSS = 0x9E37_79B9_7F4A_7C15
_DOWN = 0xD1B5_4A32_D192_ED03
_LANE = 0xFFFF
# Four summed 16-bit lanes have mean 2 * 65535 and standard deviation 65536 / sqrt(3).
_LANES_MEAN = 131_070.0
_LANES_DEVIATION = 37_837.2


def mix(value: int) -> int:
    """Scramble *value* to 64 bits.

    The finaliser of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    value = ((value ^ (value >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
    return value ^ (value >> 31)


def bits(key: int, across: int, down: int = 0) -> int:
    """Return the 64 random bits that stand at a position of a plane."""
    return mix((key + across * _ACROSS + down * _DOWN) & _MASK)


def uniform(key: int, across: int, down: int = 0) -> float:
    """Return a number in [0, 1) for a position."""
    return bits(key, across, down) / 2.0**64


def signed(key: int, across: int, down: int = 0) -> float:
    """Return a number in [-1, 1) for a position."""
    return bits(key, across, down) / 2.0**63 - 1.0


def gauss(key: int, across: int, down: int = 0) -> float:
    """Return a number with mean 0 and deviation 1 for a position (four summed uniforms: within +-3.5)."""
    word = bits(key, across, down)
    lanes = (word & _LANE) + (word >> 16 & _LANE) + (word >> 32 & _LANE) + (word >> 48)
    return (lanes - _LANES_MEAN) / _LANES_DEVIATION


Draw = Callable[[int, int, int], float]


@attrs.define
class Tents:
    """A continuous random path: one tent function per level, its height drawn for the cell that the time falls into.

    The last cell of each level is remembered, which is only a matter of speed: a path asked in any order gives the same
    answers.

    Attributes:
        key: Picks the path.
        lengths: The length of a cell on each level, in seconds.
        heights: The height of a tent on each level, for a draw of 1.
        draw: The height's own chance.
    """

    key: int
    lengths: Sequence[float]
    heights: Sequence[float]
    draw: Draw
    _cells: list[int] = attrs.field(init=False)
    _drawn: list[float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cells = [0] * len(self.lengths)
        self._drawn = [height * self.draw(self.key, 0, level) for level, height in enumerate(self.heights)]

    def at(self, time: float) -> float:
        """Return the height of the path at *time*, in seconds."""
        total = 0.0
        cells = self._cells
        drawn = self._drawn
        for level, length in enumerate(self.lengths):
            position = time / length
            cell = floor(position)
            if cells[level] != cell:
                cells[level] = cell
                drawn[level] = self.heights[level] * self.draw(self.key, cell, level)
            total += drawn[level] * (1.0 - abs(2.0 * (position - cell) - 1.0))
        return total


_WALK_LENGTHS = tuple(2.0**power for power in range(25, -4, -1))
_FLOW_LENGTHS = (131_072.0, 8_192.0, 512.0, 32.0, 2.0, 0.25)
_FLOW_SLOPES = (0.05, 0.1, 0.1, 0.15, 0.2, 0.3)


def walk(key: int) -> Tents:
    """Make a Brownian motion: variance of one per second, from 1/8 s up to a bridge of 388 days.

    Lévy's construction: the middle of a bridge over a span lies half the root of the span's length, times a normal
    draw, off the line.
    """
    return Tents(key, _WALK_LENGTHS, tuple(length**0.5 / 2.0 for length in _WALK_LENGTHS), gauss)


def flow(key: int) -> Tents:
    """Make the unsteady part of something that only grows: with the time added, its slope lies between 0.1 and 1.9."""
    heights = tuple(slope * length / 2.0 for slope, length in zip(_FLOW_SLOPES, _FLOW_LENGTHS, strict=True))
    return Tents(key, _FLOW_LENGTHS, heights, signed)


def wave(key: int) -> Tents:
    """Make a slow path that stays within [-1, 1]: what a ratio or an open interest wanders along."""
    return Tents(key, (604_800.0, 86_400.0, 3_600.0, 300.0), (0.4, 0.3, 0.2, 0.1), signed)
