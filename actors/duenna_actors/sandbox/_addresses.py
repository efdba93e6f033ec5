"""What the address of a websocket asks for."""

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

import attrs

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._streams import Section, Stream, parse_stream
from duenna_actors.sandbox._symbols import Symbol

_SECTIONS: dict[str, Section] = {"public": "public", "market": "market", "private": "private"}
_RETIRED = ("ws", "stream")
_RETIRED_TEXT = "{path} is retired since 2026-04-23: use /public, /market or /private in front of it"


@attrs.frozen
class Opening:
    """A websocket as it is asked for.

    Attributes:
        section: The part of the exchange.
        combined: Whether events come wrapped with their stream's name.
        streams: The streams it begins with, by name; `None` for one that will never say anything.
        listen_key: The key of the private stream, if it is one.
    """

    section: Section
    combined: bool
    streams: dict[str, Stream | None]
    listen_key: str | None


def is_websocket_path(path: str) -> bool:
    """Return whether a path belongs to the websockets."""
    first = path.split("/")[1] if path.startswith("/") else ""
    return first in _SECTIONS or first in _RETIRED


def read_opening(path: str, query: str, symbols: Mapping[str, Symbol], max_streams: int, *, strict: bool) -> Opening:
    """Read the address of a websocket: `/public/ws/<stream>/<stream>` or `/public/stream?streams=<stream>/<stream>`.

    Args:
        path: The path.
        query: What stands behind the question mark.
        symbols: The contracts.
        max_streams: How many streams it may have.
        strict: Refuse streams that do not exist or belong to another section.

    Raises:
        ApiError: There is no such address, or a stream in it is refused.
    """
    parts = [part for part in path.split("/") if part]
    if parts and parts[0] in _RETIRED:
        raise errors.ApiError(errors.Refusal(-5000, _RETIRED_TEXT.format(path=path), 410))
    if not parts or parts[0] not in _SECTIONS or (len(parts) > 1 and parts[1] not in _RETIRED):
        raise errors.ApiError(errors.no_route("GET", path, 404))
    section = _SECTIONS[parts[0]]
    combined = len(parts) > 1 and parts[1] == "stream"
    values = parse_qs(query, max_num_fields=100)
    names = [unquote(name) for name in parts[2:]]
    names += [name for value in values.get("streams", []) for name in value.split("/") if name]
    if section == "private":
        keys = [*values.get("listenKey", []), *names]
        if len(keys) != 1:
            raise errors.ApiError(errors.mandatory("listenKey"))
        return Opening(section, combined, {}, keys[0])
    if len(names) > max_streams:
        raise errors.ApiError(errors.Refusal(-1130, f"a connection may have {max_streams} streams, got {len(names)}"))
    return Opening(section, combined, _find(names, section, symbols, strict=strict), None)


def _find(
    names: list[str], section: Section, symbols: Mapping[str, Symbol], *, strict: bool
) -> dict[str, Stream | None]:
    found: dict[str, Stream | None] = {}
    for name in names:
        stream = parse_stream(name, symbols)
        fits = stream is not None and stream.section == section
        if strict and not fits:
            told = f"there is no stream {name}" if stream is None else f"{name} belongs to /{stream.section}"
            raise errors.ApiError(errors.Refusal(-1130, f"{told}, asked for on /{section}"))
        found[name] = stream if fits else None
    return found
