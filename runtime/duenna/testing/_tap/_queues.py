"""Mailboxes that know which message is which. They do what the real ones do, and keep the books of it."""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from duenna._extra import Sender
from duenna._watch import Notice
from duenna.mailbox import LatestQueue
from duenna.testing._tap._envelopes import TracedNotice, TracedTimer
from duenna.testing._tap._mail import Mail, Stamp


class TracedDeque:
    """A plain mailbox; the stamps lie beside the messages, a notice has none."""

    __slots__ = ("_messages", "_notices", "_stamps", "mail")

    def __init__(self, mail: Mail) -> None:
        """Be the mailbox of ``mail.cell``."""
        self.mail = mail
        self._messages: deque[Any] = deque()
        self._stamps: deque[Stamp | None] = deque()
        self._notices = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._messages)

    def __getitem__(self, place: int, /) -> Any:
        return self._messages[place]

    def __delitem__(self, place: int, /) -> None:
        """Take a message out: the overflow rule does so."""
        del self._messages[place]
        stamp = self._stamps[place]
        del self._stamps[place]
        if stamp is not None:
            self.mail.dropped(stamp)

    @property
    def length(self) -> int:
        """The number of messages, without notices."""
        return len(self._messages) - self._notices

    def append(self, message: Any, /) -> None:
        """Add the newest message."""
        self._messages.append(message)
        self.mail.got_in += 1
        if isinstance(message, Notice):
            self._notices += 1
            self._stamps.append(None)
            _tell(self.mail, message)
        else:
            self._stamps.append(self.mail.sent(message, self.length))

    def appendleft(self, message: Any, /) -> None:
        """Put a stashed message back as the oldest."""
        self._messages.appendleft(message)
        if isinstance(message, Notice):
            self._notices += 1
        self._stamps.appendleft(self.mail.redelivered())

    def popleft(self) -> Any:
        """Take the oldest message, for the handler."""
        message = self._messages.popleft()
        if isinstance(message, Notice):
            self._notices -= 1
        _hand_out(self.mail, self._stamps.popleft(), message)
        return message

    def clear(self) -> None:
        """Forget every message."""
        self.bury()
        self._messages.clear()
        self._stamps.clear()
        self._notices = 0

    def bury(self) -> None:
        """Record that nobody will read what is here."""
        for stamp in self._stamps:
            if stamp is not None:
                self.mail.dead(stamp)


class TracedLatest(LatestQueue):
    """A mailbox that keeps the newest message per key; the stamps lie beside the messages, by the same keys."""

    __slots__ = ("_stamps", "mail")

    def __init__(self, mail: Mail) -> None:
        """Be the mailbox of ``mail.cell``."""
        key = mail.cell.spec.options.mailbox.key
        assert key is not None  # noqa: S101  # whoever makes it has looked
        super().__init__(key)
        self.mail = mail
        self._stamps: OrderedDict[Hashable, Stamp | None] = OrderedDict()

    def __delitem__(self, place: int) -> None:
        """Take a message out: the overflow rule does so."""
        super().__delitem__(place)
        stamp = self._stamps.pop(list(self._stamps)[place])
        if stamp is not None:
            self.mail.dropped(stamp)

    @property
    def length(self) -> int:
        """The number of messages, without notices."""
        return sum(stamp is not None for stamp in self._stamps.values())

    def append(self, message: Any, /) -> None:
        """Add *message* in the place of the one with its key, if there is one."""
        key = self._key_of(message)
        old = self._stamps.get(key)
        if old is not None:
            self.mail.dropped(old)
        super().append(message)
        self.mail.got_in += 1
        self._stamps[key] = None
        if isinstance(message, Notice):
            _tell(self.mail, message)
        else:
            self._stamps[key] = self.mail.sent(message, self.length + 1)

    def appendleft(self, message: Any, /) -> None:
        """Put a stashed message back as the oldest, unless a newer one of its key has come."""
        super().appendleft(message)
        key = self._key_of(message)
        stamp = self.mail.redelivered()
        if key not in self._stamps:
            self._stamps[key] = stamp
            self._stamps.move_to_end(key, last=False)
        elif stamp is not None:
            self.mail.dropped(stamp)

    def popleft(self) -> Any:
        """Take the message whose key waited longest, for the handler."""
        message = super().popleft()
        _hand_out(self.mail, self._stamps.popitem(last=False)[1], message)
        return message

    def clear(self) -> None:
        """Forget every message."""
        self.bury()
        super().clear()
        self._stamps.clear()

    def bury(self) -> None:
        """Record that nobody will read what is here."""
        for stamp in self._stamps.values():
            if stamp is not None:
                self.mail.dead(stamp)


class TracedLine(deque[Sender]):
    """Those who wait for room. The receiver lets them in, so who they are is noted when they come."""

    def __init__(self, mail: Mail) -> None:
        """Lead into the mailbox of ``mail.cell``."""
        super().__init__()
        self._mail = mail
        self._paths: WeakKeyDictionary[Sender, str] = WeakKeyDictionary()

    def append(self, sender: Sender, /) -> None:
        """Let *sender* stand last."""
        super().append(sender)
        self._paths[sender] = self._mail.log.sender()

    def popleft(self) -> Sender:
        """Take the first: if a message comes in now, it is his."""
        sender = super().popleft()
        self._mail.let_in = self._paths[sender]
        return sender


def traced_queue(mail: Mail) -> TracedDeque | TracedLatest:
    """Return a new, empty mailbox of the kind that the actor's spec asks for."""
    return TracedDeque(mail) if mail.cell.spec.options.mailbox.key is None else TracedLatest(mail)


def _tell(mail: Mail, notice: Notice) -> None:
    notice.__class__ = TracedNotice
    mail.told(notice)


def _hand_out(mail: Mail, stamp: Stamp | None, message: Any) -> None:
    mail.taken(stamp)
    if not isinstance(message, TracedTimer | TracedNotice):  # these are asked first whether they are still wanted
        mail.received()
