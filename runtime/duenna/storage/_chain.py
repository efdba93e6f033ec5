"""What the journals after a snapshot amount to: pure, from the numbers of their commits alone.

Commits are numbered without a gap, and a journal's header says which number its first one has. So whatever a crash
left at the end of a journal does no harm as long as the next one goes on from the last good commit, and a missing
number convicts a real loss, even if a whole file is gone. Two rules make it hold:

- A journal may repeat the one commit before its first: its owner read that one, but whether the process before it
  had made it durable nobody can know.
- A journal takes back all commits from its first number on that earlier journals hold, the repeated one included:
  they were never acknowledged (their journal was given up after an error), or they stood behind a loss, after which
  the count went on from the last one that could be read.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import attrs

from duenna.storage._layout import File
from duenna.storage.store import Damage, Loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_NEVER: Final = 2**64


@attrs.frozen
class Link:
    """What a journal says of itself.

    Attributes:
        file: Its name.
        start: Number of its first commit; None: its header is damaged.
        commits: How many could be read, from the first one on.
        repeats: Whether it has the commit before its first one, too.
        is_clean: Whether it ends with the mark of an orderly end.
        fault: What is wrong behind the last one that could be read; empty: nothing.
        is_torn: Whether a write that was under way when the power went could have left that fault.
    """

    file: File
    start: int | None
    commits: int = 0
    repeats: bool = False
    is_clean: bool = False
    fault: str = ""
    is_torn: bool = False

    @property
    def takes_back(self) -> int | None:
        """The first commit that earlier journals may hold, but no longer count for; None: its header is damaged."""
        return self.start - self.repeats if self.start is not None else None


@attrs.frozen
class Run:
    """Commits of one journal to carry out.

    Attributes:
        link: Which journal, counted from 0.
        first: Its first one, counted from 0; -1 is the repeated one.
        stop: The first one that is not to be carried out; greater than *first*.
    """

    link: int
    first: int
    stop: int


@attrs.frozen
class Chain:
    """What is to be carried out, and what is missing.

    Attributes:
        seq: The last commit that can be reached.
        runs: What to carry out, in this order.
        is_clean: Whether the last owner closed the state in order.
        damages: What is wrong.
    """

    seq: int
    runs: tuple[Run, ...]
    is_clean: bool
    damages: tuple[Damage, ...]

    @property
    def has_hole(self) -> bool:
        """Whether something that was acknowledged is missing."""
        return any(damage.loss is Loss.ACKNOWLEDGED for damage in self.damages)


def can_start(seq: int, links: Sequence[Link]) -> bool:
    """Whether *links*, which are later than a snapshot of commit *seq*, go on from it or from a later commit.

    If not, a snapshot that could not be read once was given up with what came after it, and now it can be read.
    """
    return all(link.start is None or link.start > seq for link in links)


def follow(seq: int, links: Sequence[Link]) -> Chain:
    """Find what brings the state after commit *seq* up to date.

    Args:
        seq: The last commit of the snapshot; 0: there is none, and the state is empty.
        links: All journals that are later than the snapshot, oldest first.
    """
    runs: list[Run] = []
    hole = None
    for index, (link, limit) in enumerate(zip(links, _limits(links), strict=True)):
        if link.start is None:
            continue
        if link.repeats and link.start == seq + 2 and link.start <= limit:
            runs.append(Run(index, -1, 0))
            seq += 1
        if link.start >= limit:
            continue
        if link.start > seq + 1:
            hole = index
            break
        first, stop = seq + 1 - link.start, min(link.commits, limit - link.start)
        if first < stop:
            runs.append(Run(index, first, stop))
            seq = link.start + stop - 1
    damages = tuple(_damages(seq, links, hole))
    is_clean = bool(links) and links[-1].is_clean and all(damage.loss is Loss.NOTHING for damage in damages)
    return Chain(seq, tuple(runs), is_clean, damages)


def _limits(links: Sequence[Link]) -> list[int]:
    """Return, for each of *links*, the first commit that a later one takes back from it."""
    limits: list[int] = []
    limit = _NEVER
    for link in reversed(links):
        limits.append(limit)
        if link.takes_back is not None:
            limit = min(limit, link.takes_back)
    return limits[::-1]


def _damages(seq: int, links: Sequence[Link], hole: int | None) -> Iterator[Damage]:
    """Say what is wrong with *links*: the commit after *seq* is missing, if *hole* is the first journal behind it."""
    # Those that can be read and were not taken back as a whole.
    counting = [
        index
        for index, (link, limit) in enumerate(zip(links, _limits(links), strict=True))
        if link.start is not None and link.start < limit
    ]
    for index, link in enumerate(links):
        is_cut_off = hole is not None and index >= hole
        place = bisect_right(counting, index)
        following = counting[place] if place < len(counting) else None
        is_bridged = not is_cut_off and following is not None and following != hole
        if link.start is None:
            if not (is_bridged and link.file.suffix):  # it was reported before it was set aside
                yield _damage(link, link.fault, Loss.NOTHING if is_bridged else Loss.ACKNOWLEDGED)
        elif is_cut_off:
            if place and counting[place - 1] == index:
                what = f"commits from {link.start} on cannot be used, for commit {seq + 1} is missing"
                yield _damage(link, what, Loss.ACKNOWLEDGED)
        elif link.fault and not is_bridged:
            is_torn = link.is_torn and following is None
            yield _damage(link, link.fault, Loss.UNKNOWN if is_torn else Loss.ACKNOWLEDGED)


def _damage(link: Link, what: str, loss: Loss) -> Damage:
    """Say *what* is wrong; a torn end stays where it is, for the next journal goes on from there."""
    return Damage(link.file.name, what, loss, "" if loss is Loss.UNKNOWN else link.file.set_aside.name)
