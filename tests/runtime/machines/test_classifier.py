"""The classifier: which rule decides what, whatever the error looks like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.machines.classifier import MOST_REMEMBERED, Classifier
from duenna.machines.rule_table import STANDARD
from duenna.machines.rules import Rule

CLASSIFIER = Classifier()


def facts(*links: Link, origin: str = "") -> Facts:
    return Facts(links=links, origin=origin)


def error(kind: str = "Exception", message: str = "", **fields: Any) -> Facts:
    return facts(Link(type=kind, message=message, **fields))


def is_met(rule: Rule, told: Facts) -> bool:
    """Return whether the one rule of a table says what it says."""
    return Classifier(table=(rule,)).classify(told).severity is Severity.LOW


CHAIN = facts(
    Link(type="app.OrderError", message="order failed", status=503, bases=("app.AppError",)),
    Link(type="httpx.ReadTimeout", message="timed out", errno=110),
    Link(type="ssl.SSLError", message="bad handshake", close_code=1006),
)


@pytest.mark.parametrize(
    ("conditions", "told", "expected"),
    [
        ({}, CHAIN, True),
        ({"types": ["OrderError"]}, CHAIN, True),
        ({"types": ["app.AppError"]}, CHAIN, True),
        ({"types": ["ssl.*"]}, CHAIN, True),
        ({"types": ["KeyError", "*Timeout*"]}, CHAIN, True),
        ({"types": ["KeyError"]}, CHAIN, False),
        ({"types": ["ssl.*"], "where": "outermost"}, CHAIN, False),
        ({"types": ["app.*"], "where": "outermost"}, CHAIN, True),
        ({"types": ["ssl.*"], "where": "root"}, CHAIN, True),
        ({"types": ["httpx.*"], "where": "root"}, CHAIN, False),
        ({"causes": ["ssl.*"]}, CHAIN, True),
        ({"causes": ["app.*"]}, CHAIN, False),
        ({"types": ["app.*"], "causes": ["httpx.*"]}, CHAIN, True),
        ({"statuses": [503]}, CHAIN, True),
        ({"statuses": ["5xx"]}, CHAIN, True),
        ({"statuses": ["400-499"]}, CHAIN, False),
        ({"errnos": [110]}, CHAIN, True),
        ({"close_codes": ["1000..1011"]}, CHAIN, True),
        ({"texts": ["timed-out"]}, CHAIN, True),
        ({"texts": ["order timed-out"]}, CHAIN, False),
        ({"types": ["app.*"], "statuses": [429]}, CHAIN, False),
        ({"origins": ["order"]}, facts(Link(type="E"), origin="order"), True),
        ({"origins": ["order"]}, facts(Link(type="E")), False),
        ({"origins": [""]}, facts(Link(type="E")), True),
        ({"codes": [-1021]}, error(code="-1021"), True),
        ({"codes": ["-10*"]}, error(code="-1021"), True),
        ({"codes": ["-10*"]}, error(code="1021"), False),
        ({"codes": ["50000..50099"]}, error(code="50011"), True),
        ({"codes": ["50000..50099"]}, error(code="50100"), False),
        ({"codes": ["-20..-10"]}, error(code="-15"), True),
        ({"codes": ["0..9"]}, error(code="1-2"), False),
        ({"codes": ["0..9"]}, error(code="x"), False),
        ({"codes": ["0..9"]}, error(code="9" * 1_000_000), False),
        ({"codes": ["0..9"]}, error(code="-"), False),
        ({"sqlstates": ["40P01"]}, error(sqlstate="40P01"), True),
        ({"sqlstates": ["40*"]}, error(sqlstate="40P01"), True),
        ({"sqlstates": ["4*"]}, error(sqlstate="40P01"), True),
        ({"sqlstates": ["41*"]}, error(sqlstate="40P01"), False),
        ({"unknown": True}, error(outcome_unknown=True), True),
        ({"unknown": False}, error(outcome_unknown=False), True),
        ({"unknown": True}, error(), False),
        ({"texts": ["not-exist"]}, error(code="order_not_exist"), True),
        ({"texts": ["@app"]}, error("app.sub.E"), True),
        ({"texts": ["@silent"]}, error(), True),
        ({"texts": ["@silent"]}, error(message="x"), False),
        ({"types": ["OSError"]}, error("builtins.OSError"), True),
    ],
)
def test_a_rule_is_met(conditions: dict[str, Any], told: Facts, expected: bool) -> None:
    """Each kind of condition, alone and together; all must hold, of several values one."""
    assert is_met(Rule(name="it", severity=Severity.LOW, **conditions), told) is expected


def test_the_first_rule_that_says_a_thing_decides_it() -> None:
    table = (
        Rule(name="about", category=Category.API, texts=("oops",)),
        Rule(name="other", category=Category.DATA, severity=Severity.LOW),
        Rule(name="for-data", categories=(Category.DATA,), severity=Severity.LOW),
        Rule(name="for-api", categories=(Category.API,), severity=Severity.CRITICAL, retry_after=5.0),
        Rule(name="rest", transient=False, outcome_unknown=True, retry_after=9.0),
    )

    verdict = Classifier(table=table).classify(error(message="oops"))

    assert verdict == Verdict(
        category=Category.API,
        severity=Severity.CRITICAL,
        transient=False,
        outcome_unknown=True,
        retry_after=5.0,
        rule="about",
    )


def test_what_the_far_end_asks_for_beats_the_rule() -> None:
    table = (Rule(name="wait", category=Category.RATE_LIMIT, retry_after=60.0),)
    classifier = Classifier(table=table)

    assert classifier.classify(error()).retry_after == 60.0
    assert (
        classifier.classify(facts(Link(type="A", retry_after=2.0), Link(type="B", retry_after=7.0))).retry_after == 7.0
    )
    assert classifier.classify(error(retry_after=-1.0)).retry_after == 60.0


def test_with_no_rule_at_all_it_is_this_processes_fault() -> None:
    assert Classifier(table=()).classify(error()) == Verdict(
        category=Category.SYSTEM, severity=Severity.HIGH, transient=False
    )


def test_own_rules_come_first() -> None:
    own = Rule(name="mine", types=("ReadTimeout",), severity=Severity.CRITICAL)

    verdict = Classifier([own]).classify(error("httpx.ReadTimeout"))

    assert (verdict.category, verdict.severity) == (Category.NETWORK, Severity.CRITICAL)


def test_a_built_in_rule_can_be_replaced_and_taken_out() -> None:
    replaced = Classifier([Rule(name="status/teapot", statuses=(418,), category=Category.API, severity=Severity.LOW)])
    without = Classifier([Rule(name="status/teapot", enabled=False)])

    assert replaced.classify(error(status=418)).category is Category.API
    assert "status/teapot" not in {rule.name for rule in without.rules}
    assert len(without.rules) == len(STANDARD) - 1


def test_only_rules_are_rules() -> None:
    wrong: Any = {"name": "x"}
    with pytest.raises(TypeError, match=r"^classifier: rules must be of type Rule, got \{'name': 'x'\}$"):
        Classifier([wrong])


@pytest.mark.parametrize(
    ("kind", "bases", "status", "expected"),
    [
        ("ccxt.base.errors.CancelPending", ("ccxt.base.errors.OperationFailed",), None, (Category.EXCHANGE, "MEDIUM")),
        (
            "ccxt.base.errors.ChecksumError",
            ("ccxt.base.errors.InvalidNonce", "ccxt.base.errors.NetworkError", "ccxt.base.errors.OperationFailed"),
            None,
            (Category.DATA, "MEDIUM"),
        ),
        (
            "ccxt.base.errors.RequestTimeout",
            ("ccxt.base.errors.NetworkError", "ccxt.base.errors.OperationFailed"),
            None,
            (Category.NETWORK, "MEDIUM"),
        ),
        (
            "websockets.exceptions.InvalidStatus",
            ("websockets.exceptions.InvalidHandshake",),
            401,
            (Category.AUTH, "HIGH"),
        ),
        (
            "trio_websocket._impl.ConnectionRejected",
            ("trio_websocket._impl.HandshakeError",),
            502,
            (Category.API, "MEDIUM"),
        ),
        ("urllib.error.HTTPError", ("urllib.error.URLError", "OSError"), 404, (Category.API, "LOW")),
        ("msgspec.ValidationError", ("msgspec.DecodeError", "msgspec.MsgspecError"), None, (Category.DATA, "HIGH")),
        (
            "duenna_actors.api_errors.ApiTimeoutError",
            ("duenna.errors.DuennaError",),
            None,
            (Category.NETWORK, "MEDIUM"),
        ),
        ("duenna.mailbox.MailboxFullError", ("duenna.errors.DuennaError",), None, (Category.MEMORY, "HIGH")),
        (
            "requests.exceptions.ReadTimeout",
            ("requests.exceptions.RequestException", "OSError"),
            None,
            (Category.NETWORK, "MEDIUM"),
        ),
        (
            "psycopg.errors.InvalidTextRepresentation",
            ("psycopg.DataError", "psycopg.Error"),
            None,
            (Category.DATABASE, "HIGH"),
        ),
    ],
)
def test_a_class_goes_before_its_bases(
    kind: str, bases: tuple[str, ...], status: int | None, expected: tuple[Category, str]
) -> None:
    """A live exception brings its bases along, a record does not; both mean the same."""
    for known in (bases, ()):
        verdict = CLASSIFIER.classify(facts(Link(type=kind, bases=known, status=status), origin="rest"))

        assert (verdict.category, verdict.severity) == expected


@pytest.mark.parametrize("origin", ["", "rest", "order", "ws_feed"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("PermissionError", "[Errno 13] Permission denied: '/srv/bot/state.json'"),
        ("OSError", "permission denied"),
        ("PermissionError", "[WinError 5] Access is denied"),
        ("KeyError", "'api_key'"),
        ("KeyError", "'token'"),
        ("KeyError", "'signature'"),
        ("LookupError", "key not found: account"),
        ("AttributeError", "'NoneType' object has no attribute 'sign'"),
        ("TypeError", "login() got an unexpected keyword argument 'token'"),
        ("TypeError", "__init__() missing 1 required positional argument: 'key'"),
        ("ValueError", "unknown user"),
        ("ValueError", "invalid key"),
        ("RuntimeError", "role missing"),
        ("RuntimeError", "client has been blocked waiting for a lock"),
        ("ImportError", "cannot import name 'x' from partially initialized module 'y'"),
        ("json.decoder.JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
        ("TimeoutError", "authentication timed out"),
        ("Exception", "session closed"),
        ("websockets.exceptions.ConnectionClosedError", "received 4001 (private use); then sent 4001 (private use)"),
        ("trio_websocket._impl.ConnectionClosed", "CloseReason<code=4003, name=PRIVATE_RESERVED, reason=None>"),
    ],
)
def test_what_is_not_clear_needs_no_hand(kind: str, message: str, origin: str) -> None:
    """A child is parked until somebody comes only if the words leave no doubt that it is about a key or a setting."""
    assert not CLASSIFIER.classify(facts(Link(type=kind, message=message), origin=origin)).needs_a_hand


@pytest.mark.parametrize("origin", ["", "rest", "order", "ws_feed"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("OnMaintenance", "system under maintenance"),
        ("OnMaintenance", ""),
        ("Exception", "the exchange is under maintenance"),
    ],
)
def test_maintenance_is_no_lack_of_funds(kind: str, message: str, origin: str) -> None:
    """Nor is it anything else, whoever asks."""
    verdict = CLASSIFIER.classify(facts(Link(type=kind, message=message), origin=origin))

    assert (verdict.category, verdict.severity, verdict.transient) == (Category.EXCHANGE, Severity.HIGH, True)


def test_what_may_have_happened_is_never_transient() -> None:
    """Also where two rules say so together."""
    table = (
        Rule(name="again", category=Category.API, transient=True),
        Rule(name="maybe", outcome_unknown=True),
    )
    explanation = Classifier(table=table).explain(error())

    assert (explanation.verdict.transient, explanation.verdict.outcome_unknown) == (False, True)
    assert [rule.decided for rule in explanation.rules] == [("category API",), ("outcome_unknown True",)]


def test_the_names_of_the_table_are_unique() -> None:
    names = [rule.name for rule in STANDARD]

    assert sorted(names) == sorted(set(names))


def test_an_explanation_tells_of_every_rule() -> None:
    explanation = CLASSIFIER.explain(facts(Link(type="httpx.ReadTimeout", message="HTTP 429"), origin="rest"))
    rules = {rule.name: rule for rule in explanation.rules}

    assert explanation.verdict == CLASSIFIER.classify(
        facts(Link(type="httpx.ReadTimeout", message="HTTP 429"), origin="rest")
    )
    assert explanation.facts.links[0].status == 429
    assert [rule.name for rule in explanation.rules] == [rule.name for rule in CLASSIFIER.rules]
    assert rules["status/too-many"].matched
    assert rules["status/too-many"].held == ("statuses 429",)
    assert rules["status/too-many"].decided == ("category RATE_LIMIT",)
    assert rules["network/type"].held == ("types ReadTimeout",)
    assert rules["network/type"].decided == ()
    assert rules["status/teapot"].failed == ("statuses 418",)
    assert rules["default/rate"].decided == ("severity MEDIUM", "transient True")
    assert rules["default/data"].failed == ("categories DATA",)


def test_an_explanation_tells_what_an_error_says_of_its_outcome() -> None:
    explanation = CLASSIFIER.explain(error(outcome_unknown=True))

    assert next(rule for rule in explanation.rules if rule.name == "outcome/said").held == ("unknown True",)


@pytest.mark.parametrize(
    "told",
    [
        error(message="x" * 10_000_000),
        error(message="timed out " * 1_000_000),
        error(message="(((" * 3_000_000),
        error(message="A" * 5_000_000 + "a"),
        error("T" * 10_000_000),
        error(code="c" * 10_000_000),
        facts(*[Link(type=f"T{number}", message="m" * 10_000) for number in range(10_000)]),
    ],
    ids=["letters", "words", "brackets", "capitals", "type", "code", "group"],
)
def test_whatever_is_huge_is_judged(told: Facts) -> None:
    """10 MB of text, and groups of 10,000, cost what their beginning costs."""
    assert CLASSIFIER.classify(told).rule


def test_what_is_remembered_is_bounded() -> None:
    classifier = Classifier(table=(Rule(name="a", severity=Severity.LOW, codes=("1*",), types=("X",)),))

    for number in range(MOST_REMEMBERED + 10):
        classifier.classify(error(f"T{number}", code=str(number)))

    assert len(classifier._types_met) <= MOST_REMEMBERED
    assert len(classifier._codes_met) <= MOST_REMEMBERED


LINKS = st.builds(
    Link,
    type=st.sampled_from(["Exception", "httpx.ReadTimeout", "ccxt.base.errors.InvalidOrder", "", "a.", "OSError"])
    | st.text(max_size=30),
    message=st.text(max_size=200),
    status=st.none() | st.integers(100, 599),
    code=st.none() | st.text(max_size=10),
    sqlstate=st.none() | st.text(max_size=5),
    errno=st.none() | st.integers(-5, 140),
    close_code=st.none() | st.integers(1000, 4999),
    retry_after=st.none() | st.floats(0, 1e6),
    outcome_unknown=st.none() | st.booleans(),
)
FACTS = st.builds(
    Facts,
    links=st.lists(LINKS, min_size=1, max_size=4).map(tuple),
    origin=st.sampled_from(["", "rest", "order", "ws_feed", "database", "strategy", "config", "runtime", "other"]),
)


@given(FACTS)
def test_every_error_has_a_verdict(told: Facts) -> None:
    """Nothing raises; a second look, with what was remembered, agrees; what may have happened is never tried again."""
    verdict = CLASSIFIER.classify(told)

    assert verdict.rule
    assert verdict == CLASSIFIER.classify(told)
    assert not (verdict.outcome_unknown and verdict.transient)
