"""One actor: its details, its stack, its mailbox, and what can be done to it.

The last part of such a URL is a word of ours: `stack` and `mailbox` to look, a verb to act. An actor
that is called so itself is named with a slash at the end: `/api/v1/actors/bot/stack/` is the actor
`/bot/stack`, and `/api/v1/actors/bot/stack/stack` where it is at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from duenna import UnknownPathError
from duenna.stacks import TaskStack
from duenna_actors.console.api.acting import Action, Begun, begin, refuse_fresh
from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.clock import dated
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import ProblemError, shown
from duenna_actors.console.view.model import Details, DryRun, MailboxDetails

if TYPE_CHECKING:
    from starlette.responses import Response

ACTIONS: Final[dict[str, Action]] = {
    "restart": "restart",
    "stop": "stop",
    "start": "start",
    "suspend": "suspend",
    "resume": "resume",
}

_PATH: Final = {"type": "string", "minLength": 1, "description": "The actor's path without its first slash."}
_PARTS: Final = {"path": _PATH}


class Stacks(msgspec.Struct, frozen=True):
    """Where the tasks of an actor are."""

    path: str
    tasks: tuple[TaskStack, ...]


class DetailsNow(Details, frozen=True, kw_only=True):
    """All about one actor at one moment, in seconds of the bot's clock and since 1970."""

    now: float
    at: float


class MailboxNow(MailboxDetails, frozen=True, kw_only=True):
    """A mailbox at one moment, in seconds of the bot's clock and since 1970."""

    now: float
    at: float


class ActQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to say only what would be done."""

    dry_run: bool = False


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to do.

    Attributes:
        reason: Why, for the audit line.
        fresh: Of a restart or a start: set aside first what is stored of the actor.
    """

    reason: Annotated[str, Meta(max_length=500)] = ""
    fresh: bool = False


async def get_details(call: Call) -> Response:
    """Answer with all about an actor."""
    return answer(dated(DetailsNow, call.deps.desk.details(call.path), call.deps))


async def get_stack(call: Call) -> Response:
    """Answer with where the actor's tasks are."""
    return answer(Stacks(call.path, call.deps.desk.stacks(call.path)))


async def get_mailbox(call: Call) -> Response:
    """Answer with what waits in an actor's mailbox."""
    try:
        found = call.deps.desk.mailbox(call.path)
    except UnknownPathError:
        call.deps.runtime.ref(call.path)  # there is none at all
        detail = f"{shown(call.path)} is a supervisor: it has no mailbox, its children have"
        raise ProblemError(409, "no mailbox", detail, path=call.path) from None
    return answer(dated(MailboxNow, found, call.deps))


async def act_on_actor(call: Call) -> Response:
    """Begin an action, or say what it would do."""
    body: Act = call.body
    action = ACTIONS.get(call.part("action"))
    if action is None:
        detail = f"there is no action {shown(call.part('action'))}; there are {', '.join(ACTIONS)}"
        raise ProblemError(404, "no such action", detail, names=list(ACTIONS))
    refuse_fresh(action, fresh=body.fresh)
    if call.query.dry_run:
        return answer(call.deps.desk.dry_run(action, call.path))
    return begin(call, action, call.path, reason=body.reason, fresh=body.fresh)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/actors/{path}/stack",
        summary="Where the tasks of an actor are: frames without any values.",
        handle=get_stack,
        answers={200: Stacks},
        parts=_PARTS,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/actors/{path}/mailbox",
        summary="What waits in an actor's mailbox: types and times, never contents.",
        handle=get_mailbox,
        answers={200: MailboxNow},
        parts=_PARTS,
        problems=(404, 409),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/actors/{path}",
        summary="All about one actor.",
        handle=get_details,
        answers={200: DetailsNow},
        parts=_PARTS,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/actors/{path}/{action}",
        summary="Restart, stop, start, suspend or resume an actor; or say only what that would do.",
        handle=act_on_actor,
        answers={200: DryRun, 202: Begun},
        role="operate",
        query=ActQuery,
        body=Act,
        parts={**_PARTS, "action": {"type": "string", "enum": list(ACTIONS)}},
        problems=(404, 409, 503),
        takes_key=True,
    ),
)
