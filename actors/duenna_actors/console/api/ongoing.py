"""What operators have begun, as answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.operations import Operation
from duenna_actors.console.api.problems import ProblemError, near, shown

if TYPE_CHECKING:
    from starlette.responses import Response


class Ongoing(msgspec.Struct, frozen=True):
    """The last 1,000 operations, newest first."""

    operations: tuple[Operation, ...]


async def get_operations(call: Call) -> Response:
    """Answer with the latest operations."""
    return answer(Ongoing(call.deps.operations.all()))


async def get_operation(call: Call) -> Response:
    """Answer with one operation."""
    name = call.part("id")
    operation = call.deps.operations.find(name)
    if operation is None:
        names = near(name, [each.id for each in call.deps.operations.all()])
        detail = (
            f"there is no operation {shown(name)}; the last 1,000 are kept, such as {', '.join(names) or 'none yet'}"
        )
        raise ProblemError(404, "no such operation", detail, names=names)
    return answer(operation)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/operations",
        summary="What operators have begun of late, newest first.",
        handle=get_operations,
        answers={200: Ongoing},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/operations/{id}",
        summary="How an operation goes.",
        handle=get_operation,
        answers={200: Operation},
        parts={"id": {"type": "string", "minLength": 1, "description": "The id that began it was answered with."}},
        problems=(404,),
    ),
)
