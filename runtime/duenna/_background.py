"""The background tasks of one link: they outlive its use, and end with its closing."""

from collections.abc import Awaitable, Callable

import trio


class Background:
    """Tasks in the nursery of a link, each behind a shield of its own.

    A closing handshake needs the task that reads the answer, so they are not cancelled
    together with the rest of the link but after it has been closed. What one of them raises
    before that ends the link at once, and is not held up by the other shields; what it
    raises once the closing has begun is a consequence of that, and only reported.
    """

    def __init__(self, nursery: trio.Nursery, report: Callable[[Exception], None]) -> None:
        """Run the tasks in *nursery*."""
        self._nursery = nursery
        self._report = report
        self._shields: dict[trio.CancelScope, None] = {}
        self._is_closing = False
        self._has_ended = False

    def start(self, function: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> None:
        """Run *function* until `end`."""
        self._nursery.start_soon(self._run, function, args, name=function)

    def closing(self) -> None:
        """Note that the link is being closed."""
        self._is_closing = True

    def end(self) -> None:
        """Cancel what still runs."""
        self._has_ended = True
        for shield in tuple(self._shields):
            shield.cancel()

    async def _run(self, function: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> None:
        with trio.CancelScope(shield=True) as shield:
            if self._has_ended:
                shield.cancel()
            self._shields[shield] = None
            try:
                await function(*args)
            except Exception as error:
                if not self._is_closing:
                    raise
                self._report(error)
            finally:
                self._shields.pop(shield, None)
