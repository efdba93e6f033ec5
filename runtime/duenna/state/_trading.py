"""Whether orders may go to the exchange outlives the process, where a hand or lost state has said no."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from duenna.state.part import Part

if TYPE_CHECKING:
    from duenna.recovery.trading import TradingMode

TRADING: Final = "trading"

LOST: Final = "state"
"""The cause for which trading is held on paper while nobody has said that the state is right."""

OPERATOR: Final = "operator"

_KEPT: Final = (OPERATOR, LOST)  # the causes that are checked begin anew with the process


def trading_part(trading: "TradingMode", changed: Callable[[], None]) -> Part[dict[str, str]]:
    """Return what keeps the causes of *trading* that nobody checks; *changed* is called when one comes or goes."""

    def dump() -> dict[str, str] | None:
        return {cause: why for cause, why in trading.causes.items() if cause in _KEPT} or None

    def load(causes: dict[str, str]) -> None:
        for cause, why in causes.items():
            trading.use_paper(why, cause=cause, by="the state")

    trading.on_change = changed
    return Part(name=TRADING, type=dict[str, str], dump=dump, load=load)
