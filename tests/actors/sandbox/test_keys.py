"""Signed requests and listen keys."""

import hashlib
import hmac

import pytest

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._errors import ApiError
from duenna_actors.sandbox._keys import Credentials, ListenKeys
from duenna_actors.sandbox._params import parse_pairs
from tests.actors.sandbox.support import seeded

NOW_MS = 1_700_000_000_000
OURS = Credentials("our-key", "our-secret")


def sign(payload: str) -> str:
    return hmac.new(OURS.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def check(query: str, body: str = "", now_ms: int = NOW_MS) -> errors.Refusal | None:
    try:
        OURS.check_signature(parse_pairs(query, body), (query, body), now_ms)
    except ApiError as error:
        return error.refusal
    return None


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [("our-key", None), ("another", errors.REJECTED_KEY), ("", errors.BAD_KEY_FORMAT), (None, errors.BAD_KEY_FORMAT)],
)
def test_the_key_has_to_be_the_accounts(sent: str | None, refusal: errors.Refusal | None) -> None:
    if refusal is None:
        OURS.check_key(sent)
        return
    with pytest.raises(ApiError) as caught:
        OURS.check_key(sent)
    assert caught.value.refusal == refusal


def test_query_and_body_are_signed_one_behind_the_other() -> None:
    """As the exchange's own examples do it: without an ampersand between the two."""
    query, body = "symbol=BTCUSDT", f"quantity=1&timestamp={NOW_MS}"

    assert check(query, f"{body}&signature={sign(query + body)}") is None
    assert check(f"{query}&{body}&signature={sign(f'{query}&{body}')}") is None


def test_a_signature_may_be_in_capitals() -> None:
    query = f"timestamp={NOW_MS}"

    assert check(f"{query}&signature={sign(query).upper()}") is None


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("a=1", errors.mandatory("timestamp")),
        ("timestamp=", errors.mandatory("timestamp")),
        ("timestamp=soon", errors.mandatory("timestamp")),
        (f"timestamp={NOW_MS}", errors.mandatory("signature")),
        (f"timestamp={NOW_MS}&signature=", errors.mandatory("signature")),
        (f"timestamp={NOW_MS}&recvWindow=60001&signature=x", errors.BAD_RECV_WINDOW),
        (f"timestamp={NOW_MS}&signature={'0' * 64}", errors.BAD_SIGNATURE),
        (f"timestamp={NOW_MS}&signature=\u00e9", errors.BAD_SIGNATURE),
    ],
)
def test_what_is_wrong_is_named(query: str, refusal: errors.Refusal) -> None:
    assert check(query) == refusal


@pytest.mark.parametrize(
    ("sent_at", "window", "refusal"),
    [
        (NOW_MS - 5_000, "", None),
        (NOW_MS - 5_001, "", errors.OUTSIDE_WINDOW),
        (NOW_MS - 100, "&recvWindow=50", errors.OUTSIDE_WINDOW),
        (NOW_MS - 60_000, "&recvWindow=60000", None),
        (NOW_MS + 1_000, "", None),
        (NOW_MS + 1_001, "", errors.AHEAD_OF_SERVER),
    ],
)
def test_a_request_has_to_be_of_now(sent_at: int, window: str, refusal: errors.Refusal | None) -> None:
    query = f"timestamp={sent_at}{window}"

    assert check(f"{query}&signature={sign(query)}") == refusal


def test_there_is_one_listen_key_and_asking_again_extends_it() -> None:
    keys = ListenKeys(3_600.0, seeded(1))
    key = keys.issue(0.0)

    assert len(key) == 64
    assert keys.issue(3_599.0) == key
    assert keys.is_valid(key, 7_198.0)
    assert not keys.is_valid(key, 7_199.0)
    assert not keys.is_valid("another", 0.0)


def test_a_listen_key_dies_after_its_time() -> None:
    keys = ListenKeys(3_600.0, seeded(1))
    key = keys.issue(0.0)

    assert keys.expire(3_599.9) is None
    assert keys.expire(3_600.0) == key
    assert keys.expire(3_600.0) is None
    assert keys.issue(3_600.0) != key


def test_a_dead_listen_key_cannot_be_renewed() -> None:
    keys = ListenKeys(3_600.0, seeded(1))

    with pytest.raises(ApiError, match=r"^-1125: This listenKey does not exist\.$"):
        keys.renew(0.0)
    key = keys.issue(0.0)
    assert keys.renew(3_000.0) == key
    with pytest.raises(ApiError, match=r"^-1125: "):
        keys.renew(6_600.0)


def test_a_key_that_was_given_up_is_gone() -> None:
    keys = ListenKeys(3_600.0, seeded(1))
    key = keys.issue(0.0)

    assert keys.close() == key
    assert keys.close() is None
    assert not keys.is_valid(key, 0.0)
