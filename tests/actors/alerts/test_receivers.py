"""Receivers against servers that record what they got, over real sockets."""

from __future__ import annotations

import email
import email.policy
import hmac
import json
import re
import ssl
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import trio
from loguru import logger

from duenna.machines.alert_words import Reason
from duenna.machines.classification import Severity
from duenna_actors.alerts import (
    AppriseReceiver,
    DeliveryError,
    EmailReceiver,
    LogReceiver,
    PagerDutyReceiver,
    Receiver,
    SlackReceiver,
    TelegramReceiver,
    WebhookReceiver,
)
from duenna_actors.alerts.text import Desk, cut, iso, span
from tests.actors.certificate import CERTIFICATE
from tests.actors.certificate import KEY as PRIVATE_KEY
from tests.actors.support import http

from .kit import DESK, alert, mail_server, note, web_server

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "123456:AAE-secret_token-xyz"  # noqa: S105  # made up
KEY = "R0UT1NGK3Y5ECRET"

FIRING = note(firing=(alert(),))
OVER = note(resolved=(alert(until=125.0),))


async def send(receiver: Receiver, *notes: Any) -> None:
    sender = receiver.sender(DESK)
    try:
        for one in notes:
            for part in receiver.parts(one):
                await sender.send(part)
    finally:
        await sender.aclose()


async def failure(receiver: Receiver, given: Any = FIRING) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await send(receiver, given)
    return caught.value


# -- webhook ---------------------------------------------------------------------------


async def test_a_webhook_is_what_alertmanager_would_send() -> None:
    async with web_server(http("")) as server:
        await send(
            WebhookReceiver(url=f"{server.url}/hook?x=1", headers={"Authorization": "Bearer abcdefgh"}), FIRING, OVER
        )

    first, second = server.json()
    assert server.heads[0].startswith("POST /hook?x=1 HTTP/1.1")
    assert "authorization: bearer abcdefgh" in server.heads[0].lower()
    assert (first["version"], first["status"], first["groupLabels"]) == ("4", "firing", {"kind": "breaker_open"})
    assert first["alerts"][0]["labels"] == {
        "alertname": "breaker_open",
        "kind": "breaker_open",
        "target": "binance",
        "path": "/bot/api",
        "severity": "CRITICAL",
    }
    assert (first["alerts"][0]["startsAt"], first["alerts"][0]["endsAt"]) == (
        "2026-03-01T12:00:00Z",
        "0001-01-01T00:00:00Z",
    )
    assert (second["status"], second["alerts"][0]["endsAt"]) == ("resolved", "2026-03-01T12:02:05Z")
    assert (second["alerts"][0]["duration"], second["alerts"][0]["fingerprint"]) == (
        125.0,
        first["alerts"][0]["fingerprint"],
    )


async def test_a_webhook_is_signed() -> None:
    async with web_server(http("")) as server:
        await send(WebhookReceiver(url=server.url, secret="a long secret"), FIRING)  # noqa: S106  # made up

    found = re.search(r"(?i)x-duenna-signature: t=(\d+),v1=([0-9a-f]{64})", server.heads[0])
    assert found is not None
    signed = hmac.new(b"a long secret", found[1].encode() + b"." + server.bodies[0], sha256).hexdigest()
    assert found[2] == signed


async def test_a_webhook_with_many_alerts_says_how_many_are_missing() -> None:
    many = tuple(alert(number, target=str(number)) for number in range(250))
    async with web_server(http("")) as server:
        await send(WebhookReceiver(url=server.url), note(firing=many, suppressed=3))

    (sent,) = server.json()
    assert (len(sent["alerts"]), sent["truncatedAlerts"], sent["suppressed"]) == (200, 50, 3)


@pytest.mark.parametrize(
    ("answer", "text", "is_final", "retry_after"),
    [
        (http("no such hook", 404), "hook: status 404: no such hook", True, None),
        (http("", 500), "hook: status 500", False, None),
        (http("", 429, Retry_After="30"), "hook: status 429", False, 30.0),
        (
            http("", 302, Location="/other"),
            "hook: it answered with a redirect (status 302), which is not followed",
            True,
            None,
        ),
        (http("", 408), "hook: status 408", False, None),
    ],
)
async def test_an_answer_says_whether_to_come_back(
    answer: bytes, text: str, is_final: bool, retry_after: float | None
) -> None:
    async with web_server(answer) as server:
        error = await failure(WebhookReceiver(name="hook", url=server.url))

    assert (str(error), error.is_final, error.retry_after) == (text, is_final, retry_after)


async def test_an_answer_that_is_too_large_is_an_answer() -> None:
    async with web_server(http("x" * 100_000)) as server:
        await send(WebhookReceiver(url=server.url), FIRING)


async def test_no_answer_is_an_error_in_time() -> None:
    async with web_server(None) as server:
        error = await failure(WebhookReceiver(name="hook", url=server.url, timeout=0.05))

    assert (str(error), error.is_final) == ("hook: no answer within 0.05 s", False)


async def test_a_refused_connection_is_an_error_without_the_address() -> None:
    async with web_server(http("")) as server:
        port = server.port
    error = await failure(SlackReceiver(url=f"http://127.0.0.1:{port}/services/T0/B0/S3CRETS3CRET"))

    assert not error.is_final
    assert "S3CRET" not in str(error)
    assert error.__suppress_context__ or error.__context__ is None or "S3CRET" not in repr(error.__context__)


# -- Slack -----------------------------------------------------------------------------


async def test_slack_gets_text_that_it_cannot_misread() -> None:
    hostile = note(firing=(alert(summary="<!channel> & <https://evil|click>"),))
    async with web_server(http("ok")) as server:
        await send(SlackReceiver(url=f"{server.url}/services/T0/B0/S3CRETS3CRET"), hostile, OVER)

    first, second = server.json()
    assert server.heads[0].startswith("POST /services/T0/B0/S3CRETS3CRET ")
    assert first["text"] == "[my-bot] firing: breaker_open binance"
    assert (first["mrkdwn"], first["unfurl_links"], first["unfurl_media"]) == (False, False, False)
    assert "&lt;!channel&gt; &amp; &lt;https://evil|click&gt;" in first["attachments"][0]["text"]
    assert first["attachments"][0]["color"] != second["attachments"][0]["color"]
    assert second["attachments"][0]["text"] == "RESOLVED breaker_open binance after 2 min 5 s: it is open"


# -- PagerDuty -------------------------------------------------------------------------


async def test_pagerduty_gets_an_event_for_each_alert() -> None:
    two = note(
        firing=(alert(1), alert(2, target="kraken", severity=Severity.MEDIUM)),
        resolved=(alert(3, target="okx", until=9.0),),
    )
    async with web_server(http('{"status":"success"}', 202)) as server:
        await send(PagerDutyReceiver(routing_key=KEY, url=f"{server.url}/v2/enqueue"), two)

    first, second, third = server.json()
    assert [event["event_action"] for event in (first, second, third)] == ["trigger", "trigger", "resolve"]
    assert first["routing_key"] == KEY
    assert first["payload"]["summary"] == "breaker_open binance: it is open"
    assert (first["payload"]["severity"], second["payload"]["severity"]) == ("critical", "warning")
    assert (first["payload"]["source"], first["payload"]["timestamp"]) == ("my-bot", "2026-03-01T12:00:00Z")
    assert "payload" not in third


async def test_a_dedup_key_is_stable_and_bounded() -> None:
    long = note(firing=(alert(target="x" * 1000, summary="y" * 3000),))
    async with web_server(http("", 202)) as server:
        receiver = PagerDutyReceiver(routing_key=KEY, url=server.url)
        await send(receiver, long, note(resolved=(alert(9, target="x" * 1000, until=5.0),)))
        sender = receiver.sender(Desk("b" * 500, lambda time: time))
        await sender.send(long)
        await sender.aclose()

    begin, end, other = server.json()
    assert begin["dedup_key"] == end["dedup_key"]
    assert len(begin["payload"]["summary"]) <= 1024
    assert len(other["dedup_key"]) == 255


async def test_what_came_and_went_begins_and_ends_at_pagerduty_and_so_does_a_test() -> None:
    brief = alert(1, until=5.0)
    async with web_server(http("", 202)) as server:
        receiver = PagerDutyReceiver(routing_key=KEY, url=server.url)
        await send(receiver, note(resolved=(brief,), brief=(brief.id,)), note(firing=(alert(2),), reason=Reason.TEST))

    assert [event["event_action"] for event in server.json()] == ["trigger", "resolve", "trigger", "resolve"]


# -- Telegram --------------------------------------------------------------------------


async def test_telegram_gets_a_bounded_message_without_markup() -> None:
    long = note(firing=tuple(alert(number, target="😀" * 150, summary="x" * 290) for number in range(50)))
    async with web_server(http('{"ok":true}')) as server:
        await send(TelegramReceiver(token=TOKEN, chat_id=-100, url=server.url), long, OVER)

    first, second = server.json()
    assert server.heads[0].startswith(f"POST /bot{TOKEN}/sendMessage ")
    assert (first["chat_id"], first["disable_notification"], second["disable_notification"]) == (-100, False, True)
    assert "parse_mode" not in first
    assert len(first["text"].encode("utf-16-le")) // 2 <= 4096


async def test_telegrams_retry_after_is_in_its_body() -> None:
    said = '{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}'
    async with web_server(http(said, 429)) as server:
        error = await failure(TelegramReceiver(token=TOKEN, chat_id="@x", url=server.url))

    assert (error.retry_after, error.is_final, error.status) == (35.0, False, 429)
    assert TOKEN not in str(error)


@pytest.mark.parametrize(
    ("answer", "is_final"),
    [
        (http('{"ok":false,"description":"chat not found"}', 400), True),
        (http('{"ok":false,"description":"chat not found"}'), True),
        (http("", 502), False),
    ],
)
async def test_what_telegram_refuses_is_an_error(answer: bytes, is_final: bool) -> None:
    async with web_server(answer) as server:
        error = await failure(TelegramReceiver(token=TOKEN, chat_id=1, url=server.url))

    assert error.is_final is is_final


async def test_an_answer_of_a_proxy_is_an_answer() -> None:
    async with web_server(http("<html>")) as server:
        await send(TelegramReceiver(token=TOKEN, chat_id=1, url=server.url), FIRING)


# -- mail ------------------------------------------------------------------------------


def mail_to(port: int, **options: Any) -> EmailReceiver:
    given: dict[str, Any] = {"sender_address": "bot@example.org", "recipients": ["a@example.org", "b@example.org"]}
    return EmailReceiver(host="127.0.0.1", port=port, **(given | {"security": "none"} | options))


async def test_a_mail_says_what_it_is_about() -> None:
    async with mail_server() as server:
        await send(mail_to(server.port), FIRING, OVER)

    first, second = (email.message_from_bytes(mail, policy=email.policy.default) for mail in server.mails)
    assert first["Subject"] == "[my-bot] firing: breaker_open binance"
    assert second["Subject"] == "[my-bot] resolved: breaker_open binance"
    assert (first["To"], first["From"]) == ("a@example.org, b@example.org", "bot@example.org")
    assert (first["Date"], first["Importance"]) == ("Sun, 01 Mar 2026 12:01:00 +0000", "high")
    assert first["Message-ID"].startswith("<duenna.")
    assert "CRITICAL breaker_open binance: it is open (since 2026-03-01T12:00:00Z)" in first.get_content()
    assert "after 2 min 5 s" in second.get_content()
    assert [command.lower() for command in server.commands if command.lower().startswith("rcpt")] == [
        "rcpt to:<a@example.org>",
        "rcpt to:<b@example.org>",
    ] * 2


async def test_a_newline_in_a_name_makes_no_header() -> None:
    async with mail_server() as server:
        sender = mail_to(server.port).sender(Desk("bot\r\nBcc: x@evil.org", lambda time: time))
        await sender.send(FIRING)

    mail = email.message_from_bytes(server.mails[0], policy=email.policy.default)
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    ("refuse", "text", "is_final"),
    [
        ({"MAIL": "550 go away"}, "email: code 550: go away", True),
        ({"MAIL": "451 later"}, "email: code 451: later", False),
        ({"RCPT": "550 unknown"}, "email: code 550: no recipient was accepted", True),
        ({"RCPT": "450 greylisted"}, "email: code 450: no recipient was accepted", False),
        ({"DATA": "554 spam"}, "email: code 554: spam", True),
        ({"CONNECT": "421 busy"}, "email: code 421: busy", False),
    ],
)
async def test_a_mail_server_that_refuses_says_for_how_long(refuse: dict[str, str], text: str, is_final: bool) -> None:
    async with mail_server(refuse) as server:
        error = await failure(mail_to(server.port))

    assert (str(error), error.is_final) == (text, is_final)


async def test_a_mail_server_that_is_not_there_is_an_error() -> None:
    async with mail_server() as server:
        port = server.port

    error = await failure(mail_to(port))
    assert str(error).startswith("email: ConnectionRefusedError")
    assert not error.is_final


async def test_a_mail_server_that_says_a_letter_now_and_then_keeps_no_thread() -> None:
    """No timeout of one reading ends that; whoever waits for it does, and its thread with it."""
    held, gone = 0, trio.Event()

    async def drip(stream: trio.SocketStream) -> None:
        nonlocal held
        held += 1
        try:
            while True:
                await stream.send_all(b"2")
                await trio.sleep(0.02)
        except trio.BrokenResourceError:
            held -= 1
            gone.set()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, drip, [listener])
        sender = mail_to(listener.socket.getsockname()[1]).sender(DESK)
        for _ in range(4):  # more than may work at a time
            gone = trio.Event()
            with trio.move_on_after(0.2):
                await sender.send(FIRING)
            await gone.wait()
        nursery.cancel_scope.cancel()

    assert held == 0


async def test_what_is_to_be_encrypted_is_never_sent_otherwise() -> None:
    """A server that offers no STARTTLS gets neither the password nor the mail."""
    async with mail_server() as server:
        receiver = mail_to(server.port, security="starttls", username="me", password="pass word 1")  # noqa: S106
        error = await failure(receiver)

    assert error.is_final
    assert server.mails == []
    assert not [command for command in server.commands if command.startswith("AUTH")]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_encrypted_way_is_used_by_who_trusts_it_alone(security: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CERTIFICATE + PRIVATE_KEY)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "key")
    trusting = ssl.create_default_context(cadata=CERTIFICATE)
    options: dict[str, Any] = {"security": security, "username": "me", "password": "pass word 1"}
    async with mail_server(tls=server_side, tls_at_once=security == "tls") as server:
        await send(mail_to(server.port, tls=trusting, **options), FIRING)
        assert [command for command in server.commands if command.startswith("AUTH")]
        error = await failure(mail_to(server.port, **options))

    assert len(server.mails) == 1
    assert error.is_final
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)


async def test_a_wrong_password_is_final_and_in_no_text() -> None:
    async with mail_server({"AUTH": "535 wrong: pass word 1"}) as server:
        receiver = mail_to(server.port, username="me")
        error = await failure(receiver)

    assert (error.status, error.is_final) == (535, True)


# -- log -------------------------------------------------------------------------------


async def test_the_log_gets_the_level_of_the_worst() -> None:
    lines: list[Any] = []
    sink = logger.add(lines.append, level="INFO", format="{level} {message}")
    try:
        low = note(firing=(alert(severity=Severity.LOW),))
        await send(LogReceiver(), FIRING, low, OVER)
    finally:
        logger.remove(sink)

    assert [line.split()[0] for line in lines] == ["CRITICAL", "INFO", "INFO"]


# -- apprise ---------------------------------------------------------------------------


async def test_apprise_sends_to_its_services() -> None:
    pytest.importorskip("apprise")
    async with web_server(http("ok")) as server:
        await send(AppriseReceiver(urls=f"json://127.0.0.1:{server.port}/hook"), FIRING, OVER)

    first, second = server.json()
    assert (first["title"], first["type"]) == ("[my-bot] firing: breaker_open binance", "failure")
    assert (second["type"], "after 2 min 5 s" in second["message"]) == ("success", True)


async def test_what_apprise_says_about_a_failure_is_in_the_error() -> None:
    pytest.importorskip("apprise")
    async with web_server(http("no", 500)) as server:
        error = await failure(AppriseReceiver(urls=[f"json://user:s3cretpass@127.0.0.1:{server.port}/"]))

    assert "500" in str(error)
    assert "s3cretpass" not in str(error)


def test_an_address_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(ValueError, match=r"^AppriseReceiver: address 2 of 2 is of no service that apprise knows$"):
        AppriseReceiver(urls=["json://localhost", "nosuch://s3cret"])
    with pytest.raises(ValueError, match=r"^AppriseReceiver: urls must have at least one address$"):
        AppriseReceiver(urls=[])
    shown = AppriseReceiver(urls=["json://user:s3cretpass@localhost/x"]).shown()
    assert "s3cretpass" not in shown[0]


# -- all -------------------------------------------------------------------------------


async def test_what_is_no_unicode_is_sent_all_the_same() -> None:
    """Names of files that Python could not decode are in texts of errors, and would be encoded by no library."""
    hostile = note(firing=(alert(summary="no such file: \udcff", target="\ud800", details="\udc80"),))
    async with web_server(http("ok")) as server, mail_server() as mails:
        await send(WebhookReceiver(url=server.url), hostile)
        await send(SlackReceiver(url=server.url), hostile)
        await send(PagerDutyReceiver(routing_key=KEY, url=server.url), hostile)
        await send(TelegramReceiver(token=TOKEN, chat_id=1, url=server.url), hostile)
        await send(mail_to(mails.port), hostile)

    assert all(b"no such file: \\\\udcff" in body for body in server.bodies)
    assert (len(server.bodies), len(mails.mails)) == (4, 1)


async def test_what_the_http_client_logs_by_itself_has_no_token(caplog: pytest.LogCaptureFixture) -> None:
    """It logs the whole address of each request, and Telegram's has the token in it."""
    caplog.set_level("DEBUG")
    async with web_server(http("{}")) as server:
        await send(TelegramReceiver(token=TOKEN, chat_id=1, url=server.url), FIRING)

    (line,) = (record.getMessage() for record in caplog.records if record.name == "httpx2")
    assert line.startswith("HTTP Request: POST http://127.0.0.1")
    assert TOKEN.partition(":")[2] not in caplog.text


# -- construction ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SlackReceiver(url="hooks.slack.com/x"), r"^SlackReceiver: url must be a whole one"),
        (lambda: WebhookReceiver(url="ftp://x"), r"^WebhookReceiver: url must be a whole one"),
        (lambda: WebhookReceiver(url="http://[::1"), r"^WebhookReceiver: url must be a whole one"),
        (lambda: WebhookReceiver(url="http://x/\ny"), r"^WebhookReceiver: url must be a whole one"),
        (lambda: WebhookReceiver(url="http://x", name="a/b"), r"^receiver: name must be printable"),
        (lambda: WebhookReceiver(url="http://x", timeout=0), r"^receiver: timeout must be > 0 seconds, got 0$"),
        (lambda: WebhookReceiver(url="http://x", cap_per_hour=0), r"cap_per_hour must be >= 1, got 0$"),
        (lambda: WebhookReceiver(url="http://x", least="BAD"), r"'BAD' is not a valid Severity"),
        (lambda: PagerDutyReceiver(routing_key=" "), r"^PagerDutyReceiver: routing_key must not be empty$"),
        (lambda: TelegramReceiver(token="x", chat_id=1), r"^TelegramReceiver: token must be digits, a colon"),  # noqa: S106
        (lambda: TelegramReceiver(token=TOKEN, chat_id=""), r"^TelegramReceiver: chat_id must be a number or @channel"),
        (lambda: mail_to(25, recipients=[]), r"^EmailReceiver: recipients must have at least one address$"),
        (
            lambda: mail_to(25, recipients="a@b\nc"),
            r"^EmailReceiver: an address must look like name@host, got 'a@b\\nc'$",
        ),
        (lambda: mail_to(0), r"^EmailReceiver: port must be >= 1, got 0$"),
        (
            lambda: mail_to(25, password="x"),  # noqa: S106  # made up
            r"^EmailReceiver: a password needs security='starttls' or 'tls', got 'none'",
        ),
        (
            lambda: EmailReceiver(host=" ", sender_address="a@b", recipients="a@b"),
            r"^EmailReceiver: host must not be empty$",
        ),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_nothing_secret_is_in_a_repr() -> None:
    receivers: list[Receiver] = [
        SlackReceiver(url="https://hooks.slack.com/services/T0/B0/S3CRETS3CRET"),
        WebhookReceiver(url="https://x/S3CRETS3CRET", secret="S3CRETS3CRET", headers={"A": "S3CRETS3CRET"}),  # noqa: S106
        PagerDutyReceiver(routing_key="S3CRETS3CRET"),
        TelegramReceiver(token="1:S3CRETS3CRET", chat_id=1),  # noqa: S106
        mail_to(25, password="S3CRETS3CRET", security="tls"),  # noqa: S106
    ]

    assert "S3CRET" not in repr(receivers)


# -- text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (42, "42 s"),
        (60, "1 min"),
        (303, "5 min 3 s"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_span_is_for_a_person(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_text_is_bounded_and_has_the_worst_first() -> None:
    many = tuple(alert(number, target=f"t{number}", severity=Severity.LOW) for number in range(30))
    worst = alert(99, target="worst", details="the stack")
    text = DESK.text(note(firing=(*many, worst), suppressed=12))

    lines = text.split("\n")
    assert lines[0] == "[my-bot] firing: breaker_open (31)"
    assert lines[1].startswith("CRITICAL breaker_open worst:")
    assert lines[21:] == ["... and 11 more", "12 suppressed: more alerts than are sent in an hour", "", "the stack"]


def test_a_text_has_no_secrets() -> None:
    assert "s3cretvalue" not in DESK.text(note(firing=(alert(summary="api_secret=s3cretvalue9"),)))


def test_what_is_cut_stays_whole_characters() -> None:
    assert (cut("abc", 3), cut("abcd", 3), cut("😀😀", 3)) == ("abc", "ab…", "😀…")
    assert (iso(-1), iso(1e15)) == ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


def test_a_webhook_of_a_summary_has_no_alerts() -> None:
    from duenna_actors.alerts.receivers.webhook import payload  # noqa: PLC0415

    made = payload(note(reason=Reason.SUMMARY, suppressed=5, group={}), DESK)
    assert (made["alerts"], made["commonLabels"], made["suppressed"]) == ([], {}, 5)
    assert json.dumps(made)
