"""What can go wrong between a command and a bot; each is one line, fit for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna_actors.client.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 2_000


class ClientError(Exception):
    """The bot did not do what it was asked.

    Attributes:
        status: The HTTP status; 0: there was no answer.
        title: What kind of problem.
        detail: What is wrong; may be empty.
        problem: The whole answer of the bot; empty if it was none that can be read.
        retry_after: Seconds after which it may be asked again; None: it did not say.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        problem: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Say it in one line."""
        super().__init__(visible(f"{title}: {detail}" if detail and title else detail or title, _LONGEST))
        self.status = status
        self.title = title
        self.detail = detail
        self.problem: dict[str, Any] = dict(problem or {})
        self.retry_after = retry_after


class NoBotError(ClientError):
    """There is no bot where one was looked for."""

    def __init__(self, detail: str) -> None:
        """Say where it was looked for."""
        super().__init__(0, "", detail)


class SeveralBotsError(NoBotError):
    """There is more than one bot, and nobody said which."""


class UnreachableError(ClientError):
    """The bot does not answer, or stopped in the middle of its answer."""

    def __init__(self, detail: str) -> None:
        """Say who did not answer, and how."""
        super().__init__(0, "", detail)


class RefusedError(ClientError):
    """The token is missing or wrong, or its role does not allow it."""


class ProblemError(ClientError):
    """The bot answered that it cannot, or will not."""


class UsageError(Exception):
    """What was asked makes no sense, or a file of the caller's cannot be read."""
