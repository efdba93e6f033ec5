"""How else a secret may be spelt: in URLs, in base64, in JSON, in `repr`."""

import base64
import json
from typing import Final

SHORTEST: Final = 6
"""Characters that a secret must have to be looked for: what is shorter occurs by chance."""

_SHORTEST_LINE: Final = 16
_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")


def forms(value: str) -> frozenset[str]:
    """Return *value* as it may occur in text: itself, and how URLs, base64, JSON and `repr` write it.

    In base64 it is known wherever it begins, as in `user:password`: what it shares with its
    neighbours is left out. Of a value of several lines, each long one counts as well.
    """
    raw = value.encode("utf-8", "surrogatepass")
    spelt = {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    spelt.update(line for line in value.split("\n") if len(line) >= _SHORTEST_LINE)
    spelt.update(_quoted(raw))
    for plain in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            # A letter of base64 holds 6 bits: those with bits of a neighbour depend on it.
            coded = plain(bytes(offset) + raw)[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6].decode()
            spelt.update((coded, *_quoted(coded.encode())))
        spelt.add(plain(raw).decode())
    return frozenset(form for form in spelt if len(form) >= SHORTEST)


_TABLES: Final = tuple(
    [chr(byte) if byte in _SAFE.union(kept) else digits.format(byte) for byte in range(256)]
    for kept in (b"", b"/")
    for digits in ("%{:02X}", "%{:02x}")
)


def _quoted(raw: bytes) -> set[str]:
    """Return *raw* as URLs have it: with and without slashes kept, spaces as plus, in both cases."""
    spelt = {"".join(map(table.__getitem__, raw)) for table in _TABLES}
    return spelt.union([quoted.replace("%20", "+") for quoted in spelt])
