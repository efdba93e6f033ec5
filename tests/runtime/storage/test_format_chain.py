"""What snapshots and journals amount to, decided from numbers alone."""

from __future__ import annotations

import pytest

from duenna.storage import Damage, Loss
from duenna.storage._chain import Chain, Link, Run, can_start, follow
from duenna.storage._layout import File


def link(
    number: int,
    start: int | None,
    commits: int = 0,
    *,
    repeats: bool = False,
    is_clean: bool = False,
    fault: str = "",
    is_torn: bool = False,
    suffix: str = "",
) -> Link:
    file = File(number, "jour", suffix)
    return Link(file, start, commits, repeats=repeats, is_clean=is_clean, fault=fault, is_torn=is_torn)


def jour(number: int) -> str:
    return f"jour-{number:08d}.bin"


def lost(number: int, what: str) -> Damage:
    return Damage(jour(number), what, Loss.ACKNOWLEDGED, f"{jour(number)}.corrupt")


@pytest.mark.parametrize(
    ("seq", "links", "chain"),
    [
        pytest.param(0, [], Chain(0, (), is_clean=False, damages=()), id="nothing"),
        pytest.param(7, [], Chain(7, (), is_clean=False, damages=()), id="a snapshot alone"),
        pytest.param(
            7,
            [link(1, 8, 3), link(2, 11, 2, is_clean=True)],
            Chain(12, (Run(0, 0, 3), Run(1, 0, 2)), is_clean=True, damages=()),
            id="two journals",
        ),
        pytest.param(
            7,
            [link(1, 8, 3, is_clean=True), link(2, 11, 2)],
            Chain(12, (Run(0, 0, 3), Run(1, 0, 2)), is_clean=False, damages=()),
            id="only the last mark counts",
        ),
        pytest.param(
            7,
            [link(1, 8, 3, fault="torn", is_torn=True), link(2, 11, 1)],
            Chain(11, (Run(0, 0, 3), Run(1, 0, 1)), is_clean=False, damages=()),
            id="a torn end in the middle does no harm",
        ),
        pytest.param(
            7,
            [link(1, 8, 3, fault="torn", is_torn=True)],
            Chain(10, (Run(0, 0, 3),), is_clean=False, damages=(Damage(jour(1), "torn", Loss.UNKNOWN),)),
            id="a torn end",
        ),
        pytest.param(
            7,
            [link(1, 8, 3, fault="rotten")],
            Chain(10, (Run(0, 0, 3),), is_clean=False, damages=(lost(1, "rotten"),)),
            id="a rotten end",
        ),
        pytest.param(
            7,
            [link(1, 8, 3), link(2, 11, 2, repeats=True)],
            Chain(12, (Run(0, 0, 2), Run(1, -1, 0), Run(1, 0, 2)), is_clean=False, damages=()),
            id="what is repeated counts in the journal that repeats it",
        ),
        pytest.param(
            7,
            [link(1, 8, 2, fault="torn", is_torn=True), link(2, 11, 2, repeats=True)],
            Chain(12, (Run(0, 0, 2), Run(1, -1, 0), Run(1, 0, 2)), is_clean=False, damages=()),
            id="what is repeated was never durable",
        ),
        pytest.param(
            10,
            [link(2, 11, 2, repeats=True)],
            Chain(12, (Run(0, 0, 2),), is_clean=False, damages=()),
            id="what is repeated is in the snapshot",
        ),
        pytest.param(
            7,
            [link(1, 8, 2), link(2, 10, 0, repeats=True, is_clean=True), link(3, 10, 1, is_clean=True)],
            Chain(10, (Run(0, 0, 1), Run(1, -1, 0), Run(2, 0, 1)), is_clean=True, damages=()),
            id="a journal that only repeats",
        ),
        pytest.param(
            7,
            [link(1, 8, 3), link(2, 10, 1)],
            Chain(10, (Run(0, 0, 2), Run(1, 0, 1)), is_clean=False, damages=()),
            id="a failed commit is taken back",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, 9, 1), link(3, 9, 2)],
            Chain(10, (Run(0, 0, 1), Run(2, 0, 2)), is_clean=False, damages=()),
            id="a whole journal is taken back",
        ),
        pytest.param(
            7,
            [link(1, 8, 2, fault="rotten"), link(2, 13, 2)],
            Chain(
                9,
                (Run(0, 0, 2),),
                is_clean=False,
                damages=(lost(1, "rotten"), lost(2, "commits from 13 on cannot be used, for commit 10 is missing")),
            ),
            id="a hole",
        ),
        pytest.param(
            7,
            [link(1, 8, 2, fault="torn", is_torn=True), link(2, 11, 2, is_clean=True)],
            Chain(
                9,
                (Run(0, 0, 2),),
                is_clean=False,
                damages=(lost(1, "torn"), lost(2, "commits from 11 on cannot be used, for commit 10 is missing")),
            ),
            id="a missing commit convicts what looks torn",
        ),
        pytest.param(
            7,
            [link(1, 9, 2), link(2, 11, 2)],
            Chain(
                7,
                (),
                is_clean=False,
                damages=(
                    lost(1, "commits from 9 on cannot be used, for commit 8 is missing"),
                    lost(2, "commits from 11 on cannot be used, for commit 8 is missing"),
                ),
            ),
            id="a hole at once",
        ),
        pytest.param(
            7,
            [link(1, 8, 2, fault="rotten", suffix=".corrupt"), link(2, 13, 2, suffix=".corrupt"), link(3, 10, 1)],
            Chain(10, (Run(0, 0, 2), Run(2, 0, 1)), is_clean=False, damages=()),
            id="after a hole the count went on",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, None, fault="bad"), link(3, 9, 1, is_clean=True)],
            Chain(
                9,
                (Run(0, 0, 1), Run(2, 0, 1)),
                is_clean=True,
                damages=(Damage(jour(2), "bad", Loss.NOTHING, f"{jour(2)}.corrupt"),),
            ),
            id="nothing is missing between",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, None, fault="bad", suffix=".corrupt"), link(3, 9, 1)],
            Chain(9, (Run(0, 0, 1), Run(2, 0, 1)), is_clean=False, damages=()),
            id="nothing is missing, and it was said before",
        ),
        pytest.param(
            7,
            [link(1, 8, 1, is_clean=True), link(2, None, fault="bad")],
            Chain(8, (Run(0, 0, 1),), is_clean=False, damages=(lost(2, "bad"),)),
            id="the last one is bad",
        ),
        pytest.param(
            7,
            [link(1, 8, 1, fault="torn", is_torn=True), link(2, None, fault="bad")],
            Chain(
                8,
                (Run(0, 0, 1),),
                is_clean=False,
                damages=(Damage(jour(1), "torn", Loss.UNKNOWN), lost(2, "bad")),
            ),
            id="the last two are bad",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, None, fault="bad"), link(3, 12, 1), link(4, None, fault="worse")],
            Chain(
                8,
                (Run(0, 0, 1),),
                is_clean=False,
                damages=(
                    lost(2, "bad"),
                    lost(3, "commits from 12 on cannot be used, for commit 9 is missing"),
                    lost(4, "worse"),
                ),
            ),
            id="a bad one makes a hole",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, 12, 1, repeats=True), link(3, 11, 1), link(4, 11, 1)],
            Chain(
                8,
                (Run(0, 0, 1),),
                is_clean=False,
                damages=(lost(4, "commits from 11 on cannot be used, for commit 9 is missing"),),
            ),
            id="what was taken back is not missed",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, 12, 1), link(3, 14, 1), link(4, 13, 1)],
            Chain(
                8,
                (Run(0, 0, 1),),
                is_clean=False,
                damages=(
                    lost(2, "commits from 12 on cannot be used, for commit 9 is missing"),
                    lost(4, "commits from 13 on cannot be used, for commit 9 is missing"),
                ),
            ),
            id="what was taken back is not missed behind a hole",
        ),
        pytest.param(
            7,
            [link(1, 8, 1), link(2, 10, 1, repeats=True), link(3, 9, 2)],
            Chain(10, (Run(0, 0, 1), Run(2, 0, 2)), is_clean=False, damages=()),
            id="what is repeated is taken back",
        ),
        pytest.param(
            7,
            [link(1, 8, 1, fault="rotten"), link(2, 10, 1), link(3, 11, 1, repeats=True)],
            Chain(
                8,
                (Run(0, 0, 1),),
                is_clean=False,
                damages=(
                    lost(1, "rotten"),
                    lost(3, "commits from 11 on cannot be used, for commit 9 is missing"),
                ),
            ),
            id="what was taken back does not bridge a hole",
        ),
    ],
)
def test_journals_are_followed(seq: int, links: list[Link], chain: Chain) -> None:
    assert follow(seq, links) == chain
    assert chain.has_hole == any(damage.loss is Loss.ACKNOWLEDGED for damage in chain.damages)


@pytest.mark.parametrize(
    ("seq", "links", "answer"),
    [
        (0, [], True),
        (9, [link(1, 10, 1)], True),
        (9, [link(1, 12, 1), link(2, 10, 1)], True),
        (9, [link(1, 10, 1, repeats=True), link(2, None)], True),
        (9, [link(1, 10, 1), link(2, 9, 1)], False),
        (9, [link(1, 1, 1)], False),
    ],
)
def test_a_snapshot_that_was_given_up_is_told_from_what_came_after_it(
    seq: int, links: list[Link], answer: bool
) -> None:
    assert can_start(seq, links) is answer
