"""Answers as JSON, whatever text is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from duenna_actors.console.view.frames import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final = {"duenna-api-version": "1", "cache-control": "no-store"}
"""Of every answer."""

JSON: Final = "application/json"


def answer(
    value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None, media_type: str = JSON
) -> Response:
    """Return the answer whose body is *value* as JSON."""
    return Response(encoded(value), status, headers={**HEADERS, **(headers or {})}, media_type=media_type)
