"""Stock actors: REST APIs, balances, websocket feeds and databases that come back by themselves.

`duenna_actors.sandbox` is an exchange to try them on.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna_actors._names import *  # noqa: F403  # they are listed there
    from duenna_actors._names import __all__ as __all__
else:
    from duenna.on_demand import on_demand

    __getattr__, __dir__ = on_demand(__name__)
