"""Tests that leave no guard tripped for the next."""

from collections.abc import Generator
from contextlib import contextmanager

from duenna.guards._registry import registry


@contextmanager
def fresh_guards() -> Generator[None]:
    """Let all guards begin anew while the block runs, and after it.

    A breaker that one test has tripped is open in the next one, if the guard is that of a
    module. Inside the block such guards are as on the first day, and a guard that is made there
    shares nothing with one of the same name outside. A simulated `World` does the same by itself.
    For the whole process: not for tests that run in several threads.
    """
    with registry.fresh():
        yield
