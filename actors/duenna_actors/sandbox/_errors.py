"""The exchange's own errors: a code, a text and an HTTP status."""

import attrs


@attrs.frozen
class Refusal:
    """What the exchange answers to a request that it does not carry out.

    Attributes:
        code: The exchange's number, negative.
        text: Its text.
        status: The HTTP status that goes with it.
    """

    code: int
    text: str
    status: int = 400


class ApiError(Exception):
    """A request is refused.

    Attributes:
        refusal: With what.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.text}")
        self.refusal = refusal


def mandatory(name: str) -> Refusal:
    """Refuse a request without a parameter that it needs."""
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> Refusal:
    """Refuse a parameter with characters that cannot stand in it."""
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def invalid(name: str) -> Refusal:
    """Refuse a parameter whose value is out of its range."""
    return Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")


def no_route(method: str, path: str, status: int) -> Refusal:
    """Refuse a path, or a method on it, that the exchange does not have."""
    return Refusal(-5000, f"Path {path}, Method {method} is invalid", status)


def too_many_orders(limit: int, span: str) -> Refusal:
    """Refuse an order above the order count."""
    return Refusal(-1015, f"Too many new orders; current limit is {limit} orders per {span}.", 429)


def too_much_weight(limit: int) -> Refusal:
    """Refuse a request above the weight limit."""
    return Refusal(
        -1003,
        f"Too many requests; current limit of IP is {limit} requests per minute. "
        "Please use the websocket for live updates to avoid polling the API.",
        429,
    )


def banned(until_ms: int) -> Refusal:
    """Refuse a request of a banned address. The end of the ban stands in the text, as on the exchange."""
    return Refusal(
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use the websocket for live updates to avoid bans.",
        418,
    )


INTERNAL = Refusal(-1000, "An unknown error occurred while processing the request.", 500)
TIMEOUT = Refusal(
    -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.", 408
)
DUPLICATE_PARAMETER = Refusal(-1101, "Duplicate values for a parameter detected.")
BAD_PRECISION = Refusal(-1111, "Precision is over the maximum defined for this asset.")
BAD_TIME_IN_FORCE = Refusal(-1115, "Invalid timeInForce.")
BAD_ORDER_TYPE = Refusal(-1116, "Invalid orderType.")
BAD_SIDE = Refusal(-1117, "Invalid side.")
BAD_INTERVAL = Refusal(-1120, "Invalid interval.")
BAD_SYMBOL = Refusal(-1121, "Invalid symbol.")
BAD_LISTEN_KEY = Refusal(-1125, "This listenKey does not exist.")
BAD_SIGNATURE = Refusal(-1022, "Signature for this request is not valid.")
BAD_RECV_WINDOW = Refusal(-1131, "recvWindow must be less than 60000")
OUTSIDE_WINDOW = Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
AHEAD_OF_SERVER = Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
BAD_KEY_FORMAT = Refusal(-2014, "API-key format invalid.", 401)
REJECTED_KEY = Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
UNKNOWN_ORDER = Refusal(-2011, "Unknown order sent.")
NO_SUCH_ORDER = Refusal(-2013, "Order does not exist.")
NO_MARGIN = Refusal(-2019, "Margin is insufficient.")
REDUCE_ONLY_REJECTED = Refusal(-2022, "ReduceOnly Order is rejected.")
NO_QUANTITY = Refusal(-4003, "Quantity less than or equal to zero.")
PRICE_NOT_ON_TICK = Refusal(-4014, "Price not increased by tick size.")
BAD_CLIENT_ID = Refusal(-4015, "Client order id is not valid.")
DUPLICATE_CLIENT_ID = Refusal(-4116, "ClientOrderId is duplicated.")
TOO_SMALL = Refusal(-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only).")
NOT_A_MAKER = Refusal(-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.")
TOO_MANY_OPEN = Refusal(-2025, "Reach max open order limit.")
NEEDS_AN_ORDER_ID = Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
