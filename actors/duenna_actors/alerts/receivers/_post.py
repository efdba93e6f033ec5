"""One HTTP POST after the other to a receiver, and what its answers mean for a notification."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from duenna.secrets import redact
from duenna_actors._extras import need
from duenna_actors._http import ApiRequest, HttpClient
from duenna_actors.alerts.errors import DeliveryError
from duenna_actors.api_errors import ApiDataError, ApiError, ApiStatusError, ApiTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST_ANSWER: Final = 65_536
_REDIRECT: Final = 300
_SERVER_ERROR: Final = 500
_COME_BACK: Final = frozenset({408, 425, 429})
_IN_BODY: Final = re.compile(r'"retry_after"\s*:\s*(\d{1,6}(?:\.\d{1,6})?)\b')  # Telegram has it there


def check_url(owner: str, url: object) -> None:
    """Refuse what is no address of a web server. Its text is not shown: it is a secret.

    Raises:
        MissingExtraError: There is no HTTP client.
        ValueError: It is none.
    """
    need("httpx2", what=owner, extra="http")
    text = url if isinstance(url, str) else ""
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_right = False
    if not is_right or not text.isprintable() or " " in text:
        message = f"{owner}: url must be a whole one that begins with https:// or http://"
        raise ValueError(message)


class Poster:
    """Posts to one address. Redirects are not followed: what is secret in an address goes to nobody else."""

    def __init__(self, receiver: str, url: str, *, timeout: float) -> None:
        """Post to *url*, each time within *timeout* seconds."""
        parts = urlsplit(url)
        self._receiver = receiver
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = timeout
        self._client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            headers={"User-Agent": "duenna"},
            timeout=timeout,
            max_in_flight=1,
            max_body=_LARGEST_ANSWER,
        )
        self._is_open = False

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Post *body*, which is JSON; return the answer's.

        Raises:
            DeliveryError: It was not taken.
        """
        if not self._is_open:
            await self._client.open()
            self._is_open = True
        given = {"Content-Type": "application/json", **(headers or {})}
        request = ApiRequest(method="POST", path=self._path, headers=given, body=body, type=bytes)
        # From nothing: the address is in the text of what was raised.
        failure: DeliveryError
        try:
            response = await self._client.fetch(request)
        except ApiDataError as error:
            if error.status is not None and error.status < _REDIRECT:
                return b""  # it took the notification; what it said to that nobody needs
            failure = self._failure(error)
        except ApiError as error:
            failure = self._failure(error)
        else:
            if response.status < _REDIRECT:
                return bytes(response.data)
            why = f"it answered with a redirect (status {response.status}), which is not followed"
            failure = DeliveryError(self._receiver, why, status=response.status, is_final=True)
        raise failure

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    def _failure(self, error: ApiError) -> DeliveryError:
        if isinstance(error, ApiTimeoutError):
            return DeliveryError(self._receiver, f"no answer within {self._timeout:g} s")
        if not isinstance(error, ApiStatusError) or error.status is None:
            return DeliveryError(self._receiver, redact(error.why))
        found = _IN_BODY.search(error.body)
        wait = error.retry_after if found is None else max(error.retry_after or 0.0, float(found[1]))
        is_final = error.status < _SERVER_ERROR and error.status not in _COME_BACK
        excerpt = f": {redact(error.body)}" if error.body else ""
        why = error.why if error.body == "" else f"status {error.status}{excerpt}"
        return DeliveryError(self._receiver, redact(why), status=error.status, retry_after=wait, is_final=is_final)
