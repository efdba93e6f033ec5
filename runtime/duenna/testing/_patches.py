"""Putting stand-ins in the place of functions, and everything back.

A stand-in serves a world where one runs, and otherwise does what it stands in for: a
module that is imported meanwhile and keeps a copy of it does no harm afterwards.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import ExitStack
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ABSENT: Any = object()
_COPIED = frozenset({BuiltinFunctionType, FunctionType, MethodType})


class Patches:
    """What has been replaced, and how to undo it.

    Attributes:
        replaced: The real functions, by what they were replaced with, and their names.
    """

    def __init__(self) -> None:
        """Replace nothing yet."""
        self._undo = ExitStack()
        self._stand_ins: dict[Any, Any] = {}
        self.replaced: dict[Any, str] = {}

    def attribute(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a module or of a class that is written in Python."""
        entries = cast("Mapping[str, Any]", vars(owner))
        found = entries.get(name, _ABSENT)
        setattr(owner, name, value)
        if found is _ABSENT:
            self._undo.callback(delattr, owner, name)
        else:
            self._undo.callback(setattr, owner, name, found)

    def function(self, module: Any, name: str, stand_in: Any) -> None:
        """Replace a function of *module*, and mark its copies in other modules for `copies`."""
        entries = cast("Mapping[str, Any]", vars(module))
        real = entries[name]
        self.attribute(module, name, stand_in)
        self._stand_ins[real] = stand_in
        self.replaced[real] = f"{module.__name__.lstrip('_')}.{name}"

    def copy(self, real: Any, stand_in: Any) -> None:
        """Mark the copies of *real* in modules for `copies`."""
        self._stand_ins[real] = stand_in

    def class_function(self, cls: type, name: str, stand_in: Any) -> None:
        """Replace a class method of a type that is written in C, for itself and its subclasses.

        Such a type refuses to be changed. Its dictionary does not; the interpreter must be told
        to forget what it remembers of the type. A subclass in its place would not do: there
        are copies everywhere, and ``type(x) is datetime`` must stay true.
        """
        entries: dict[str, Any] = gc.get_referents(vars(cls))[0]
        real = entries[name]
        self.replaced[getattr(cls, name)] = f"{cls.__module__}.{cls.__qualname__}.{name}"
        self._set_entry(cls, entries, name, classmethod(stand_in))
        self._undo.callback(self._set_entry, cls, entries, name, real)

    def environment(self, name: str, value: str) -> None:
        """Set an environment variable."""
        found = os.environ.get(name)
        os.environ[name] = value
        if found is None:
            self._undo.callback(os.environ.pop, name, None)
        else:
            self._undo.callback(os.environ.__setitem__, name, found)

    def on_undo(self, call: Callable[[], object]) -> None:
        """Have *call* made when everything is put back."""
        self._undo.callback(call)

    def copies(self) -> None:
        """Replace what loaded modules took by ``from time import time``; once, when all functions are known."""
        stand_ins = self._stand_ins
        for module in list(sys.modules.values()):
            if not isinstance(module, ModuleType):
                continue
            names: dict[str, Any] = ModuleType.__getattribute__(module, "__dict__")  # a lazy module stays unloaded
            for name, value in list(names.items()):
                if type(value) in _COPIED and value in stand_ins:
                    names[name] = stand_in = stand_ins[value]
                    self._undo.callback(_put_back, names, name, value, stand_in)

    def undo(self) -> None:
        """Put everything back, the last first; all of it, even if one fails."""
        self._undo.close()

    @staticmethod
    def _set_entry(of: type, entries: dict[str, Any], name: str, value: Any) -> None:
        entries[name] = value
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(of))


def _put_back(names: dict[str, Any], name: str, value: Any, stand_in: Any) -> None:
    if names.get(name) is stand_in:
        names[name] = value
