"""Names of files: which are a state's, in which order, and which may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.storage._layout import File, Listing, list_files, parse_name, superseded


def snap(number: int, suffix: str = "") -> File:
    return File(number, "snap", suffix)


def jour(number: int, suffix: str = "") -> File:
    return File(number, "jour", suffix)


@given(
    st.builds(
        File, st.integers(0, 10**18 - 1), st.sampled_from(["snap", "jour"]), st.sampled_from(["", ".tmp", ".corrupt"])
    )
)
def test_a_name_says_all_of_a_file(file: File) -> None:
    assert parse_name(file.name) == file
    assert file.set_aside.name.endswith(f"{file.number}.bin.corrupt")


@pytest.mark.parametrize(
    "name",
    [
        "snap-1.bin",
        "snap-000000001.bin",
        "snap-00000001.bin ",
        "snap-00000001.bin\n",
        "snap-00000001.bin.corrupt.tmp",
        "Snap-00000001.bin",
        "log-00000001.bin",
        "snap-00000001",
        "snap-0000000\N{ARABIC-INDIC DIGIT ONE}.bin",
        "BALLAST",
        "",
    ],
)
def test_other_names_are_not_a_states(name: str) -> None:
    assert parse_name(name) is None


def test_files_are_sorted_by_number() -> None:
    """Also those whose number has got longer."""
    files = [jour(99_999_999), snap(100_000_000), jour(3, ".corrupt"), snap(2), snap(4, ".corrupt"), jour(5, ".tmp")]
    names = [*(file.name for file in files), "LOCK", "system_state.json"]

    assert list_files(names) == Listing(
        snapshots=(snap(2), snap(100_000_000)),
        journals=(jour(3, ".corrupt"), jour(99_999_999)),
        temporaries=(jour(5, ".tmp"),),
        set_aside=(jour(3, ".corrupt"), snap(4, ".corrupt")),
        newest=100_000_000,
    )


@pytest.mark.parametrize(
    ("names", "is_empty"),
    [
        ([], True),
        (["LOCK", "snap-00000001.bin.tmp"], True),
        (["jour-00000001.bin"], False),
        (["snap-00000001.bin"], False),
        (["snap-00000001.bin.corrupt"], False),
    ],
)
def test_what_is_unfinished_is_no_state(names: list[str], is_empty: bool) -> None:
    assert list_files(names).is_empty is is_empty


@pytest.mark.parametrize(
    ("keep", "damaged", "gone"),
    [
        (1, [], [jour(1), snap(2), jour(3), snap(4), jour(5), jour(6)]),
        (2, [], [jour(1), snap(2), jour(3)]),
        (3, [], [jour(1)]),
        (4, [], []),
        (1, [snap(7)], [jour(1), snap(2), jour(3)]),
        (2, [snap(4)], [jour(1)]),
        (3, [snap(4)], []),
    ],
)
def test_what_nothing_would_be_read_from_may_go(keep: int, damaged: list[File], gone: list[File]) -> None:
    present = [jour(1), snap(2), jour(3), jour(3, ".corrupt"), snap(4), jour(5), jour(6), snap(7), jour(8)]
    listing = list_files([*(file.name for file in present), "snap-00000001.bin.corrupt", "LOCK"])

    assert list(superseded(listing, keep, damaged=[file.name for file in damaged])) == gone
