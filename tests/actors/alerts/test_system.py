"""`/system/alerts` in a running bot: conditions from events, messages to the alerter, deliveries that fail."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from loguru import logger
from trio.testing import MockClock, wait_all_tasks_blocked

import duenna
from duenna import Actor, Backoff, Breaker, Child, Connection, Context, Guard, Supervisor, open_runtime
from duenna.error_events import AlertRaised, AlertResolved, ErrorClassified
from duenna.events import Event
from duenna.machines.classification import Severity
from duenna.settings import AlertSettings, Settings
from duenna_actors.alerts import (
    AddSilence,
    AlertsStatus,
    ClearAlert,
    Condition,
    DeleteSilence,
    DeliveryError,
    EmailReceiver,
    GetAlerts,
    GetSilences,
    LogReceiver,
    Notification,
    NotificationDelayed,
    NotificationFailed,
    NotificationSent,
    RaiseAlert,
    SendTestAlert,
    SilenceRefused,
    SlackReceiver,
    alerts,
)
from tests.actors.support import http

from .kit import ALERTER, WALL, Recorder, bot, condition, mail_server, web_server


def raising(**fields: Any) -> RaiseAlert:
    return condition(**fields)


# -- the bot's own alerts --------------------------------------------------------------


async def test_a_bot_raises_and_clears_alerts_of_its_own(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    async with bot(receiver) as runtime:
        with runtime.events(AlertRaised, AlertResolved) as events:
            alerter = runtime.ref(ALERTER)
            alerter.tell(raising(kind="drawdown", target="BTC"))
            await trio.sleep(90)
            alerter.tell(ClearAlert(kind="drawdown", target="BTC"))
            await trio.sleep(1)
            seen = list(events.drain())

    assert receiver.told() == [("firing", "drawdown BTC", ""), ("resolved", "", "drawdown BTC")]
    assert [type(event) for event in seen] == [AlertRaised, AlertResolved]
    raised, resolved = seen
    assert isinstance(raised, AlertRaised)
    assert isinstance(resolved, AlertResolved)
    assert (raised.id, raised.path, resolved.duration) == (resolved.id, "/bot/api", 90.0)
    assert receiver.closed == ["recorder"]


async def test_an_alert_waits_for_its_group_by_the_runtimes_clock(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    async with bot(receiver) as runtime:
        for target in "ab":
            runtime.ref(ALERTER).tell(raising(target=target, severity=Severity.HIGH))
        await trio.sleep(9.5)
        assert receiver.got == []
        await trio.sleep(1)

    assert receiver.told() == [("firing", "breaker_open a, breaker_open b", "")]
    assert receiver.got[0].time == 10.0


async def test_silences_are_added_listed_and_deleted(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    async with bot(receiver) as runtime:
        alerter = runtime.ref(ALERTER)
        view = await alerter.ask(AddSilence(("kind=breaker_open",), 600.0, "me", "deploy"))
        assert (view.remaining, view.until, view.matchers) == (600.0, WALL + 600, ('kind="breaker_open"',))
        alerter.tell(raising())
        await trio.sleep(100)
        (listed,) = await alerter.ask(GetSilences())
        assert (listed.id, listed.remaining, listed.author, listed.comment) == (view.id, 500.0, "me", "deploy")
        status: AlertsStatus = await alerter.ask(GetAlerts())
        assert (status.alerts[0].silenced_by, status.raised, status.suppressed["silenced"]) == (view.id, 0, 1)
        assert receiver.got == []

        assert await alerter.ask(DeleteSilence(view.id))
        assert not await alerter.ask(DeleteSilence(view.id))
        await trio.sleep(20)

    assert receiver.told() == [("firing", "breaker_open binance", "")]


async def test_too_many_silences_are_refused_and_crash_nobody(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duenna.machines.alert_silences.MOST", 0)
    async with bot(Recorder()) as runtime:
        answer = await runtime.ref(ALERTER).ask(AddSilence(("kind=a",), 1.0, "me"))

    assert answer == SilenceRefused("there must be at most 0 silences at a time: delete one first")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (((), 1.0, "me"), r"^AddSilence: matchers must be a list of at least one matcher, got \(\)$"),
        (("kind=a", 1.0, "me"), r"^AddSilence: matchers must be a list"),
        ((("kind",), 1.0, "me"), r"^a matcher must be label=value"),
        ((("kind=a",), 0.0, "me"), r"^AddSilence: duration must be > 0 seconds, got 0.0$"),
        ((("kind=a",), 1.0, " "), r"^AddSilence: author must not be empty$"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused_where_it_is_made(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AddSilence(*given)


async def test_a_test_reaches_every_receiver(autojump_clock: MockClock) -> None:
    one, two = Recorder(name="one"), Recorder(name="two", least="CRITICAL")
    async with bot(one, two) as runtime:
        assert await runtime.ref(ALERTER).ask(SendTestAlert("hello")) == 2
        await trio.sleep(1)

    assert [receiver.got[0].firing[0].summary for receiver in (one, two)] == ["hello", "hello"]


# -- conditions from what happens ------------------------------------------------------


class Faulty(Actor):
    """Crashes on what it is told, or reports it."""

    def receive(self, message: object) -> None:
        if isinstance(message, Exception):
            raise message
        for _ in range(int(str(message))):
            self.context.report(ConnectionError("reset by peer"))


async def test_a_parked_child_is_an_alert_until_a_hand_starts_it(autojump_clock: MockClock) -> None:
    receiver = Recorder(only=["kind=child_parked"])
    child = Child("worker", Faulty, max_failures=0, on_give_up="park", unpark_after=None)
    async with bot(receiver, tree=Supervisor("bot", [child])) as runtime:
        runtime.ref("/bot/worker").tell(ConnectionError("gone"))
        await trio.sleep(60)
        await runtime.restart_child("/bot/worker")
        await trio.sleep(1)

    assert receiver.told() == [("firing", "child_parked /bot/worker", ""), ("resolved", "", "child_parked /bot/worker")]
    assert receiver.got[1].resolved[0].duration == 60.0


async def test_a_breaker_that_opens_is_an_alert_until_it_is_closed(autojump_clock: MockClock) -> None:
    receiver = Recorder(only=["kind=breaker_open"])
    guard = Guard("prices of a test", retry=None, breaker=Breaker.consecutive(2, open_for=10.0, success_threshold=1))

    async def fetch() -> None:
        if trio.current_time() < 5:
            raise ConnectionError("down")

    async with bot(receiver):
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await guard.call(fetch)
        await trio.sleep(40)
        await guard.call(fetch)
        await trio.sleep(1)

    assert receiver.told() == [
        ("firing", "breaker_open prices of a test", ""),
        ("resolved", "", "breaker_open prices of a test"),
    ]


async def test_many_errors_are_a_burst_and_a_rate_and_both_end(autojump_clock: MockClock) -> None:
    """More than 10 of a kind within 5 minutes, more than 5 a minute."""
    receiver = Recorder(only=["kind=~error_.*"])
    async with bot(receiver, tree=Supervisor("bot", [Child("worker", Faulty)])) as runtime:
        worker = runtime.ref("/bot/worker")
        worker.tell(5)
        await trio.sleep(70)
        worker.tell(5)
        await trio.sleep(30)
        assert receiver.got == []
        worker.tell(1)
        await trio.sleep(1000)

    assert receiver.told() == [
        ("firing", "error_burst ConnectionError", ""),
        ("firing", "error_rate bot", ""),
        ("resolved", "", "error_rate bot"),
        ("resolved", "", "error_burst ConnectionError"),
    ]
    assert [note.time for note in receiver.got] == [110.0, 110.0, 130.0, 300.0]


class Line(Connection):
    kind = "websocket"
    up = True

    async def connect(self) -> None:
        if not Line.up:
            raise ConnectionError("refused")


async def test_a_connection_that_is_parked_is_well_only_when_it_is_operational(autojump_clock: MockClock) -> None:
    """It is ready as soon as it starts, and that says nothing."""
    receiver = Recorder(only=["kind=child_parked"])
    child = Child("line", Line, backoff=Backoff.none(), max_failures=0, on_give_up="park", unpark_after=50)
    Line.up = False
    async with bot(receiver, tree=Supervisor("bot", [child], intensity=1000)) as runtime:
        await trio.sleep(120)
        assert receiver.told() == [("firing", "child_parked /bot/line", "")]
        Line.up = True
        await runtime.restart_child("/bot/line")
        await trio.sleep(1)

    assert receiver.told()[1:] == [("resolved", "", "child_parked /bot/line")]


async def test_settings_of_the_runtime_hold_at_once(autojump_clock: MockClock) -> None:
    receiver = Recorder(only=["kind=~error_.*"])
    settings = Settings(alerts=AlertSettings(error_rate=2, group_wait=1.0))
    tree = Supervisor("bot", [Child("worker", Faulty)])
    async with open_runtime(tree, system=[alerts([receiver])], log_level=None, settings=settings) as runtime:
        runtime.ref("/bot/worker").tell(3)
        await trio.sleep(2)
        assert receiver.told() == [("firing", "error_rate bot", "")]
        runtime.apply_settings(Settings(alerts=AlertSettings(error_rate=2, error_burst=1, group_wait=5.0)))
        runtime.ref("/bot/worker").tell(1)
        await trio.sleep(4)
        assert len(receiver.got) == 1
        await trio.sleep(1)

    assert receiver.told()[1] == ("firing", "error_burst ConnectionError", "")


async def test_settings_of_its_own_follow_nobody(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    system = [alerts([receiver], settings=AlertSettings(group_wait=2.0))]
    async with open_runtime(Supervisor("bot"), system=system, log_level=None) as runtime:
        runtime.apply_settings(Settings(alerts=AlertSettings(group_wait=500.0)))
        runtime.ref(ALERTER).tell(raising(severity=Severity.LOW))
        await trio.sleep(3)
        assert len(receiver.got) == 1


class Overheated(Event, frozen=True):
    degrees: float


async def test_rules_of_the_users_own_and_one_that_raises(autojump_clock: MockClock) -> None:
    receiver = Recorder()

    def judge(event: Overheated) -> list[Condition]:
        if event.degrees < 0:
            raise ValueError("no such temperature")
        return [condition(kind="heat", target="cpu")]

    async with bot(receiver, rules={Overheated: judge}) as runtime:
        for degrees in (-1.0, 90.0):
            runtime.bus.post(Overheated(time=runtime.now(), path="/", degrees=degrees))
        await trio.sleep(1)

    assert ("firing", "heat cpu", "") in receiver.told()


async def test_an_alerter_that_was_restarted_goes_on_with_what_it_knew(autojump_clock: MockClock) -> None:
    """Nobody is told of the beginning twice, and everybody of the end, with the whole duration; silences hold."""
    receiver = Recorder(only=["kind=child_parked"])
    child = Child("worker", Faulty, max_failures=0, on_give_up="park", unpark_after=None)
    async with bot(receiver, tree=Supervisor("bot", [child])) as runtime:
        runtime.ref("/bot/worker").tell(ConnectionError("gone"))
        await runtime.ref(ALERTER).ask(AddSilence(("kind=drawdown",), 600.0, "me"))
        await trio.sleep(90)
        await runtime.restart_child(ALERTER)
        await trio.sleep(60)
        assert len(await runtime.ref(ALERTER).ask(GetSilences())) == 1
        await runtime.restart_child("/bot/worker")
        await trio.sleep(1)

    assert receiver.told() == [("firing", "child_parked /bot/worker", ""), ("resolved", "", "child_parked /bot/worker")]
    assert receiver.got[1].resolved[0].id == receiver.got[0].firing[0].id
    assert receiver.got[1].resolved[0].duration == 150.0


async def test_an_alerter_that_does_not_last_begins_anew(autojump_clock: MockClock) -> None:
    """What it knew may be what it ends by; what fails is then raised again, under the same fingerprint."""
    receiver = Recorder(only=["kind=child_parked"])
    child = Child("worker", Faulty, max_failures=0, on_give_up="park", unpark_after=None)
    async with bot(receiver, tree=Supervisor("bot", [child])) as runtime:
        runtime.ref("/bot/worker").tell(ConnectionError("gone"))
        await trio.sleep(59)
        await runtime.restart_child(ALERTER)
        await trio.sleep(60)
        await runtime.restart_child("/bot/worker")
        await trio.sleep(1)

    assert [what for what, _, _ in receiver.told()] == ["firing", "firing", "resolved"]
    assert receiver.got[0].firing[0].fingerprint == receiver.got[2].resolved[0].fingerprint


async def test_a_restarted_alerter_goes_by_the_settings_of_now(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    tree = Supervisor("bot")
    async with open_runtime(tree, system=[alerts([receiver])], log_level=None) as runtime:
        await trio.sleep(100)
        await runtime.stop_child(ALERTER)
        runtime.apply_settings(Settings(alerts=AlertSettings(group_wait=3.0)))
        await runtime.restart_child(ALERTER)
        runtime.ref(ALERTER).tell(raising(severity=Severity.LOW))
        await trio.sleep(4)

    assert [note.time for note in receiver.got] == [103.0]


async def test_a_service_that_got_well_unseen_is_well(autojump_clock: MockClock) -> None:
    """The event that says so was lost with those that an alerter in its grave did not read."""
    receiver = Recorder(only=["kind=service_status"])
    worker = Child("worker", Faulty, backoff=Backoff.steps(90.0))
    async with bot(receiver, tree=Supervisor("bot", [worker])) as runtime:
        runtime.ref("/bot/worker").tell(ConnectionError("gone"))
        await trio.sleep(80)
        await runtime.stop_child(ALERTER)
        await trio.sleep(20)
        await runtime.restart_child(ALERTER)
        await trio.sleep(20)

    assert receiver.told() == [
        ("firing", "service_status /bot/worker", ""),
        ("resolved", "", "service_status /bot/worker"),
    ]


async def test_what_the_bot_itself_says_is_wrong_shows_no_part_of_a_secret(autojump_clock: MockClock) -> None:
    """The secret is across the place where the text is cut."""
    key = "hT7qLm2Zx9Kp4Wv8Rb3N"
    receiver = Recorder()
    async with bot(receiver) as runtime:
        with runtime.events(AlertRaised) as events:
            alerter = runtime.ref(ALERTER)
            alerter.tell(raising(summary="x" * 281 + f" api_key={key}", labels={"note": f"token={key}"}))
            await trio.sleep(1)
            (event,) = events.drain()
        alerter.tell(ClearAlert(kind="breaker_open", target="binance"))
        await trio.sleep(1)

    assert key[:4] not in str(event) + str(receiver.got)
    assert [what for what, _, _ in receiver.told()] == ["firing", "resolved"]


async def test_events_that_were_lost_are_made_up_for(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow alerter loses the oldest events; then it looks at the bot as it is."""
    monkeypatch.setattr("duenna_actors.alerts.alerter.CAPACITY", 1)
    receiver = Recorder(only=["kind=child_parked"])
    children = [
        Child(f"w{number}", Faulty, max_failures=0, on_give_up="park", unpark_after=None) for number in range(5)
    ]
    async with bot(receiver, tree=Supervisor("bot", children)) as runtime:
        for number in range(5):
            runtime.ref(f"/bot/w{number}").tell(ConnectionError("gone"))
        await trio.sleep(30)

    told = {alert.target for note in receiver.got for alert in note.firing}
    assert told == {f"/bot/w{number}" for number in range(5)}


# -- deliveries ------------------------------------------------------------------------


class Trouble:
    """Fails so many times, each in its own way, before it lets pass."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.tries = 0

    async def __call__(self, note: Notification) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)


def down(count: int) -> list[BaseException]:
    return [DeliveryError("recorder", "down") for _ in range(count)]


async def test_a_receiver_that_comes_back_gets_what_waited_in_order(autojump_clock: MockClock) -> None:
    trouble = Trouble(*down(4))
    receiver = Recorder(behaviour=trouble)
    async with bot(receiver) as runtime:
        with runtime.events(NotificationSent, NotificationDelayed) as events:
            for target in "ab":
                runtime.ref(ALERTER).tell(raising(kind=target, target=target))
            await trio.sleep(300)
            seen = [type(event).__name__ for event in events.drain()]

    assert receiver.told()[:2] == [("firing", "a a", ""), ("firing", "b b", "")]
    assert seen[:3] == ["NotificationDelayed", "NotificationSent", "NotificationSent"]
    assert trouble.tries >= 6


async def test_a_dead_receiver_alerts_through_the_others_alone(autojump_clock: MockClock) -> None:
    """And its own errors raise no alert: no loop."""
    dead = Recorder(name="dead", behaviour=Trouble(*down(100_000)))
    other = Recorder(name="other")
    async with bot(dead, other) as runtime:
        runtime.ref(ALERTER).tell(raising())
        await trio.sleep(2 * 3600)
        status = await runtime.ref(ALERTER).ask(GetAlerts())

    assert dead.got == []
    assert other.told()[:2] == [("firing", "breaker_open binance", ""), ("firing", "alert_delivery dead", "")]
    assert {state.alert.kind for state in status.alerts} == {"breaker_open", "alert_delivery"}
    assert len(other.got) < 10


async def test_errors_of_deliveries_are_counted_as_the_least_of_all(autojump_clock: MockClock) -> None:
    receiver = Recorder(behaviour=Trouble(*down(10)))
    async with bot(receiver) as runtime:
        with runtime.events(ErrorClassified) as events:
            runtime.ref(ALERTER).tell(raising())
            await trio.sleep(100)
            (event,) = events.drain()

    assert isinstance(event, ErrorClassified)
    assert (event.report.label, event.report.service, event.verdict.severity) == (
        "alert_delivery",
        "alerts:recorder",
        Severity.LOW,
    )


async def test_the_whole_way_of_an_alert_over_a_socket_without_its_secrets() -> None:
    """On the real clock: a crash, its alert at a web server and a mail server."""
    address = "/services/T0/B0/S3CRETS3CRET"
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level="DEBUG")
    child = Child("worker", Faulty, max_failures=0, on_give_up="park", unpark_after=None)
    try:
        async with web_server(http("no", 500), http("ok")) as web, mail_server() as mail:
            receivers = [
                SlackReceiver(url=web.url + address, only=["kind=child_parked"]),
                EmailReceiver(
                    host="127.0.0.1",
                    port=mail.port,
                    security="none",
                    sender_address="bot@example.org",
                    recipients="me@example.org",
                    only=["kind=child_parked"],
                ),
            ]
            tree, system = Supervisor("bot", [child]), [alerts(receivers)]
            async with open_runtime(tree, system=system, log_level="DEBUG") as runtime:
                with runtime.events(NotificationSent) as sent:
                    runtime.ref("/bot/worker").tell(ConnectionError(f"POST {web.url}{address} api_key=S3CRETS3CRET"))
                    for _ in receivers:
                        await anext(sent)
    finally:
        logger.remove(sink)

    assert len(web.bodies) == 2, "the first answer was an error"
    assert len(mail.mails) == 1
    assert lines
    assert "S3CRET" not in "".join(lines) + repr(web.bodies) + repr(mail.mails)


async def test_what_is_refused_for_good_is_given_up_at_once(autojump_clock: MockClock) -> None:
    trouble = Trouble(DeliveryError("recorder", "no such hook", status=404, is_final=True))
    receiver = Recorder(behaviour=trouble)
    async with bot(receiver) as runtime:
        with runtime.events(NotificationFailed) as events:
            alerter = runtime.ref(ALERTER)
            alerter.tell(raising(target="a"))
            await trio.sleep(1)
            alerter.tell(ClearAlert(kind="breaker_open", target="a"))
            await trio.sleep(1)
            (failed,) = events.drain()

    assert isinstance(failed, NotificationFailed)
    assert (failed.error, failed.attempts) == ("DeliveryError: recorder: no such hook", 1)
    assert (trouble.tries, receiver.got) == (1, []), "nobody is told of the end of what he never heard of"


async def test_retry_after_is_waited_for(autojump_clock: MockClock) -> None:
    trouble = Trouble(DeliveryError("recorder", "slower", status=429, retry_after=77.0))
    receiver = Recorder(behaviour=trouble)
    async with bot(receiver) as runtime:
        with runtime.events(NotificationSent) as events:
            runtime.ref(ALERTER).tell(raising())
            await trio.sleep(200)
            sent = next(events.drain())

    assert isinstance(sent, NotificationSent)
    assert (sent.delay, sent.attempts) == (77.0, 2)


async def test_what_is_too_old_is_given_up(autojump_clock: MockClock) -> None:
    receiver = Recorder(behaviour=Trouble(*down(100_000)))
    async with bot(receiver, max_age=600.0) as runtime:
        with runtime.events(NotificationFailed) as events:
            runtime.ref(ALERTER).tell(raising())
            await trio.sleep(1000)
            (failed,) = events.drain()

    assert 500 <= failed.time <= 600


async def test_a_sender_with_a_bug_stops_nothing(autojump_clock: MockClock) -> None:
    receiver = Recorder(behaviour=Trouble(TypeError("bug")))
    async with bot(receiver) as runtime:
        for target in "ab":
            runtime.ref(ALERTER).tell(raising(kind=target, target=target))
        await trio.sleep(1)
        assert runtime.tree("/system/alerts/recorder").restarts == 0

    assert receiver.told() == [("firing", "b b", "")]


async def test_a_delivery_that_is_restarted_loses_nothing(autojump_clock: MockClock) -> None:
    """The notification in hand is put back in front of the mailbox."""
    gate = trio.Event()

    async def wait(_: Notification) -> None:
        await gate.wait()

    receiver = Recorder(behaviour=wait, timeout=1000.0)
    async with bot(receiver) as runtime:
        for target in "abc":
            runtime.ref(ALERTER).tell(raising(kind=target, target=target))
        await wait_all_tasks_blocked()
        await runtime.restart_child("/system/alerts/recorder")
        gate.set()
        await trio.sleep(1)

    assert [what[1] for what in receiver.told()] == ["a a", "b b", "c c"]


async def test_a_receiver_that_hangs_delays_neither_the_start_nor_much_of_the_stop(autojump_clock: MockClock) -> None:
    """However many hang: all of them have the same few seconds."""

    async def hang(_: Notification) -> None:
        await trio.sleep_forever()

    receivers = [Recorder(name=f"r{number}", behaviour=hang, timeout=1000.0) for number in range(5)]
    async with bot(*receivers, drain=3.0) as runtime:
        assert trio.current_time() == 0.0
        runtime.ref(ALERTER).tell(raising())
        await trio.sleep(5)
        with runtime.events(NotificationFailed) as events:
            await runtime.stop()
            assert runtime.report.duration == 3.0
            assert runtime.report.overran == ()
            assert [event.error for event in events.drain() if isinstance(event, NotificationFailed)] == [
                "the bot has ended"
            ] * 5


async def test_what_waits_when_the_bot_ends_is_told(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    async with bot(receiver) as runtime:
        runtime.ref(ALERTER).tell(raising(severity=Severity.LOW))
        await trio.sleep(1)

    assert receiver.told() == [("firing", "breaker_open binance", "")]
    assert receiver.got[0].time == 1.0


async def test_a_bot_that_gives_up_says_so_first(autojump_clock: MockClock) -> None:
    receiver = Recorder(only=["kind=supervisor_gave_up"])

    async def crash(context: Context) -> None:
        await trio.sleep(1)
        raise ConnectionError("gone")

    tree = Supervisor("bot", [Child("worker", crash, backoff=Backoff.none())], intensity=1)
    with pytest.raises(duenna.GaveUpError):
        async with bot(receiver, tree=tree):
            await trio.sleep_forever()

    assert [what for what, _, _ in receiver.told()] == ["firing"]


async def test_a_receiver_that_was_deleted_is_told_nothing(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    async with bot(receiver) as runtime:
        await runtime.stop_child("/system/alerts/recorder")
        await runtime.delete_child("/system/alerts/recorder")
        runtime.ref(ALERTER).tell(raising())
        await trio.sleep(1)

    assert receiver.got == []


# -- construction ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"receivers": [LogReceiver(), LogReceiver()]},
            ValueError,
            r"^alerts: names of receivers must all be different",
        ),
        ({"receivers": [LogReceiver(name="alerter")]}, ValueError, r"not 'alerter', got 'alerter'$"),
        ({"receivers": ["log"]}, TypeError, r"^alerts: each of receivers must be a Receiver, got str$"),
        ({"drain": float("inf")}, ValueError, r"^alerts: drain must be a finite number of seconds, got inf$"),
        ({"max_age": 0}, ValueError, r"^alerts: max_age must be > 0 seconds, got 0$"),
        ({"resolve_after": -1}, ValueError, r"^alerts: resolve_after must be >= 0 seconds, got -1$"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        alerts(**({"receivers": []} | options))


async def test_one_spec_serves_several_bots(autojump_clock: MockClock) -> None:
    receiver = Recorder()
    system = [alerts([receiver])]
    for _ in range(2):
        async with open_runtime(Supervisor("bot"), system=system, log_level=None) as runtime:
            runtime.ref(ALERTER).tell(raising())
            await trio.sleep(1)

    assert len(receiver.got) == 2
