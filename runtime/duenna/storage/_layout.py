"""Names of the files of a state, and what may go: pure, from names alone.

Every file has a number of its own, and a greater one is later: `snap-00000012.bin` holds all entries,
`jour-00000013.bin` the commits that came after it. A number is never used twice, whatever became of its file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SNAPSHOT: Final = "snap"
"""First part of the name of a file that holds all entries."""

JOURNAL: Final = "jour"
"""First part of the name of a file that holds commits."""

TEMPORARY: Final = ".tmp"
"""Last part of the name of a file that is being written: nothing in it was ever acknowledged."""

CORRUPT: Final = ".corrupt"
"""Last part of the name of a file that was set aside."""

LOCK: Final = "LOCK"
"""The file that says who has the state."""

BALLAST: Final = "BALLAST"
"""The file that is given up when the disk is full."""

_NAME: Final = re.compile(r"(snap|jour)-([0-9]{8,18})\.bin(\.tmp|\.corrupt)?")


@attrs.frozen(order=True)
class File:
    """A file of a state, known by its name.

    Attributes:
        number: What orders it among all others.
        kind: `snap` or `jour`.
        suffix: Empty, `.tmp` or `.corrupt`.
    """

    number: int
    kind: str
    suffix: str = ""

    @property
    def name(self) -> str:
        """What it is called, without its directory."""
        return f"{self.kind}-{self.number:08d}.bin{self.suffix}"

    @property
    def set_aside(self) -> File:
        """What it is called once it was set aside."""
        return attrs.evolve(self, suffix=CORRUPT)


@attrs.frozen
class Listing:
    """The files of a state, each group in ascending order.

    Attributes:
        snapshots: Those that a state can start from.
        journals: Those that commits can be read from, the ones that were set aside among them: what is whole in
            them is as good as ever.
        temporaries: What a crash left unfinished.
        set_aside: All that were set aside.
        newest: The greatest number in use; 0: there is none.
        has_ballast: Whether there is ballast, which nothing makes before a commit.
    """

    snapshots: tuple[File, ...]
    journals: tuple[File, ...]
    temporaries: tuple[File, ...]
    set_aside: tuple[File, ...]
    newest: int
    has_ballast: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no state was ever acknowledged here."""
        return not (self.snapshots or self.journals or self.set_aside or self.has_ballast)


def list_files(names: Iterable[str]) -> Listing:
    """Sort the *names* in a directory; whatever is not a state's is passed over."""
    names = tuple(names)
    files = sorted(file for name in names if (file := parse_name(name)) is not None)
    return Listing(
        snapshots=tuple(file for file in files if file.kind == SNAPSHOT and not file.suffix),
        journals=tuple(file for file in files if file.kind == JOURNAL and file.suffix != TEMPORARY),
        temporaries=tuple(file for file in files if file.suffix == TEMPORARY),
        set_aside=tuple(file for file in files if file.suffix == CORRUPT),
        newest=max((file.number for file in files), default=0),
        has_ballast=BALLAST in names,
    )


def parse_name(name: str) -> File | None:
    """Return the file that *name* stands for; None: it is not a state's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    file = File(number=int(match[2]), kind=match[1], suffix=match[3] or "")
    return file if file.name == name else None


def superseded(listing: Listing, keep: int, *, damaged: Collection[str]) -> tuple[File, ...]:
    """Return what may be removed so that the *keep* latest snapshots stay, and every journal after the oldest of them.

    Args:
        listing: The files that are there.
        keep: At least 1.
        damaged: Names of snapshots that nothing can start from, which do not count and are not removed.

    Returns:
        Oldest first, so that no snapshot stands without its journals; nothing that was set aside.
    """
    snapshots = [file for file in listing.snapshots if file.name not in damaged]
    if len(snapshots) < keep:
        return ()
    oldest = snapshots[-keep].number
    journals = [file for file in listing.journals if not file.suffix]
    return tuple(sorted(file for file in (*snapshots, *journals) if file.number < oldest))
