"""One line of the table of endpoints, and what is done at every request before and after its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import attrs
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from duenna import ActorDiedError, AskTimeoutError, ChildStateError, MailboxFullError, StoppedError, UnknownPathError
from duenna_actors.console.api.deps import Deps
from duenna_actors.console.api.params import NoQuery, read_body, read_query
from duenna_actors.console.api.problems import ProblemError, broken, unknown_path

if TYPE_CHECKING:
    from duenna_actors.console.api.deps import Caller

Role = Literal["open", "view", "operate"]

_RANK: Final[dict[str, int]] = {"open": 0, "view": 1, "operate": 2}


@attrs.frozen
class Call:
    """One request whose caller may make it, and whose query and body have been read."""

    deps: Deps
    request: Request
    endpoints: Sequence[Endpoint]
    query: Any
    body: Any

    @property
    def caller(self) -> Caller:
        """Who asks; not of an open endpoint."""
        return cast("Caller", self.request.state.caller)

    def part(self, name: str) -> str:
        """Return what stands in the URL for *name*."""
        return cast("str", self.request.path_params[name])

    @property
    def path(self) -> str:
        """The path of the actor that the URL names."""
        return "/" + self.part("path").rstrip("/")

    def wants(self, media_type: str) -> bool:
        """Return whether the caller asks for *media_type* by name."""
        accepted = self.request.headers.get("accept", "")
        return any(each.partition(";")[0].strip().lower() == media_type for each in accepted.split(","))


@attrs.frozen(kw_only=True, eq=False)
class Endpoint:
    """One method of one path.

    Attributes:
        method: `GET`, `POST` or `DELETE`.
        path: As OpenAPI has it: `/api/v1/actors/{path}`.
        summary: What it does, in one sentence.
        handle: Answers.
        answers: By status, the type of the answer; None: it is not JSON that a type describes.
        role: Who may ask.
        query: The query's parameters.
        body: The body's fields; None: there is no body.
        parts: What the names in the path's braces mean; by name, their schemas.
        problems: Statuses of problems beside those that every endpoint may answer.
        media: More media types of a good answer.
        takes_key: Whether an Idempotency-Key is honoured.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    handle: Callable[[Call], Awaitable[Response]]
    answers: Mapping[int, Any]
    role: Role = "view"
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    parts: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict[str, Mapping[str, Any]])
    problems: tuple[int, ...] = ()
    media: tuple[str, ...] = ()
    takes_key: bool = False

    async def __call__(self, deps: Deps, request: Request, endpoints: Sequence[Endpoint]) -> Response:
        """Answer *request*; *endpoints* are all there are."""
        try:
            self._admit(request)
            query = read_query(self.query, request.query_params.multi_items())
            body = None if self.body is None else read_body(self.body, await request.body())
            return await self.handle(Call(deps, request, endpoints, query, body))
        except ProblemError as problem:
            return problem.response()
        except HTTPException:
            raise
        except Exception as exc:  # noqa: BLE001  # nothing that a request does may end the console
            known = await _as_problem(deps, exc)
            if known is not None:
                return known.response()
            deps.report(exc)
            return await broken(request, exc)

    def _admit(self, request: Request) -> None:
        if self.role == "open":
            return
        caller = getattr(request.state, "caller", None)
        if caller is None:
            raise ProblemError(
                401,
                "no token",
                "a token is needed: send the header 'Authorization: Bearer TOKEN' with one of the token file",
                headers={"www-authenticate": "Bearer"},
            )
        if _RANK.get(caller.role, 0) < _RANK[self.role]:
            detail = f"this needs a token of role {self.role}, {caller.name!r} is of role {caller.role}"
            raise ProblemError(403, "role too low", detail, role=caller.role, needed=self.role)


async def _as_problem(deps: Deps, error: Exception) -> ProblemError | None:
    """Return what an *error* of the runtime means to who asked; None: it should not have happened."""
    match error:
        case UnknownPathError(path=path):
            return unknown_path(path, [row.path for row in (await deps.desk.snapshot()).rows])
        case ChildStateError(path=path, state=state):
            return ProblemError(409, "not in that state", str(error), path=path, state=str(state))
        case StoppedError():
            return ProblemError(503, "bot is stopping", str(error))
        case AskTimeoutError() | ActorDiedError() | MailboxFullError():
            return ProblemError(503, "no answer from inside", str(error), headers={"retry-after": "5"})
        case _:
            return None
