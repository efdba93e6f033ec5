"""The contracts: their prices, steps and sizes."""

import re
from collections.abc import Iterable

import attrs

from duenna_actors.sandbox._noise import uniform

_NAME = re.compile(r"[A-Z0-9]{5,20}")
_QUOTE = "USDT"


@attrs.frozen
class Symbol:
    """One perpetual contract. Prices and quantities are whole numbers of the last decimal: exact, and cheap to compare.

    Attributes:
        name: Such as `BTCUSDT`.
        price: The price at the sandbox's start, in price units.
        price_decimals: How many decimals a price is written with.
        tick: The price step, in price units.
        gap: The distance between two levels of the book, in price units; a multiple of `tick`.
        quantity_decimals: How many decimals a quantity is written with. The quantity step is 1 unit.
        turnover: What is traded in a second, in quantity units, on average.
        volatility: The price's deviation over a day, as a share of it.
    """

    name: str
    price: int
    price_decimals: int
    tick: int
    gap: int
    quantity_decimals: int
    turnover: float
    volatility: float

    @property
    def base(self) -> str:
        """The asset that is traded."""
        return self.name.removesuffix(_QUOTE)

    def write_price(self, units: float) -> str:
        """Write a price as the exchange does."""
        return decimal(round(units), self.price_decimals)

    def write_quantity(self, units: int) -> str:
        """Write a quantity as the exchange does."""
        return decimal(units, self.quantity_decimals)

    def notional(self, price: int, quantity: int) -> int:
        """Return price times quantity in 1e-8 of the quote asset, exactly."""
        scale: int = 10 ** (8 - self.price_decimals - self.quantity_decimals)
        return price * quantity * scale

    def to_tick(self, price: float) -> int:
        """Round a price to the tick, in price units."""
        return round(price / self.tick) * self.tick


def decimal(units: int, decimals: int) -> str:
    """Write a whole number of 10^-*decimals* as a decimal fraction."""
    if decimals == 0:
        return str(units)
    sign = "-" if units < 0 else ""
    digits = f"{abs(units):0{decimals + 1}d}"
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def write_e8(units: int) -> str:
    """Write an amount that is kept in 1e-8 of an asset."""
    return decimal(units, 8)


_KNOWN = {
    symbol.name: symbol
    for symbol in (
        Symbol("BTCUSDT", 6_500_000, 2, 10, 60, 3, 2_000.0, 0.03),
        Symbol("ETHUSDT", 320_000, 2, 1, 3, 3, 40_000.0, 0.04),
        Symbol("BNBUSDT", 60_000, 2, 1, 2, 2, 900.0, 0.04),
        Symbol("SOLUSDT", 1_500_000, 4, 100, 100, 0, 60.0, 0.05),
        Symbol("XRPUSDT", 12_000, 4, 1, 1, 1, 40_000.0, 0.05),
        Symbol("DOGEUSDT", 20_000, 5, 1, 1, 0, 20_000.0, 0.06),
    )
}


def find_symbols(names: Iterable[str], key: int) -> dict[str, Symbol]:
    """Return the contract of each name, in that order.

    A name that is not in the table gets a contract that is made up from it.

    Raises:
        ValueError: A name is no contract name or stands there twice, or there is none.
    """
    found: dict[str, Symbol] = {}
    for name in names:
        if not _NAME.fullmatch(name) or not name.endswith(_QUOTE):
            raise ValueError(f"symbol must be 5 to 20 capitals and digits that end in {_QUOTE}, got {name!r}")
        if name in found:
            raise ValueError(f"symbol {name} stands twice in the list")
        found[name] = _KNOWN.get(name) or _invent(name, key)
    if not found:
        raise ValueError("a sandbox needs one symbol at least, got none")
    return found


def _invent(name: str, key: int) -> Symbol:
    position = int.from_bytes(name.encode(), "big")
    price = int(10_000 * 10 ** (3.0 * uniform(key, position)))
    return Symbol(name, price, 4, 1, max(1, price // 50_000), 1, 5_000.0, 0.05)
