"""Who is stopped and started together. Source: OTP, supervisor.erl, ``restart/2`` and ``split_child/2``."""

from enum import StrEnum


class Strategy(StrEnum):
    """Which siblings share the fate of a child that is restarted."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


def first_affected(strategy: Strategy, trigger: int) -> int:
    """Return the position of the first child of the group that *trigger* belongs to.

    The group is everything from there to the end of the start order: all of it for
    `one_for_all`, the trigger and its followers for `rest_for_one`. It is stopped from
    the last to the first and started from the first to the last. `one_for_one` has no
    group and must not ask.

    Args:
        strategy: A group strategy.
        trigger: Position, in start order, of the child that is restarted.
    """
    return 0 if strategy is Strategy.ONE_FOR_ALL else trigger
