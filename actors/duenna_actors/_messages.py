"""What a stock actor does with a message that is not for it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna import Context


def refuse(context: "Context", message: object) -> None:
    """Tell the asker of *message*, or report, that this actor does not take it. A stray message is no crash."""
    reply = context.defer_reply()
    error = TypeError(f"{context.path} takes no {type(message).__name__}")
    if reply.is_open:
        reply.fail(error)
    else:
        context.report(error)
