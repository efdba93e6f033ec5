"""Alerts to a chat of Telegram."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.machines.classification import Severity
from duenna_actors.alerts.errors import DeliveryError
from duenna_actors.alerts.receivers._post import Poster, check_url
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Notification

LONGEST: Final = 4096
_TOKEN: Final = re.compile(r"\d+:[A-Za-z0-9_-]+")


@attrs.frozen(kw_only=True)
class TelegramReceiver(Receiver):
    """Has a bot of Telegram write to a chat. Source: https://core.telegram.org/bots/api#sendmessage.

    What is LOW, and what is over, arrives without a sound.

    Attributes:
        token: The bot's, `123456:ABC...`. It is part of the address, so that is kept out of every text too.
        chat_id: The chat: a number, or `@channel`.
        url: Where Telegram's API is.
    """

    name: str = "telegram"
    token: str = attrs.field(repr=False)
    chat_id: int | str
    url: str = "https://api.telegram.org"

    def check(self) -> None:
        """Refuse what is no address, no token or no chat; raises as the constructor does."""
        check_url(type(self).__name__, self.url)
        if _TOKEN.fullmatch(self.token) is None:
            message = f"{type(self).__name__}: token must be digits, a colon, and letters, as BotFather gave it"
            raise ValueError(message)
        if isinstance(self.chat_id, bool) or not str(self.chat_id).strip():
            message = f"{type(self).__name__}: chat_id must be a number or @channel, got {self.chat_id!r}"
            raise ValueError(message)

    def secrets(self) -> Sequence[str]:
        """Return the token, and the part of it that is secret."""
        return (self.token, self.token.partition(":")[2])

    def sender(self, desk: Desk) -> TelegramSender:
        """Make what writes."""
        address = f"{self.url.rstrip('/')}/bot{self.token}/sendMessage"
        return TelegramSender(self, desk, Poster(self.name, address, timeout=self.timeout))


class _Answer(msgspec.Struct):
    ok: bool = True
    description: str = ""


@attrs.define
class TelegramSender:
    """Writes to one chat."""

    _receiver: TelegramReceiver
    _desk: Desk
    _poster: Poster

    async def send(self, note: Notification) -> None:
        """Write *note*; raises `DeliveryError`."""
        body = msgspec.json.encode(message(note, self._desk, self._receiver.chat_id))
        answer = await self._poster.post(body)
        try:
            said = msgspec.json.decode(answer, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # a proxy's page, or nothing: the status said that it was taken
        if not said.ok:
            raise DeliveryError(self._receiver.name, f"refused: {said.description}"[:300], is_final=True)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._poster.aclose()


def message(note: Notification, desk: Desk, chat_id: int | str) -> dict[str, Any]:
    """Return *note* as a message without markup, which shows what servers wrote as it is."""
    is_quiet = not note.firing or note.severity is Severity.LOW
    return {
        "chat_id": chat_id,
        "text": cut(desk.text(note), LONGEST),
        "disable_notification": is_quiet,
        "link_preview_options": {"is_disabled": True},
    }
