"""Test a bot in a world of its own: virtual network, virtual clock, faults, and every run repeatable from a seed.

`docs/simulation.md` shows how.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna.testing._names import *  # noqa: F403  # they are listed there
    from duenna.testing._names import __all__ as __all__
else:
    from duenna.on_demand import on_demand

    __getattr__, __dir__ = on_demand(__name__)
