"""What may become of an order that its sender is not told of by the exchange."""

from duenna.errors import DuennaError


class OrderNotPlacedError(DuennaError):
    """The order is not at the exchange, and will not get there: it may be placed anew.

    Attributes:
        client_order_id: Its id.
        symbol: The contract.
    """

    outcome_unknown = False

    def __init__(self, client_order_id: str, symbol: str, why: str) -> None:
        """Say why the order is not there."""
        super().__init__(f"order {client_order_id} of {symbol} was not placed: {why}")
        self.client_order_id = client_order_id
        self.symbol = symbol


class OrderOutcomeUnknownError(DuennaError):
    """The order may be at the exchange, and could not be found out about in time.

    Do not place another in its stead. Placing the same message again, with this
    ``client_order_id``, first finds out what became of it. So does the client, once a minute,
    and publishes `OrderFound`.

    Attributes:
        client_order_id: Its id.
        symbol: The contract.
    """

    outcome_unknown = True

    def __init__(self, client_order_id: str, symbol: str, why: str) -> None:
        """Say why nobody knows what became of the order."""
        super().__init__(f"order {client_order_id} of {symbol} may have been placed: {why}")
        self.client_order_id = client_order_id
        self.symbol = symbol
