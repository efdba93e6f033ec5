"""The audit of a run: calls of real functions that no stand-in could be put in the place of.

A copy that was taken before the world began is found in modules, but not in a default
argument, a closure or an attribute of a class. The interpreter tells of every call of a
function written in C; this listens for those that a world has replaced. Slow: for looking.
"""

from __future__ import annotations

import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duenna.testing._leaks import Leak, tell, whereabouts

if TYPE_CHECKING:
    from types import FrameType

    from duenna.testing._patches import Patches
    from duenna.testing._presence import Presence

_OURS = str(Path(__file__).parent)
_INSTEAD = "the world cannot replace this copy of it: look it up when calling, by its module"
_UNTOLD = frozenset(
    f"time.{name}"
    for name in ("asctime", "ctime", "gmtime", "localtime", "strftime", "clock_gettime", "clock_gettime_ns")
)
"""Functions that are real without being a leak: with a time as argument they only compute."""


def audit(here: Presence, patches: Patches) -> None:
    """Tell the world of every call of what it has replaced, until *patches* are undone."""
    named = {real: name for real, name in patches.replaced.items() if name not in _UNTOLD}
    named[select.select] = "select.select"
    before = sys.getprofile()

    def listen(frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call":
            return
        try:
            name = named.get(called)
        except TypeError:  # a method of an object that has no hash
            return
        if name is not None and not frame.f_code.co_filename.startswith(_OURS):
            tell(here, Leak(f"real {name} called", whereabouts(here, frame), name, _INSTEAD))

    sys.setprofile(listen)
    patches.on_undo(lambda: sys.setprofile(before))
