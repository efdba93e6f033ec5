"""The times of day of a world: the true one, and what the bot's machine believes."""

from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class Wall:
    """Two wall clocks that agree until a fault parts them.

    Attributes:
        start: The time of day at which the world begins, in unix seconds.
        now: Gives the seconds since then, those that the machine slept left out.
    """

    start: float
    now: Callable[[], float]
    _slept: float = attrs.field(default=0.0, init=False)
    _steps: float = attrs.field(default=0.0, init=False)

    def true_time(self) -> float:
        """Return the time of day as everybody has it but the bot, in unix seconds."""
        return self.start + self.now() + self._slept

    def wall_time(self) -> float:
        """Return the time of day as the bot's machine has it, in unix seconds."""
        return self.true_time() + self._steps

    def step(self, offset: float) -> None:
        """Let the bot's clock jump by *offset* seconds."""
        self._steps += offset

    def sleep(self, length: float) -> None:
        """Let *length* seconds pass in which the bot's machine slept, and its monotonic clock with it."""
        self._slept += length
