"""How much memory the process takes, and how much it may: small reads that cost microseconds and never wait."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["read_limit", "read_rss"]

_STATM = "/proc/self/statm"
_CGROUPS = "/proc/self/cgroup"
_MOUNT = "/sys/fs/cgroup"
_NO_LIMIT = 1 << 60  # what version 1 shows where there is none is a little less than 2 ** 63


def read_rss() -> int:
    """Return the resident size of this process in bytes; 5 us on Linux.

    Elsewhere than on Linux it is the largest that there ever was, for that is what
    the system tells: good for a limit, not for growth, and never relieved.

    Raises:
        OSError: The system does not say.
    """
    try:
        with open(_STATM, "rb") as statm:  # noqa: PTH123  # a third of the cost of a Path
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return _peak()


def read_limit(mount: str = _MOUNT, cgroups: str = _CGROUPS) -> int | None:
    """Return how many bytes this process may take: the least of its control groups' limits and the machine's memory.

    Args:
        mount: Where control groups are mounted.
        cgroups: The file that names those of this process.

    Returns:
        The limit, None if nothing tells one.
    """
    limits = [limit for path in _limit_files(Path(mount), Path(cgroups)) if (limit := _limit(path)) is not None]
    with suppress(AttributeError, OSError, ValueError):  # not every system has these words
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits, default=None)


def _limit_files(mount: Path, cgroups: Path) -> Iterator[Path]:
    """Yield the files that may hold a limit: of each group that the process is in, and of those above it."""
    try:
        lines = cgroups.read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "":
            root, name = mount, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = mount / "memory", "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in group.split("/") if part not in {"", ".."}]
        for depth in range(len(parts), -1, -1):
            yield root.joinpath(*parts[:depth], name)


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() and int(text) < _NO_LIMIT else None


def _peak() -> int:
    try:
        import resource  # noqa: PLC0415  # not on every system
        import sys  # noqa: PLC0415
    except ImportError as error:
        message = "the resident size is not known on this system: pass read_rss"
        raise OSError(message) from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
