"""Alerts to a channel of Slack, or of whatever takes Slack's incoming webhooks (Mattermost, Rocket.Chat)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.machines.classification import Severity
from duenna_actors.alerts.receivers._post import Poster, check_url
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Notification

_LONGEST: Final = 3000
_GOOD: Final = "#2eb886"
_COLOURS: Final = {
    Severity.LOW: "#439fe0",
    Severity.MEDIUM: "#daa038",
    Severity.HIGH: "#e8590c",
    Severity.CRITICAL: "#a30200",
}


@attrs.frozen(kw_only=True)
class SlackReceiver(Receiver):
    """Posts to an incoming webhook of Slack.

    Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.

    Attributes:
        url: The webhook's address. Whoever has it can post: it is kept out of every text.
    """

    name: str = "slack"
    url: str = attrs.field(repr=False)

    def check(self) -> None:
        """Refuse what is no address; raises as the constructor does."""
        check_url(type(self).__name__, self.url)

    def secrets(self) -> Sequence[str]:
        """Return the address."""
        return (self.url,)

    def sender(self, desk: Desk) -> SlackSender:
        """Make what posts."""
        return SlackSender(desk, Poster(self.name, self.url, timeout=self.timeout))


@attrs.define
class SlackSender:
    """Posts to one channel."""

    _desk: Desk
    _poster: Poster

    async def send(self, note: Notification) -> None:
        """Post *note*; raises `DeliveryError`."""
        await self._poster.post(msgspec.json.encode(message(note, self._desk)))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._poster.aclose()


def message(note: Notification, desk: Desk) -> dict[str, Any]:
    """Return *note* as a message of Slack: the title, and the rest beside a bar in the colour of the severity."""
    colour = _COLOURS[note.severity] if note.firing else _GOOD
    title, *rest = desk.text(note).split("\n")
    return {
        "text": escape(title),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "attachments": [{"color": colour, "text": escape(cut("\n".join(rest), _LONGEST)), "mrkdwn_in": []}],
    }


def escape(text: str) -> str:
    """Return *text* so that Slack shows it as it is: no mention, link or markup can be made of what a server wrote."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
