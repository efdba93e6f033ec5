"""The console: see the tree, know why, act on it.

`open_runtime(tree, system=[console(port=3000)])`.
"""

from duenna_actors.console.api.audit import OperatorActed
from duenna_actors.console.server.errors import ConsoleError, TokenFileError
from duenna_actors.console.server.messages import ClientsRefused, ConsoleAddress, ConsoleListening, GetConsole
from duenna_actors.console.server.options import Limits
from duenna_actors.console.server.system import console

__all__ = [
    "ClientsRefused",
    "ConsoleAddress",
    "ConsoleError",
    "ConsoleListening",
    "GetConsole",
    "Limits",
    "OperatorActed",
    "TokenFileError",
    "console",
]
