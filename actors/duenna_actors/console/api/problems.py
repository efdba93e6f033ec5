"""What is answered to who asked wrongly: RFC 9457, and what would be right."""

from __future__ import annotations

from difflib import get_close_matches
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException

from duenna_actors.console.api.answers import answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

PROBLEM: Final = "application/problem+json"

_MOST_COMPARED = 150
_LONGEST_COMPARED = 60
_MOST_NAMED = 10
_LONGEST = 200


class ProblemError(Exception):
    """A request that is answered with a problem.

    Attributes:
        status: The HTTP status.
        title: What kind of problem it is; always the same for a kind.
        detail: What is wrong with this request, and what would be right.
        extra: More members of the answer.
        headers: More headers of it.
    """

    def __init__(
        self, status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        """Refuse a request."""
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.extra = extra
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer."""
        return problem(self.status, self.title, self.detail, headers=self.headers, **self.extra)


def problem(
    status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """Return the answer to a request that cannot be granted.

    Args:
        status: The HTTP status.
        title: What kind of problem it is.
        detail: What is wrong with this request, and what would be right.
        headers: More headers.
        extra: More members, such as `names`.
    """
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return answer(body, status, headers=headers, media_type=PROBLEM)


def shown(value: object) -> str:
    """Return *value* as it is quoted in a detail: at most 200 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def near(wanted: str, names: Iterable[str]) -> list[str]:
    """Return the names that look like *wanted*, the most alike first; else the first ten of all."""
    known = {name[:_LONGEST_COMPARED].lower(): name for name in islice(names, _MOST_COMPARED)}
    alike = get_close_matches(wanted[:_LONGEST_COMPARED].lower(), known, _MOST_NAMED, 0.5)
    return [known[each] for each in alike] or list(known.values())[:_MOST_NAMED]


def unknown_path(path: str, paths: Iterable[str]) -> ProblemError:
    """Return the problem that nothing is at *path*; *paths* are all there are."""
    known = list(paths)
    parent, _, last = path.rpartition("/")
    found: list[str] = []
    if parent in known:
        names = [each[len(parent) + 1 :] for each in known if each.startswith(f"{parent}/")]
        found = [f"{parent}/{name}" for name in near(last, (name for name in names if "/" not in name))]
    elsewhere = (each for each in known if each.endswith(f"/{last}"))
    found = list(dict.fromkeys((*islice(elsewhere, _MOST_NAMED), *found))) or near(path, known)
    detail = f"there is no actor at {shown(path)}" + (f"; there is {', '.join(found)}" if found else "")
    return ProblemError(404, "no such actor", detail, path=path[:_LONGEST], names=found)


async def refused(request: Request, error: HTTPException) -> Response:
    """Answer what the router refuses: no such endpoint, or no such method of it."""
    status, path = error.status_code, request.url.path
    if status == HTTPStatus.NOT_FOUND:
        places = [route.path for route in request.app.routes if hasattr(route, "path")]
        names = near(path, dict.fromkeys(each.replace(":actor", "") for each in places))
        detail = f"there is nothing at {shown(path)}; /openapi.json lists what there is, such as {', '.join(names)}"
        return problem(404, "no such endpoint", detail, names=names)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"{shown(path)} does not know {shown(request.method)}; it knows {allowed}"
        return problem(405, "no such method", detail, headers={"allow": allowed})
    return problem(status, HTTPStatus(status).phrase.lower(), error.detail, headers=error.headers)


async def broken(request: Request, error: Exception) -> Response:
    """Answer what should never happen, without a word about the inside; the log has it."""
    del request, error
    return problem(500, "internal error", "the console failed at this request, the bot did not; the bot's log has more")


EXCEPTION_HANDLERS: Final[dict[Any, Any]] = {HTTPException: refused, Exception: broken}
"""For Starlette: every error is a problem."""
