"""An actor runtime on trio for bots that must still be alive, and still be right, at three in the morning."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna._names import *  # noqa: F403  # they are listed there
    from duenna._names import __all__ as __all__
else:
    from duenna.on_demand import on_demand

    __getattr__, __dir__ = on_demand(__name__)
