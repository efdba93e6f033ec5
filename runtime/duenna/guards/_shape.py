"""Makes the function that stands in the place of a guarded one, in the shape of that one.

The short way costs a call, a look before and after, and one increment: no clock, no lock, no
object. What is left to save is the packing and unpacking of ``*args, **kwargs``, half of
the whole cost, so the function is written with the parameters of the one that it guards. It is
written out once, here, for ``def`` and ``async def``.
"""

from __future__ import annotations

import inspect
import linecache
from functools import lru_cache
from itertools import count
from types import FunctionType
from typing import TYPE_CHECKING, Any

from duenna.guards._lazy import LAZY, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from duenna.guards._course import Course

_TEMPLATE = """
{a_}def {name}({parameters}):
    permit_ = circuit_.permit
    if permit_.gated:
        {refuse}
        return {await_}run_(function_, {args}, {kwargs})
    try:
        value_ = {await_}function_({passed})
    except Exception_ as error_:
        {give_up}
        failure_ = error_
    except BaseException_:
        dependency_.release(permit_)
        raise
    else:
        {check}
        if permit_.gated:
            dependency_.succeeded(permit_)
        else:
            permit_.seq += 1
        return value_
    try:
        return {await_}rescue_(permit_, failure_, function_, {args}, {kwargs})
    finally:
        del failure_  # an error must not keep the frame alive that its traceback keeps
"""
_REFUSE = "if wait_ := circuit_.refuse(now_()): raise dependency_.refusal(wait_)"
_GIVE_UP = "dependency_.failed_once(permit_, error_); raise"
_CHECK = "if type_(value_) in lazy_: dependency_.release(permit_); raise refusal_(dependency_.name, function_, value_)"
_LONG_WAY = """
{a_}def {name}(*args, **kwargs):
    return {await_}run_(function_, args, kwargs)
"""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NUMBERS = count(1)


def shaped(course: Course, function: Any, *, is_async: bool) -> Callable[..., Any]:
    """Return a function that calls *function* on *course*.

    Where a fallback or a memory sees how the arguments were given, they are handed on as they
    were; else the shape is that of *function*, and a wrong call fails as it would there.
    """
    is_bare = course.policy.fallback is None
    parts = {
        "name": "guarded",
        "a_": "async " if is_async else "",
        "await_": "await " if is_async else "",
        "refuse": _REFUSE if is_bare else "pass",
        "give_up": _GIVE_UP if course.is_once else "pass",
        "check": "pass" if is_async else _CHECK,
        "parameters": "*args_, **kwargs_",
        "passed": "*args_, **kwargs_",
        "args": "args_",
        "kwargs": "kwargs_",
    }
    given: dict[str, Any] = {}
    if course.is_quick and is_bare:
        parts |= _parameters(function, given)
    template = _TEMPLATE if course.is_quick else _LONG_WAY
    given |= {
        "function_": function,
        "circuit_": course.dependency.circuit,
        "dependency_": course.dependency,
        "now_": course.dependency.timeline.now,
        "run_": course.run if is_async else course.run_sync,
        "rescue_": course.rescue if is_async else course.rescue_sync,
        "Exception_": Exception,  # a parameter may be called as any builtin is
        "BaseException_": BaseException,
        "type_": type,
        "lazy_": LAZY,
        "refusal_": refusal,
    }
    return _compiled(template.format(**parts), given)


def _parameters(function: Any, given: dict[str, Any]) -> dict[str, str]:
    """Return how *function* is called, if it can be said; put the defaults into *given*."""
    if not isinstance(function, FunctionType) or hasattr(function, "__signature__"):
        return {}  # what it says of itself need not be so
    signature = inspect.signature(function, follow_wrapped=False)
    declared: list[str] = []
    args: list[str] = []
    kwargs: list[str] = []
    before: Any = inspect.Parameter.POSITIONAL_ONLY
    for name, parameter in signature.parameters.items():
        if parameter.kind not in {*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY} or name.endswith("_"):
            return {}
        if before is inspect.Parameter.POSITIONAL_ONLY is not parameter.kind and args:
            declared.append("/")
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY is not before:
            declared.append("*")
        before = parameter.kind
        if parameter.default is not inspect.Parameter.empty:
            given[f"default_{name}_"] = parameter.default
            declared.append(f"{name}=default_{name}_")
        else:
            declared.append(name)
        (args if parameter.kind in _POSITIONAL else kwargs).append(name)
    if before is inspect.Parameter.POSITIONAL_ONLY and args:
        declared.append("/")
    return {
        "parameters": ", ".join(declared),
        "passed": ", ".join([*args, *(f"{name}={name}" for name in kwargs)]),
        "args": "(" + "".join(f"{name}, " for name in args) + ")",
        "kwargs": "{" + ", ".join(f"{name!r}: {name}" for name in kwargs) + "}",
    }


def _compiled(source: str, given: dict[str, Any]) -> Callable[..., Any]:
    """Return the function that *source* defines."""
    namespace = dict(given)
    exec(_code(source), namespace)  # noqa: S102  # the text is ours, and names of parameters
    return namespace["guarded"]  # type: ignore[no-any-return]


@lru_cache(maxsize=1000)
def _code(source: str) -> CodeType:
    """Return *source* compiled, with lines that a traceback can show."""
    file = f"<guard {next(_NUMBERS)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    return compile(source, file, "exec")
