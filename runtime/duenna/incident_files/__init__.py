"""Incident files: what a bot looked like when a supervisor gave up, an actor was parked, or a person asked.

`duenna.incident_files.show` reads one without the runtime, so nothing else is imported before it is used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna.incident_files._names import *  # noqa: F403  # they are listed there
    from duenna.incident_files._names import __all__ as __all__
else:
    from duenna.on_demand import on_demand

    __getattr__, __dir__ = on_demand(__name__)
