"""A simulated disk with files on it, and what power cuts leave of them."""

from __future__ import annotations

from random import Random

from duenna.testing import SimFs

FOLDER = "/data/state"
MANY = 1000
"""Power cuts, of which each thing that may happen happens in some."""


def chance_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # nothing is secret


def disk_with(**files: bytes) -> SimFs:
    disk = SimFs(chance_of(1))
    disk.make_directory(FOLDER)
    for name, data in files.items():
        disk.put(f"{FOLDER}/{name}", data)
    return disk


def save(disk: SimFs, name: str, *writes: bytes, syncs: bool = False) -> None:
    file = disk.create(f"{FOLDER}/{name}")
    for data in writes:
        assert disk.write(file, data) == len(data)
    if syncs:
        disk.sync(file)
    disk.close(file)


def left(disk: SimFs, number: int = MANY) -> set[tuple[tuple[str, bytes], ...]]:
    """Return what power cuts at this moment leave, each as (name, bytes) of all files."""
    cuts = (disk.after_power_cut(chance_of(seed)) for seed in range(number))
    return {tuple(sorted((path.rpartition("/")[2], data) for path, data in cut.files().items())) for cut in cuts}


def bytes_left(disk: SimFs, name: str = "a") -> set[bytes | None]:
    """Return what power cuts at this moment leave in the file *name*; None: the name is gone."""
    return {dict(files).get(name) for files in left(disk)}
