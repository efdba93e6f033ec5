"""What every request that changes an actor has in common: may it be, what does it touch, begin it, tell of it."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.operations import KeyReusedError, TooManyError
from duenna_actors.console.api.problems import ProblemError, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from duenna import Runtime
    from duenna_actors.console.api.endpoint import Call

Action = Literal["restart", "stop", "start", "suspend", "resume"]

KEY: Final = "idempotency-key"

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Begun(msgspec.Struct, frozen=True):
    """An operation that has begun.

    Attributes:
        operation_id: Its id: `/api/v1/operations/{id}` tells how it goes.
        path: Of whom.
        affected: Paths that are stopped or started.
    """

    operation_id: str
    path: str
    affected: tuple[str, ...]


def replayed(call: Call) -> Response | None:
    """Return the answer to the same request with the same Idempotency-Key; None: it is the first.

    Raises:
        ProblemError: The key is wrong, or was used for another request.
    """
    key = _key(call)
    if not key:
        return None
    try:
        before = call.deps.operations.known_by(call.caller.name, key, _what(call))
    except KeyReusedError:
        detail = f"Idempotency-Key {shown(key)} was used before, with another request; a new request needs a new key"
        raise ProblemError(422, "key used before", detail, field="Idempotency-Key") from None
    return None if before is None else _begun(before.id, before.path, before.affected)


def begin(call: Call, action: Action, path: str, *, reason: str, fresh: bool) -> Response:
    """Begin *action*, and answer 202; a request that was made before is answered as it was then.

    Raises:
        ProblemError: It cannot be done now, the key is wrong, or too much is under way.
        UnknownPathError: There is no such actor.
    """
    before = replayed(call)
    if before is not None:
        return before
    deps = call.deps
    plan = deps.desk.dry_run(action, path)
    path = plan.path
    if not plan.is_possible:
        raise ProblemError(409, "not possible now", f"cannot {action} {path}: {plan.why_not}", path=path)
    affected = tuple(dict.fromkeys((*plan.stops, *plan.starts))) or (path,)
    try:
        operation = deps.operations.begin(
            action,
            path,
            _work(deps.runtime, action, path, fresh=fresh),
            deps.spawn,
            by=call.caller.name,
            reason=reason,
            affected=affected,
            key=_key(call),
            what=_what(call),
            ends_console=deps.console in plan.stops,
        )
    except TooManyError as exc:
        raise ProblemError(503, "too much under way", str(exc), headers={"retry-after": "5"}) from None
    deps.audit.record(action, path, call.caller, reason, is_done=False)
    return _begun(operation.id, path, affected)


def refuse_fresh(action: str, *, fresh: bool) -> None:
    """Refuse to begin with nothing stored what is not begun at all.

    Raises:
        ProblemError: It is wanted.
    """
    if fresh and action not in {"restart", "start"}:
        detail = f"field fresh must be false of {action}: only what is started can be started fresh"
        raise ProblemError(422, "wrong field", detail, field="fresh")


def _key(call: Call) -> str:
    key = call.request.headers.get(KEY, "")
    if key and not _KEY.fullmatch(key):
        detail = f"Idempotency-Key must be 1 to 255 visible ASCII characters, got {shown(key)}"
        raise ProblemError(422, "wrong key", detail, field="Idempotency-Key")
    return key


def _what(call: Call) -> tuple[str, bytes]:
    return call.request.url.path, msgspec.json.encode(call.body)


def _begun(name: str, path: str, affected: tuple[str, ...]) -> Response:
    return answer(Begun(name, path, affected), 202, headers={"location": f"/api/v1/operations/{name}"})


def _work(runtime: Runtime, action: Action, path: str, *, fresh: bool) -> Callable[[], Awaitable[Any]]:
    match action:
        case "restart" | "start":
            return partial(runtime.restart_child, path, fresh=fresh)
        case "stop":
            return partial(runtime.stop_child, path)
        case "suspend":
            return partial(runtime.suspend, path)
        case "resume":
            return partial(runtime.resume, path)
