"""The content of an answer, unpacked within bounds."""

import zlib


def unpack(packed: bytes, encoding: str, most: int) -> bytes:
    """Return what *packed* holds.

    Args:
        packed: As it came.
        encoding: Its ``Content-Encoding``.
        most: Bytes that the result may have; a few kilobytes can unpack to gigabytes.

    Raises:
        ValueError: It holds more, is damaged, or packed in another way than gzip.
    """
    data = packed if not packed or encoding.lower() in {"", "identity"} else _gunzip(packed, encoding, most)
    if len(data) > most:
        message = f"more than the {most} bytes that an answer may have"
        raise ValueError(message)
    return data


def _gunzip(packed: bytes, encoding: str, most: int) -> bytes:
    if encoding.lower() not in {"gzip", "x-gzip"}:
        message = f"content is packed with {encoding!r}, which was not asked for"
        raise ValueError(message)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: gzip
    try:
        data = unpacker.decompress(packed, most + 1)
    except zlib.error as exc:
        message = f"content cannot be unpacked: {exc}"
        raise ValueError(message) from exc
    if len(data) <= most and not unpacker.eof:
        raise ValueError("content cannot be unpacked: it is not complete")
    return data
