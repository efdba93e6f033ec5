"""A local exchange with the shapes of Binance USD-M futures, and every fault of the field at hand.

`open_sandbox` runs one beside a bot, `duenna sandbox` runs one alone. `docs/sandbox.md` is the manual.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna_actors.sandbox._names import *  # noqa: F403  # they are listed there
    from duenna_actors.sandbox._names import __all__ as __all__
else:
    from duenna.on_demand import on_demand

    __getattr__, __dir__ = on_demand(__name__)
