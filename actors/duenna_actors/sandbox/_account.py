"""The paper account: a wallet, positions, and what is free of it."""

import attrs


@attrs.define
class Position:
    """A position in one contract, one-way mode.

    Attributes:
        quantity: In quantity units; negative when short.
        cost: What it was bought for, in 1e-8 of the quote asset, of the same sign as `quantity`.
    """

    quantity: int = 0
    cost: int = 0

    def gain(self, mark_notional: int) -> int:
        """Return the unrealised profit, given what the absolute quantity is worth now."""
        worth = mark_notional if self.quantity >= 0 else -mark_notional
        return worth - self.cost


@attrs.define
class Account:
    """Amounts in whole 1e-8 of the quote asset, so that nothing is ever lost to rounding.

    Invariant, exact: `wallet == start + realized - fees`, and the signed notional of all fills plus `realized` is the
    sum of the positions' costs.

    Attributes:
        wallet: The balance.
        leverage: Notional that one unit of margin carries. 1 or more.
        realized: The sum of all realised profits and losses.
        fees: The sum of all fees.
        positions: By the contract's name, those that were ever open.
    """

    wallet: int
    leverage: int
    realized: int = 0
    fees: int = 0
    positions: dict[str, Position] = attrs.field(factory=dict[str, Position])

    def position(self, symbol: str) -> Position:
        """Return the position in a contract, an empty one if there was none."""
        return self.positions.setdefault(symbol, Position())

    def fill(self, symbol: str, quantity: int, notional: int, fee: int) -> int:
        """Book a fill and return the profit that it realised.

        Args:
            symbol: The contract's name.
            quantity: Signed: negative for a sale. Not 0.
            notional: Price times quantity, of the same sign.
            fee: What the exchange takes for it.
        """
        position = self.position(symbol)
        realized = 0
        if position.quantity * quantity < 0:
            closed = min(abs(position.quantity), abs(quantity))
            out = notional * closed // abs(quantity)
            cost = position.cost * closed // abs(position.quantity)
            realized = -(out + cost)
        position.quantity += quantity
        # What did not close anything is the cost of what is open: one line for opening, closing and turning round.
        position.cost += notional + realized
        self.realized += realized
        self.fees += fee
        self.wallet += realized - fee
        return realized

    def margin(self, symbol: str) -> int:
        """Return what the position in a contract ties up."""
        return abs(self.position(symbol).cost) // self.leverage
