"""Websocket frames as a server sends them, made once and sent to every subscriber; and broken ones."""

from typing import Literal, assert_never

Mode = Literal["truncated", "garbled", "html", "bad_utf8", "bad_frame", "cut"]

PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"</body>\r\n</html>\r\n"
)
"""What stands in an answer that comes from in front of the exchange."""

_TEXT = 0x81
_RESERVED = 0x8B
_SHORT = 126
_MEDIUM = 65_536


def text_frame(payload: bytes, first: int = _TEXT) -> bytes:
    """Wrap a payload in one unmasked text frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < _SHORT:
        return bytes((first, length)) + payload
    if length < _MEDIUM:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload


def broken_frame(payload: bytes, mode: Mode) -> bytes:
    """Wrap a payload so that the receiver has something to think about; after `cut` the connection must end."""
    match mode:
        case "truncated" | "garbled" | "html":
            return text_frame(broken_body(payload, mode))
        case "bad_utf8":
            return text_frame(payload[:-1] + b"\xff\xfe")
        case "bad_frame":
            return text_frame(payload, _RESERVED)
        case "cut":
            whole = text_frame(payload)
            return whole[: len(whole) // 2]
        case _:
            assert_never(mode)


def broken_body(payload: bytes, mode: Literal["truncated", "garbled", "html"]) -> bytes:
    """Break JSON, leaving it text."""
    if mode == "truncated":
        return payload[: max(1, len(payload) // 2)]
    if mode == "html":
        return PAGE
    middle = len(payload) // 2
    return payload[:middle] + b"\\?#{" + payload[middle + 4 :]
