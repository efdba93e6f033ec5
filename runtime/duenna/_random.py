"""The one module that makes random generators; everything else is given one."""

import random


def generator(seed: int | None) -> random.Random:
    """Return a generator that repeats itself for the same *seed*; None seeds it from the system."""
    return random.Random(seed)  # noqa: S311  # jitter and simulation, no secrets
