"""How a request fails: by the path to the server, by its answer, or by what the answer holds."""

from duenna.errors import DuennaError
from duenna.secrets import redact

_EXCERPT = 200


class ApiError(DuennaError):
    """A request failed.

    Attributes:
        method: `GET`, `POST`...
        path: What was asked for, without the query, which may hold a signature.
        why: What happened, in words.
        status: The HTTP status, None if no answer came.
        code: The exchange's own code, None if the answer has none.
        retry_after: Seconds that the server asked to be left alone, None if it did not.
        body: The beginning of the answer, at most 200 characters.
        outcome_unknown: Whether the request may have taken effect all the same. Ask the
            server what became of it before it is sent again.
    """

    def __init__(
        self,
        method: str,
        path: str,
        why: str,
        *,
        status: int | None = None,
        code: int | str | None = None,
        retry_after: float | None = None,
        body: bytes = b"",
        outcome_unknown: bool = False,
    ) -> None:
        """Say what became of the request."""
        path = path.partition("?")[0]
        super().__init__(f"{method} {path}: {why}" + (" (outcome unknown)" if outcome_unknown else ""))
        self.method = method
        self.path = path
        self.why = why
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.body = excerpt(body)
        self.outcome_unknown = outcome_unknown


class ApiTransportError(ApiError):
    """No whole answer came: refused, reset, not resolved, not trusted, cut off."""


class ApiTimeoutError(ApiTransportError):
    """No whole answer came in time."""


class ApiStatusError(ApiError):
    """The server answered that it will not, or cannot, do what was asked."""


class ApiRateLimitError(ApiStatusError):
    """Too many requests (429), or banned for them (418); also while such a ban lasts, without asking the server."""


class ApiDataError(ApiError):
    """The server answered with success, and with something else than what was asked for."""


def excerpt(body: bytes) -> str:
    """Return the beginning of *body* as one line of text, without secrets: an exchange may repeat what it was sent."""
    return redact(" ".join(body[: 4 * _EXCERPT].decode(errors="replace").split()))[:_EXCERPT]
