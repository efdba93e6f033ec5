"""Who may do what: signed requests, and the listen key of the private stream."""

import hashlib
import hmac
import re
import string
from collections.abc import Mapping, Sequence
from random import Random

import attrs

from duenna_actors.sandbox import _errors as errors

_MAX_WINDOW = 60_000
_AHEAD = 1_000
_SIGNATURE = re.compile(r"(?:^|&)signature=[^&]*")
_ALPHABET = string.ascii_letters + string.digits


@attrs.frozen
class Credentials:
    """The one account's key pair."""

    api_key: str
    secret: str

    def check_key(self, sent: str | None) -> None:
        """Refuse a request without the account's key in its `X-MBX-APIKEY` header.

        Raises:
            ApiError: -2014 without a key, -2015 with another one.
        """
        if not sent:
            raise errors.ApiError(errors.BAD_KEY_FORMAT)
        if not hmac.compare_digest(sent.encode(), self.api_key.encode()):
            raise errors.ApiError(errors.REJECTED_KEY)

    def check_signature(self, params: Mapping[str, str], parts: Sequence[str], now_ms: int) -> None:
        """Refuse a request that is not signed, or too old, or from the future.

        Args:
            params: All parameters that were sent.
            parts: The query string and the body, as they were sent.
            now_ms: The server's time, in unix milliseconds.

        Raises:
            ApiError: -1102, -1131, -1021 or -1022.
        """
        timestamp = _whole(params, "timestamp")
        window = _whole(params, "recvWindow") if "recvWindow" in params else 5_000
        if window > _MAX_WINDOW:
            raise errors.ApiError(errors.BAD_RECV_WINDOW)
        if not params.get("signature"):
            raise errors.ApiError(errors.mandatory("signature"))
        if not hmac.compare_digest(self.sign(*parts).encode(), params["signature"].lower().encode()):
            raise errors.ApiError(errors.BAD_SIGNATURE)
        if timestamp > now_ms + _AHEAD:
            raise errors.ApiError(errors.AHEAD_OF_SERVER)
        if timestamp < now_ms - window:
            raise errors.ApiError(errors.OUTSIDE_WINDOW)

    def sign(self, *parts: str) -> str:
        """Return the signature of query string and body.

        It is the HMAC-SHA256, in hex, of one behind the other, without the signature itself.
        """
        unsigned = "".join(_SIGNATURE.sub("", part) for part in parts)
        return hmac.new(self.secret.encode(), unsigned.encode(), hashlib.sha256).hexdigest()


@attrs.define
class ListenKeys:
    """The key of the private stream. There is one at a time.

    Attributes:
        lifetime: How long a key lives after it was made or renewed, in seconds.
        random: Where keys come from.
    """

    lifetime: float
    random: Random
    current: str | None = None
    expires: float = 0.0

    def issue(self, now: float) -> str:
        """Return the active key and extend it, or make one."""
        if self.current is None or now >= self.expires:
            self.current = "".join(self.random.choices(_ALPHABET, k=64))
        self.expires = now + self.lifetime
        return self.current

    def renew(self, now: float) -> str:
        """Extend the active key.

        Raises:
            ApiError: There is none: -1125.
        """
        if self.current is None or now >= self.expires:
            raise errors.ApiError(errors.BAD_LISTEN_KEY)
        return self.issue(now)

    def close(self) -> str | None:
        """Give the active key up and return it, if there is one."""
        key, self.current = self.current, None
        return key

    def expire(self, now: float) -> str | None:
        """Give the key up if its time is over at *now*, and return it."""
        return self.close() if self.current is not None and now >= self.expires else None

    def is_valid(self, key: str, now: float) -> bool:
        """Return whether *key* is the active one."""
        return key == self.current and now < self.expires


def _whole(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - what fits 64 bits
        raise errors.ApiError(errors.mandatory(name))
    return int(text)
