"""Alerts and silences: what the alerter at `/system/alerts/alerter` says, and what it is told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import trio
from msgspec import Meta
from starlette.responses import Response

from duenna import ActorDiedError, AskTimeoutError, UnknownPathError
from duenna.secrets import redact_to
from duenna_actors.alerts.messages import (
    AddSilence,
    AlertsStatus,
    DeleteSilence,
    GetAlerts,
    GetSilences,
    SendTestAlert,
    SilenceRefused,
    SilenceView,
)
from duenna_actors.console.api.answers import HEADERS, answer
from duenna_actors.console.api.clock import moment
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import ProblemError, near, shown
from duenna_actors.console.view.alerting import ALERTER, alert_row, silence_row
from duenna_actors.console.view.model import AlertRow, SilenceRow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from duenna_actors.console.api.deps import Deps

_PATIENCE: Final = 5.0
_LONGEST_SILENCE: Final = 366 * 86_400.0
_LONGEST_TEXT: Final = 500
_Matcher = Annotated[str, Meta(min_length=1, max_length=1000)]


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What fires, in the order in which it began, and what became of alerts so far."""

    now: float
    at: float
    alerts: tuple[AlertRow, ...]
    raised: int
    suppressed: dict[str, int]


class Silences(msgspec.Struct, frozen=True, kw_only=True):
    """The silences that hold."""

    now: float
    at: float
    silences: tuple[SilenceRow, ...]


class Silence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A silence to begin.

    Attributes:
        matchers: Which alerts: those that all of them mean, such as `kind="feed_stale"`.
        duration: Seconds that it lasts.
        comment: Why.
    """

    matchers: Annotated[tuple[_Matcher, ...], Meta(min_length=1, max_length=50)]
    duration: Annotated[float, Meta(gt=0, le=_LONGEST_SILENCE)]
    comment: Annotated[str, Meta(max_length=500)] = ""


class AlertText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a test says; empty: that it is one."""

    text: Annotated[str, Meta(max_length=300)] = ""


class Sent(msgspec.Struct, frozen=True):
    """How many receivers are told."""

    receivers: int


async def get_alerts(call: Call) -> Response:
    """Answer with what fires."""
    status: AlertsStatus = await _ask(call.deps, GetAlerts())
    time = moment(call.deps)
    rows = tuple(map(alert_row, status.alerts))
    return answer(
        Alerts(now=time.now, at=time.at, alerts=rows, raised=status.raised, suppressed=dict(status.suppressed))
    )


async def post_test(call: Call) -> Response:
    """Have every receiver told that this is a test."""
    text = redact_to(call.body.text, _LONGEST_TEXT)
    async with _audited_if_lost(call, "test_alert", ALERTER, text):
        count = await _ask(call.deps, SendTestAlert(text) if text else SendTestAlert())
    call.deps.audit.record("test_alert", ALERTER, call.caller, text)
    return answer(Sent(count), 202)


async def get_silences(call: Call) -> Response:
    """Answer with the silences that hold."""
    time = moment(call.deps)
    return answer(Silences(now=time.now, at=time.at, silences=await _silences(call.deps)))


async def post_silence(call: Call) -> Response:
    """Begin a silence."""
    body: Silence = call.body
    try:
        wanted = AddSilence(body.matchers, body.duration, call.caller.name, redact_to(body.comment, _LONGEST_TEXT))
    except (TypeError, ValueError) as exc:
        raise ProblemError(422, "wrong field", f"field matchers: {exc}", field="matchers") from None
    why = f"{', '.join(body.matchers)}: {body.comment}"
    async with _audited_if_lost(call, "silence", ALERTER, why):
        made: SilenceView | SilenceRefused = await _ask(call.deps, wanted)
    if isinstance(made, SilenceRefused):
        raise ProblemError(409, "silence refused", made.why)
    call.deps.desk.alerting.forget()
    call.deps.audit.record("silence", made.id, call.caller, f"{', '.join(made.matchers)}: {body.comment}")
    return answer(silence_row(made), 201, headers={"location": "/api/v1/silences"})


async def delete_silence(call: Call) -> Response:
    """End a silence."""
    name = call.part("id")
    async with _audited_if_lost(call, "unsilence", name):
        was_there = await _ask(call.deps, DeleteSilence(name))
    if not was_there:
        names = near(name, [silence.id for silence in await _silences(call.deps)])
        detail = f"there is no silence {shown(name)}; there is {', '.join(names) or 'none at all'}"
        raise ProblemError(404, "no such silence", detail, names=names)
    call.deps.desk.alerting.forget()
    call.deps.audit.record("unsilence", name, call.caller)
    return Response(status_code=204, headers=HEADERS)


@asynccontextmanager
async def _audited_if_lost(call: Call, action: str, target: str, reason: str = "") -> AsyncGenerator[None]:
    """Note what was asked for, should the answer be lost: it may be done all the same."""
    try:
        yield
    except (AskTimeoutError, ActorDiedError, trio.Cancelled):
        call.deps.audit.record(action, target, call.caller, reason, is_done=False)
        raise


async def _ask(deps: Deps, question: Any) -> Any:
    try:
        alerter = deps.runtime.ref(ALERTER)
    except UnknownPathError:
        detail = f"this bot has no alerting: there is no {ALERTER}; open_runtime(tree, system=[alerts([...])]) makes it"
        raise ProblemError(409, "no alerting", detail) from None
    return await alerter.ask(question, _PATIENCE)


async def _silences(deps: Deps) -> tuple[SilenceRow, ...]:
    return tuple(map(silence_row, await _ask(deps, GetSilences())))


_ID: Final = {"id": {"type": "string", "minLength": 1, "description": "The id of the silence."}}

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/alerts",
        summary="The alerts that fire.",
        handle=get_alerts,
        answers={200: Alerts},
        problems=(409, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/alerts/test",
        summary="Tell every receiver that this is a test.",
        handle=post_test,
        answers={202: Sent},
        role="operate",
        body=AlertText,
        problems=(409, 503),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/silences",
        summary="The silences that hold.",
        handle=get_silences,
        answers={200: Silences},
        problems=(409, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/silences",
        summary="Have nobody told of some alerts for a while.",
        handle=post_silence,
        answers={201: SilenceRow},
        role="operate",
        body=Silence,
        problems=(409, 503),
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/silences/{id}",
        summary="End a silence before its time.",
        handle=delete_silence,
        answers={204: None},
        role="operate",
        parts=_ID,
        problems=(404, 409, 503),
    ),
)
