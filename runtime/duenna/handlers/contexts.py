"""A block whose errors are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from duenna._scope import Scope
from duenna.handlers.handler import ErrorHandler, default
from duenna.machines import checks

if TYPE_CHECKING:
    from types import TracebackType


def check_words(owner: str, operation: object, component: object) -> None:
    """Refuse what names no operation.

    Raises:
        TypeError: *operation* is no text, or empty; or *component* is no text.
    """
    if not isinstance(operation, str) or not operation.strip():
        raise TypeError(f"{owner}: operation must be a text that is not empty, got {operation!r}")
    if not isinstance(component, str):
        raise TypeError(f"{owner}: component must be a text, got {component!r}")


class error_context:  # noqa: N801  # it stands after `with`, where a function's name does
    """Classify and report the error that ends a block, sync or async, and perhaps swallow it.

    ``with error_context("fetch", "market", symbol="SOL"):`` and ``async with`` do the same, under
    trio, asyncio and in threads. An error that leaves several blocks, or a function under
    `handle_errors` within one, is reported once, by the innermost, whose report has the
    context of all of them. What is no `Exception` (a cancellation, Ctrl-C, an exit) passes, is not
    reported, and is never swallowed; neither is a group that holds one.

    Entering and leaving is no checkpoint. One object is for one block at a time.
    """

    def __init__(
        self,
        operation: str,
        component: str = "",
        *,
        swallow: bool = False,
        handler: ErrorHandler | None = None,
        **context: Any,
    ) -> None:
        """Say what the block does.

        Args:
            operation: What is done, such as `fetch`.
            component: What does it, such as `market`; empty: that of the block outside.
            swallow: Whether the program goes on after the block, the error reported.
            handler: Who reports; None: that of the process.
            context: What a report says besides; secrets are redacted.

        Raises:
            TypeError: An argument has the wrong type.
        """
        check_words("error_context", operation, component)
        self._swallow = checks.flag("error_context", "swallow", swallow)
        self._handler = default if handler is None else handler
        self._words = operation, component
        self._context = context
        self._scope: Scope | None = None

    def __enter__(self) -> Self:
        """Begin the block.

        Raises:
            RuntimeError: The object is in use: each block has one of its own.
        """
        if self._scope is not None:
            raise RuntimeError("error_context: this one is in use, make another for each block")
        self._scope = Scope(*self._words, self._context)
        self._scope.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Report the *error*, if there is one; return whether it ends here."""
        scope, self._scope = self._scope, None
        if scope is None:
            raise RuntimeError("error_context: left without being entered")
        try:
            if not isinstance(error, Exception):
                return False
            if not scope.has_seen(error):
                self._handler.record(error)
            return self._swallow
        finally:
            scope.leave()
            error = None

    async def __aenter__(self) -> Self:
        """Begin the block; see `__enter__`."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Report the *error*, if there is one; return whether it ends here."""
        try:
            return self.__exit__(kind, error, trace)
        finally:
            error = None
