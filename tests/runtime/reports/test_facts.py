"""What is known of an exception, whichever library it is of and however badly it behaves."""

from __future__ import annotations

import errno
import sqlite3
import ssl
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from math import inf, nan
from typing import Any, NoReturn

import pytest

from duenna._facts import facts_of, kind_of
from duenna._text import describe
from duenna.guards import CircuitOpenError
from duenna.machines.classification import Link
from duenna_actors.api_errors import ApiRateLimitError
from duenna_actors.feed_errors import FeedClosedError, FeedHandshakeError


class PlainError(Exception):
    """An error whose attributes are those that a test gives it."""

    def __init__(self, text: str = "", **attributes: Any) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class Thing:
    """An object with the attributes that a test gives it: a response, a close frame."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def link_of(error: BaseException) -> Link:
    """Return the first link of *error*, at a fixed time of day."""
    return facts_of(error, wall=lambda: 1000.0).links[0]


def foreign(name: str, module: str, *bases: type[BaseException], **members: Any) -> Any:
    """Return a type of exception as another library has it."""
    return type(name, bases or (Exception,), {"__module__": module, **members})


class ItRaisesError(Exception):
    """An error of which nothing can be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"no {name}")

    @property
    def status(self) -> NoReturn:
        raise OSError("no status")

    @property
    def response(self) -> NoReturn:
        raise SystemError("no response")

    @property  # type: ignore[misc]
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise ValueError("no class")


def test_a_built_in_error() -> None:
    assert facts_of(ZeroDivisionError("division by zero"), origin="strategy").links == (
        Link(type="ZeroDivisionError", message="division by zero", bases=("ArithmeticError",)),
    )
    assert facts_of(ValueError(), origin="strategy").origin == "strategy"


def test_types_have_their_module_and_bases_theirs() -> None:
    name = f"{__name__}.PlainError"

    assert link_of(PlainError("x")).type == name
    assert link_of(foreign("ReadTimeout", "httpx", TimeoutError)("x")).bases == ("TimeoutError", "OSError")


def test_the_errno_of_the_system() -> None:
    assert link_of(ConnectionRefusedError(errno.ECONNREFUSED, "refused")).errno == errno.ECONNREFUSED
    assert link_of(OSError("no number")).errno is None
    assert link_of(ssl.SSLError(1, "a number of its own")).errno is None
    assert link_of(PlainError(errno=1 << 40)).errno is None


STATUSES = [
    ({"status": 429}, 429),
    ({"status_code": 503}, 503),
    ({"status": "404"}, None),
    ({"response": Thing(status_code=500)}, 500),
    ({"response": Thing(status=500)}, 500),
    ({"response": {"ResponseMetadata": {"HTTPStatusCode": 400}}}, 400),
    ({"response": {}}, None),
    ({"response": {"ResponseMetadata": 5}}, None),
    ({"status": "FILLED"}, None),
    ({"status": "abc", "status_code": 418}, 418),
    ({"status": True}, None),
    ({"status": 10**400}, None),
    ({"status": 99}, None),
    ({"status": "9" * 100}, None),
    ({"status": 200.0}, None),
]


@pytest.mark.parametrize(("attributes", "status"), STATUSES)
def test_the_status_of_an_answer(attributes: dict[str, Any], status: int | None) -> None:
    assert link_of(PlainError(**attributes)).status == status


WAITS = [
    ({"retry_after": 7}, 7.0),
    ({"retry_after": "7"}, None),
    ({"retry_after": timedelta(seconds=90)}, 90.0),
    ({"retry_after": 10**9}, 7 * 86_400.0),
    ({"retry_after": nan}, None),
    ({"retry_after": inf}, None),
    ({"retry_after": -1}, None),
    ({"retry_after": 0}, None),
    ({"retry_after": True}, None),
    ({"retry_after": 10**400}, None),
    ({"retry_after": "soon"}, None),
    ({"retry_after": [7]}, None),
    ({"headers": {"retry-after": "7"}}, 7.0),
    ({"headers": {"Retry-After": " 7.5 "}}, 7.5),
    ({"headers": [(b"Retry-After", b"7")]}, 7.0),
    ({"headers": [("a", "b"), ("retry-after", "7")]}, 7.0),
    ({"headers": {}, "response": Thing(headers={"retry-after": "9"})}, 9.0),
    ({"resp_headers": {"retry-after": "9"}}, 9.0),
    ({"response": Thing(headers={"retry-after": "9"})}, 9.0),
    ({"headers": {"retry-after": format_datetime(datetime.fromtimestamp(1030, UTC), usegmt=True)}}, 30.0),
    ({"headers": {"retry-after": format_datetime(datetime.fromtimestamp(900, UTC), usegmt=True)}}, None),
    ({"headers": {"retry-after": "tomorrow"}}, None),
    ({"headers": {"retry-after": "1" * 100}}, None),
    ({"headers": {"retry-after": "1e400"}}, None),
    ({"headers": 5}, None),
    ({"headers": "garbage"}, None),
    ({"headers": {}}, None),
]


@pytest.mark.parametrize(("attributes", "wait"), WAITS)
def test_how_long_it_wants_to_be_left_alone(attributes: dict[str, Any], wait: float | None) -> None:
    assert link_of(PlainError(**attributes)).retry_after == wait


class Reason(Enum):
    """A code as an enumeration has it."""

    UNAVAILABLE = 14


CODES = [
    (PlainError(code=-1003), "-1003"),
    (PlainError(code=" InvalidNonce "), "InvalidNonce"),
    (PlainError(error_code=5), "5"),
    (PlainError(ret_code="10001"), "10001"),
    (PlainError(code=Reason.UNAVAILABLE), "UNAVAILABLE"),
    (PlainError(code=""), None),
    (PlainError(code=True), None),
    (PlainError(code=10**400), None),
    (PlainError(code=[1]), None),
    (PlainError(code="x" * 1000), "x" * 64),
    (PlainError(code=lambda: 5), None),
    (PlainError(status_code=10001), "10001"),
    (PlainError(status=400, code=400), None),
    (PlainError(response={"Error": {"Code": "Throttling"}}), "Throttling"),
    (PlainError(response={"Error": 5}), None),
    (foreign("RpcError", "grpc", code=lambda self: Reason.UNAVAILABLE)(), "UNAVAILABLE"),
    (foreign("RpcError", "grpc", code=lambda self: 1 / 0)(), None),
    (foreign("OperationalError", "pymysql.err")(1205, "lock wait timeout"), "1205"),
    (foreign("OperationalError", "pymysql.err")("no number"), None),
    (foreign("DatabaseError", "mysql.connector.errors", errno=1205)(), "1205"),
    (foreign("DBAPIError", "sqlalchemy.exc", code="e3q8")(), None),
    (foreign("ClientResponseError", "aiohttp.client_exceptions", code=5)(), None),
]


@pytest.mark.parametrize(("error", "code"), CODES)
def test_the_far_ends_own_code(error: BaseException, code: str | None) -> None:
    assert link_of(error).code == code


def test_the_name_of_an_error_of_sqlite() -> None:
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("nonsense")

    assert link_of(caught.value).code == "SQLITE_ERROR"


def test_a_code_is_the_status_where_errors_of_http_have_it_for_one() -> None:
    error = foreign("HTTPError", "urllib.error", OSError, code=503)()

    assert (link_of(error).status, link_of(error).code) == (503, None)


CLOSES = [
    (FeedClosedError(1006, "gone"), 1006),
    (UnicodeDecodeError("utf-8", b"x", 0, 1, "no close code"), None),
    (foreign("ConnectionClosed", "trio_websocket")(), None),
    (foreign("ConnectionClosed", "trio_websocket", reason=Thing(code=1011))(), 1011),
    (foreign("ConnectionClosedError", "websockets.exceptions", rcvd=Thing(code=1012))(), 1012),
    (foreign("ConnectionClosedError", "websockets.exceptions", rcvd=None, code=5)(), 1006),
    (foreign("WebSocketDisconnect", "starlette.websockets", code=1001)(), 1001),
    (foreign("WebSocketDisconnect", "starlette.websockets", code=99)(), None),
    (PlainError(close_code=4003), 4003),
    (PlainError(code=1006), None),
]


@pytest.mark.parametrize(("error", "code"), CLOSES)
def test_the_close_code_of_a_websocket(error: BaseException, code: int | None) -> None:
    assert link_of(error).close_code == code


STATES = [
    (PlainError(sqlstate="40P01"), "40P01"),
    (PlainError(pgcode="57p01"), "57P01"),
    (PlainError(diag=Thing(sqlstate="08006")), "08006"),
    (PlainError(orig=Thing(pgcode="40001")), "40001"),
    (PlainError(sqlstate=None), None),
    (PlainError(sqlstate="toolong"), None),
    (PlainError(sqlstate="ab cd"), None),
    (PlainError(sqlstate=40001), None),
]


@pytest.mark.parametrize(("error", "state"), STATES)
def test_the_sqlstate_of_a_database(error: BaseException, state: str | None) -> None:
    assert link_of(error).sqlstate == state


def test_what_our_own_errors_say() -> None:
    banned = ApiRateLimitError("GET", "/x", "said 418", status=418, code=-1003, retry_after=3.0, outcome_unknown=True)
    said = link_of(banned)

    assert (said.status, said.code, said.retry_after, said.outcome_unknown) == (418, "-1003", 3.0, True)
    assert link_of(FeedHandshakeError("no", status=403, retry_after=5.0)).status == 403
    assert link_of(CircuitOpenError("binance", "open", inf)).retry_after is None
    assert link_of(CircuitOpenError("binance", "open", 5.0)).outcome_unknown is False


def test_causes_follow_outermost_first() -> None:
    """A cause counts before a context, and a suppressed context does not."""
    inner, middle, outer = OSError("inner"), KeyError("middle"), ValueError("outer")
    outer.__cause__, outer.__context__ = middle, OSError("not this one")
    middle.__context__ = inner
    inner.__context__, inner.__suppress_context__ = TypeError("suppressed"), True

    assert [link.type for link in facts_of(outer).links] == ["ValueError", "KeyError", "OSError"]


def test_members_follow_their_group_and_their_causes_follow_them() -> None:
    first = ValueError("1")
    first.__cause__ = OSError("of 1")
    group = ExceptionGroup("all", [first, ExceptionGroup("more", [KeyError("2")])])
    group.__cause__ = TypeError("of all")

    assert [link.type for link in facts_of(group).links] == [
        *["ExceptionGroup", "ValueError", "ExceptionGroup", "TypeError", "OSError", "KeyError"]
    ]


def test_cyclic_causes_come_once() -> None:
    first, second = ValueError("1"), KeyError("2")
    first.__cause__, second.__cause__ = second, first

    assert [link.type for link in facts_of(first).links] == ["ValueError", "KeyError"]


def test_a_member_that_is_there_twice_comes_once() -> None:
    twice = ValueError("1")

    assert len(facts_of(ExceptionGroup("all", [twice, twice])).links) == 2


def test_a_chain_is_cut() -> None:
    error: BaseException = ValueError("0")
    for number in range(1000):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer

    assert len(facts_of(error).links) == 32


def test_of_a_large_group_one_of_each_type_comes_first() -> None:
    many: list[Exception] = [ValueError(str(number)) for number in range(9_000)]
    group = ExceptionGroup("all", [*many, KeyError("the one that counts"), *many[:999]])
    links = facts_of(group).links

    assert len(links) == 32
    assert [link.type for link in links[:3]] == ["ExceptionGroup", "ValueError", "KeyError"]


def test_an_error_of_which_nothing_can_be_had() -> None:
    error = ItRaisesError()
    link = facts_of(error).links[0]

    assert link == Link(type=f"{__name__}.ItRaisesError", message="<its __str__ raised RuntimeError>")
    assert describe(error) == "ItRaisesError: <its __str__ raised RuntimeError>"


class OddNumber(int):
    """A number that cannot be had."""

    def __int__(self) -> NoReturn:
        raise RuntimeError("no number")

    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddResponse(dict[str, Any]):
    """An answer that cannot be read."""

    def get(self, *key: Any) -> NoReturn:
        raise RuntimeError("no keys")


class HidingError(Exception):
    """An error that hides its attributes."""

    @property
    def __dict__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no attributes")


def test_attributes_that_raise_say_nothing() -> None:
    name = f"{__name__}.PlainError"

    assert link_of(PlainError("x", status=OddNumber(5), code=OddNumber(5))) == Link(type=name, message="x")
    assert link_of(PlainError("x", response=OddResponse(), code=5)) == Link(type=name, message="x")
    assert link_of(HidingError("x")).message == "x"


def test_ten_megabytes_are_cut() -> None:
    error = ValueError("password=" + "x" * 10_000_000)

    assert facts_of(error).links[0].message == "..."
    assert len(facts_of(ValueError("y " * 5_000_000)).links[0].message) == 500


def test_an_error_with_a_number_in_place_of_its_module() -> None:
    kind = foreign("OddError", "x")
    kind.__module__ = 5

    class Meta(type):
        @property
        def __module__(cls) -> NoReturn:  # type: ignore[override]
            raise RuntimeError("no module")

    nameless: Any = Meta("OddError", (Exception,), {})

    assert link_of(kind("x")).type == "5.OddError"
    assert link_of(nameless("x")).type == "<a type without a name>"


def test_a_thousand_types_are_remembered_and_no_more() -> None:
    for number in range(2_100):
        kind_of(foreign(f"E{number}Error", "x"))

    assert link_of(foreign("LastError", "x")("y")).type == "x.LastError"
