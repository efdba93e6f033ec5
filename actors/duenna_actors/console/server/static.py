"""The files of the page, as they are in the package."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any, Final

import attrs
from starlette.responses import Response

PACKAGE: Final = "duenna_actors.console"
FOLDER: Final = "page"
INDEX: Final = "index.html"
ICON: Final = "icon.svg"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@attrs.frozen
class PageFile:
    """One file.

    Attributes:
        content: What is in it.
        media_type: What that is.
        etag: Changes with it.
    """

    content: bytes = attrs.field(repr=False)
    media_type: str
    etag: str

    def answer(self, known: str | None) -> Response:
        """Return it, or that it is still what the client knows."""
        headers = {"etag": self.etag, "cache-control": "no-cache"}  # kept, but asked for each time
        if known is not None and self.etag in [each.strip().removeprefix("W/") for each in known.split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def page_files() -> dict[str, PageFile]:
    """Return the files by their names; those of a type that no page needs are left out."""
    found: dict[str, PageFile] = {}
    _collect(resources.files(PACKAGE).joinpath(FOLDER), "", found)
    return found


def _collect(folder: Any, prefix: str, found: dict[str, PageFile]) -> None:
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.is_dir():
            _collect(file, f"{prefix}{file.name}/", found)
            continue
        kind = _TYPES.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            content = file.read_bytes()
            found[prefix + file.name] = PageFile(content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
