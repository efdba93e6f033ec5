"""The sandbox's own paths: `/sandbox/faults` and `/sandbox/state`. No fault and no limit touches them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import attrs
import msgspec

from duenna_actors.sandbox._faultline import Faults
from duenna_actors.sandbox._http import Request, Response
from duenna_actors.sandbox.faults import ConnectionsRefused, ConnectionsReset, Fault, HalfOpen, kind_of

_SHUTS_OUT = (ConnectionsRefused, ConnectionsReset, HalfOpen)


class _Injection(msgspec.Struct, forbid_unknown_fields=True):
    fault: Fault
    duration: float | None = None


class _RequestError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@attrs.define
class Control:
    """The control surface over HTTP.

    Attributes:
        faults: What it controls.
        state: Returns what `/sandbox/state` shows.
    """

    faults: Faults
    state: Callable[[], dict[str, Any]]

    def respond(self, request: Request) -> Response:
        """Answer a request below `/sandbox`."""
        try:
            status, answer = self._respond(request)
        except _RequestError as error:
            status, answer = error.status, {"error": error.text}
        return Response(status, msgspec.json.encode(answer))

    def _respond(self, request: Request) -> tuple[int, Any]:
        match request.method, request.path:
            case "GET", "/sandbox/state":
                return 200, self.state()
            case "GET", "/sandbox/faults":
                return 200, self.faults.active
            case "POST", "/sandbox/faults":
                return 201, {"number": self._inject(request.body)}
            case "DELETE", "/sandbox/faults":
                return 200, {"cleared": self._clear(request.query)}
            case _, "/sandbox/state" | "/sandbox/faults":
                raise _RequestError(405, f"{request.path} has no {request.method}")
            case _:
                raise _RequestError(404, "the sandbox has /sandbox/state and /sandbox/faults")

    def _inject(self, body: bytes) -> int:
        try:
            asked = msgspec.json.decode(body, type=_Injection)
        except msgspec.DecodeError as error:
            text = f'expected {{"fault": {{"kind": ...}}, "duration": seconds or null}}: {error}'
            raise _RequestError(400, text) from error
        if isinstance(asked.fault, _SHUTS_OUT) and asked.duration is None:
            text = f"{kind_of(asked.fault)} needs a duration here: nobody could reach the sandbox to clear it"
            raise _RequestError(400, text)
        try:
            return self.faults.inject(asked.fault, asked.duration)
        except ValueError as error:
            raise _RequestError(400, str(error)) from error

    def _clear(self, query: str) -> int:
        number: int | None = None
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name != "number" or not (value.isascii() and value.isdigit() and len(value) < 10):  # noqa: PLR2004
                raise _RequestError(400, f"expected no parameter or number=N, got {name}={value}")
            number = int(value)
        return self.faults.clear(number)
