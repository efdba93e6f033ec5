"""The whole: the snapshot, the tree, the charts, and who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import unknown_path
from duenna_actors.console.view.model import Charts, Row, Snapshot

if TYPE_CHECKING:
    from starlette.responses import Response


class TreeQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which part of the tree.

    Attributes:
        path: From this actor on; empty: all roots.
        depth: Levels below it; None: all.
    """

    path: str = ""
    depth: Annotated[int, Meta(ge=0, le=100)] = 100


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the tree, parents before children.

    Attributes:
        now: The moment, in seconds of the bot's clock.
        at: The same in seconds since 1970.
        rows: The actors.
    """

    now: float
    at: float
    rows: tuple[Row, ...]


class WhoAmI(msgspec.Struct, frozen=True):
    """Who asks whom: the token's name and role, and the bot's name."""

    name: str
    role: str
    bot: str


async def get_snapshot(call: Call) -> Response:
    """Answer with all that is to be seen."""
    return answer(await call.deps.desk.snapshot())


async def get_tree(call: Call) -> Response:
    """Answer with the rows at and below a path."""
    query: TreeQuery = call.query
    seen = await call.deps.desk.snapshot()
    rows = seen.rows
    top = query.path.rstrip("/")
    first = 0
    if top:
        rows = tuple(row for row in rows if row.path == top or row.path.startswith(f"{top}/"))
        if not rows:
            raise unknown_path(query.path, [row.path for row in seen.rows])
        first = rows[0].depth
    rows = tuple(row for row in rows if row.depth - first <= query.depth)
    return answer(Tree(now=seen.header.now, at=seen.header.at, rows=rows))


async def get_charts(call: Call) -> Response:
    """Answer with what the charts show."""
    return answer(call.deps.desk.charts())


async def who_am_i(call: Call) -> Response:
    """Answer with the name and the role of the token."""
    header = await call.deps.desk.header()
    return answer(WhoAmI(call.caller.name, call.caller.role, header.bot.name))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/snapshot",
        summary="All that is to be seen of the bot at this moment.",
        handle=get_snapshot,
        answers={200: Snapshot},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tree",
        summary="The supervision tree, or the part of it below a path.",
        handle=get_tree,
        answers={200: Tree},
        query=TreeQuery,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/charts",
        summary="Errors by minute, and the states of actors over time.",
        handle=get_charts,
        answers={200: Charts},
    ),
    Endpoint(
        method="GET",
        path="/api/v1/whoami",
        summary="The name and the role of the token.",
        handle=who_am_i,
        answers={200: WhoAmI},
    ),
)
