"""What outlives an incarnation: one object per runtime and key, for as long as the runtime lives."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from duenna import Runtime

T = TypeVar("T")

_KEPT: WeakKeyDictionary["Runtime", dict[Hashable, Any]] = WeakKeyDictionary()


def kept(runtime: "Runtime", key: Hashable, make: Callable[[], T]) -> T:
    """Return the object that *runtime* keeps under *key*; make it the first time.

    For what a restart must not lose and no restart can corrupt: a buffer of writes that
    were accepted, a ban, the last good value. Everything else dies with its incarnation,
    as it should.
    """
    objects = _KEPT.setdefault(runtime, {})
    if key not in objects:
        objects[key] = make()
    value: T = objects[key]
    return value
