"""URLs: those of a console, and what stands in them. ``urllib.parse`` is imported only where a URL is given."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import TYPE_CHECKING, Final

from duenna_actors.client.errors import UsageError
from duenna_actors.client.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN_PORT: Final = 80
_TLS_PORT: Final = 443
_SAFE: Final = frozenset((ascii_letters + digits + "-._~").encode())


def quote(text: str, safe: str = "") -> str:
    """Return *text* with every byte but letters, digits, `-._~` and those in *safe* as `%XX` (RFC 3986, 2.3)."""
    kept = _SAFE.union(safe.encode())
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))


def query_of(values: Mapping[str, object]) -> str:
    """Return the query with those of *values* that are not None, with its `?`; a bool is 1 or 0."""
    given = {key: value for key, value in values.items() if value is not None}
    texts = {key: str(int(value)) if isinstance(value, bool) else str(value) for key, value in given.items()}
    return "".join(f"{'&' if number else '?'}{key}={quote(text)}" for number, (key, text) in enumerate(texts.items()))


def actor_path(path: str, verb: str = "") -> str:
    """Return the path in the API of the actor *path*, or of one of its verbs, such as `restart`."""
    return f"/api/v1/actors/{quote(path.strip('/'), safe='/')}" + (f"/{verb}" if verb else "")


def split(url: str | None) -> tuple[bool, str, int, str]:
    """Return whether *url* means TLS, its host, its port, and the path that goes before every other.

    Raises:
        UsageError: It is no URL of a console.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415 - who speaks to a Unix socket does not wait for it

    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        raise UsageError(f"a URL must be like http://127.0.0.1:3000, got {visible(url)!r}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise UsageError(f"a URL must be like http://127.0.0.1:3000, without a user in it, got {visible(url)!r}")
    is_secret = parts.scheme == "https"
    base = quote(parts.path.rstrip("/"), safe="/%")
    return is_secret, parts.hostname, port or (_TLS_PORT if is_secret else _PLAIN_PORT), base
